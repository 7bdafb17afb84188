//! What decoding a request may allocate, measured by an allocator that counts.
//!
//! Every API and version served: requests made and encoded by the `kafka-protocol` crate, whole, damaged, and crowded
//! with as many of the smallest elements as the guard lets pass. The seed of the damage is that of `KLAMM_TEST_SEED`, or 1.

use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
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
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic, ReplicaState};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterConfigsRequest, AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest,
    ApiVersionsRequest, BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest,
    DeleteTopicsRequest, DescribeClientQuotasRequest, DescribeClusterRequest, DescribeConfigsRequest,
    DescribeLogDirsRequest, DescribeQuorumRequest, DescribeTopicPartitionsRequest, DescribeUserScramCredentialsRequest,
    ElectLeadersRequest, FetchRequest, IncrementalAlterConfigsRequest, InitProducerIdRequest,
    ListConfigResourcesRequest, ListOffsetsRequest, ListPartitionReassignmentsRequest, MetadataRequest,
    OffsetForLeaderEpochRequest, ProduceRequest, TopicName, UnregisterBrokerRequest, UpdateFeaturesRequest,
    alter_configs_request, incremental_alter_configs_request,
};
use kafka_protocol::protocol::{Encodable, StrBytes};
use klamm::wire::api::{APIS, ForRequest};
use klamm::wire::guard::{self, decoded_bytes_max};
use klamm::wire::{ApiKey, Malformed, ServedRequest, decode};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use uuid::Uuid;

struct Counting;

thread_local! {
    static ALLOCATED_BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it came; the counter is a plain cell of the thread,
// initialized at compile time and without a destructor, so that touching it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED_BYTES.set(ALLOCATED_BYTES.get() + layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// All that was allocated while `work` ran, freed again or not.
fn allocated_by<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATED_BYTES.get();
    let result = work();
    (ALLOCATED_BYTES.get() - before, result)
}

/// The text of an error, with its backtrace where one is asked for, and the count of references to a body.
const BESIDES_BYTES: usize = 64 << 10;

/// Guards and decodes `body`, and checks what that allocated.
fn measure(api: ApiKey, version: i16, body: &[u8]) -> Result<(), Malformed> {
    struct Decode<'a>(i16, &'a [u8]);
    impl ForRequest for Decode<'_> {
        type Output = (usize, Result<(), Malformed>);

        fn with<T: ServedRequest>(self) -> Self::Output {
            let (bytes, result) = allocated_by(|| decode::<T>(self.0, self.1));
            (bytes, result.map(drop))
        }
    }
    let (guard_bytes, guarded) = allocated_by(|| guard::check(api, version, body));
    assert_eq!(guard_bytes, 0, "{api} {version}: the guard allocates");
    let (decode_bytes, decoded) = api.for_request(Decode(version, body));
    let limit = match guarded {
        Ok(_) => body.len() + decoded_bytes_max(body.len()) + BESIDES_BYTES,
        Err(_) => 0,
    };
    assert!(decode_bytes <= limit, "{api} {version}: {decode_bytes} bytes for a body of {}", body.len());
    decoded
}

fn text(length: usize) -> StrBytes {
    StrBytes::from_string("n".repeat(length))
}

fn topic(length: usize) -> TopicName {
    TopicName(text(length))
}

fn encode(request: &impl Encodable, version: i16) -> Vec<u8> {
    let mut body = Vec::new();
    request.encode(&mut body, version).unwrap();
    body
}

