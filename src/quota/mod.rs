//! Client quotas: how much a client has used, and how long it must pause.
//!
//! Invariants:
//! * driven by the time that callers pass; no clock, no task;
//! * without a quota of a kind, asking costs one load;
//! * what is remembered of clients is bounded: counters without a recent event say nothing and are dropped.
//!
//! Called by `server` and `handlers`. After Kafka's `ClientQuotaManager` and `QuotaUtils`.

mod rate;
mod rules;

use crate::metadata::ClusterImage;
use crate::types::TimestampMs;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rate::Rate;
use rules::{Rules, Share};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Counters that are kept; beyond that the ones that were used longest ago go.
const COUNTERS_MAX: usize = 8192;

/// What a quota limits for users and client ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `producer_byte_rate`: bytes of Produce requests a second.
    Produce = 0,
    /// `consumer_byte_rate`: bytes of Fetch answers a second.
    Fetch = 1,
}

impl Kind {
    const ALL: [Kind; 2] = [Kind::Produce, Kind::Fetch];

    /// Kafka's name of the quota.
    fn key(self) -> &'static str {
        match self {
            Kind::Produce => "producer_byte_rate",
            Kind::Fetch => "consumer_byte_rate",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

const CONNECTIONS_BIT: u8 = 1 << 7;

/// Over how long rates are measured: `quota.window.num` windows of `quota.window.size.seconds`.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// How many windows.
    pub count: u32,
    /// How long each is.
    pub length: Duration,
}

impl Default for Windows {
    /// Kafka's: eleven of a second.
    fn default() -> Windows {
        Windows { count: 11, length: Duration::from_secs(1) }
    }
}

/// The limits of all clients and what they have used.
#[derive(Debug)]
pub struct ClientQuotas {
    /// The kinds of which there is any quota.
    present: AtomicU8,
    rules: ArcSwap<Rules>,
    windows: Windows,
    counters: Mutex<HashMap<(Kind, Share), Rate>>,
    connections: Mutex<HashMap<IpAddr, Rate>>,
}

impl ClientQuotas {
    /// No limits yet.
    pub fn new(windows: Windows) -> ClientQuotas {
        ClientQuotas {
            present: AtomicU8::new(0),
            rules: ArcSwap::default(),
            windows,
            counters: Mutex::default(),
            connections: Mutex::default(),
        }
    }

    /// Takes over the limits of an image; hosts that limits of connections name are looked up by `resolve`.
    pub fn apply(&self, image: &ClusterImage, resolve: impl Fn(&str) -> Option<IpAddr>) {
        if self.rules.load().is_of(&image.client_quotas) {
            return;
        }
        let rules = Rules::new(image.client_quotas.clone(), resolve);
        let kinds = Kind::ALL.iter().filter(|kind| rules.has_any(kind.key())).fold(0, |bits, kind| bits | kind.bit());
        let connections = if rules.has_any(rules::CONNECTION_RATE) { CONNECTIONS_BIT } else { 0 };
        self.rules.store(Arc::new(rules));
        self.present.store(kinds | connections, Ordering::Release);
    }

    /// Whether any client has a quota of this kind.
    pub fn has(&self, kind: Kind) -> bool {
        self.present.load(Ordering::Acquire) & kind.bit() != 0
    }

    /// Counts `amount` and returns for how long the client must pause; `None` when it need not.
    pub fn record(&self, kind: Kind, client: Who<'_>, amount: u64, now: TimestampMs) -> Option<Duration> {
        let (share, limit) = self.limit(kind, client)?;
        let mut counters = self.counters.lock();
        make_room(&mut counters, self.windows, now);
        let rate = counters.entry((kind, share)).or_insert_with(|| Rate::new(self.windows, now));
        rate.record(amount as f64, now);
        rate.throttle_time(limit, now)
    }

    /// Takes back what was counted for an answer that was not sent after all.
    pub fn unrecord(&self, kind: Kind, client: Who<'_>, amount: u64, now: TimestampMs) {
        let Some((share, _)) = self.limit(kind, client) else { return };
        if let Some(rate) = self.counters.lock().get_mut(&(kind, share)) {
            rate.record(-(amount as f64), now);
        }
    }

    /// The most that a client may use in all whole windows together, if it is limited: an answer that is larger would
    /// never be within its quota.
    pub fn most_in_windows(&self, kind: Kind, client: Who<'_>) -> Option<u64> {
        let (_, limit) = self.limit(kind, client)?;
        let seconds = self.windows.length.as_secs_f64() * f64::from(self.windows.count.saturating_sub(1));
        // A cast of a float saturates.
        Some((limit * seconds) as u64)
    }

    /// Counts a new connection; when its address has too many, returns for how long it is kept unserved before it is closed.
    pub fn record_connection(&self, address: IpAddr, now: TimestampMs) -> Option<Duration> {
        if self.present.load(Ordering::Acquire) & CONNECTIONS_BIT == 0 {
            return None;
        }
        let limit = self.rules.load().connection_rate(address)?;
        let mut connections = self.connections.lock();
        make_room(&mut connections, self.windows, now);
        let rate = connections.entry(address).or_insert_with(|| Rate::new(self.windows, now));
        rate.record(1.0, now);
        let pause = rate.throttle_time(limit, now)?;
        // A connection that is refused does not count.
        rate.record(-1.0, now);
        Some(pause.min(self.windows.length))
    }

    fn limit(&self, kind: Kind, client: Who<'_>) -> Option<(Share, f64)> {
        if !self.has(kind) {
            return None;
        }
        self.rules.load().limit(kind.key(), client)
    }
}

/// Who a client is to quotas.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// The user that it authenticated as.
    pub user: &'a str,
    /// The name that it gives itself; empty without one.
    pub client_id: &'a str,
}

/// Drops counters that say nothing any more, and then the oldest, so that one more fits.
fn make_room<K: Clone + Eq + std::hash::Hash>(counters: &mut HashMap<K, Rate>, windows: Windows, now: TimestampMs) {
    if counters.len() < COUNTERS_MAX {
        return;
    }
    counters.retain(|_, rate| !rate.is_over(windows, now));
    if counters.len() < COUNTERS_MAX {
        return;
    }
    // Half at once, so that the search is paid for by those that follow.
    let mut times: Vec<i64> = counters.values().map(Rate::last_event_ms).collect();
    let (_, middle, _) = times.select_nth_unstable(COUNTERS_MAX / 2);
    let middle = *middle;
    let mut to_drop = COUNTERS_MAX / 2;
    counters.retain(|_, rate| {
        let goes = rate.last_event_ms() <= middle && to_drop > 0;
        to_drop -= usize::from(goes);
        !goes
    });
}

#[cfg(test)]
mod tests;
