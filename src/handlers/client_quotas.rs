//! DescribeClientQuotas (key 48), versions 0–1, and AlterClientQuotas (key 49), versions 0–1 (KIP-546, KIP-612).
//!
//! Each entity changes as a whole or fails by itself; when the answer comes, the limits hold.
//!
//! Source: `ClientQuotasImage.describe`, `ControllerApis.handleAlterClientQuotas`.

use super::errors::{CLUSTER_REFUSED, controller_error};
use super::{Client, Services};
use crate::controller::{Mode, QuotaChanges};
use crate::metadata::{EntityName, QuotaEntity, Quotas};
use crate::security::{Operation, Resource};
use crate::wire::ErrorCode;
use kafka_protocol::messages::alter_client_quotas_request::EntryData as Wanted;
use kafka_protocol::messages::alter_client_quotas_response::{EntityData as AlteredEntity, EntryData as Altered};
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, DescribeClientQuotasRequest, DescribeClientQuotasResponse,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, HashSet};

const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

type Refusal = (ErrorCode, String);

/// What an entity must have of one type.
#[derive(Debug)]
enum Match {
    Name(EntityName),
    Any,
}

pub(super) fn describe(
    services: &Services,
    client: &Client,
    request: DescribeClientQuotasRequest,
) -> DescribeClientQuotasResponse {
    if !services.authorizer.allows(&client.principal, Operation::DescribeConfigs, Resource::Cluster) {
        let text = CLUSTER_REFUSED.to_owned();
        return refused(ErrorCode::ClusterAuthorizationFailed, text);
    }
    let filter = match filter(&request.components) {
        Ok(filter) => filter,
        Err((code, text)) => return refused(code, text),
    };
    let image = services.image();
    let entries =
        image.client_quotas.iter().filter(|(entity, _)| matches(entity, &filter, request.strict)).map(described);
    // Kafka's text without an error is empty, not null.
    let no_text = Some(StrBytes::from_static_str(""));
    DescribeClientQuotasResponse::default().with_error_message(no_text).with_entries(Some(entries.collect()))
}

fn refused(code: ErrorCode, text: String) -> DescribeClientQuotasResponse {
    DescribeClientQuotasResponse::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(text)))
        .with_entries(None)
}

