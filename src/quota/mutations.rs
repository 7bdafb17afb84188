//! What one request may change of the metadata: KIP-599.
//!
//! Invariants:
//! * a strict quota admits a change of any size while there is no debt, and none while there is; a permissive one admits
//!   all, and says for how long the client must pause;
//! * what a decision took that was given up is given back by [`MutationQuota::begin`].
//!
//! Called by `controller` for each topic, and by `handlers` for the pause. After Kafka's `ControllerMutationQuotaManager`,
//! `StrictControllerMutationQuota` and `PermissiveControllerMutationQuota`.

use super::bucket::Bucket;
use super::rules::Share;
use super::{ClientQuotas, make_room};
use crate::types::TimestampMs;
use std::time::Duration;

/// What happens to a change that is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// It is refused.
    Strict,
    /// It is made, and the client pauses: older clients do not know the refusal.
    Permissive,
}

/// A change was too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded;

/// The quota of one request.
#[derive(Debug)]
pub struct MutationQuota<'a> {
    limited: Option<Limited<'a>>,
}

#[derive(Debug)]
struct Limited<'a> {
    quotas: &'a ClientQuotas,
    share: Share,
    limit: f64,
    strictness: Strictness,
    now: TimestampMs,
    taken: f64,
    pause: Option<Duration>,
}

impl<'a> MutationQuota<'a> {
    /// Everything may be changed.
    pub fn unlimited() -> MutationQuota<'a> {
        MutationQuota { limited: None }
    }

    pub(super) fn new(
        quotas: &'a ClientQuotas,
        share: Share,
        limit: f64,
        strictness: Strictness,
        now: TimestampMs,
    ) -> MutationQuota<'a> {
        MutationQuota { limited: Some(Limited { quotas, share, limit, strictness, now, taken: 0.0, pause: None }) }
    }

    /// Begins a decision; an earlier one was given up.
    pub fn begin(&mut self) {
        let Some(limited) = &mut self.limited else { return };
        let taken = std::mem::take(&mut limited.taken);
        if taken > 0.0 {
            limited.with_bucket(|bucket, limit, now| bucket.take(-taken, limit, now));
        }
        limited.pause = None;
    }

    /// Counts the creation or deletion of so many partitions.
    ///
    /// # Errors
    /// [`Exceeded`]: they must stay as they are.
    pub fn take(&mut self, partitions: usize) -> Result<(), Exceeded> {
        let Some(limited) = &mut self.limited else { return Ok(()) };
        let strictness = limited.strictness;
        // A count of partitions is far below 2^53.
        let count = partitions as f64;
        let pause = limited.with_bucket(|bucket, limit, now| match strictness {
            Strictness::Strict => {
                let pause = bucket.throttle_time(limit, now);
                if pause.is_none() {
                    bucket.take(count, limit, now);
                }
                pause
            }
            Strictness::Permissive => {
                bucket.take(count, limit, now);
                bucket.throttle_time(limit, now)
            }
        });
        let is_refused = pause.is_some() && strictness == Strictness::Strict;
        if !is_refused {
            limited.taken += count;
        }
        limited.pause = pause.or(limited.pause);
        if is_refused { Err(Exceeded) } else { Ok(()) }
    }

    /// For how long the client must pause from `now` on.
    pub fn pause(&self, now: TimestampMs) -> Duration {
        let Some(limited) = &self.limited else { return Duration::ZERO };
        let passed = u64::try_from(now.0.saturating_sub(limited.now.0)).unwrap_or(0);
        limited.pause.unwrap_or_default().saturating_sub(Duration::from_millis(passed))
    }
}

impl Limited<'_> {
    fn with_bucket<T>(&self, work: impl FnOnce(&mut Bucket, f64, TimestampMs) -> T) -> T {
        let mut buckets = self.quotas.mutations.lock();
        make_room(&mut buckets, self.now);
        let windows = self.quotas.mutation_windows;
        let bucket = buckets.entry(self.share.clone()).or_insert_with(|| Bucket::new(windows, self.limit, self.now));
        work(bucket, self.limit, self.now)
    }
}