/// A request with `count` elements in each of its arrays of structs at the top, `inner` in those within, and names of
/// `length` characters.
fn request(api: ApiKey, version: i16, count: usize, inner: usize, length: usize) -> Vec<u8> {
    let id = Uuid::from_u128(if length == 0 { 0 } else { 0x0123_4567_89ab_cdef });
    // Null, where an element may be null, as often as not.
    let every_other = |at: usize| at.is_multiple_of(2).then(|| text(length));
    match api {
        ApiKey::Produce => {
            let partitions = (0..inner).map(|at| {
                let records = (at % 2 == 0).then(|| vec![0xff; length].into());
                PartitionProduceData::default().with_index(at as i32).with_records(records)
            });
            let data = TopicProduceData::default().with_partition_data(partitions.collect());
            let data = if version >= 13 { data.with_topic_id(id) } else { data.with_name(topic(length)) };
            encode(&ProduceRequest::default().with_acks(-1).with_topic_data(vec![data; count]), version)
        }
        ApiKey::Fetch => {
            let mut partition = FetchPartition::default().with_fetch_offset(5);
            if version >= 17 {
                partition = partition.with_replica_directory_id(id);
            }
            let fetched = FetchTopic::default().with_partitions(vec![partition; inner]);
            let forgotten = ForgottenTopic::default().with_partitions(vec![3; inner]);
            let (fetched, forgotten) = if version >= 13 {
                (fetched.with_topic_id(id), forgotten.with_topic_id(id))
            } else {
                (fetched.with_topic(topic(length)), forgotten.with_topic(topic(length)))
            };
            let mut request = FetchRequest::default().with_topics(vec![fetched; count]);
            if version >= 7 {
                request = request.with_forgotten_topics_data(vec![forgotten; count]);
            }
            if version >= 12 {
                request = request.with_cluster_id(Some(text(length)));
            }
            if version >= 15 {
                request = request.with_replica_state(ReplicaState::default().with_replica_id(BrokerId(4)));
            }
            encode(&request, version)
        }
        ApiKey::ListOffsets => {
            let partition = ListOffsetsPartition::default().with_timestamp(-1);
            let listed = ListOffsetsTopic::default().with_name(topic(length)).with_partitions(vec![partition; inner]);
            encode(&ListOffsetsRequest::default().with_topics(vec![listed; count]), version)
        }
        ApiKey::Metadata => {
            let topics = (0..count).map(|at| {
                let name = if version >= 10 { every_other(at) } else { Some(text(length)) };
                MetadataRequestTopic::default().with_name(name.map(TopicName))
            });
            encode(&MetadataRequest::default().with_topics(Some(topics.collect())), version)
        }
        ApiKey::ApiVersions => {
            let (name, number) = if version >= 3 { (text(length), text(length)) } else { Default::default() };
            let request = ApiVersionsRequest::default();
            encode(&request.with_client_software_name(name).with_client_software_version(number), version)
        }
        ApiKey::CreateTopics => {
            let ids = vec![BrokerId(2); inner];
            let assignments = vec![CreatableReplicaAssignment::default().with_broker_ids(ids); inner];
            let configs = (0..inner)
                .map(|at| CreatableTopicConfig::default().with_name(text(length)).with_value(every_other(at)));
            let created = CreatableTopic::default()
                .with_name(topic(length))
                .with_assignments(assignments)
                .with_configs(configs.collect());
            encode(&CreateTopicsRequest::default().with_topics(vec![created; count]), version)
        }
        ApiKey::DeleteTopics if version >= 6 => {
            let topics = (0..count).map(|at| DeleteTopicState::default().with_name(every_other(at).map(TopicName)));
            encode(&DeleteTopicsRequest::default().with_topics(topics.collect()), version)
        }
        ApiKey::DeleteTopics => {
            encode(&DeleteTopicsRequest::default().with_topic_names(vec![topic(length); count]), version)
        }
        ApiKey::DeleteRecords => {
            let partitions = vec![DeleteRecordsPartition::default(); inner];
            let deleted = DeleteRecordsTopic::default().with_name(topic(length)).with_partitions(partitions);
            encode(&DeleteRecordsRequest::default().with_topics(vec![deleted; count]), version)
        }
        ApiKey::AlterConfigs => {
            let configs = (0..inner).map(|at| {
                alter_configs_request::AlterableConfig::default().with_name(text(length)).with_value(every_other(at))
            });
            let resource = alter_configs_request::AlterConfigsResource::default()
                .with_resource_name(text(length))
                .with_configs(configs.collect());
            encode(&AlterConfigsRequest::default().with_resources(vec![resource; count]), version)
        }
        ApiKey::ElectLeaders => {
            let topics = TopicPartitions::default().with_topic(topic(length)).with_partitions(vec![1; inner]);
            encode(&ElectLeadersRequest::default().with_topic_partitions(Some(vec![topics; count])), version)
        }
        ApiKey::AlterPartitionReassignments => {
            let partitions = (0..inner).map(|at| {
                let brokers = (at % 2 == 0).then(|| vec![BrokerId(2); inner]);
                ReassignablePartition::default().with_replicas(brokers)
            });
            let topics = ReassignableTopic::default().with_name(topic(length)).with_partitions(partitions.collect());
            encode(&AlterPartitionReassignmentsRequest::default().with_topics(vec![topics; count]), version)
        }
        ApiKey::ListConfigResources => {
            let types = if version >= 1 { vec![2; count] } else { vec![] };
            encode(&ListConfigResourcesRequest::default().with_resource_types(types), version)
        }
        ApiKey::AlterReplicaLogDirs => {
            let topics = AlterReplicaLogDirTopic::default().with_name(topic(length)).with_partitions(vec![1; inner]);
            let directory = AlterReplicaLogDir::default().with_path(text(length)).with_topics(vec![topics; inner]);
            encode(&AlterReplicaLogDirsRequest::default().with_dirs(vec![directory; count]), version)
        }
        ApiKey::DescribeLogDirs => {
            let topics = DescribableLogDirTopic::default().with_topic(topic(length)).with_partitions(vec![1; inner]);
            encode(&DescribeLogDirsRequest::default().with_topics(Some(vec![topics; count])), version)
        }
        ApiKey::CreatePartitions => {
            let topics = (0..count).map(|at| {
                let brokers = CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(2); inner]);
                let assignments = (at % 2 == 0).then(|| vec![brokers; inner]);
                CreatePartitionsTopic::default().with_name(topic(length)).with_assignments(assignments)
            });
            encode(&CreatePartitionsRequest::default().with_topics(topics.collect()), version)
        }
        ApiKey::IncrementalAlterConfigs => {
            let configs = (0..inner).map(|at| {
                let config = incremental_alter_configs_request::AlterableConfig::default();
                config.with_name(text(length)).with_value(every_other(at))
            });
            let resource = incremental_alter_configs_request::AlterConfigsResource::default()
                .with_resource_name(text(length))
                .with_configs(configs.collect());
            encode(&IncrementalAlterConfigsRequest::default().with_resources(vec![resource; count]), version)
        }
        ApiKey::InitProducerId => {
            let id = every_other(count).map(Into::into);
            encode(&InitProducerIdRequest::default().with_transactional_id(id), version)
        }
        ApiKey::OffsetForLeaderEpoch => {
            let partitions = vec![OffsetForLeaderPartition::default(); inner];
            let asked = OffsetForLeaderTopic::default().with_topic(topic(length)).with_partitions(partitions);
            encode(&OffsetForLeaderEpochRequest::default().with_topics(vec![asked; count]), version)
        }
        ApiKey::DescribeConfigs => {
            let resources = (0..count).map(|at| {
                let keys = (at % 2 == 0).then(|| vec![text(length); inner]);
                DescribeConfigsResource::default().with_resource_name(text(length)).with_configuration_keys(keys)
            });
            encode(&DescribeConfigsRequest::default().with_resources(resources.collect()), version)
        }
        ApiKey::ListPartitionReassignments => {
            let topics = ListPartitionReassignmentsTopics::default()
                .with_name(topic(length))
                .with_partition_indexes(vec![1; inner]);
            encode(&ListPartitionReassignmentsRequest::default().with_topics(Some(vec![topics; count])), version)
        }
        ApiKey::DescribeQuorum => {
            let partitions = vec![describe_quorum_request::PartitionData::default(); inner];
            let topics = describe_quorum_request::TopicData::default()
                .with_topic_name(topic(length))
                .with_partitions(partitions);
            encode(&DescribeQuorumRequest::default().with_topics(vec![topics; count]), version)
        }
        ApiKey::UpdateFeatures => {
            let update = FeatureUpdateKey::default().with_feature(text(length));
            encode(&UpdateFeaturesRequest::default().with_feature_updates(vec![update; count]), version)
        }
        ApiKey::UnregisterBroker => encode(&UnregisterBrokerRequest::default(), version),
        ApiKey::DescribeClientQuotas => {
            let components = (0..count)
                .map(|at| ComponentData::default().with_entity_type(text(length)).with_match(every_other(at)));
            encode(&DescribeClientQuotasRequest::default().with_components(components.collect()), version)
        }
        ApiKey::AlterClientQuotas => {
            let entity = (0..inner)
                .map(|at| EntityData::default().with_entity_type(text(length)).with_entity_name(every_other(at)));
            let ops = vec![OpData::default().with_key(text(length)); inner];
            let entry = EntryData::default().with_entity(entity.collect()).with_ops(ops);
            encode(&AlterClientQuotasRequest::default().with_entries(vec![entry; count]), version)
        }
        ApiKey::DescribeUserScramCredentials => {
            let users = vec![UserName::default().with_name(text(length)); count];
            encode(&DescribeUserScramCredentialsRequest::default().with_users(Some(users)), version)
        }
        ApiKey::DescribeCluster => encode(&DescribeClusterRequest::default(), version),
        ApiKey::DescribeTopicPartitions => {
            let topics = vec![TopicRequest::default().with_name(topic(length)); count];
            let cursor = count.is_multiple_of(2).then(|| Cursor::default().with_topic_name(topic(length)));
            encode(&DescribeTopicPartitionsRequest::default().with_topics(topics).with_cursor(cursor), version)
        }
    }
}

