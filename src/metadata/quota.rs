//! Client quotas: whom a limit concerns, and how high it is.
//!
//! Invariants: an entity names a user, a client id, or both, or an address alone (the controller sees to it).
//! Source: `ClientQuotaRecord.json`, `org.apache.kafka.common.quota.ClientQuotaEntity`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One part of an entity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EntityName {
    /// Whoever has no quota by name.
    Default,
    /// Who has this name.
    Named(String),
}

/// Whom a quota concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QuotaEntity {
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<EntityName>,
    /// The client id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<EntityName>,
    /// The address that connections come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<EntityName>,
}

/// A limit. Stored as text, so that it comes back to the last bit; two are equal when their bits are.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QuotaValue(pub f64);

/// The limits of one entity by their names, Kafka's.
pub type Quotas = BTreeMap<String, QuotaValue>;

impl PartialEq for QuotaValue {
    fn eq(&self, other: &QuotaValue) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for QuotaValue {}

impl From<QuotaValue> for String {
    fn from(value: QuotaValue) -> String {
        value.0.to_string()
    }
}

impl TryFrom<String> for QuotaValue {
    type Error = std::num::ParseFloatError;

    fn try_from(text: String) -> Result<QuotaValue, Self::Error> {
        text.parse().map(QuotaValue)
    }
}
