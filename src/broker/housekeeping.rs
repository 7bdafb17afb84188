//! The broker's tasks in the background.
//!
//! Invariants: a task waits for news or for its time, never by polling; what blocks on the disk runs on the blocking
//! pool; a task ends only when the broker stops.

use crate::metadata::ClusterImage;
use crate::partition::PartitionManager;
use crate::quota::ClientQuotas;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{info, warn};

/// An interval of 0, which some of Kafka's settings allow, would keep a processor and the disk busy with nothing else.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// A disk that takes gigabytes a second moves recovery points many times in it; what is read after a crash grows by one
/// second's bytes.
const CHECKPOINT_PAUSE: Duration = Duration::from_secs(1);

/// What nobody waits for.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How many threads of the blocking pool, at most, wait for syncs that acknowledgements wait for: the others are for the
/// rest.
const SYNCS_AT_ONCE_MAX: usize = 4;

/// The same of flushes that nobody waits for, and how many partitions make it worth one thread more.
const FLUSHES_AT_ONCE_MAX: usize = 2;
const FLUSHES_WORTH_A_THREAD: usize = 16;

/// Flushes follow each other slower the more partitions they flush.
const FLUSH_PAUSE_PER_PARTITION: Duration = Duration::from_millis(2);
const FLUSH_PAUSE_MAX: Duration = Duration::from_secs(5);

/// Records that are this much longer not on disk than they should be are told of.
const LATE: Duration = Duration::from_secs(10);

/// Makes the quotas and the partitions follow every new image of the cluster. Who waits for the partitions, waits for both.
pub(super) async fn follow_metadata(
    mut images: watch::Receiver<Arc<ClusterImage>>,
    quotas: Arc<ClientQuotas>,
    partitions: Arc<PartitionManager>,
) {
    loop {
        let image = images.borrow_and_update().clone();
        let (quotas, partitions) = (quotas.clone(), partitions.clone());
        on_blocking_pool(move || {
            quotas.apply(&image, address_of);
            partitions.apply(&image);
        })
        .await;
        if images.changed().await.is_err() {
            return;
        }
    }
}

/// The address of a host, which may be one already. Blocks on the resolver.
pub(super) fn address_of(host: &str) -> Option<IpAddr> {
    host.parse().ok().or_else(|| (host, 0).to_socket_addrs().ok()?.next().map(|address| address.ip()))
}

/// A piece of work, each time that `interval` has passed since the last was done.
pub(super) async fn repeat(interval: Duration, partitions: Arc<PartitionManager>, work: fn(&PartitionManager)) {
    let interval = interval.max(INTERVAL_MIN);
    let mut ticks = tokio::time::interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let partitions = partitions.clone();
        on_blocking_pool(move || work(&partitions)).await;
    }
}

/// Syncs the partitions whose acknowledgements wait for the disk, several side by side.
pub(super) async fn sync_due(partitions: Arc<PartitionManager>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            count = partitions.wait_until_sync_due(), if running.len() < SYNCS_AT_ONCE_MAX => {
                for _ in 0..count.min(SYNCS_AT_ONCE_MAX - running.len()) {
                    let partitions = partitions.clone();
                    running.spawn_blocking(move || partitions.sync_due());
                }
            }
            Some(done) = running.join_next() => done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())),
        }
    }
}

/// Flushes what nobody waits for: `delay` after a record was stored, or when the flush before is done, and
/// [as far apart](flush_pause) as many partitions ask for.
pub(super) async fn flush_dirty(delay: Duration, partitions: Arc<PartitionManager>) {
    let mut is_late = false;
    let mut flushed_at = Instant::now();
    loop {
        let age = partitions.wait_until_dirty().await;
        tokio::time::sleep(delay.saturating_sub(age)).await;
        tokio::time::sleep_until(flushed_at + flush_pause(partitions.dirty_count())).await;
        let threads = partitions.begin_flush().div_ceil(FLUSHES_WORTH_A_THREAD).min(FLUSHES_AT_ONCE_MAX);
        let mut running = JoinSet::new();
        for _ in 0..threads {
            let partitions = partitions.clone();
            running.spawn_blocking(move || partitions.flush_dirty());
        }
        while let Some(done) = running.join_next().await {
            done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
        }
        flushed_at = Instant::now();
        let age = partitions.oldest_unsynced().unwrap_or_default();
        match is_late {
            false if age > delay + LATE => {
                warn!(seconds = age.as_secs(), "the disk does not keep up: this old are records that are not on it");
                is_late = true;
            }
            true if age < LATE / 2 => {
                info!("the disk keeps up again");
                is_late = false;
            }
            _ => {}
        }
    }
}

/// How far apart flushes of so many partitions are at least. A sync costs 50 µs of a processor and more, whatever there is
/// to sync: a thousand partitions that get a record now and then would keep the disk busy for nothing else.
fn flush_pause(partitions: usize) -> Duration {
    let partitions = u32::try_from(partitions).unwrap_or(u32::MAX);
    FLUSH_PAUSE_PER_PARTITION.saturating_mul(partitions).min(FLUSH_PAUSE_MAX)
}

/// Deletes the files and folders that nobody needs any more, each when its `file.delete.delay.ms` is over.
pub(super) async fn delete_due(partitions: Arc<PartitionManager>) {
    loop {
        let looked = partitions.clone();
        let pause = on_blocking_pool(move || looked.delete_due()).await;
        tokio::select! {
            () = tokio::time::sleep(pause.map_or(FOREVER, |pause| pause.clamp(INTERVAL_MIN, FOREVER))) => {}
            () = partitions.deletion_scheduled() => {}
        }
    }
}

/// Lets old records be synced (`flush.ms`): looks when some are due, or each time that
/// `log.flush.scheduler.interval.ms` has passed.
pub(super) async fn sync_old(partitions: Arc<PartitionManager>) {
    let mut applied = partitions.subscribe_applied();
    loop {
        applied.mark_unchanged();
        let looked = partitions.clone();
        let pause = on_blocking_pool(move || looked.find_old_records()).await;
        let pause = pause.map_or(FOREVER, |pause| pause.clamp(INTERVAL_MIN, FOREVER));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // A topic may have got another setting.
            changed = applied.changed() => if changed.is_err() { return },
        }
    }
}

/// Writes down the recovery points that moved because much was synced.
pub(super) async fn checkpoint_recovery_points(partitions: Arc<PartitionManager>) {
    loop {
        partitions.recovery_points_moved().await;
        let moved = partitions.clone();
        on_blocking_pool(move || moved.checkpoint()).await;
        tokio::time::sleep(CHECKPOINT_PAUSE).await;
    }
}

async fn on_blocking_pool<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flushes_of_many_partitions_are_further_apart() {
        assert_eq!(flush_pause(0), Duration::ZERO);
        assert_eq!(flush_pause(50), Duration::from_millis(100));
        assert_eq!(flush_pause(1000), Duration::from_secs(2));
        assert_eq!(flush_pause(usize::MAX), FLUSH_PAUSE_MAX);
    }
}
