//! DescribeQuorum (key 55), versions 0–2.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};

use crate::connect;
use crate::support::raw::Client;
use crate::support::requests::{Topic, metadata_request, topic_name};

const METADATA: &str = "__cluster_metadata";

fn describe(client: &mut Client, version: i16, topics: &[(&str, &[i32])]) -> DescribeQuorumResponse {
    let partition = |index: &i32| PartitionData::default().with_partition_index(*index);
    let topic = |(name, partitions): &(&str, &[i32])| {
        TopicData::default()
            .with_topic_name(topic_name(name))
            .with_partitions(partitions.iter().map(partition).collect())
    };
    let request = DescribeQuorumRequest::default().with_topics(topics.iter().map(topic).collect());
    client.call(&request, version)
}

#[test]
fn kip_595_the_quorum_is_described_at_every_version() {
    let (broker, mut client) = connect();
    let cluster = client.call(&metadata_request(&[]), 12);
    let node = &cluster.brokers[0];
    let mut high_watermark = 0;
    for version in 0..=2 {
        let case = format!("version {version}");
        // Each creation is in the log of the metadata.
        Topic::create(&mut client, 1, &[]);
        let response = describe(&mut client, version, &[(METADATA, &[0])]);
        assert_eq!((response.error_code, response.topics.len()), (0, 1), "{case}");
        let [partition] = &response.topics[0].partitions[..] else { panic!("{case}: {response:?}") };
        assert_eq!((response.topics[0].topic_name.as_str(), partition.partition_index), (METADATA, 0), "{case}");
        assert_eq!((partition.error_code, partition.leader_id), (0, node.node_id), "{case}");
        assert!(partition.leader_epoch > 0, "{case}: {partition:?}");
        assert!(partition.high_watermark > high_watermark, "{case}: {partition:?} after {high_watermark}");
        high_watermark = partition.high_watermark;
        let [voter] = &partition.current_voters[..] else { panic!("{case}: {partition:?}") };
        assert_eq!((voter.replica_id, voter.replica_directory_id.is_nil()), (node.node_id, true), "{case}");
        assert!(voter.log_end_offset >= high_watermark, "{case}: {partition:?}");
        assert!(partition.observers.is_empty(), "{case}");
        if version >= 1 {
            // KIP-836: a leader always has what it has.
            assert!(voter.last_fetch_timestamp > 1_700_000_000_000, "{case}: {voter:?}");
            assert_eq!(voter.last_caught_up_timestamp, voter.last_fetch_timestamp, "{case}");
        }
        if version >= 2 {
            // KIP-853.
            let [reached] = &response.nodes[..] else { panic!("{case}: {response:?}") };
            assert_eq!((reached.node_id, reached.listeners.len()), (node.node_id, 1));
            if broker.is_klamm() {
                // There is no listener for controllers.
                let listener = &reached.listeners[0];
                assert_eq!(format!("{}:{}", listener.host.as_str(), listener.port), broker.address());
            }
        }
    }
}

#[test]
fn only_the_metadata_partition_by_itself_has_a_quorum() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let cases: &[&[(&str, &[i32])]] = &[
        &[(METADATA, &[1])],
        &[(METADATA, &[-1])],
        &[(METADATA, &[0, 0])],
        &[(METADATA, &[0, 1])],
        &[(METADATA, &[0]), (METADATA, &[0])],
        &[(METADATA, &[0]), (topic.name.as_str(), &[0])],
        &[(topic.name.as_str(), &[0])],
        &[("", &[0])],
        &[(METADATA, &[])],
        &[],
    ];
    for version in 0..=2 {
        for topics in cases {
            let response = describe(&mut client, version, topics);
            let case = format!("version {version}: {topics:?}: {response:?}");
            assert_eq!((response.error_code, response.nodes.len()), (0, 0), "{case}");
            assert_eq!(response.topics.len(), topics.len(), "{case}");
            for (answered, (name, partitions)) in response.topics.iter().zip(*topics) {
                assert_eq!(answered.topic_name.as_str(), *name, "{case}");
                let indexes: Vec<_> = answered.partitions.iter().map(|each| each.partition_index).collect();
                assert_eq!(indexes, *partitions, "{case}");
                for each in &answered.partitions {
                    assert_eq!(each.error_code, ResponseError::UnknownTopicOrPartition.code(), "{case}");
                    assert!(each.current_voters.is_empty(), "{case}");
                    if version >= 2 {
                        let text = each.error_message.as_deref();
                        assert_eq!(text, Some("This server does not host this topic-partition."), "{case}");
                    }
                }
            }
        }
    }
}
