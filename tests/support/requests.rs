//! Requests that many raw tests need, at any version of their API, and topics to send them to.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, DescribeConfigsRequest, FetchRequest, FetchResponse, InitProducerIdRequest,
    ListOffsetsRequest, MetadataRequest, ProduceRequest, ProducerId, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::batch::{self, Stored};
use super::raw::Client;

/// The first versions that name a topic by its id (KIP-516).
pub const PRODUCE_BY_ID: i16 = 13;
pub const FETCH_BY_ID: i16 = 13;

/// A topic under both of its names.
#[derive(Clone, Debug)]
pub struct Topic {
    pub name: TopicName,
    pub id: Uuid,
}

impl Topic {
    /// A new topic that takes records when this returns.
    pub fn create(client: &mut Client, partitions: i32, configs: &[(&str, &str)]) -> Topic {
        let name = new_name();
        let response = client.call(&create_request(&name, partitions, configs), 7);
        assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
        // Apache Kafka answers before the broker has heard from its controller.
        let topic = wait_until_led(client, &name);
        Topic { name, id: topic.topic_id }
    }

    /// A topic that nobody created.
    pub fn unknown() -> Topic {
        Topic { name: new_name(), id: Uuid::new_v4() }
    }
}

/// A topic name that no other test uses.
pub fn new_name() -> TopicName {
    topic_name(&format!("t-{}", Uuid::new_v4().simple()))
}

pub fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

pub fn text(from: &str) -> StrBytes {
    StrBytes::from_string(from.to_owned())
}

/// A request for one topic with one replica.
pub fn create_request(name: &TopicName, partitions: i32, configs: &[(&str, &str)]) -> CreateTopicsRequest {
    let config = |(key, value): &(&str, &str)| {
        CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)))
    };
    let topic = CreatableTopic::default()
        .with_name(name.clone())
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(configs.iter().map(config).collect());
    CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(15000)
}

/// A request for these topics by name that creates none.
pub fn metadata_request(names: &[&TopicName]) -> MetadataRequest {
    let topic = |name: &&TopicName| MetadataRequestTopic::default().with_name(Some((*name).clone()));
    MetadataRequest::default()
        .with_topics(Some(names.iter().map(topic).collect()))
        .with_allow_auto_topic_creation(false)
}

/// A request for these settings of a topic.
pub fn describe_settings(topic: &TopicName, settings: &[&str]) -> DescribeConfigsRequest {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(topic.0.clone())
        .with_configuration_keys(Some(settings.iter().map(|setting| text(setting)).collect()));
    DescribeConfigsRequest::default().with_resources(vec![resource])
}

/// What Metadata says of the topic once all its partitions have leaders that serve them; asks again until then.
///
/// In Apache Kafka a partition may still answer NOT_LEADER_OR_FOLLOWER when Metadata already names its leader.
pub fn wait_until_led(client: &mut Client, name: &TopicName) -> MetadataResponseTopic {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let topic = client.call(&metadata_request(&[name]), 12).topics.remove(0);
        let led = topic.error_code == 0
            && !topic.partitions.is_empty()
            && topic.partitions.iter().all(|each| each.leader_id.0 >= 0);
        if led && is_served(client, &topic) {
            return topic;
        }
        assert!(Instant::now() < deadline, "the topic has no leader: {topic:?}");
    }
}

/// Whether every partition answers ListOffsets.
fn is_served(client: &mut Client, topic: &MetadataResponseTopic) -> bool {
    let partition = |index: i32| {
        ListOffsetsPartition::default().with_partition_index(index).with_timestamp(-1).with_current_leader_epoch(-1)
    };
    let partitions = topic.partitions.iter().map(|each| partition(each.partition_index)).collect();
    let name = topic.name.clone().expect("it was asked for by name");
    let of_topic = ListOffsetsTopic::default().with_name(name).with_partitions(partitions);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![of_topic]);
    client.call(&request, 4).topics[0].partitions.iter().all(|each| each.error_code == 0)
}

/// Asks for the id of a new idempotent producer.
pub fn init_producer_request() -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}

