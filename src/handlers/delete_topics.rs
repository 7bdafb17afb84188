//! DeleteTopics (key 20), versions 1–6.
//!
//! By name, from version 6 on also by id. Each topic succeeds or fails by itself; when the answer comes, the topic is
//! gone from the metadata and its partitions take no requests any more.
//!
//! Source: `ControllerApis.deleteTopics`.

use super::errors::{controller_error, topic_error};
use super::{Call, Client, Services};
use crate::controller::{DeletedTopic, TopicError, TopicRef};
use crate::security::{Operation, Resource};
use crate::types::TopicId;
use crate::wire::ErrorCode;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName as WireName};
use kafka_protocol::protocol::StrBytes;

pub(super) async fn handle(
    services: &Services,
    client: &Client,
    call: &Call<'_>,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let wanted: Vec<TopicRef> = match call.version {
        6.. => request
            .topics
            .iter()
            .map(|t| match &t.name {
                Some(name) => TopicRef::Name(name.to_string()),
                None => TopicRef::Id(TopicId(t.topic_id)),
            })
            .collect(),
        _ => request.topic_names.iter().map(|name| TopicRef::Name(name.to_string())).collect(),
    };
    let mut results = Vec::with_capacity(wanted.len());
    let mut allowed = Vec::with_capacity(wanted.len());
    for topic in wanted {
        match refusal(services, client, &topic) {
            Some(code) => results.push(answer(topic, Err((code, code.to_string())))),
            None => allowed.push(topic),
        }
    }
    match services.controller.delete_topics(allowed.clone()).await {
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
    DeleteTopicsResponse::default().with_responses(results)
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