fn versions() -> impl Iterator<Item = (ApiKey, i16)> {
    APIS.iter().flat_map(|api| api.versions.clone().map(|version| (api.key, version)))
}

#[test]
fn whole_requests_are_decoded_within_the_limit() {
    for (api, version) in versions() {
        for (count, inner, length) in [(0, 0, 0), (1, 1, 1), (2, 3, 5), (3, 2, 200), (40, 40, 40)] {
            let body = request(api, version, count, inner, length);
            assert_eq!(measure(api, version, &body), Ok(()), "{api} {version}");
        }
    }
}

#[test]
fn damaged_requests_are_decoded_within_the_limit_or_refused() {
    let seed: u64 = std::env::var("KLAMM_TEST_SEED").map_or(1, |seed| seed.parse().expect("the seed is a number"));
    println!("KLAMM_TEST_SEED={seed}");
    let mut state = seed;
    let mut random = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % end
    };
    for (api, version) in versions() {
        let whole = request(api, version, 2, 2, 3);
        for _ in 0..1_000 {
            let mut body = whole.clone();
            for _ in 0..=random(2) {
                if body.is_empty() {
                    break;
                }
                let at = random(body.len());
                match random(4) {
                    0 => body.truncate(at),
                    1 => body[at] = [0x00, 0x7f, 0x80, 0xff][random(4)],
                    2 => body[at] = random(256) as u8,
                    _ => drop(body.splice(at..at, [0x7f, 0xff, 0xff, 0xff, 0x0f].into_iter().take(1 + random(5)))),
                }
            }
            let _verdict = measure(api, version, &body);
        }
    }
}

