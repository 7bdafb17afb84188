//! DescribeLogDirs (key 35), versions 1–4, and AlterReplicaLogDirs (34), versions 1–2.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_log_dirs_response::{DescribeLogDirsPartition, DescribeLogDirsResult};

use kafka_protocol::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest};

use crate::connect;
use crate::support::batch::Batch;
use crate::support::broker::Broker;
use crate::support::raw::Client;
use crate::support::requests::{Topic, create_request, metadata_request, produce, text, topic_name, wait_until_led};

fn describe(client: &mut Client, version: i16, topics: Option<Vec<(&Topic, Vec<i32>)>>) -> DescribeLogDirsResult {
    let wanted = |(topic, partitions): (&Topic, Vec<i32>)| {
        DescribableLogDirTopic::default().with_topic(topic.name.clone()).with_partitions(partitions)
    };
    let topics = topics.map(|topics| topics.into_iter().map(wanted).collect());
    let mut response = client.call(&DescribeLogDirsRequest::default().with_topics(topics), version);
    assert_eq!((response.error_code, response.results.len()), (0, 1));
    let directory = response.results.remove(0);
    assert_eq!(directory.error_code, 0);
    assert!(directory.log_dir.starts_with('/'), "{:?}", directory.log_dir);
    directory
}

fn partitions(directory: &DescribeLogDirsResult, topic: &Topic) -> Vec<DescribeLogDirsPartition> {
    let found = directory.topics.iter().find(|each| each.name == topic.name);
    let mut partitions = found.map(|each| each.partitions.clone()).unwrap_or_default();
    partitions.sort_by_key(|each| each.partition_index);
    partitions
}

#[test]
fn kip_113_partitions_have_their_sizes_at_every_version() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 2, &[]);
    let batch = Batch::of(&["a", "b"]).build();
    produce(&mut client, 9, &topic, 1, batch.clone());
    for version in 1..=4 {
        let directory = describe(&mut client, version, Some(vec![(&topic, vec![0, 1])]));
        let found = partitions(&directory, &topic);
        let sizes: Vec<_> = found.iter().map(|each| (each.partition_index, each.partition_size)).collect();
        assert_eq!(sizes, [(0, 0), (1, batch.len() as i64)], "version {version}");
        assert!(found.iter().all(|each| each.offset_lag == 0 && !each.is_future_key));
        if version >= 4 {
            // KIP-827.
            assert!(directory.total_bytes > 0 && directory.usable_bytes <= directory.total_bytes, "{directory:?}");
        }
    }
}

#[test]
fn all_partitions_are_described_when_none_is_named_and_unknown_ones_are_left_out() {
    let (_broker, mut client) = connect();
    let (topic, other) = (Topic::create(&mut client, 2, &[]), Topic::create(&mut client, 1, &[]));
    for version in 1..=4 {
        let all = describe(&mut client, version, None);
        assert_eq!((partitions(&all, &topic).len(), partitions(&all, &other).len()), (2, 1), "version {version}");
        let unknown = Topic::unknown();
        let some = describe(&mut client, version, Some(vec![(&topic, vec![1, 7]), (&unknown, vec![0])]));
        let indexes: Vec<_> = partitions(&some, &topic).iter().map(|each| each.partition_index).collect();
        assert_eq!((some.topics.len(), &indexes[..]), (1, &[1][..]), "version {version}");
        assert!(describe(&mut client, version, Some(vec![])).topics.is_empty());
    }
}

fn to(path: &str, topics: &[(&Topic, &[i32])]) -> AlterReplicaLogDir {
    let of_topic = |(topic, partitions): &(&Topic, &[i32])| {
        AlterReplicaLogDirTopic::default().with_name(topic.name.clone()).with_partitions(partitions.to_vec())
    };
    AlterReplicaLogDir::default().with_path(text(path)).with_topics(topics.iter().map(of_topic).collect())
}

/// Asks for these moves; each partition with its code, sorted.
fn alter(client: &mut Client, version: i16, directories: Vec<AlterReplicaLogDir>) -> Vec<(String, i32, i16)> {
    let response = client.call(&AlterReplicaLogDirsRequest::default().with_dirs(directories), version);
    let mut codes = Vec::new();
    for topic in response.results {
        let name = topic.topic_name.to_string();
        codes.extend(topic.partitions.iter().map(|each| (name.clone(), each.partition_index, each.error_code)));
    }
    codes.sort();
    codes
}

