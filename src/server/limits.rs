//! How many connections there may be: `max.connections`, `max.connections.per.ip` and its overrides.
//!
//! Invariants:
//! * at the limit of all, the broker stops accepting until one closes; at the limit of an address, the new connection is
//!   closed at once. Both as Kafka does (`kafka.network.ConnectionQuotas`);
//! * limits that are changed at run time count for the next connection; those that are open stay.

use crate::config::BrokerConfig;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Debug)]
pub(super) struct Limits {
    config: watch::Receiver<Arc<BrokerConfig>>,
    /// How many connections there are, or are about to be.
    open: Arc<watch::Sender<u32>>,
    addresses: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

/// Room for one more connection, from wherever it comes; free again when dropped.
#[derive(Debug)]
pub(super) struct Room {
    open: Arc<watch::Sender<u32>>,
}

/// A connection's place; free again when dropped.
#[derive(Debug)]
pub(super) struct Admission {
    address: IpAddr,
    addresses: Arc<Mutex<HashMap<IpAddr, u32>>>,
    _room: Room,
}

impl Limits {
    pub(super) fn new(config: watch::Receiver<Arc<BrokerConfig>>) -> Limits {
        Limits { config, open: Arc::new(watch::Sender::new(0)), addresses: Arc::default() }
    }

    /// Waits until there may be one more connection.
    pub(super) async fn room(&self) -> Room {
        // News from after the look count: what closes between it and the wait is not missed.
        let (mut config, mut open) = (self.config.clone(), self.open.subscribe());
        loop {
            let max = config.borrow_and_update().network.connections_max;
            open.mark_unchanged();
            let is_taken = self.open.send_if_modified(|open| {
                let is_free = *open < max;
                *open += u32::from(is_free);
                is_free
            });
            if is_taken {
                return Room { open: self.open.clone() };
            }
            tokio::select! {
                closed = open.changed() => closed.expect("the limits hold the sender"),
                // When nobody is left to change them, the limits stay.
                Ok(()) = config.changed() => {}
            }
        }
    }

    /// A place for a connection from `address`, unless that has too many.
    pub(super) fn admit(&self, address: IpAddr, room: Room) -> Option<Admission> {
        let address = address.to_canonical();
        let max = {
            let network = &self.config.borrow().network;
            let per_address = network.connections_per_address_max;
            network.connections_per_address_overrides.get(&address).copied().unwrap_or(per_address)
        };
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

impl Drop for Room {
    fn drop(&mut self) {
        self.open.send_modify(|open| *open -= 1);
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

    type Changes = watch::Sender<Arc<BrokerConfig>>;

    fn config(all: u32, per_address: u32, overrides: &[(&str, u32)]) -> Arc<BrokerConfig> {
        let mut config = BrokerConfig::default();
        let network = &mut config.network;
        (network.connections_max, network.connections_per_address_max) = (all, per_address);
        network.connections_per_address_overrides =
            overrides.iter().map(|(address, max)| (address.parse().unwrap(), *max)).collect();
        Arc::new(config)
    }

    fn limits(all: u32, per_address: u32, overrides: &[(&str, u32)]) -> (Limits, Changes) {
        let changes = watch::Sender::new(config(all, per_address, overrides));
        (Limits::new(changes.subscribe()), changes)
    }

    #[tokio::test]
    async fn an_address_has_as_many_connections_as_it_may() {
        let (limits, _changes) = limits(100, 2, &[("10.0.0.1", 0), ("10.0.0.2", 3)]);
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
        let (limits, changes) = limits(1, 10, &[]);
        let admission = limits.admit("::1".parse().unwrap(), limits.room().await).unwrap();
        assert!(limits.room().now_or_never().is_none());
        drop(admission);
        assert!(limits.room().now_or_never().is_some());
        drop(changes);
    }

    #[tokio::test]
    async fn limits_that_are_changed_count_at_once_and_wake_who_waits() {
        let (limits, changes) = limits(1, 10, &[]);
        let first = limits.admit("::1".parse().unwrap(), limits.room().await).unwrap();
        let mut waiting = Box::pin(limits.room());
        assert!((&mut waiting).now_or_never().is_none());
        changes.send_replace(config(2, 1, &[]));
        let room = waiting.await;
        assert!(limits.admit("::1".parse().unwrap(), room).is_none(), "one from an address, now");
        changes.send_replace(config(1, 1, &[]));
        assert!(limits.room().now_or_never().is_none(), "the open one stays, and counts");
        drop(first);
        assert!(limits.room().now_or_never().is_some());
    }

    use futures_util::FutureExt;
}
