//! CreatePartitions (key 37), versions 0–3.
//!
//! Each topic grows or fails by itself; the answer comes when the new partitions take appends.
//!
//! Source: `ControllerApis.createPartitions`, `ReplicationControlManager.createPartitions`.

use super::errors::{controller_error, topic_error};
use super::{Client, Services};
use crate::controller::{Mode, MorePartitions, TopicError};
use crate::security::{Operation, Resource};
use crate::wire::ErrorCode;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse, TopicName as WireName};
use kafka_protocol::protocol::StrBytes;

pub(super) async fn handle(
    services: &Services,
    client: &Client,
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
            let text = "Topic authorization failed.".to_owned();
            failure(topic.name, ErrorCode::TopicAuthorizationFailed, Some(text))
        })
        .collect();
    let names: Vec<_> = allowed.iter().map(|topic| topic.name.clone()).collect();
    match services.controller.create_partitions(allowed.into_iter().map(wanted).collect(), mode).await {
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
            let code = controller_error(&e);
            results.extend(names.into_iter().map(|name| failure(name, code, Some(e.to_string()))));
        }
    }
    CreatePartitionsResponse::default().with_results(results)
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
fn text(e: &TopicError) -> Option<String> {
    if matches!(e, TopicError::UnknownTopic(_)) { None } else { Some(e.to_string()) }
}

fn failure(name: WireName, code: ErrorCode, message: Option<String>) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult::default()
        .with_name(name)
        .with_error_code(code.code())
        .with_error_message(message.map(StrBytes::from_string))
}
