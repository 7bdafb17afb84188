//! DescribeLogDirs (key 35), versions 1–4.

use kafka_protocol::messages::DescribeLogDirsRequest;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_log_dirs_response::{DescribeLogDirsPartition, DescribeLogDirsResult};

use crate::connect;
use crate::support::batch::Batch;
use crate::support::raw::Client;
use crate::support::requests::{Topic, produce};

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
