//! The broker's tasks in the background.
//!
//! Invariants: a task waits for news or for its time, never by polling; what blocks on the disk runs on the blocking
//! pool; a task ends only when the broker stops.

use crate::config::BrokerConfig;
use crate::metadata::ClusterImage;
use crate::partition::PartitionManager;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

/// Makes the partitions follow every new image of the cluster.
pub(super) async fn follow_metadata(mut images: watch::Receiver<Arc<ClusterImage>>, partitions: Arc<PartitionManager>) {
    loop {
        let image = images.borrow_and_update().clone();
        let partitions = partitions.clone();
        on_blocking_pool(move || partitions.apply(&image)).await;
        if images.changed().await.is_err() {
            return;
        }
    }
}

/// Rolls and deletes segments, forgets idle producers and writes checkpoints when it is time.
pub(super) async fn maintain(config: Arc<BrokerConfig>, partitions: Arc<PartitionManager>) {
    let storage = &config.storage;
    let every = storage.retention_check_interval.min(storage.recovery_point_checkpoint_interval);
    let every = every.min(storage.producer_expiry_check_interval).max(Duration::from_millis(1));
    let mut ticks = tokio::time::interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let partitions = partitions.clone();
        on_blocking_pool(move || partitions.maintain()).await;
    }
}

async fn on_blocking_pool(work: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
}
