//! ApiVersions, DescribeCluster, DescribeQuorum.

use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::{ApiVersionsRequest, DescribeClusterRequest, DescribeQuorumRequest};

use crate::scenario::Run;
use crate::support::requests::{text, topic_name};

const FEATURES: &str = "a client with a name";

pub fn api_versions(run: &mut Run) {
    // Which APIs there are is compared with the ranges of Kafka 4.1.
    let ask = |run: &mut Run, step: &str, name: &str, version: &str| {
        let mut request = ApiVersionsRequest::default();
        if run.version() >= 3 {
            request = request.with_client_software_name(text(name)).with_client_software_version(text(version));
        }
        run.step_of(step, &request, |response| {
            response.api_keys.clear();
            // They are shown once.
            if step != FEATURES {
                response.supported_features.clear();
                response.finalized_features.clear();
            }
        });
    };
    ask(run, FEATURES, "differential", "1.0");
    for (step, name, version) in [
        ("no name", "", "1.0"),
        ("no version", "name", ""),
        ("a space", "a name", "1.0"),
        ("a dash in front", "-name", "1.0"),
        ("a dash at the end", "name", "1.0-"),
        ("an umlaut", "nämé", "1.0"),
        ("dots and dashes", "a-b.c", "1-b.c"),
    ] {
        ask(run, &format!("name: {step}"), name, version);
    }
}

pub fn describe_cluster(run: &mut Run) {
    let request = DescribeClusterRequest::default;
    run.step("the cluster", &request());
    run.step("with what is allowed", &request().with_include_cluster_authorized_operations(true));
    if run.version() >= 1 {
        for endpoint in [0, 2, 3, -1] {
            run.step(&format!("endpoint type {endpoint}"), &request().with_endpoint_type(endpoint));
        }
    }
    if run.version() >= 2 {
        run.step("with fenced brokers", &request().with_include_fenced_brokers(true));
    }
}

pub fn describe_quorum(run: &mut Run) {
    let of = |topics: &[(&str, &[i32])]| {
        let partition = |index: &i32| PartitionData::default().with_partition_index(*index);
        let topic = |(name, partitions): &(&str, &[i32])| {
            TopicData::default()
                .with_topic_name(topic_name(name))
                .with_partitions(partitions.iter().map(partition).collect())
        };
        DescribeQuorumRequest::default().with_topics(topics.iter().map(topic).collect())
    };
    run.step("the quorum", &of(&[("__cluster_metadata", &[0])]));
    run.step("no topics", &of(&[]));
    run.step("no partitions", &of(&[("__cluster_metadata", &[])]));
    run.step("another partition", &of(&[("__cluster_metadata", &[1])]));
    run.step("one partition twice", &of(&[("__cluster_metadata", &[0, 0])]));
    run.step("another topic", &of(&[("other", &[0])]));
    run.step("two topics", &of(&[("__cluster_metadata", &[0]), ("other", &[0, 1])]));
}
