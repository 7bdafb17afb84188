//! AlterConfigs (key 33), versions 0–2, and IncrementalAlterConfigs (key 44), versions 0–1 (KIP-339).
//!
//! Settings of topics, each topic all or nothing. AlterConfigs replaces all overrides, IncrementalAlterConfigs changes
//! those it names. Settings of brokers cannot be changed at run time yet and are refused with INVALID_REQUEST.
//!
//! Source: `ControllerApis.handleIncrementalAlterConfigs`, `ConfigAdminManager`.

use super::errors::{controller_error, topic_error};
use super::{Client, Services};
use crate::controller::{ConfigChanges, ConfigOperation, Mode, Others};
use crate::security::{Operation, Resource};
use crate::wire::ErrorCode;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse as FullResult;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementalResult;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;

const TOPIC: i8 = 2;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// A resource as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    kind: i8,
    name: StrBytes,
}

/// Why a resource is not changed: the code and a sentence.
type Refusal = (ErrorCode, String);
type Outcome = Result<(), Refusal>;

pub(super) async fn handle_full(
    services: &Services,
    client: &Client,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let changes = request.resources.into_iter().map(|resource| {
        let operations = resource
            .configs
            .into_iter()
            .map(|config| (config.name.to_string(), ConfigOperation::Set(config.value.map(|value| value.to_string()))));
        let topic = resource.resource_name.to_string();
        let changes = ConfigChanges { topic, operations: operations.collect(), others: Others::Go };
        (Named { kind: resource.resource_type, name: resource.resource_name }, Ok(changes))
    });
    let outcomes = alter(services, client, changes.collect(), request.validate_only).await;
    let results = outcomes.into_iter().map(|(named, outcome)| {
        let (code, message) = coded(outcome);
        FullResult::default()
            .with_resource_type(named.kind)
            .with_resource_name(named.name)
            .with_error_code(code)
            .with_error_message(message)
    });
    AlterConfigsResponse::default().with_responses(results.collect())
}

pub(super) async fn handle_incremental(
    services: &Services,
    client: &Client,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let changes = request.resources.into_iter().map(|resource| {
        let operations = resource.configs.into_iter().map(|config| {
            let value = config.value.map(|value| value.to_string());
            Ok((config.name.to_string(), operation(config.config_operation, value)?))
        });
        let operations: Result<Vec<_>, Refusal> = operations.collect();
        let topic = resource.resource_name.to_string();
        let changes = operations.map(|operations| ConfigChanges { topic, operations, others: Others::Stay });
        (Named { kind: resource.resource_type, name: resource.resource_name }, changes)
    });
    let outcomes = alter(services, client, changes.collect(), request.validate_only).await;
    let results = outcomes.into_iter().map(|(named, outcome)| {
        let (code, message) = coded(outcome);
        IncrementalResult::default()
            .with_resource_type(named.kind)
            .with_resource_name(named.name)
            .with_error_code(code)
            .with_error_message(message)
    });
    IncrementalAlterConfigsResponse::default().with_responses(results.collect())
}

fn operation(code: i8, value: Option<String>) -> Result<ConfigOperation, Refusal> {
    match code {
        SET => Ok(ConfigOperation::Set(value)),
        DELETE => Ok(ConfigOperation::Delete),
        APPEND => Ok(ConfigOperation::Append(value)),
        SUBTRACT => Ok(ConfigOperation::Subtract(value)),
        _ => Err((ErrorCode::InvalidRequest, format!("Unknown config operation {code}"))),
    }
}

fn coded(outcome: Outcome) -> (i16, Option<StrBytes>) {
    match outcome {
        Ok(()) => (0, None),
        Err((code, message)) => (code.code(), Some(StrBytes::from_string(message))),
    }
}

/// Changes what may be changed; one outcome per resource, in the order of the request.
async fn alter(
    services: &Services,
    client: &Client,
    resources: Vec<(Named, Result<ConfigChanges, Refusal>)>,
    validate_only: bool,
) -> Vec<(Named, Outcome)> {
    let twice = |named: &Named| resources.iter().filter(|(other, _)| other == named).count() > 1;
    let mut changes = Vec::new();
    let mut outcomes = Vec::with_capacity(resources.len());
    for (named, wanted) in &resources {
        let refusal = match (refusal(services, client, named, twice(named)), wanted) {
            (Some(refusal), _) => Some(refusal),
            (None, Err(refusal)) => Some(refusal.clone()),
            (None, Ok(wanted)) => {
                changes.push(wanted.clone());
                None
            }
        };
        outcomes.push((named.clone(), refusal));
    }
    let mode = if validate_only { Mode::Validate } else { Mode::Apply };
    let mut decided = match services.controller.alter_configs(changes.clone(), mode).await {
        Ok(changed) => {
            services.partitions.wait_applied(changed.index).await;
            changed.reply.into_iter().map(|(_, result)| result.map_err(|e| (topic_error(&e), e.to_string()))).collect()
        }
        Err(e) => vec![Err((controller_error(&e), e.to_string())); changes.len()],
    }
    .into_iter();
    let mut finished = Vec::with_capacity(outcomes.len());
    for (named, refusal) in outcomes {
        let decided = || decided.next().expect("every change that was asked for was decided");
        finished.push((named, refusal.map_or_else(decided, Err)));
    }
    finished
}

fn refusal(services: &Services, client: &Client, named: &Named, twice: bool) -> Option<Refusal> {
    if twice {
        return Some((ErrorCode::InvalidRequest, "Each resource must appear at most once.".into()));
    }
    if named.kind != TOPIC {
        let text = format!("Settings of resources of type {} cannot be changed at run time yet", named.kind);
        return Some((ErrorCode::InvalidRequest, text));
    }
    if named.name.is_empty() {
        return Some((ErrorCode::InvalidRequest, "Default topic resources are not allowed.".into()));
    }
    let resource = Resource::Topic(&named.name);
    match services.authorizer.allows(&client.principal, Operation::AlterConfigs, resource) {
        true => None,
        false => Some((ErrorCode::TopicAuthorizationFailed, "Topic authorization failed.".into())),
    }
}