fn filter(components: &[ComponentData]) -> Result<BTreeMap<&str, Match>, Refusal> {
    let invalid = |text: String| (ErrorCode::InvalidRequest, text);
    let mut filter = BTreeMap::new();
    for component in components {
        let kind = component.entity_type.as_str();
        if kind.is_empty() {
            return Err(invalid("Invalid empty entity type.".into()));
        }
        if filter.contains_key(kind) {
            return Err(invalid(format!("Entity type {kind} cannot appear more than once in the filter.")));
        }
        if !matches!(kind, "user" | "client-id" | "ip") {
            return Err((ErrorCode::UnsupportedVersion, format!("Unsupported entity type {kind}")));
        }
        let also = |name| invalid(format!("Request specified MATCH_TYPE_{name}, but also specified a match string."));
        let wanted = match (component.match_type, &component._match) {
            (EXACT, Some(name)) => Match::Name(EntityName::Named(name.to_string())),
            (EXACT, None) => {
                return Err(invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.".into()));
            }
            (DEFAULT, None) => Match::Name(EntityName::Default),
            (DEFAULT, Some(_)) => return Err(also("DEFAULT")),
            (ANY, None) => Match::Any,
            (ANY, Some(_)) => return Err(also("SPECIFIED")),
            (other, _) => return Err(invalid(format!("Unknown match type {other}"))),
        };
        filter.insert(kind, wanted);
    }
    if filter.contains_key("ip") && filter.len() > 1 {
        let text = "Invalid entity filter component combination. IP filter component should not be used with user or \
                    clientId filter component.";
        return Err(invalid(text.into()));
    }
    Ok(filter)
}

fn parts(entity: &QuotaEntity) -> impl Iterator<Item = (&'static str, &EntityName)> {
    let all = [("user", &entity.user), ("client-id", &entity.client_id), ("ip", &entity.ip)];
    all.into_iter().filter_map(|(kind, name)| Some((kind, name.as_ref()?)))
}

fn matches(entity: &QuotaEntity, filter: &BTreeMap<&str, Match>, strict: bool) -> bool {
    if strict && parts(entity).count() != filter.len() {
        return false;
    }
    filter.iter().all(|(kind, wanted)| {
        parts(entity).any(|(has, name)| {
            has == *kind
                && match wanted {
                    Match::Name(wanted) => name == wanted,
                    Match::Any => true,
                }
        })
    })
}

fn described((entity, quotas): (&QuotaEntity, &Quotas)) -> EntryData {
    let parts = parts(entity).map(|(kind, name)| {
        let name = match name {
            EntityName::Default => None,
            EntityName::Named(name) => Some(StrBytes::from_string(name.clone())),
        };
        EntityData::default().with_entity_type(StrBytes::from_static_str(kind)).with_entity_name(name)
    });
    let values = quotas
        .iter()
        .map(|(key, value)| ValueData::default().with_key(StrBytes::from_string(key.clone())).with_value(value.0));
    EntryData::default().with_entity(parts.collect()).with_values(values.collect())
}

pub(super) async fn alter(
    services: &Services,
    client: &Client,
    request: AlterClientQuotasRequest,
) -> AlterClientQuotasResponse {
    let entities: Vec<_> = request.entries.iter().map(|entry| entry.entity.clone()).collect();
    let outcomes = outcomes(services, client, &request).await;
    let entries = entities.into_iter().zip(outcomes).map(|(entity, outcome)| {
        // Of a type that is there twice the last counts, and Kafka's answer has that alone.
        let last = |at: &usize| !entity[at + 1..].iter().any(|later| later.entity_type == entity[*at].entity_type);
        let parts = (0..entity.len()).filter(last).map(|at| entity[at].clone());
        let entity = parts
            .map(|part| AlteredEntity::default().with_entity_type(part.entity_type).with_entity_name(part.entity_name));
        let (code, text) = match outcome {
            Ok(()) => (0, None),
            Err((code, text)) => (code.code(), Some(StrBytes::from_string(text))),
        };
        Altered::default().with_error_code(code).with_error_message(text).with_entity(entity.collect())
    });
    // An entity that is there twice has one answer.
    let mut seen = HashSet::new();
    let name = |part: &AlteredEntity| (part.entity_type.clone(), part.entity_name.clone());
    let entries = entries.filter(|entry| seen.insert(entry.entity.iter().map(name).collect::<Vec<_>>()));
    AlterClientQuotasResponse::default().with_entries(entries.collect())
}

/// One outcome per entity, in the order of the request.
async fn outcomes(
    services: &Services,
    client: &Client,
    request: &AlterClientQuotasRequest,
) -> Vec<Result<(), Refusal>> {
    let all = |refusal: Refusal| vec![Err(refusal); request.entries.len()];
    if !services.authorizer.allows(&client.principal, Operation::AlterConfigs, Resource::Cluster) {
        return all((ErrorCode::ClusterAuthorizationFailed, CLUSTER_REFUSED.into()));
    }
    let changes = request.entries.iter().map(changes).collect();
    let mode = if request.validate_only { Mode::Validate } else { Mode::Apply };
    match services.controller.alter_client_quotas(changes, mode).await {
        Ok(altered) => {
            services.partitions.wait_applied(altered.index).await;
            let decided = altered.reply.into_iter();
            decided.map(|done| done.map_err(|text| (ErrorCode::InvalidRequest, text))).collect()
        }
        Err(e) => all((controller_error(&e), e.to_string())),
    }
}

fn changes(entry: &Wanted) -> QuotaChanges {
    let name = |name: &Option<StrBytes>| name.as_ref().map(ToString::to_string);
    QuotaChanges {
        entity: entry.entity.iter().map(|part| (part.entity_type.to_string(), name(&part.entity_name))).collect(),
        values: entry.ops.iter().map(|op| (op.key.to_string(), (!op.remove).then_some(op.value))).collect(),
    }
}
