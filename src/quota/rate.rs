//! A rate over the last windows, as Kafka's `Rate` and `SampledStat` measure it.
//!
//! Invariants: there are at most as many samples as windows and one more, which overlaps the beginning; a clock that goes
//! back moves nothing forward, and by more than all windows forgets what was counted.

use super::{Counter, Windows};
use crate::types::TimestampMs;
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Rate {
    windows: Windows,
    /// In order of their start; never empty.
    samples: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    start_ms: i64,
    last_event_ms: i64,
    sum: f64,
}

impl Sample {
    fn new(now: i64) -> Sample {
        Sample { start_ms: now, last_event_ms: now, sum: 0.0 }
    }
}

fn length_ms(windows: Windows) -> i64 {
    i64::try_from(windows.length.as_millis()).unwrap_or(i64::MAX).max(1)
}

impl Rate {
    pub(super) fn new(windows: Windows, now: TimestampMs) -> Rate {
        Rate { windows, samples: VecDeque::from([Sample::new(now.0)]) }
    }

    pub(super) fn record(&mut self, amount: f64, now: TimestampMs) {
        if self.is_over(now) {
            self.samples = VecDeque::from([Sample::new(now.0)]);
        }
        let last = self.samples.back_mut().expect("there is always a sample");
        if now.0.saturating_sub(last.start_ms) >= length_ms(self.windows) {
            if self.samples.len() > self.windows.count as usize {
                self.samples.pop_front();
            }
            self.samples.push_back(Sample::new(now.0));
        }
        let last = self.samples.back_mut().expect("there is always a sample");
        last.sum += amount;
        last.last_event_ms = last.last_event_ms.max(now.0);
    }

    /// How long to pause until the rate is down to `limit`: Kafka's `QuotaUtils.throttleTime`.
    pub(super) fn throttle_time(&mut self, limit: f64, now: TimestampMs) -> Option<Duration> {
        let window_ms = self.window_ms(now) as f64;
        let sum: f64 = self.samples.iter().map(|sample| sample.sum).sum();
        let rate = sum / (window_ms / 1000.0);
        if rate <= limit {
            return None;
        }
        let pause_ms = ((rate - limit) / limit * window_ms).round();
        // A cast of a float saturates; a wait of an int of milliseconds is what the answer can say.
        let pause_ms = (pause_ms as u64).min(i32::MAX as u64);
        (pause_ms > 0).then(|| Duration::from_millis(pause_ms))
    }

    /// The time that the samples stand for: all windows but the last, and what has passed of that.
    fn window_ms(&mut self, now: TimestampMs) -> i64 {
        let (length, count) = (length_ms(self.windows), i64::from(self.windows.count));
        let expired = length.saturating_mul(count);
        self.samples.retain(|sample| now.0.saturating_sub(sample.last_event_ms).saturating_abs() < expired);
        if self.samples.is_empty() {
            self.samples.push_back(Sample::new(now.0));
        }
        let elapsed = now.0.saturating_sub(self.samples[0].start_ms).max(0);
        let missing = (count - 1 - elapsed / length).max(0);
        elapsed.saturating_add(missing.saturating_mul(length)).max(1)
    }
}

impl Counter for Rate {
    fn last_event_ms(&self) -> i64 {
        self.samples.back().expect("there is always a sample").last_event_ms
    }

    fn is_over(&self, now: TimestampMs) -> bool {
        let expired = length_ms(self.windows).saturating_mul(i64::from(self.windows.count));
        // Or before it, by a clock that was set back: until it has caught up, nothing would ever expire.
        now.0.saturating_sub(self.last_event_ms()).saturating_abs() >= expired
    }
}
