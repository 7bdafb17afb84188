//! Changes of client quotas.
//!
//! Invariants: the changes of one entity are made all or none.
//! Checks, their order and their texts are those of Kafka's `ClientQuotaControlManager`.

use super::Decision;
use crate::metadata::{ClusterImage, EntityName, QuotaEntity, QuotaValue, Record};
use std::collections::BTreeMap;

/// An entity as a request names it: types, and names or `None` for the default; of a type that is there twice the last
/// counts.
pub type NamedEntity = Vec<(String, Option<String>)>;

/// Changes of one entity's quotas.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaChanges {
    /// The entity.
    pub entity: NamedEntity,
    /// Name and value, or `None` to remove it.
    pub values: Vec<(String, Option<f64>)>,
}

impl QuotaChanges {
    /// The hosts that it names.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.entity.iter().filter(|(kind, _)| kind == "ip").filter_map(|(_, name)| name.as_deref())
    }
}

/// One answer per entity, in the order of the request; what is wrong is an `INVALID_REQUEST`, with this text.
pub type AlteredQuotas = Vec<Result<(), String>>;

/// Whether a host can be resolved: addresses always can.
pub(super) type Resolves<'a> = dyn Fn(&str) -> bool + 'a;

pub(super) fn decide_quotas(
    image: &ClusterImage,
    changes: &[QuotaChanges],
    resolves: &Resolves<'_>,
) -> Decision<AlteredQuotas> {
    let mut records = Vec::new();
    let mut counts = BTreeMap::new();
    changes.iter().for_each(|change| *counts.entry(parts(&change.entity)).or_insert(0) += 1);
    let reply = changes.iter().map(|change| {
        let is_twice = counts[&parts(&change.entity)] > 1;
        let decided = decide_entity(image, change, is_twice, resolves)?;
        records.extend(decided);
        Ok(())
    });
    let reply = reply.collect();
    (records, reply)
}

/// The types of an entity with their names.
fn parts(entity: &NamedEntity) -> BTreeMap<&str, Option<&str>> {
    entity.iter().map(|(kind, name)| (kind.as_str(), name.as_deref())).collect()
}

/// Kafka's sentence about an entity that a request changes twice, or one quota of which it does.
fn duplicate(entity: &NamedEntity) -> String {
    let parts = parts(entity).into_iter().map(|(kind, name)| format!("{kind}={}", name.unwrap_or("null")));
    let parts = parts.collect::<Vec<_>>().join(", ");
    format!("Ignoring duplicate entity ClientQuotaEntity(entries={{{parts}}})")
}

fn decide_entity(
    image: &ClusterImage,
    change: &QuotaChanges,
    is_twice: bool,
    resolves: &Resolves<'_>,
) -> Result<Vec<Record>, String> {
    let entity = checked_entity(&change.entity)?;
    if let Some(ip) = &entity.ip
        && let EntityName::Named(host) = ip
        && !resolves(host)
    {
        return Err(format!("{host} is not a valid IP or resolvable host."));
    }
    let current = image.client_quotas.get(&entity);
    let wanted: BTreeMap<&String, Option<f64>> = change.values.iter().map(|(key, value)| (key, *value)).collect();
    if is_twice || wanted.len() < change.values.len() {
        return Err(duplicate(&change.entity));
    }
    let mut records = Vec::new();
    for (key, value) in wanted {
        let present = current.and_then(|quotas| quotas.get(key)).copied();
        let value = match value {
            Some(value) => Some(checked_value(&entity, key, value)?),
            None => None,
        };
        if present != value {
            records.push(Record::ClientQuota { entity: entity.clone(), key: key.clone(), value });
        }
    }
    Ok(records)
}

fn checked_entity(named: &NamedEntity) -> Result<QuotaEntity, String> {
    if named.is_empty() {
        return Err("Invalid empty client quota entity".into());
    }
    let mut entity = QuotaEntity::default();
    for (kind, name) in named {
        let place = match kind.as_str() {
            "user" => &mut entity.user,
            "client-id" => &mut entity.client_id,
            "ip" => &mut entity.ip,
            _ => return Err(format!("Unhandled client quota entity type: {kind}")),
        };
        if name.as_deref() == Some("") {
            return Err(format!("Empty {kind} not supported"));
        }
        *place = Some(name.clone().map_or(EntityName::Default, EntityName::Named));
    }
    if entity.ip.is_some() && (entity.user.is_some() || entity.client_id.is_some()) {
        // As a running Kafka spells it.
        let text = "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId";
        return Err(text.into());
    }
    Ok(entity)
}