#[test]
fn kip_113_a_partition_can_be_sent_only_to_where_it_is_at_every_version() {
    let (_broker, mut client) = connect();
    let (topic, unknown) = (Topic::create(&mut client, 2, &[]), Topic::unknown());
    let here = describe(&mut client, 1, None).log_dir.to_string();
    let name = topic.name.to_string();
    let none = 0;
    let (no_directory, no_partition) =
        (ResponseError::LogDirNotFound.code(), ResponseError::UnknownTopicOrPartition.code());
    for version in 1..=2 {
        let case = format!("version {version}");
        let both = alter(&mut client, version, vec![to(&here, &[(&topic, &[0, 1])])]);
        assert_eq!(both, [(name.clone(), 0, none), (name.clone(), 1, none)], "{case}");
        for path in ["/nowhere", "", "relative", &format!("{here}/"), &format!("{here}/..")] {
            let codes = alter(&mut client, version, vec![to(path, &[(&topic, &[0]), (&unknown, &[0])])]);
            assert!(codes.iter().all(|(_, _, code)| *code == no_directory) && codes.len() == 2, "{case}: {codes:?}");
        }
        let codes = alter(&mut client, version, vec![to(&here, &[(&topic, &[0, 7, -1])])]);
        let expected = [(name.clone(), -1, no_partition), (name.clone(), 0, none), (name.clone(), 7, no_partition)];
        assert_eq!(codes, expected, "{case}");
        let codes = alter(&mut client, version, vec![to(&here, &[(&unknown, &[0])])]);
        assert_eq!(codes, [(unknown.name.to_string(), 0, no_partition)], "{case}");
        let codes = alter(&mut client, version, vec![to("/nowhere", &[(&topic, &[0])]), to(&here, &[(&topic, &[0])])]);
        assert_eq!(codes, [(name.clone(), 0, none)], "{case}: the last one counts");
        let codes = alter(&mut client, version, vec![to(&here, &[(&topic, &[0])]), to("/nowhere", &[(&topic, &[0])])]);
        assert_eq!(codes, [(name.clone(), 0, no_directory)], "{case}: the last one counts");
        assert_eq!(alter(&mut client, version, vec![]), [], "{case}");
    }
}

#[test]
fn a_topic_whose_name_leaves_no_room_for_a_move_is_invalid() {
    let (_broker, mut client) = connect();
    let here = describe(&mut client, 1, None).log_dir.to_string();
    let random = Topic::unknown().name.to_string();
    for (length, code) in [(213, 0), (214, ResponseError::InvalidTopicException.code())] {
        let name = topic_name(&format!("{random:x<length$}"));
        let created = client.call(&create_request(&name, 1, &[]), 7);
        assert_eq!(created.topics[0].error_code, 0);
        let topic = Topic { name, id: created.topics[0].topic_id };
        wait_until_led(&mut client, &topic.name);
        let codes = alter(&mut client, 2, vec![to(&here, &[(&topic, &[0])])]);
        assert_eq!(codes, [(topic.name.to_string(), 0, code)], "{length} characters");
    }
}

#[test]
fn a_partition_whose_log_is_offline_is_left_out_and_its_directory_goes_on() {
    // Apache Kafka would take the whole directory offline, and names only what is in directories that live.
    let mut broker = Broker::start_ours(&[]);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 2, &[]);
    produce(&mut client, 9, &topic, 1, Batch::of(&["a"]).build());
    broker.stop();
    let segment = broker.data().join(format!("{}-0", topic.name.as_str())).join("00000000000000000000.log");
    std::fs::remove_file(&segment).expect("it is there");
    std::fs::create_dir(&segment).expect("a folder can be in its place");
    broker.start_again(&[]);
    let mut client = Client::connect(broker.address());
    let storage_error = ResponseError::KafkaStorageError.code();
    for version in 1..=4 {
        for wanted in [None, Some(vec![(&topic, vec![0, 1])])] {
            let directory = describe(&mut client, version, wanted);
            let indexes: Vec<_> = partitions(&directory, &topic).iter().map(|each| each.partition_index).collect();
            assert_eq!(indexes, [1], "version {version}");
            assert_eq!(directory.total_bytes > 0, version >= 4, "{directory:?}");
        }
    }
    let here = describe(&mut client, 1, None).log_dir.to_string();
    for version in 1..=2 {
        let codes = alter(&mut client, version, vec![to(&here, &[(&topic, &[0, 1])])]);
        assert_eq!(codes.iter().map(|(_, _, code)| *code).collect::<Vec<_>>(), [storage_error, 0]);
    }
    let metadata = client.call(&metadata_request(&[&topic.name]), 12);
    let mut leaders: Vec<_> =
        metadata.topics[0].partitions.iter().map(|p| (p.partition_index, p.leader_id.0)).collect();
    leaders.sort();
    assert!(leaders[0].1 == -1 && leaders[1].1 >= 0, "{leaders:?}");
}

#[test]
fn kip_827_a_directory_that_is_gone_is_a_storage_error_without_partitions_and_sizes() {
    let broker = Broker::start_ours(&[]);
    let mut client = Client::connect(broker.address());
    Topic::create(&mut client, 1, &[]);
    let away = broker.data().with_extension("away");
    std::fs::rename(broker.data(), &away).expect("it can be moved");
    for version in 1..=4 {
        let response = client.call(&DescribeLogDirsRequest::default().with_topics(None), version);
        let [directory] = &response.results[..] else { panic!("one directory: {response:?}") };
        assert_eq!((response.error_code, directory.error_code), (0, ResponseError::KafkaStorageError.code()));
        // As Apache Kafka 4.3 answers for one that failed.
        assert_eq!((directory.total_bytes, directory.usable_bytes, directory.topics.len()), (-1, -1, 0));
        assert_eq!(directory.log_dir.as_str(), broker.data().display().to_string());
    }
    std::fs::rename(&away, broker.data()).expect("it can be moved back");
    assert_eq!(describe(&mut client, 4, None).topics.len(), 1);
}
