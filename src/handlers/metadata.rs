//! Metadata (key 3), versions 0–13.
//!
//! Brokers, topics and their partitions. Version 0 asks for all topics with an empty list, later ones with null; 4 says
//! whether missing topics may be created; 8 authorized operations; 10 topic ids; 12 asks by id (earlier: INVALID_REQUEST); 13 has an error of its
//! own. A missing topic that may be created is created, and the answer waits until its partitions take appends, so that
//! the client's first produce succeeds.
//!
//! Source: `KafkaApis.handleTopicMetadataRequest`.

use super::errors::{controller_error, topic_error};
use super::names::wire_name;
use super::partition_view::partitions_from;
use super::services::endpoint;
use super::{Call, Client, Services, mutation_quota};
use crate::controller::{Mode, NewTopic};
use crate::metadata::{ClusterImage, Topic};
use crate::security::{Operation, Resource};
use crate::types::{TopicId, TopicName};
use crate::wire::ErrorCode;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName as WireName};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeSet, HashMap};

/// "Not asked for" in the bit fields of authorized operations.
const OPERATIONS_NOT_ASKED: i32 = i32::MIN;

/// What coordinators make for themselves, with settings of their own: no client's question creates them.
const INTERNAL_TOPICS: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// What a request asks for.
enum Wanted {
    All,
    Names(BTreeSet<String>),
    Ids(BTreeSet<TopicId>),
}

pub(super) async fn handle(
    services: &Services,
    client: &Client,
    call: &Call<'_>,
    request: MetadataRequest,
) -> MetadataResponse {
    let topics = match wanted(call.version, &request) {
        Ok(Wanted::All) => all_topics(services, client),
        Ok(Wanted::Names(names)) => {
            let may_create = call.version < 4 || request.allow_auto_topic_creation;
            named_topics(services, client, call, names, may_create).await
        }
        Ok(Wanted::Ids(ids)) => topics_by_id(services, client, ids),
        Err(code) => return failed(services, client, call, &request, code),
    };
    let with_operations = request.include_topic_authorized_operations && call.version >= 8;
    let topics = topics.into_iter().map(|topic| {
        let name = topic.name.as_ref().map_or("", |name| name.as_str());
        let operations = match with_operations {
            true => services.authorizer.allowed(&client.principal, Resource::Topic(name)),
            false => OPERATIONS_NOT_ASKED,
        };
        topic.with_topic_authorized_operations(operations)
    });
    let topics = topics.collect();
    let cluster_operations = match request.include_cluster_authorized_operations && (8..=10).contains(&call.version) {
        true => services.authorizer.allowed(&client.principal, Resource::Cluster),
        false => OPERATIONS_NOT_ASKED,
    };
    answer(services, client).with_topics(topics).with_cluster_authorized_operations(cluster_operations)
}

fn wanted(version: i16, request: &MetadataRequest) -> Result<Wanted, ErrorCode> {
    let topics = match &request.topics {
        None => return Ok(Wanted::All),
        Some(topics) if topics.is_empty() && version == 0 => return Ok(Wanted::All),
        Some(topics) => topics,
    };
    // The fields are there from version 10 on, and may be used from 12 on.
    if version < 12 && topics.iter().any(|topic| topic.name.is_none() || !topic.topic_id.is_nil()) {
        return Err(ErrorCode::InvalidRequest);
    }
    let ids: BTreeSet<_> = topics.iter().map(|t| TopicId(t.topic_id)).filter(|id| *id != TopicId::NONE).collect();
    // One id, and the names count no more: Java's admin client puts an empty one beside each id.
    if !ids.is_empty() {
        return Ok(Wanted::Ids(ids));
    }
    if topics.iter().any(|topic| topic.name.is_none()) {
        return Err(ErrorCode::InvalidRequest);
    }
    let names = topics.iter().filter_map(|topic| topic.name.as_ref()).map(|name| name.to_string());
    Ok(Wanted::Names(names.collect()))
}

/// All topics of the request failed; a missing name becomes an empty one, because older versions know no other.
fn failed(
    services: &Services,
    client: &Client,
    call: &Call<'_>,
    request: &MetadataRequest,
    code: ErrorCode,
) -> MetadataResponse {
    let topics = request.topics.iter().flatten().map(|topic| {
        MetadataResponseTopic::default()
            .with_name(Some(topic.name.clone().unwrap_or_default()))
            .with_topic_id(topic.topic_id)
            .with_error_code(code.code())
            .with_topic_authorized_operations(OPERATIONS_NOT_ASKED)
    });
    let answer =
        answer(services, client).with_topics(topics.collect()).with_cluster_authorized_operations(OPERATIONS_NOT_ASKED);
    if call.version >= 13 { answer.with_error_code(code.code()) } else { answer }
}

