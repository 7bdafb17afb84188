//! All scenarios, by family of APIs.

use kafka_protocol::messages::ApiKey;

use super::cases::{clients, cluster, configs, metadata, placement, producing, reading, topics};
use super::scenario::{Run, Scenario};

pub static SCENARIOS: &[Scenario] = &[
    of("create-topics", ApiKey::CreateTopics, topics::create),
    of("create-partitions", ApiKey::CreatePartitions, topics::create_partitions),
    of("delete-topics", ApiKey::DeleteTopics, topics::delete),
    of("produce", ApiKey::Produce, producing::produce),
    of("init-producer-id", ApiKey::InitProducerId, producing::init_producer_id),
    of("fetch", ApiKey::Fetch, reading::fetch),
    of("fetch-sessions", ApiKey::Fetch, reading::fetch_sessions),
    of("list-offsets", ApiKey::ListOffsets, reading::list_offsets),
    of("offset-for-leader-epoch", ApiKey::OffsetForLeaderEpoch, reading::offset_for_leader_epoch),
    of("delete-records", ApiKey::DeleteRecords, reading::delete),
    of("metadata", ApiKey::Metadata, metadata::metadata),
    of("describe-topic-partitions", ApiKey::DescribeTopicPartitions, metadata::describe_topic_partitions),
    of("describe-configs", ApiKey::DescribeConfigs, configs::describe),
    of("alter-configs", ApiKey::AlterConfigs, configs::alter),
    of("incremental-alter-configs", ApiKey::IncrementalAlterConfigs, configs::incremental_alter),
    of("list-config-resources", ApiKey::ListConfigResources, configs::list_resources),
    of("describe-log-dirs", ApiKey::DescribeLogDirs, placement::describe_log_dirs),
    of("alter-replica-log-dirs", ApiKey::AlterReplicaLogDirs, placement::alter_replica_log_dirs),
    of("elect-leaders", ApiKey::ElectLeaders, placement::elect_leaders),
    of("alter-partition-reassignments", ApiKey::AlterPartitionReassignments, placement::alter_reassignments),
    of("list-partition-reassignments", ApiKey::ListPartitionReassignments, placement::list_reassignments),
    of("api-versions", ApiKey::ApiVersions, cluster::api_versions),
    of("describe-cluster", ApiKey::DescribeCluster, cluster::describe_cluster),
    of("describe-quorum", ApiKey::DescribeQuorum, cluster::describe_quorum),
    of("update-features", ApiKey::UpdateFeatures, cluster::update_features),
    of("unregister-broker", ApiKey::UnregisterBroker, cluster::unregister_broker),
    of("describe-client-quotas", ApiKey::DescribeClientQuotas, clients::describe_quotas),
    of("alter-client-quotas", ApiKey::AlterClientQuotas, clients::alter_quotas),
    of("describe-user-scram-credentials", ApiKey::DescribeUserScramCredentials, clients::describe_scram),
];

const fn of(name: &'static str, api: ApiKey, steps: fn(&mut Run)) -> Scenario {
    Scenario { name, api, steps }
}
