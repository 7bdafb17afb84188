//! How many connections there may be: `max.connections`, `max.connections.per.ip` and its overrides.
//!
//! Invariants: at the limit of all, the broker stops accepting until one closes; at the limit of an address, the new
//! connection is closed at once. Both as Kafka does (`kafka.network.ConnectionQuotas`).

use crate::config::NetworkConfig;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

#[derive(Debug)]
pub(super) struct Limits {
    all: Arc<Semaphore>,
    per_address: u32,
    overrides: BTreeMap<IpAddr, u32>,
    addresses: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

/// Room for one more connection, from wherever it comes.
#[derive(Debug)]
pub(super) struct Room {
    _permit: OwnedSemaphorePermit,
}

/// A connection's place; free again when dropped.
#[derive(Debug)]
pub(super) struct Admission {
    address: IpAddr,
    addresses: Arc<Mutex<HashMap<IpAddr, u32>>>,
    _room: Room,
}

impl Limits {
    pub(super) fn new(network: &NetworkConfig) -> Limits {
        let all = (network.connections_max as usize).min(Semaphore::MAX_PERMITS);
        Limits {
            all: Arc::new(Semaphore::new(all)),
            per_address: network.connections_per_address_max,
            overrides: network.connections_per_address_overrides.clone(),
            addresses: Arc::default(),
        }
    }

    /// Waits until there may be one more connection.
    pub(super) async fn room(&self) -> Room {
        Room { _permit: self.all.clone().acquire_owned().await.expect("the semaphore is never closed") }
    }

    /// A place for a connection from `address`, unless that has too many.
    pub(super) fn admit(&self, address: IpAddr, room: Room) -> Option<Admission> {
        let address = address.to_canonical();
        let max = self.overrides.get(&address).copied().unwrap_or(self.per_address);
        let mut addresses = self.addresses.lock();
        let count = addresses.entry(address).or_default();
        if *count >= max {
            if *count == 0 {
                addresses.remove(&address);
            }
            return None;
        }
        *count += 1;
        Some(Admission { address, addresses: self.addresses.clone(), _room: room })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut addresses = self.addresses.lock();
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BrokerConfig;

    fn limits(all: u32, per_address: u32, overrides: &[(&str, u32)]) -> Limits {
        let mut network = BrokerConfig::default().network;
        (network.connections_max, network.connections_per_address_max) = (all, per_address);
        network.connections_per_address_overrides =
            overrides.iter().map(|(address, max)| (address.parse().unwrap(), *max)).collect();
        Limits::new(&network)
    }

    #[tokio::test]
    async fn an_address_has_as_many_connections_as_it_may() {
        let limits = limits(100, 2, &[("10.0.0.1", 0), ("10.0.0.2", 3)]);
        let mut kept = Vec::new();
        for (address, admitted) in [("10.0.0.1", 0), ("10.0.0.2", 3), ("10.0.0.3", 2)] {
            let address: IpAddr = address.parse().unwrap();
            for attempt in 0..5 {
                let admission = limits.admit(address, limits.room().await);
                assert_eq!(admission.is_some(), attempt < admitted, "{address} {attempt}");
                kept.extend(admission);
            }
        }
        kept.clear();
        assert!(limits.addresses.lock().is_empty());
        assert!(limits.admit("10.0.0.3".parse().unwrap(), limits.room().await).is_some());
    }

    #[tokio::test]
    async fn at_the_limit_of_all_there_is_room_again_when_one_closes() {
        let limits = limits(1, 10, &[]);
        let admission = limits.admit("::1".parse().unwrap(), limits.room().await).unwrap();
        assert!(limits.room().now_or_never().is_none());
        drop(admission);
        assert!(limits.room().now_or_never().is_some());
    }

    use futures_util::FutureExt;
}
