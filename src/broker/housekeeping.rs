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
use tokio::time::{Instant, MissedTickBehavior};

/// An interval of 0, which some of Kafka's settings allow, would keep a processor and the disk busy with nothing else.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

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

async fn on_blocking_pool(work: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
}
