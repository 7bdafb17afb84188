//! Which limit holds for a client, and with whom it shares it.
//!
//! Source: `DefaultQuotaCallback` of Kafka's `ClientQuotaManager`.

use super::Who;
use crate::metadata::{EntityName, QuotaEntity, Quotas};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

pub(super) const MUTATION_RATE: &str = "controller_mutation_rate";
pub(super) const CONNECTION_RATE: &str = "connection_creation_rate";
/// Longer names share the counter of all that begin alike: names come from clients, memory has bounds.
const NAME_BYTES_MAX: usize = 256;

type All = Arc<BTreeMap<QuotaEntity, Quotas>>;

#[derive(Debug, Default)]
pub(super) struct Rules {
    quotas: All,
    connection_rates: HashMap<IpAddr, f64>,
    connection_rate_default: Option<f64>,
}

/// Those who share one counter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Share {
    user: Option<String>,
    client_id: Option<String>,
}

impl Rules {
    pub(super) fn new(quotas: All, resolve: impl Fn(&str) -> Option<IpAddr>) -> Rules {
        let mut rules = Rules { quotas: quotas.clone(), ..Rules::default() };
        for (entity, quotas) in quotas.iter() {
            let (Some(ip), Some(rate)) = (&entity.ip, quotas.get(CONNECTION_RATE)) else { continue };
            match ip {
                EntityName::Default => rules.connection_rate_default = Some(rate.0),
                EntityName::Named(host) => {
                    let address = resolve(host).map(|address| address.to_canonical());
                    rules.connection_rates.extend(address.map(|address| (address, rate.0)));
                }
            }
        }
        rules
    }

    pub(super) fn is_of(&self, quotas: &All) -> bool {
        Arc::ptr_eq(&self.quotas, quotas)
    }

    pub(super) fn has_any(&self, key: &str) -> bool {
        self.quotas.values().any(|quotas| quotas.contains_key(key))
    }

    /// The limit of the entity that names the client best, and who shares its counter.
    pub(super) fn limit(&self, key: &str, who: Who<'_>) -> Option<(Share, f64)> {
        let named = |name: &str| Some(EntityName::Named(name.to_owned()));
        let (user, client_id, default) = (named(who.user), named(who.client_id), Some(EntityName::Default));
        let candidates = [
            (&user, &client_id),
            (&user, &default),
            (&user, &None),
            (&default, &client_id),
            (&default, &default),
            (&default, &None),
            (&None, &client_id),
            (&None, &default),
        ];
        candidates.into_iter().find_map(|(user, client_id)| {
            let entity = QuotaEntity { user: user.clone(), client_id: client_id.clone(), ip: None };
            let limit = self.quotas.get(&entity)?.get(key)?.0;
            let share = Share {
                user: user.as_ref().map(|_| shortened(who.user)),
                client_id: client_id.as_ref().map(|_| shortened(who.client_id)),
            };
            Some((share, limit))
        })
    }

    /// The connections a second that this address may open.
    pub(super) fn connection_rate(&self, address: IpAddr) -> Option<f64> {
        self.connection_rates.get(&address).copied().or(self.connection_rate_default)
    }
}

fn shortened(name: &str) -> String {
    let end = (0..=NAME_BYTES_MAX.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    name[..end.unwrap_or(0)].to_owned()
}
