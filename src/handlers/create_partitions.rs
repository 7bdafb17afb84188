//! CreatePartitions (key 37), versions 0–3.
//!
//! Each topic grows or fails by itself; the answer comes when the new partitions take appends. In version 3 what the
//! client's quota does not admit is refused (KIP-599); earlier versions pause for it.
//!
//! Source: `ControllerApis.createPartitions`, `ReplicationControlManager.createPartitions`.

use super::errors::{TOPIC_REFUSED, controller_error, topic_error, topic_error_text};
use super::{Call, Client, Services, mutation_quota, throttle_ms};
use crate::controller::{Mode, MorePartitions, TopicError};
use crate::security::{Operation, Resource};
use crate::wire::ErrorCode;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse, TopicName as WireName};
use kafka_protocol::protocol::StrBytes;

/// The first version whose clients know THROTTLING_QUOTA_EXCEEDED.
const VERSION_STRICT_QUOTA: i16 = 3;

pub(super) async fn handle(
    services: &Services,
    client: &Client,
    call: &Call<'_>,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let mode = if request.validate_only { Mode::Validate } else { Mode::Apply };
    let may_alter = |topic: &CreatePartitionsTopic| {
        services.authorizer.allows(&client.principal, Operation::Alter, Resource::Topic(topic.name.as_str()))
    };
    let (allowed, forbidden): (Vec<_>, Vec<_>) = request.topics.into_iter().partition(may_alter);
    let mut results: Vec<_> = forbidden
        .into_iter()
        .map(|topic| {
            let text = StrBytes::from_static_str(TOPIC_REFUSED);
            failure(topic.name, ErrorCode::TopicAuthorizationFailed, Some(text))
        })
        .collect();
    let names: Vec<_> = allowed.iter().map(|topic| topic.name.clone()).collect();
    let mut quota = mutation_quota(services, client, call, VERSION_STRICT_QUOTA);
    match services.controller.create_partitions(allowed.into_iter().map(wanted).collect(), mode, &mut quota).await {
        Ok(grown) => {
            services.partitions.wait_applied(grown.index).await;
            results.extend(grown.reply.into_iter().map(|(name, result)| {
                let name = WireName(StrBytes::from_string(name));
                match result {
                    Ok(()) => CreatePartitionsTopicResult::default().with_name(name),
                    Err(e) => failure(name, topic_error(&e), text(&e)),
                }
            }));
        }
        Err(e) => {
            let (code, text) = (controller_error(&e), Some(StrBytes::from_string(e.to_string())));
            results.extend(names.into_iter().map(|name| failure(name, code, text.clone())));
        }
    }
    let throttle_ms = throttle_ms(quota.pause(services.clock.now()));
    CreatePartitionsResponse::default().with_throttle_time_ms(throttle_ms).with_results(results)
}

fn wanted(topic: CreatePartitionsTopic) -> MorePartitions {
    let brokers = |assignments: Vec<_>| {
        let ids = |assignment: kafka_protocol::messages::create_partitions_request::CreatePartitionsAssignment| {
            assignment.broker_ids.into_iter().map(|broker| broker.0).collect()
        };
        assignments.into_iter().map(ids).collect()
    };
    MorePartitions { topic: topic.name.to_string(), count: topic.count, assignments: topic.assignments.map(brokers) }
}

/// Kafka has no sentence for a topic that is not there.
fn text(e: &TopicError) -> Option<StrBytes> {
    if matches!(e, TopicError::UnknownTopic(_)) { None } else { topic_error_text(e) }
}

fn failure(name: WireName, code: ErrorCode, message: Option<StrBytes>) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult::default().with_name(name).with_error_code(code.code()).with_error_message(message)
}
