//! DeleteTopics (key 20), versions 1–6.
//!
//! By name, from version 6 on also by id. Each topic succeeds or fails by itself; when the answer comes, the topic is
//! gone from the metadata and its partitions take no requests any more. From version 5 on what the client's quota does not
//! admit is refused (KIP-599); earlier versions pause for it.
//!
//! Source: `ControllerApis.deleteTopics`.

use super::errors::{controller_error, topic_error, topic_error_text};
use super::names::wire_name;
use super::{Call, Client, Services, mutation_quota, throttle_ms};
use crate::controller::{DeletedTopic, TopicError, TopicRef};
use crate::metadata::{ClusterImage, Topic};
use crate::security::{Operation, Resource};
use crate::types::{TopicId, TopicName};
use crate::wire::ErrorCode;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use kafka_protocol::protocol::StrBytes;

/// The first version whose clients know THROTTLING_QUOTA_EXCEEDED.
const VERSION_STRICT_QUOTA: i16 = 5;

pub(super) async fn handle(
    services: &Services,
    client: &Client,
    call: &Call<'_>,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let mut results = Vec::new();
    let mut allowed = Vec::new();
    for topic in wanted(call.version, &request) {
        let refusal = topic.and_then(|topic| match refusal(services, client, &topic) {
            Some(code) => Err(failure(&topic, code, Some(StrBytes::from_string(code.to_string())))),
            None => Ok(topic),
        });
        match refusal {
            Ok(topic) => allowed.push(topic),
            Err(refused) => results.push(refused),
        }
    }
    let mut quota = mutation_quota(services, client, call, VERSION_STRICT_QUOTA);
    match services.controller.delete_topics(allowed.clone(), &mut quota).await {
        Ok(deleted) => {
            services.partitions.wait_applied(deleted.index).await;
            let outcomes = deleted.reply.into_iter();
            results.extend(outcomes.map(|(topic, outcome)| answer(services, &topic, outcome)));
        }
        Err(e) => {
            let (code, text) = (controller_error(&e), Some(StrBytes::from_string(e.to_string())));
            results.extend(allowed.iter().map(|topic| failure(topic, code, text.clone())));
        }
    }
    let throttle_ms = throttle_ms(quota.pause(services.clock.now()));
    DeleteTopicsResponse::default().with_throttle_time_ms(throttle_ms).with_responses(results)
}

/// What the request names; what it names in no way or in two is answered at once.
fn wanted(version: i16, request: &DeleteTopicsRequest) -> Vec<Result<TopicRef, DeletableTopicResult>> {
    if version < 6 {
        return request.topic_names.iter().map(|name| Ok(TopicRef::Name(name.to_string()))).collect();
    }
    let topics = request.topics.iter().map(|topic| {
        let text = match (&topic.name, topic.topic_id.is_nil()) {
            (Some(name), true) => return Ok(TopicRef::Name(name.to_string())),
            (None, false) => return Ok(TopicRef::Id(TopicId(topic.topic_id))),
            (Some(_), false) => "You may not specify both topic name and topic id.",
            (None, true) => "Neither topic name nor id were specified.",
        };
        Err(DeletableTopicResult::default()
            .with_name(topic.name.clone())
            .with_topic_id(topic.topic_id)
            .with_error_code(ErrorCode::InvalidRequest.code())
            .with_error_message(Some(StrBytes::from_static_str(text))))
    });
    topics.collect()
}

fn refusal(services: &Services, client: &Client, topic: &TopicRef) -> Option<ErrorCode> {
    let image = services.image();
    let name = match topic {
        TopicRef::Name(name) => name.as_str(),
        TopicRef::Id(id) => image.topic_by_id(*id).map_or("", |topic| topic.name.as_str()),
    };
    if !services.config.topics.delete {
        return Some(ErrorCode::TopicDeletionDisabled);
    }
    let allowed = services.authorizer.allows(&client.principal, Operation::Delete, Resource::Topic(name));
    (!allowed).then_some(ErrorCode::TopicAuthorizationFailed)
}

fn answer(services: &Services, topic: &TopicRef, outcome: Result<DeletedTopic, TopicError>) -> DeletableTopicResult {
    match outcome {
        Ok(deleted) => named(&deleted.name, deleted.id),
        // As in Kafka, of a topic that is there and stays the answer has both name and id.
        Err(e @ TopicError::ThrottlingQuotaExceeded) => match find(&services.image(), topic) {
            Some(found) => {
                named(&found.name, found.id).with_error_code(topic_error(&e).code()).with_error_message(None)
            }
            None => failure(topic, topic_error(&e), None),
        },
        Err(e) => {
            let result = failure(topic, topic_error(&e), topic_error_text(&e));
            if let TopicError::NamedTwice(id) = e { result.with_topic_id(id.0) } else { result }
        }
    }
}

fn find<'a>(image: &'a ClusterImage, topic: &TopicRef) -> Option<&'a Topic> {
    match topic {
        TopicRef::Name(name) => image.topic(name).map(|topic| &**topic),
        TopicRef::Id(id) => image.topic_by_id(*id).map(|topic| &**topic),
    }
}

fn named(name: &TopicName, id: TopicId) -> DeletableTopicResult {
    DeletableTopicResult::default().with_name(Some(wire_name(name.as_str()))).with_topic_id(id.0)
}

fn failure(topic: &TopicRef, code: ErrorCode, message: Option<StrBytes>) -> DeletableTopicResult {
    let result = match topic {
        TopicRef::Name(name) => DeletableTopicResult::default().with_name(Some(wire_name(name))),
        TopicRef::Id(id) => DeletableTopicResult::default().with_name(None).with_topic_id(id.0),
    };
    result.with_error_code(code.code()).with_error_message(message)
}
