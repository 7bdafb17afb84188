//! Good request frames of every API in every version served, made by the `kafka-protocol` crate: what is damaged later.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_quorum_request;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::fetch_request::ForgottenTopic;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterConfigsRequest, AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest,
    ApiVersionsRequest, BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest,
    DeleteTopicsRequest, DescribeClientQuotasRequest, DescribeClusterRequest, DescribeConfigsRequest,
    DescribeLogDirsRequest, DescribeQuorumRequest, DescribeTopicPartitionsRequest, DescribeUserScramCredentialsRequest,
    ElectLeadersRequest, IncrementalAlterConfigsRequest, InitProducerIdRequest, ListConfigResourcesRequest,
    ListOffsetsRequest, ListPartitionReassignmentsRequest, OffsetForLeaderEpochRequest, RequestHeader,
    UnregisterBrokerRequest, UpdateFeaturesRequest, alter_configs_request, incremental_alter_configs_request,
};
use kafka_protocol::protocol::{Encodable, Request};
use klamm::wire::ApiKey;
use klamm::wire::api::APIS;

use crate::support::batch::{Batch, CONTROL, Record, TRANSACTIONAL, ZSTD};
use crate::support::random::Random;
use crate::support::raw::with_length;
use crate::support::requests::{Topic, fetch_request, metadata_request, produce_request, text, topic_name};

/// A good frame, with its length in front.
pub fn frame(random: &mut Random, topic: &Topic) -> Vec<u8> {
    let api = random.pick(APIS);
    let versions: Vec<i16> = api.versions.clone().collect();
    let version = *random.pick(&versions);
    frame_of(random, topic, api.key, version)
}