fn checked_value(entity: &QuotaEntity, key: &str, value: f64) -> Result<QuotaValue, String> {
    /// The largest value and Kafka's words for the type, for quotas that are whole numbers.
    const LONG: Option<(f64, &str)> = Some((i64::MAX as f64, "a LONG"));
    const INT: Option<(f64, &str)> = Some((i32::MAX as f64, "an INT"));
    let whole = match (entity.ip.is_some(), key) {
        (false, "producer_byte_rate" | "consumer_byte_rate") => LONG,
        (false, "request_percentage" | "controller_mutation_rate") => None,
        (true, "connection_creation_rate") => INT,
        _ => return Err(format!("Invalid configuration key {key}")),
    };
    if value <= 0.0 {
        return Err(format!("Quota {key} must be greater than 0"));
    }
    if let Some((max, kind)) = whole {
        if value > max {
            return Err(format!("Proposed value for {key} is too large for {kind}."));
        }
        if (value % 1.0).abs() > 1e-6 {
            return Err(format!("{key} cannot be a fractional value."));
        }
    }
    Ok(QuotaValue(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ClusterId;

    fn decided(entity: &[(&str, Option<&str>)], values: &[(&str, Option<f64>)]) -> Result<usize, String> {
        let change = QuotaChanges {
            entity: entity.iter().map(|(kind, name)| ((*kind).into(), name.map(Into::into))).collect(),
            values: values.iter().map(|(key, value)| ((*key).into(), *value)).collect(),
        };
        let image = ClusterImage::new(ClusterId("cluster".into()));
        let (records, mut reply) = decide_quotas(&image, &[change], &|host| host == "10.0.0.1");
        reply.remove(0).map(|()| records.len())
    }

    #[test]
    fn entities_and_values_are_checked_as_kafka_checks_them() {
        let user: &[(&str, Option<&str>)] = &[("user", Some("u"))];
        let one: &[(&str, Option<f64>)] = &[("producer_byte_rate", Some(1.0))];
        let refused = |text: &str| Err(text.to_owned());
        assert_eq!(decided(user, one), Ok(1));
        assert_eq!(decided(&[("user", None), ("client-id", Some("c"))], one), Ok(1));
        assert_eq!(decided(&[], one), refused("Invalid empty client quota entity"));
        assert_eq!(decided(&[("group", Some("g"))], one), refused("Unhandled client quota entity type: group"));
        assert_eq!(decided(&[("user", Some(""))], one), refused("Empty user not supported"));
        assert_eq!(decided(user, &[("x", Some(1.0))]), refused("Invalid configuration key x"));
        let rate = "connection_creation_rate";
        assert_eq!(decided(user, &[(rate, Some(1.0))]), refused("Invalid configuration key connection_creation_rate"));
        assert_eq!(decided(&[("ip", Some("10.0.0.1"))], &[(rate, Some(1.0))]), Ok(1));
        let unresolved = "nowhere.invalid is not a valid IP or resolvable host.";
        assert_eq!(decided(&[("ip", Some("nowhere.invalid"))], &[(rate, Some(1.0))]), refused(unresolved));
        let text = "Quota producer_byte_rate must be greater than 0";
        assert_eq!(decided(user, &[("producer_byte_rate", Some(0.0))]), refused(text));
        let text = "producer_byte_rate cannot be a fractional value.";
        assert_eq!(decided(user, &[("producer_byte_rate", Some(1.5))]), refused(text));
        let text = "Proposed value for connection_creation_rate is too large for an INT.";
        assert_eq!(decided(&[("ip", None)], &[(rate, Some(3e9))]), refused(text));
        assert_eq!(decided(user, &[("request_percentage", Some(1.5))]), Ok(1));
        assert_eq!(decided(user, &[("producer_byte_rate", None)]), Ok(0), "nothing is there to be removed");
    }
}
