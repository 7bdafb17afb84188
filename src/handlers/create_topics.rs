//! CreateTopics (key 19), versions 2–7.
//!
//! Each topic succeeds or fails by itself; the answer comes when the partitions take appends. From version 4 on −1 asks
//! for the broker's defaults, from 5 on the answer says what was made, with all settings; 7 returns topic ids. From 6 on what the client's quota does not
//! admit is refused (KIP-599); earlier versions pause for it.
//!
//! Source: `ControllerApis.createTopics`, `ReplicationControlManager.createTopics`.

use super::errors::{controller_error, topic_error, topic_error_text};
use super::{Call, Client, Services, mutation_quota, throttle_ms};
use crate::controller::{Mode, NewTopic, TopicError};
use crate::metadata::Topic;
use crate::security::{Operation, Resource};
use crate::wire::ErrorCode;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, TopicName as WireName};
use kafka_protocol::protocol::StrBytes;
use std::sync::Arc;

/// The first version whose clients know THROTTLING_QUOTA_EXCEEDED.
const VERSION_STRICT_QUOTA: i16 = 6;

pub(super) async fn handle(
    services: &Services,
    client: &Client,
    call: &Call<'_>,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let may_create = |topic: &CreatableTopic| {
        let name = topic.name.as_str();
        services.authorizer.allows(&client.principal, Operation::Create, Resource::Topic(name))
    };
    let mode = if request.validate_only { Mode::Validate } else { Mode::Apply };
    let (allowed, forbidden): (Vec<_>, Vec<_>) = request.topics.into_iter().partition(may_create);
    let mut results: Vec<_> = forbidden.into_iter().map(|topic| refused(topic.name)).collect();
    let names: Vec<_> = allowed.iter().map(|topic| topic.name.clone()).collect();
    let mut quota = mutation_quota(services, client, call, VERSION_STRICT_QUOTA);
    match services.controller.create_topics(allowed.into_iter().map(new_topic).collect(), mode, &mut quota).await {
        Ok(created) => {
            services.partitions.wait_applied(created.index).await;
            results.extend(created.reply.into_iter().map(|(name, made)| answer(services, call, name, made)));
        }
        Err(e) => {
            let (code, text) = (controller_error(&e), Some(StrBytes::from_string(e.to_string())));
            results.extend(names.into_iter().map(|name| failure(name, code, text.clone())));
        }
    }
    let throttle_ms = throttle_ms(quota.pause(services.clock.now()));
    CreateTopicsResponse::default().with_throttle_time_ms(throttle_ms).with_topics(results)
}

fn refused(name: WireName) -> CreatableTopicResult {
    failure(name, ErrorCode::TopicAuthorizationFailed, Some(StrBytes::from_static_str("Authorization failed.")))
}

fn failure(name: WireName, code: ErrorCode, message: Option<StrBytes>) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(name)
        .with_error_code(code.code())
        .with_error_message(message)
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_configs(Some(vec![]))
}

fn new_topic(topic: CreatableTopic) -> NewTopic {
    let assignments = topic.assignments.into_iter().map(|assignment| {
        (assignment.partition_index, assignment.broker_ids.into_iter().map(|broker| broker.0).collect())
    });
    let configs = topic.configs.into_iter().map(|c| (c.name.to_string(), c.value.map(|value| value.to_string())));
    NewTopic {
        name: topic.name.to_string(),
        partitions: (topic.num_partitions != -1).then_some(topic.num_partitions),
        replication_factor: (topic.replication_factor != -1).then_some(topic.replication_factor),
        assignments: assignments.collect(),
        configs: configs.collect(),
    }
}

fn answer(
    services: &Services,
    call: &Call<'_>,
    name: String,
    made: Result<Arc<Topic>, TopicError>,
) -> CreatableTopicResult {
    let name = WireName(StrBytes::from_string(name));
    let topic = match made {
        Ok(topic) => topic,
        Err(e) => return failure(name, topic_error(&e), topic_error_text(&e)),
    };
    let result = CreatableTopicResult::default().with_name(name).with_topic_id(topic.id.0).with_error_message(None);
    if call.version < 5 {
        return result;
    }
    let entries = crate::config::topic_entries(&topic.configs, &services.settings()).into_iter().map(|entry| {
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_string(entry.name.to_string()))
            .with_value(entry.value.map(StrBytes::from_string))
            .with_read_only(entry.read_only)
            .with_config_source(entry.source.code())
            .with_is_sensitive(entry.sensitive)
    });
    let partitions = i32::try_from(topic.partitions.len()).expect("a topic has fewer than 2^31 partitions");
    result
        .with_num_partitions(partitions)
        .with_replication_factor(
            i16::try_from(topic.replication_factor()).expect("a partition has fewer than 2^15 replicas"),
        )
        .with_configs(Some(entries.collect()))
}
