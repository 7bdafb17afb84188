//! The flush that nobody waits for: when it comes, whom it touches, and how old the oldest record is that it has not reached.

use super::flush::{partition, until};
use super::*;
use crate::runtime::Disk;
use crate::types::Offset;

async fn start(data: &tempfile::TempDir, delay: Option<Duration>) -> (Broker, Clock) {
    let clock = Clock::manual(Clock::system().now());
    let mut config = config(data);
    config.storage.flush_delay = delay;
    let broker = Broker::start_with(config, clock.clone(), Disk::system()).await.unwrap();
    for topic in ["one", "other"] {
        create(&broker, topic, &[]).await;
    }
    (broker, clock)
}

async fn store(broker: &Broker, topic: &str) {
    let mut stream = connect(broker).await;
    stream.write_all(&produce(1, topic, -1, 20_000, "a")).await.unwrap();
    assert_eq!(produced(answer(&mut stream).await.1).0, NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_flushed_without_anybody_waiting_and_only_where_there_are_some() {
    let data = tempfile::tempdir().unwrap();
    let (broker, clock) = start(&data, Some(Duration::from_millis(100))).await;
    let (one, other) = (partition(&broker, "one"), partition(&broker, "other"));
    assert_eq!(broker.partitions.oldest_unsynced(), None);
    {
        let _held = one.log_in_tests().hold_syncs();
        store(&broker, "one").await;
        assert_eq!(broker.partitions.oldest_unsynced(), Some(Duration::ZERO), "acknowledged before it was on disk");
        clock.advance(Duration::from_secs(3));
        store(&broker, "one").await;
        assert_eq!(broker.partitions.oldest_unsynced(), Some(Duration::from_secs(3)), "the oldest counts");
        store(&broker, "other").await;
        clock.advance(Duration::from_secs(2));
        assert_eq!(broker.partitions.oldest_unsynced(), Some(Duration::from_secs(5)));
    }
    until("they were not flushed", || broker.partitions.oldest_unsynced().is_none()).await;
    let synced = |partition: &crate::partition::Partition| partition.log_in_tests().synced();
    assert_eq!((synced(&one), synced(&other)), (Offset(2), Offset(1)));
    let syncs = other.log_in_tests().syncs();
    store(&broker, "one").await;
    until("it was not flushed", || synced(&one) == Offset(3)).await;
    assert_eq!(other.log_in_tests().syncs(), syncs, "it had nothing to flush");
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_delay_the_housekeeping_flushes_and_the_age_is_known_all_the_same() {
    let data = tempfile::tempdir().unwrap();
    let (broker, clock) = start(&data, None).await;
    store(&broker, "one").await;
    clock.advance(Duration::from_secs(50));
    store(&broker, "other").await;
    assert_eq!(broker.partitions.oldest_unsynced(), Some(Duration::from_secs(50)));
    broker.partitions.move_recovery_points();
    assert_eq!(broker.partitions.oldest_unsynced(), None);
    store(&broker, "other").await;
    clock.advance(Duration::from_secs(7));
    assert_eq!(broker.partitions.oldest_unsynced(), Some(Duration::from_secs(7)));
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_failed_is_not_counted_and_the_others_are_flushed_on() {
    let data = tempfile::tempdir().unwrap();
    let (broker, _) = start(&data, Some(Duration::from_millis(100))).await;
    let one = partition(&broker, "one");
    {
        let _held = one.log_in_tests().hold_syncs();
        store(&broker, "one").await;
        one.log_in_tests().break_syncs();
    }
    until("the failed one is still counted", || broker.partitions.oldest_unsynced().is_none()).await;
    assert!(one.log_in_tests().is_offline());
    store(&broker, "other").await;
    let other = partition(&broker, "other");
    until("the others are flushed no more", || other.log_in_tests().synced() == Offset(1)).await;
    let _ = broker.shutdown().await;
}