/// A good frame of this API and version.
pub fn frame_of(random: &mut Random, topic: &Topic, api: ApiKey, version: i16) -> Vec<u8> {
    let name = || topic.name.clone();
    match api {
        ApiKey::Produce => {
            let partitions: Vec<_> = (0..1 + random.below(3)).map(|i| (i, batch(random))).collect();
            let acks = *random.pick(&[-1, 0, 1]);
            encode(&produce_request(version, topic, &partitions).with_acks(acks).with_timeout_ms(100), version)
        }
        ApiKey::Fetch => {
            let partitions: Vec<_> = (0..1 + random.below(3)).map(|i| (i, random.below(40) as i64)).collect();
            let mut request = fetch_request(version, topic, &partitions).with_max_wait_ms(random.below(20));
            request.min_bytes = random.below(2);
            if version >= 7 {
                request.session_epoch = *random.pick(&[-1, 0, 1]);
                let mut forgotten = ForgottenTopic::default().with_partitions(vec![0, 7]);
                if version >= 13 {
                    forgotten.topic_id = topic.id;
                } else {
                    forgotten.topic = name();
                }
                request.forgotten_topics_data = vec![forgotten; random.below(2)];
            }
            encode(&request, version)
        }
        ApiKey::ListOffsets => {
            let timestamp = *random.pick(&[-1, -2, 1_700_000_000_000]);
            let partition = ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1);
            let topics = vec![ListOffsetsTopic::default().with_name(name()).with_partitions(vec![partition; 2])];
            encode(&ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics), version)
        }
        ApiKey::Metadata => {
            let unknown = topic_name("nobody-created-this");
            let mut request = metadata_request(&[&topic.name, &unknown]);
            if version < 4 {
                request.allow_auto_topic_creation = true;
            }
            if version > 0 && random.one_in(4) {
                request.topics = None;
            }
            encode(&request, version)
        }
        ApiKey::ApiVersions => {
            let software = if version >= 3 { text("mutant") } else { text("") };
            let request = ApiVersionsRequest::default();
            encode(&request.with_client_software_name(software.clone()).with_client_software_version(software), version)
        }
        // Damage may still turn it into one that creates.
        ApiKey::CreateTopics => {
            let config =
                |key, value| CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)));
            let assignment = CreatableReplicaAssignment::default().with_broker_ids(vec![BrokerId(1)]);
            let topic = CreatableTopic::default().with_name(topic_name("valid")).with_replication_factor(1);
            let topics = vec![
                topic.clone().with_num_partitions(2).with_configs(vec![config("retention.ms", "1000")]),
                topic.with_name(topic_name("assigned")).with_num_partitions(-1).with_assignments(vec![assignment]),
            ];
            let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(1000);
            encode(&request.with_validate_only(true), version)
        }
        ApiKey::DeleteTopics => {
            let absent = topic_name("nobody-created-this");
            let request = DeleteTopicsRequest::default().with_timeout_ms(1000);
            if version >= 6 {
                let by_id = DeleteTopicState::default().with_topic_id(uuid::Uuid::from_u128(7));
                let by_name = DeleteTopicState::default().with_name(Some(absent));
                encode(&request.with_topics(vec![by_name, by_id]), version)
            } else {
                encode(&request.with_topic_names(vec![absent]), version)
            }
        }
        // What changes or deletes is asked of a topic that is not there: the healthy client keeps its records.
        ApiKey::DeleteRecords => {
            let partition = DeleteRecordsPartition::default().with_offset(0);
            let topic = DeleteRecordsTopic::default()
                .with_name(topic_name("nobody-created-this"))
                .with_partitions(vec![partition; 2]);
            encode(&DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000), version)
        }
        ApiKey::AlterConfigs => {
            let config = alter_configs_request::AlterableConfig::default()
                .with_name(text("retention.ms"))
                .with_value(Some(text("1000")));
            let resource = alter_configs_request::AlterConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(topic.name.0.clone())
                .with_configs(vec![config]);
            let request = AlterConfigsRequest::default().with_resources(vec![resource]);
            encode(&request.with_validate_only(true), version)
        }
        ApiKey::AlterReplicaLogDirs => {
            let topics = AlterReplicaLogDirTopic::default().with_name(name()).with_partitions(vec![0, 7]);
            let directory = AlterReplicaLogDir::default().with_path(text("/elsewhere")).with_topics(vec![topics]);
            encode(&AlterReplicaLogDirsRequest::default().with_dirs(vec![directory; 2]), version)
        }
        ApiKey::DescribeLogDirs => {
            let topics = DescribableLogDirTopic::default().with_topic(name()).with_partitions(vec![0, 7]);
            let topics = (!random.one_in(4)).then(|| vec![topics; 2]);
            encode(&DescribeLogDirsRequest::default().with_topics(topics), version)
        }
        ApiKey::ElectLeaders => {
            let topics = TopicPartitions::default().with_topic(name()).with_partitions(vec![0, 7]);
            let topics = (!random.one_in(4)).then(|| vec![topics; 2]);
            encode(&ElectLeadersRequest::default().with_topic_partitions(topics), version)
        }
        ApiKey::AlterPartitionReassignments => {
            let partition = ReassignablePartition::default().with_replicas(Some(vec![BrokerId(1)]));
            let partitions = vec![partition.clone(), partition.with_replicas(None)];
            let topics = vec![ReassignableTopic::default().with_name(name()).with_partitions(partitions)];
            encode(&AlterPartitionReassignmentsRequest::default().with_topics(topics), version)
        }
        ApiKey::ListConfigResources => {
            let types = if version >= 1 { vec![2, 4, 8] } else { vec![] };
            encode(&ListConfigResourcesRequest::default().with_resource_types(types), version)
        }
        ApiKey::CreatePartitions => {
            let more = CreatePartitionsTopic::default().with_name(name()).with_count(9);
            let request = CreatePartitionsRequest::default().with_topics(vec![more]).with_timeout_ms(1000);
            encode(&request.with_validate_only(true), version)
        }
        ApiKey::IncrementalAlterConfigs => {
            let config = incremental_alter_configs_request::AlterableConfig::default()
                .with_name(text("retention.ms"))
                .with_config_operation(random.below(4) as i8)
                .with_value(Some(text("1000")));
            let resource = incremental_alter_configs_request::AlterConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(text("nobody-created-this"))
                .with_configs(vec![config]);
            encode(&IncrementalAlterConfigsRequest::default().with_resources(vec![resource]), version)
        }
        ApiKey::InitProducerId => {
            let transactional = random.one_in(4).then(|| text("mutant").into());
            let request = InitProducerIdRequest::default().with_transaction_timeout_ms(1000);
            encode(&request.with_transactional_id(transactional), version)
        }
        ApiKey::OffsetForLeaderEpoch => {
            let partition = OffsetForLeaderPartition::default().with_current_leader_epoch(-1).with_leader_epoch(0);
            let topics = vec![OffsetForLeaderTopic::default().with_topic(name()).with_partitions(vec![partition; 2])];
            encode(&OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics), version)
        }
        ApiKey::DescribeConfigs => {
            let of_topic =
                DescribeConfigsResource::default().with_resource_type(2).with_resource_name(topic.name.0.clone());
            let of_broker = DescribeConfigsResource::default().with_resource_type(4).with_resource_name(text("1"));
            let some = of_topic.clone().with_configuration_keys(Some(vec![text("retention.ms"), text("none")]));
            encode(&DescribeConfigsRequest::default().with_resources(vec![of_topic, of_broker, some]), version)
        }
        ApiKey::ListPartitionReassignments => {
            let topics = ListPartitionReassignmentsTopics::default().with_name(name()).with_partition_indexes(vec![0]);
            encode(&ListPartitionReassignmentsRequest::default().with_topics(Some(vec![topics])), version)
        }
        ApiKey::DescribeQuorum => {
            let partitions = vec![describe_quorum_request::PartitionData::default(); 1 + random.below(2)];
            let topics = describe_quorum_request::TopicData::default()
                .with_topic_name(topic_name("__cluster_metadata"))
                .with_partitions(partitions);
            encode(&DescribeQuorumRequest::default().with_topics(vec![topics]), version)
        }
        ApiKey::UpdateFeatures => {
            let name = random.pick(&["metadata.version", "group.version", "nope"]);
            let update = FeatureUpdateKey::default()
                .with_feature(text(name))
                .with_max_version_level(*random.pick(&[-1, 0, 1, 27, 28]));
            let update = if version >= 1 { update.with_upgrade_type(random.below(5) as i8) } else { update };
            encode(&UpdateFeaturesRequest::default().with_feature_updates(vec![update]), version)
        }
        ApiKey::UnregisterBroker => {
            let id = BrokerId(*random.pick(&[-1, 1, 77]));
            encode(&UnregisterBrokerRequest::default().with_broker_id(id), version)
        }
        ApiKey::DescribeClientQuotas => {
            let component = ComponentData::default().with_entity_type(text("user")).with_match_type(2);
            encode(&DescribeClientQuotasRequest::default().with_components(vec![component]), version)
        }
        // Of a client that is not here, and only validated: no test is to be slowed down.
        ApiKey::AlterClientQuotas => {
            let entity = EntityData::default().with_entity_type(text("user")).with_entity_name(Some(text("nobody")));
            let op = OpData::default().with_key(text("producer_byte_rate")).with_value(1e9);
            let entry = EntryData::default().with_entity(vec![entity]).with_ops(vec![op]);
            encode(&AlterClientQuotasRequest::default().with_entries(vec![entry]).with_validate_only(true), version)
        }
        ApiKey::DescribeUserScramCredentials => {
            let users = vec![UserName::default().with_name(text("nobody"))];
            encode(&DescribeUserScramCredentialsRequest::default().with_users(Some(users)), version)
        }
        ApiKey::DescribeCluster => encode(&DescribeClusterRequest::default(), version),
        ApiKey::DescribeTopicPartitions => {
            let topics = vec![TopicRequest::default().with_name(name())];
            let cursor = random.one_in(2).then(|| Cursor::default().with_topic_name(name()));
            let request = DescribeTopicPartitionsRequest::default().with_topics(topics).with_cursor(cursor);
            encode(&request.with_response_partition_limit(100), version)
        }
    }
}

