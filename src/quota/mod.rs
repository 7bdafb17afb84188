//! Client quotas: how much a client has used, and how long it must pause.
//!
//! Invariants:
//! * driven by the time that callers pass; no clock, no task;
//! * without a quota of a kind, asking costs one load;
//! * what is remembered of clients is bounded: counters without a recent event say nothing and are dropped.
//!
//! Called by `server` and `handlers`. After Kafka's `ClientQuotaManager` and `QuotaUtils`.

mod bucket;
mod mutations;
mod rate;
mod rules;

pub use mutations::{Exceeded, MutationQuota, Strictness};

use crate::metadata::ClusterImage;
use crate::types::TimestampMs;
use arc_swap::ArcSwap;
use bucket::Bucket;
use parking_lot::Mutex;
use rate::Rate;
use rules::{Rules, Share};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// Counters that are kept; beyond that the ones that were used longest ago go.
const COUNTERS_MAX: usize = 8192;

/// What a quota limits for users and client ids, measured as a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `producer_byte_rate`: bytes of Produce requests a second.
    Produce = 0,
    /// `consumer_byte_rate`: bytes of Fetch answers a second.
    Fetch = 1,
    /// `request_percentage`: the time that requests take, of that of one worker thread.
    Request = 2,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Produce, Kind::Fetch, Kind::Request];

    /// Kafka's name of the quota.
    fn key(self) -> &'static str {
        match self {
            Kind::Produce => "producer_byte_rate",
            Kind::Fetch => "consumer_byte_rate",
            Kind::Request => "request_percentage",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

const MUTATIONS_BIT: u8 = 1 << 6;
const CONNECTIONS_BIT: u8 = 1 << 7;

/// Over how long rates are measured.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// How many windows: one, of which only a part has passed, and those before it.
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
    mutation_windows: Windows,
    counters: Mutex<HashMap<(Kind, Share), Rate>>,
    connections: Mutex<HashMap<IpAddr, Rate>>,
    mutations: Mutex<HashMap<Share, Bucket>>,
    exempt_nanos: AtomicU64,
}

impl ClientQuotas {
    /// No limits yet. Changes of metadata are measured over `mutation_windows`, all else over `windows`.
    pub fn new(windows: Windows, mutation_windows: Windows) -> ClientQuotas {
        ClientQuotas {
            present: AtomicU8::new(0),
            rules: ArcSwap::default(),
            windows,
            mutation_windows,
            counters: Mutex::default(),
            connections: Mutex::default(),
            mutations: Mutex::default(),
            exempt_nanos: AtomicU64::new(0),
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
        let mutations = if rules.has_any(rules::MUTATION_RATE) { MUTATIONS_BIT } else { 0 };
        self.rules.store(Arc::new(rules));
        self.present.store(kinds | connections | mutations, Ordering::Release);
    }

    /// Whether any client has a quota of this kind.
    pub fn has(&self, kind: Kind) -> bool {
        self.present.load(Ordering::Acquire) & kind.bit() != 0
    }

    /// Counts `bytes` and returns for how long the client must pause; `None` when it need not.
    pub fn record(&self, kind: Kind, client: Who<'_>, bytes: u64, now: TimestampMs) -> Option<Duration> {
        // A count of bytes is far below 2^53.
        self.record_amount(kind, client, bytes as f64, now)
    }

    /// Counts the time that a request took on its worker, and returns for how long the client must pause: at most one
    /// window, as in Kafka (`ClientRequestQuotaManager`).
    pub fn record_time(&self, client: Who<'_>, spent: Duration, now: TimestampMs) -> Option<Duration> {
        let pause = self.record_amount(Kind::Request, client, percent_seconds(spent), now)?;
        Some(pause.min(self.windows.length))
    }

    /// Counts the time that encoding or sending an answer took; a client does not pause for it before its next request.
    pub fn record_sending(&self, client: Who<'_>, spent: Duration, now: TimestampMs) {
        self.record_amount(Kind::Request, client, percent_seconds(spent), now);
    }

    /// Counts the time of a request that nobody pauses for: one without an answer, or of another broker.
    pub fn record_exempt(&self, spent: Duration) {
        if self.has(Kind::Request) {
            let nanos = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
            self.exempt_nanos.fetch_add(nanos, Ordering::Relaxed);
        }
    }

    /// The time of requests that nobody paused for, as far as there were quotas of request time.
    pub fn exempt_time(&self) -> Duration {
        Duration::from_nanos(self.exempt_nanos.load(Ordering::Relaxed))
    }

    fn record_amount(&self, kind: Kind, client: Who<'_>, amount: f64, now: TimestampMs) -> Option<Duration> {
        let (share, limit) = self.limit(kind, client)?;
        let mut counters = self.counters.lock();
        make_room(&mut counters, now);
        let rate = counters.entry((kind, share)).or_insert_with(|| Rate::new(self.windows, now));
        rate.record(amount, now);
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
        make_room(&mut connections, now);
        let rate = connections.entry(address).or_insert_with(|| Rate::new(self.windows, now));
        rate.record(1.0, now);
        let pause = rate.throttle_time(limit, now)?;
        // A connection that is refused does not count.
        rate.record(-1.0, now);
        Some(pause.min(self.windows.length))
    }

    /// Whether this client has a quota of this kind.
    pub fn limits(&self, kind: Kind, client: Who<'_>) -> bool {
        self.limit(kind, client).is_some()
    }

    /// What one request may change of the metadata (KIP-599).
    pub fn mutations(&self, client: Who<'_>, strictness: Strictness, now: TimestampMs) -> MutationQuota<'_> {
        if self.present.load(Ordering::Acquire) & MUTATIONS_BIT == 0 {
            return MutationQuota::unlimited();
        }
        match self.rules.load().limit(rules::MUTATION_RATE, client) {
            Some((share, limit)) => MutationQuota::new(self, share, limit, strictness, now),
            None => MutationQuota::unlimited(),
        }
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

/// What is remembered of a client and forgotten again.
trait Counter {
    fn last_event_ms(&self) -> i64;

    /// Whether nothing that it counted matters any more.
    fn is_over(&self, now: TimestampMs) -> bool;
}

/// Drops counters that say nothing any more, and then the oldest, so that one more fits.
fn make_room<K: Clone + Eq + std::hash::Hash, C: Counter>(counters: &mut HashMap<K, C>, now: TimestampMs) {
    if counters.len() < COUNTERS_MAX {
        return;
    }
    counters.retain(|_, counter| !counter.is_over(now));
    if counters.len() < COUNTERS_MAX {
        return;
    }
    // Half at once, so that the search is paid for by those that follow.
    let mut times: Vec<i64> = counters.values().map(Counter::last_event_ms).collect();
    let (_, middle, _) = times.select_nth_unstable(COUNTERS_MAX / 2);
    let middle = *middle;
    let mut to_drop = COUNTERS_MAX / 2;
    counters.retain(|_, counter| {
        let goes = counter.last_event_ms() <= middle && to_drop > 0;
        to_drop -= usize::from(goes);
        !goes
    });
}

/// A second of one thread's time is 100 % of a second.
fn percent_seconds(spent: Duration) -> f64 {
    spent.as_secs_f64() * 100.0
}

#[cfg(test)]
mod tests;