fn answer(services: &Services, client: &Client) -> MetadataResponse {
    let image = services.image();
    let brokers = image.brokers.values().filter_map(|broker| {
        let endpoint = endpoint(broker, &client.listener)?;
        Some(
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(broker.id.0))
                .with_host(StrBytes::from_string(endpoint.host.clone()))
                .with_port(i32::from(endpoint.port))
                .with_rack(broker.rack.clone().map(StrBytes::from_string)),
        )
    });
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(StrBytes::from_string(image.cluster_id.to_string())))
        .with_controller_id(BrokerId(services.config.node_id.0))
}

fn all_topics(services: &Services, client: &Client) -> Vec<MetadataResponseTopic> {
    let image = services.image();
    let may_see = |topic: &&std::sync::Arc<Topic>| may(services, client, Operation::Describe, topic.name.as_str());
    image.topics().filter(may_see).map(|topic| described(services, &image, client, topic)).collect()
}

fn topics_by_id(services: &Services, client: &Client, ids: BTreeSet<TopicId>) -> Vec<MetadataResponseTopic> {
    let image = services.image();
    let one = |id: TopicId| match image.topic_by_id(id) {
        Some(topic) if may(services, client, Operation::Describe, topic.name.as_str()) => {
            described(services, &image, client, topic)
        }
        _ => MetadataResponseTopic::default()
            .with_name(None)
            .with_topic_id(id.0)
            .with_error_code(ErrorCode::UnknownTopicId.code()),
    };
    ids.into_iter().map(one).collect()
}

async fn named_topics(
    services: &Services,
    client: &Client,
    call: &Call<'_>,
    names: BTreeSet<String>,
    may_create: bool,
) -> Vec<MetadataResponseTopic> {
    let missing = |image: &ClusterImage, name: &&String| image.topic(name).is_none();
    let image = services.image();
    let absent = names.iter().filter(|name| missing(&image, name) && !INTERNAL_TOPICS.contains(&name.as_str()));
    let absent: Vec<String> = absent.cloned().collect();
    let failures = match may_create && services.config.topics.auto_create && !absent.is_empty() {
        true => create(services, client, call, absent).await,
        false => HashMap::new(),
    };
    let image = services.image();
    let one = |name: String| {
        let code = match image.topic(&name) {
            _ if !may(services, client, Operation::Describe, &name) => ErrorCode::TopicAuthorizationFailed,
            Some(topic) => return described(services, &image, client, topic),
            None if TopicName::new(&name).is_err() => ErrorCode::InvalidTopicException,
            None => failures.get(&name).copied().unwrap_or(ErrorCode::UnknownTopicOrPartition),
        };
        MetadataResponseTopic::default()
            .with_name(Some(WireName(StrBytes::from_string(name))))
            .with_error_code(code.code())
    };
    names.into_iter().map(one).collect()
}

/// Creates missing topics with the broker's defaults and waits until they take appends. Returns what failed.
async fn create(
    services: &Services,
    client: &Client,
    call: &Call<'_>,
    names: Vec<String>,
) -> HashMap<String, ErrorCode> {
    let (may_create, forbidden): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| may(services, client, Operation::Create, name));
    let mut failures: HashMap<_, _> =
        forbidden.into_iter().map(|name| (name, ErrorCode::TopicAuthorizationFailed)).collect();
    let topics = may_create.iter().map(|name| NewTopic { name: name.clone(), ..NewTopic::default() }).collect();
    // Of every version, as Kafka's broker asks its controller by the newest CreateTopics.
    let mut quota = mutation_quota(services, client, call, 0);
    let created = match services.controller.create_topics(topics, Mode::Apply, &mut quota).await {
        Ok(created) => created,
        Err(e) => {
            let code = controller_error(&e);
            failures.extend(may_create.into_iter().map(|name| (name, code)));
            return failures;
        }
    };
    for (name, result) in created.reply {
        if let Err(e) = result {
            let code = match topic_error(&e) {
                // Somebody else was quicker: then the topic is there.
                ErrorCode::TopicAlreadyExists => continue,
                // As Kafka says it, so that clients ask again.
                ErrorCode::ThrottlingQuotaExceeded => ErrorCode::UnknownTopicOrPartition,
                code => code,
            };
            failures.insert(name, code);
        }
    }
    services.partitions.wait_applied(created.index).await;
    failures
}

fn described(services: &Services, image: &ClusterImage, client: &Client, topic: &Topic) -> MetadataResponseTopic {
    let hosted = services.partitions.hosted();
    let partitions = partitions_from(services, client, image, &hosted, topic, 0).map(|view| {
        MetadataResponsePartition::default()
            .with_error_code(view.code)
            .with_partition_index(view.index)
            .with_leader_id(view.leader)
            .with_leader_epoch(view.leader_epoch)
            .with_replica_nodes(view.replicas)
            .with_isr_nodes(view.isr)
            .with_offline_replicas(view.offline_replicas)
    });
    MetadataResponseTopic::default()
        .with_name(Some(wire_name(topic.name.as_str())))
        .with_topic_id(topic.id.0)
        .with_is_internal(false)
        .with_partitions(partitions.collect())
}

fn may(services: &Services, client: &Client, operation: Operation, topic: &str) -> bool {
    services.authorizer.allows(&client.principal, operation, Resource::Topic(topic))
}
