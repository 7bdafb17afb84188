//! AlterConfigs (key 33), versions 0–2, and IncrementalAlterConfigs (key 44), versions 0–1 (KIP-339).
//!
//! Settings of topics, of this broker, of all brokers and of subscriptions to metrics of clients (KIP-714, KIP-1000), each
//! resource all or nothing. AlterConfigs replaces all that was set, IncrementalAlterConfigs changes what it names. When this
//! answers, the change has taken effect. Groups and loggers have no settings yet and are refused with INVALID_REQUEST.
//!
//! Source: `ControllerApis.handleIncrementalAlterConfigs`, `ConfigAdminManager`.

use super::errors::{CLUSTER_REFUSED, TOPIC_REFUSED, controller_error, topic_error};
use super::{Client, Services};
use crate::controller::{ConfigChanges, ConfigOperation, Configured, Mode, Others};
use crate::security::{Operation, Resource};
use crate::types::BrokerId;
use crate::wire::ErrorCode;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse as FullResult;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementalResult;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::HashMap;

pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
pub(super) const BROKER_LOGGER: i8 = 8;
pub(super) const CLIENT_METRICS: i8 = 16;
pub(super) const GROUP: i8 = 32;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// A resource as a request names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Named {
    kind: i8,
    name: StrBytes,
}

/// What is to happen to its settings.
struct Wanted {
    operations: Vec<(String, ConfigOperation)>,
    others: Others,
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
        let wanted = Wanted { operations: operations.collect(), others: Others::Go };
        (Named { kind: resource.resource_type, name: resource.resource_name }, Ok(wanted))
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
        let wanted = operations.map(|operations| Wanted { operations, others: Others::Stay });
        (Named { kind: resource.resource_type, name: resource.resource_name }, wanted)
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
    resources: Vec<(Named, Result<Wanted, Refusal>)>,
    validate_only: bool,
) -> Vec<(Named, Outcome)> {
    let mut counts = HashMap::<Named, usize>::new();
    resources.iter().for_each(|(named, _)| *counts.entry(named.clone()).or_default() += 1);
    let mut changes = Vec::new();
    let mut outcomes = Vec::with_capacity(resources.len());
    for (named, wanted) in resources {
        let may = may_change(services, client, &named, counts[&named]);
        let refusal = match (may, wanted) {
            (Err(refusal), _) | (Ok(_), Err(refusal)) => Some(refusal),
            (Ok(of), Ok(Wanted { operations, others })) => {
                changes.push(ConfigChanges { of, operations, others });
                None
            }
        };
        outcomes.push((named, refusal));
    }
    let mode = if validate_only { Mode::Validate } else { Mode::Apply };
    let count = changes.len();
    let mut decided = match services.controller.alter_configs(changes, mode).await {
        Ok(changed) => {
            services.partitions.wait_applied(changed.index).await;
            changed.reply.into_iter().map(|result| result.map_err(|e| (topic_error(&e), e.to_string()))).collect()
        }
        Err(e) => vec![Err((controller_error(&e), e.to_string())); count],
    }
    .into_iter();
    let mut finished = Vec::with_capacity(outcomes.len());
    for (named, refusal) in outcomes {
        let decided = || decided.next().expect("every change that was asked for was decided");
        finished.push((named, refusal.map_or_else(decided, Err)));
    }
    finished
}

/// Whose settings the client may change under this name.
fn may_change(services: &Services, client: &Client, named: &Named, times: usize) -> Result<Configured, Refusal> {
    if times > 1 {
        return Err((ErrorCode::InvalidRequest, "Each resource must appear at most once.".into()));
    }
    let name = named.name.as_str();
    let allowed = |resource| services.authorizer.allows(&client.principal, Operation::AlterConfigs, resource);
    match named.kind {
        TOPIC if !allowed(Resource::Topic(name)) => Err((ErrorCode::TopicAuthorizationFailed, TOPIC_REFUSED.into())),
        TOPIC if name.is_empty() => Err((ErrorCode::InvalidRequest, "Default topic resources are not allowed.".into())),
        TOPIC => Ok(Configured::Topic(name.to_owned())),
        _ if !allowed(Resource::Cluster) => Err((ErrorCode::ClusterAuthorizationFailed, CLUSTER_REFUSED.into())),
        BROKER if name.is_empty() => Ok(Configured::Brokers),
        BROKER => this_broker(services, name).map(Configured::Broker).map_err(|stranger| {
            let local = services.config.node_id;
            let text = match stranger {
                Stranger::Other => format!("Unexpected broker id, expected {local}, but received {name}"),
                Stranger::NoNumber => format!("Node id must be an integer, but it is: {name}"),
            };
            (ErrorCode::InvalidRequest, text)
        }),
        CLIENT_METRICS => Ok(Configured::ClientMetrics(name.to_owned())),
        GROUP | BROKER_LOGGER => Err(without_settings(named.kind)),
        other => Err((ErrorCode::InvalidRequest, format!("Unexpected resource type {other}."))),
    }
}

/// A name that is not this broker's.
pub(super) enum Stranger {
    /// It is another number.
    Other,
    /// It is no number.
    NoNumber,
}

/// The broker of this name, if it is the one that is asked. Kafka words a refusal differently for each API.
pub(super) fn this_broker(services: &Services, name: &str) -> Result<BrokerId, Stranger> {
    match name.parse::<i32>() {
        Ok(id) if id == services.config.node_id.0 => Ok(services.config.node_id),
        Ok(_) => Err(Stranger::Other),
        Err(_) => Err(Stranger::NoNumber),
    }
}

/// Of resources that have settings in Kafka and none here.
pub(super) fn without_settings(kind: i8) -> (ErrorCode, String) {
    let text = match kind {
        GROUP => "There are no groups yet that could have settings",
        _ => {
            "Levels of logging are set with the variable KLAMM_LOG at the start, and cannot be asked for or changed yet"
        }
    };
    (ErrorCode::InvalidRequest, text.into())
}
