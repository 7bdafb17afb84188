//! Whether appends are quick, as they are while the page cache takes what is written; or slow, as when the kernel makes
//! those who write wait for the disk.
//!
//! Invariants:
//! * appends are made on the workers until two runs of them within a second took [`SLOW`] or longer: one can be the
//!   scheduler's doing;
//! * then they are made aside, some at a time, until none was slow for a second: others have the workers meanwhile;
//! * while appends are quick, one load tells so, and two looks at the clock measure a run.
//!
//! Called by `produce`, which measures, and by `server`, which asks where a run belongs.

use crate::runtime::Turns;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tracing::info;

/// A run of appends that takes as long is slow: others on its worker would notice.
const SLOW: Duration = Duration::from_millis(5);
/// How long one slow run counts.
const MEMORY: Duration = Duration::from_secs(1);
/// So many slow runs at a time; each costs a thread.
const AT_ONCE_MAX: usize = 4;

/// How quick appends are.
#[derive(Debug)]
pub struct Pace {
    began: Instant,
    /// In milliseconds since `began`; 0: no run was slow.
    last_slow: AtomicU64,
    /// Until when appends are made aside, in the same unit.
    slow_until: AtomicU64,
    turns: Turns,
}

impl Pace {
    pub(super) fn new() -> Pace {
        let (last_slow, slow_until) = (AtomicU64::new(0), AtomicU64::new(0));
        Pace { began: Instant::now(), last_slow, slow_until, turns: Turns::new(AT_ONCE_MAX) }
    }

    /// The turns of those who append aside.
    pub fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Whether appends are to be made aside.
    pub fn is_slow(&self) -> bool {
        let until = self.slow_until.load(Ordering::Relaxed);
        if until == 0 {
            return false;
        }
        if self.milliseconds(Instant::now()) < until {
            return true;
        }
        if self.slow_until.compare_exchange(until, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            info!("appends are quick again, and made on the workers");
        }
        false
    }

    /// A run of appends was made in this time.
    pub(super) fn note(&self, since: Instant, until: Instant) {
        if until - since < SLOW {
            return;
        }
        let now = self.milliseconds(until).max(1);
        let before = self.last_slow.swap(now, Ordering::Relaxed);
        let memory = MEMORY.as_millis() as u64;
        if before > 0
            && now.saturating_sub(before) <= memory
            && self.slow_until.swap(now + memory, Ordering::Relaxed) == 0
        {
            info!(took = ?(until - since), "the disk makes appends wait: they leave the workers until they are quick again");
        }
    }

    fn milliseconds(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_slow_runs_within_a_second_make_appends_leave_the_workers() {
        let pace = Pace::new();
        let now = Instant::now();
        pace.note(now, now + SLOW - Duration::from_micros(1));
        pace.note(now, now + SLOW);
        assert!(!pace.is_slow(), "one may be the scheduler's doing");
        pace.note(now, now + SLOW + MEMORY + Duration::from_millis(2));
        assert!(!pace.is_slow(), "it was too long ago");
        pace.note(now, now + SLOW + MEMORY + Duration::from_millis(3));
        assert!(pace.is_slow());
    }

    #[test]
    fn appends_come_back_when_none_was_slow_for_a_second() {
        let pace = Pace::new();
        let long_ago = Instant::now() - Duration::from_millis(1);
        let pace = Pace { began: long_ago - 10 * MEMORY, ..pace };
        for _ in 0..2 {
            pace.note(long_ago - MEMORY - SLOW, long_ago - MEMORY);
        }
        assert!(!pace.is_slow(), "it was slow until a moment ago");
        assert_eq!(pace.slow_until.load(Ordering::Relaxed), 0);
    }
}