/// A batch that is good, or that an honest client would not send; with keys, headers, a codec, a producer.
fn batch(random: &mut Random) -> Bytes {
    let record = |random: &mut Random| {
        let (key_bytes, value_bytes) = (random.below(20), random.below(200));
        Record {
            timestamp: 1_700_000_000_000 + random.below(1000) as i64,
            key: random.one_in(2).then(|| random.bytes(key_bytes)),
            value: (!random.one_in(5)).then(|| random.bytes(value_bytes)),
            headers: (0..random.below(3)).map(|i| (format!("h{i}"), random.one_in(2).then(|| vec![1]))).collect(),
        }
    };
    let mut batch = Batch::of(&[]);
    batch.records = (0..random.below(12)).map(|_| record(random)).collect();
    batch.attributes = *random.pick(&[0, 0, 0, ZSTD, ZSTD, CONTROL, TRANSACTIONAL, 1, 2, 3, 7]);
    if random.one_in(4) {
        batch = batch.by(random.below(20) as i64, 0, random.below(5));
    }
    batch.build()
}

fn encode<R: Request>(request: &R, version: i16) -> Vec<u8> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(7)
        .with_client_id(Some(text("mutant")));
    let mut body = BytesMut::new();
    header.encode(&mut body, R::header_version(version)).expect("the header can be encoded");
    request.encode(&mut body, version).expect("the request can be encoded at this version");
    with_length(&body)
}