/// The id of a new idempotent producer.
pub fn new_producer(client: &mut Client) -> i64 {
    let response = client.call(&init_producer_request(), 4);
    assert_eq!(response.error_code, 0);
    response.producer_id.0
}

/// A Produce request with acks=all for these partitions of one topic.
pub fn produce_request(version: i16, topic: &Topic, partitions: &[(i32, Bytes)]) -> ProduceRequest {
    let data = |(index, records): &(i32, Bytes)| {
        PartitionProduceData::default().with_index(*index).with_records(Some(records.clone()))
    };
    let mut of_topic = TopicProduceData::default().with_partition_data(partitions.iter().map(data).collect());
    if version >= PRODUCE_BY_ID {
        of_topic.topic_id = topic.id;
    } else {
        of_topic.name = topic.name.clone();
    }
    ProduceRequest::default().with_acks(-1).with_timeout_ms(15000).with_topic_data(vec![of_topic])
}

/// Produces to one partition and gives its part of the response.
pub fn produce(
    client: &mut Client,
    version: i16,
    topic: &Topic,
    partition: i32,
    records: Bytes,
) -> PartitionProduceResponse {
    let mut response = client.call(&produce_request(version, topic, &[(partition, records)]), version);
    let mut of_topic = response.responses.remove(0);
    if version >= PRODUCE_BY_ID {
        assert_eq!(of_topic.topic_id, topic.id);
    } else {
        assert_eq!(of_topic.name, topic.name);
    }
    of_topic.partition_responses.remove(0)
}

/// Produces and expects the base offset.
pub fn produce_at(client: &mut Client, topic: &Topic, partition: i32, records: Bytes, base_offset: i64) {
    let answer = produce(client, 9, topic, partition, records);
    assert_eq!((answer.error_code, answer.base_offset), (0, base_offset), "{:?}", answer.error_message);
}

/// A Fetch request for these partitions of one topic, each from its offset, that does not wait.
pub fn fetch_request(version: i16, topic: &Topic, partitions: &[(i32, i64)]) -> FetchRequest {
    let partition = |(index, offset): &(i32, i64)| {
        FetchPartition::default().with_partition(*index).with_fetch_offset(*offset).with_partition_max_bytes(1 << 20)
    };
    let mut of_topic = FetchTopic::default().with_partitions(partitions.iter().map(partition).collect());
    if version >= FETCH_BY_ID {
        of_topic.topic_id = topic.id;
    } else {
        of_topic.topic = topic.name.clone();
    }
    let request = FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(0)
        .with_max_bytes(1 << 24)
        .with_topics(vec![of_topic]);
    if version >= 7 { request.with_session_epoch(-1) } else { request }
}

/// Fetches one partition and gives its part of the response.
pub fn fetch(client: &mut Client, version: i16, topic: &Topic, partition: i32, offset: i64) -> PartitionData {
    let response = client.call(&fetch_request(version, topic, &[(partition, offset)]), version);
    assert_eq!(response.error_code, 0);
    the_partition(response, version, topic)
}

/// The only partition of a response, which must be of this topic.
pub fn the_partition(mut response: FetchResponse, version: i16, topic: &Topic) -> PartitionData {
    assert_eq!(response.responses.len(), 1, "{response:?}");
    let mut of_topic: FetchableTopicResponse = response.responses.remove(0);
    if version >= FETCH_BY_ID {
        assert_eq!(of_topic.topic_id, topic.id);
    } else {
        assert_eq!(of_topic.topic, topic.name);
    }
    assert_eq!(of_topic.partitions.len(), 1);
    of_topic.partitions.remove(0)
}

/// The batches that a partition's part of a Fetch response carries.
pub fn batches(partition: &PartitionData) -> Vec<Stored> {
    batch::read(partition.records.as_deref().unwrap_or_default())
}

/// The values that it carries, in order.
pub fn values(partition: &PartitionData) -> Vec<String> {
    batches(partition).into_iter().flat_map(|batch| batch.values).map(|(_, value)| value).collect()
}
