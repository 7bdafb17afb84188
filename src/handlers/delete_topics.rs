//! DeleteTopics (key 20), versions 1–6.
//!
//! By name, from version 6 on also by id. Each topic succeeds or fails by itself; when the answer comes, the topic is
//! gone from the metadata and its partitions take no requests any more. From version 5 on what the client's quota does not
//! admit is refused (KIP-599); earlier versions pause for it.
//!
//! Source: `ControllerApis.deleteTopics`.

use super::errors::{controller_error, topic_error};
use super::{Call, Client, Services, mutation_quota, throttle_ms};
use crate::controller::{DeletedTopic, TopicError, TopicRef};
use crate::security::{Operation, Resource};
use crate::types::TopicId;
use crate::wire::ErrorCode;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName as WireName};
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
            Some(code) => Err(answer(topic, Err((code, code.to_string())))),
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
            results.extend(outcomes.map(|(topic, outcome)| answer(topic, outcome.map_err(|e| coded(&e)))));
        }
        Err(e) => {
            let code = controller_error(&e);
            results.extend(allowed.into_iter().map(|topic| answer(topic, Err((code, e.to_string())))));
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

fn coded(e: &TopicError) -> (ErrorCode, String) {
    (topic_error(e), e.to_string())
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

fn answer(topic: TopicRef, outcome: Result<DeletedTopic, (ErrorCode, String)>) -> DeletableTopicResult {
    let wire_name = |name: &str| Some(WireName(StrBytes::from_string(name.into())));
    let result = match &topic {
        TopicRef::Name(name) => DeletableTopicResult::default().with_name(wire_name(name)),
        TopicRef::Id(id) => DeletableTopicResult::default().with_name(None).with_topic_id(id.0),
    };
    match outcome {
        Ok(deleted) => result.with_name(wire_name(deleted.name.as_str())).with_topic_id(deleted.id.0),
        Err((code, message)) => {
            result.with_error_code(code.code()).with_error_message(Some(StrBytes::from_string(message)))
        }
    }
}
