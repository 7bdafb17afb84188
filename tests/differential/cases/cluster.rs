//! ApiVersions, DescribeCluster, DescribeQuorum, UpdateFeatures, UnregisterBroker.

use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{
    ApiVersionsRequest, BrokerId, DescribeClusterRequest, DescribeQuorumRequest, UnregisterBrokerRequest,
    UpdateFeaturesRequest,
};

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

/// Nothing is changed: features are the cluster's, and others look at them.
pub fn update_features(run: &mut Run) {
    let version = run.version();
    let of = |updates: &[(&str, i16, i8)]| {
        let update = |(name, level, kind): &(&str, i16, i8)| {
            let update = FeatureUpdateKey::default().with_feature(text(name)).with_max_version_level(*level);
            // Version 0 knows upgrades, and downgrades that may be.
            if version >= 1 { update.with_upgrade_type(*kind) } else { update.with_allow_downgrade(*kind > UPGRADE) }
        };
        let request = UpdateFeaturesRequest::default().with_timeout_ms(15000);
        let request = request.with_feature_updates(updates.iter().map(update).collect());
        if version >= 1 { request.with_validate_only(true) } else { request }
    };
    run.step("an unknown feature", &of(&[("no.such.feature", 1, UPGRADE)]));
    run.step("no name", &of(&[("", 1, UPGRADE)]));
    run.step("a level that is not known", &of(&[("metadata.version", 10_000, UPGRADE)]));
    run.step("a negative level", &of(&[("metadata.version", -1, UPGRADE)]));
    run.step("none", &of(&[]));
    let unknown = ("no.such.feature", 1, UPGRADE);
    run.step("one feature twice", &of(&[unknown, unknown]));
    if version >= 1 {
        for kind in [0, 4, -1] {
            run.step(&format!("kind {kind}"), &of(&[("metadata.version", 7, kind)]));
        }
        run.step("to level 0 by an upgrade", &of(&[("group.version", 0, UPGRADE)]));
    }
}

const UPGRADE: i8 = 1;

/// Brokers that are not there; the one that is must stay.
pub fn unregister_broker(run: &mut Run) {
    for id in [7, 0, -1, i32::MAX] {
        run.step(&format!("broker {id}"), &UnregisterBrokerRequest::default().with_broker_id(BrokerId(id)));
    }
}
