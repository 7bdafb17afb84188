//! A bucket of tokens that fills by itself, as Kafka's `TokenBucket` does.
//!
//! Invariants: never more than a burst, which is what all windows together may use; less than nothing when more was taken
//! than there was, and then nobody gets any before the debt is paid; a clock that goes back fills nothing, and by more
//! than all windows begins anew where it stands.

use super::{Counter, Windows};
use crate::types::TimestampMs;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Bucket {
    windows: Windows,
    tokens: f64,
    filled_at: i64,
    /// When it will be full if nothing is taken any more: then it says nothing.
    full_at: i64,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(windows: Windows, limit: f64, now: TimestampMs) -> Bucket {
        Bucket { windows, tokens: burst(windows, limit), filled_at: now.0, full_at: now.0 }
    }

    /// Takes `count` tokens, of which there may be too few.
    pub(super) fn take(&mut self, count: f64, limit: f64, now: TimestampMs) {
        self.fill(limit, now);
        let burst = burst(self.windows, limit);
        self.tokens = (self.tokens - count).min(burst);
        self.full_at = now.0.saturating_add(((burst - self.tokens) / limit * 1000.0) as i64);
    }

    /// How long it takes until the debt is paid, if there is one.
    pub(super) fn throttle_time(&mut self, limit: f64, now: TimestampMs) -> Option<Duration> {
        self.fill(limit, now);
        // A cast of a float saturates; a wait of an int of milliseconds is what the answer can say.
        let pause_ms = ((-self.tokens / limit * 1000.0).round() as u64).min(i32::MAX as u64);
        (self.tokens < 0.0).then(|| Duration::from_millis(pause_ms))
    }

    fn fill(&mut self, limit: f64, now: TimestampMs) {
        let windows_ms = i64::try_from(self.windows.length.as_millis()).unwrap_or(i64::MAX);
        if self.filled_at.saturating_sub(now.0) > windows_ms.saturating_mul(self.windows.count.into()) {
            self.filled_at = now.0;
        }
        let passed_ms = now.0.saturating_sub(self.filled_at).max(0);
        self.tokens = (self.tokens + limit * passed_ms as f64 / 1000.0).min(burst(self.windows, limit));
        self.filled_at = self.filled_at.max(now.0);
    }
}

impl Counter for Bucket {
    fn last_event_ms(&self) -> i64 {
        self.filled_at
    }

    fn is_over(&self, now: TimestampMs) -> bool {
        now.0 >= self.full_at
    }
}

fn burst(windows: Windows, limit: f64) -> f64 {
    f64::from(windows.count) * windows.length.as_secs_f64() * limit
}