/// About as many elements as the guard lets pass in a request, up to a bound.
fn crowd(bound: usize, passes: impl Fn(usize) -> bool) -> usize {
    if passes(bound) {
        return bound;
    }
    let (mut passing, mut refused) = (0, bound);
    while refused - passing > bound / 100 {
        let middle = (passing + refused) / 2;
        if passes(middle) { passing = middle } else { refused = middle }
    }
    passing
}

#[test]
fn the_most_crowded_requests_that_pass_are_decoded_within_the_limit() {
    let without_arrays =
        [ApiKey::ApiVersions, ApiKey::InitProducerId, ApiKey::DescribeCluster, ApiKey::UnregisterBroker];
    for api in APIS.iter().filter(|api| !without_arrays.contains(&api.key)) {
        for version in [*api.versions.start(), *api.versions.end()] {
            // Many empty elements, then one with many. The brokers of an assignment of CreateTopics are as many as the
            // assignments, so that they multiply.
            let is_nested = matches!(
                api.key,
                ApiKey::CreateTopics
                    | ApiKey::CreatePartitions
                    | ApiKey::AlterPartitionReassignments
                    | ApiKey::AlterReplicaLogDirs
            );
            let inner_max = if is_nested { 300 } else { usize::MAX };
            for shape in [|count| (count, 0), |count| (1, count)] {
                let body = |count| {
                    let (top, inner): (usize, usize) = shape(count);
                    request(api.key, version, top, inner.min(inner_max), 0)
                };
                let count = crowd(16_000, |count| guard::check(api.key, version, &body(count)).is_ok());
                assert!(count > 1_000, "{} {version}: {count}", api.key);
                assert_eq!(measure(api.key, version, &body(count)), Ok(()), "{} {version}", api.key);
            }
        }
    }
}

#[test]
fn unknown_tagged_fields_are_decoded_within_the_limit() {
    // Each topic of Metadata 12: an id, a null name, one tagged field without content.
    let topics = |count: usize| {
        let mut body = vec![0x80 | (count + 1) as u8 & 0x7f, ((count + 1) >> 7) as u8];
        for _ in 0..count {
            body.extend([0; 17]);
            body.extend([1, 5, 0]);
        }
        body.extend([0; 3]);
        body
    };
    let count = crowd(16_000, |count| guard::check(ApiKey::Metadata, 12, &topics(count)).is_ok());
    assert!(count > 2_000, "{count}");
    assert_eq!(measure(ApiKey::Metadata, 12, &topics(count)), Ok(()));

    // All in one struct: null topics, two Booleans, tags from 0 on.
    let tags = |count: usize| {
        let mut body = vec![0, 0, 0, 0x80 | (count as u8) & 0x7f, (count >> 7) as u8];
        body.extend((0..count).flat_map(|tag| [0x80 | (tag as u8) & 0x7f, (tag >> 7) as u8, 0]));
        body
    };
    let count = crowd(16_000, |count| guard::check(ApiKey::Metadata, 12, &tags(count)).is_ok());
    assert!(count > 12_000, "{count}");
    assert_eq!(measure(ApiKey::Metadata, 12, &tags(count)), Ok(()));
}

#[test]
fn a_frame_of_the_largest_size_cannot_have_more_than_64_mib_decoded() {
    assert_eq!(decoded_bytes_max(100 << 20), 64 << 20);
    let body = request(ApiKey::DescribeTopicPartitions, 0, 1_300_000, 0, 20);
    assert!(body.len() > 20 << 20);
    assert!(measure(ApiKey::DescribeTopicPartitions, 0, &body).is_err());
}
