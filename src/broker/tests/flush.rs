//! `flush.messages` and `flush.ms`: what waits for a sync, who shares one, and what a failed one means.
//!
//! Syncs are held back by the lock that they take, so that nothing here depends on how fast a disk is.

use super::*;
use crate::partition::Partition;
use crate::runtime::Disk;
use crate::types::{Offset, PartitionIndex, ProducerEpoch, ProducerId, Sequence};

const KAFKA_STORAGE_ERROR: i16 = 56;
const FLUSHED: &[(&str, &str)] = &[("flush.messages", "1")];

/// A broker with a topic `safe`, every record of which waits for the disk, and a topic `free` without a setting.
async fn broker(data: &tempfile::TempDir) -> (Broker, Arc<Partition>) {
    let broker = Broker::start(config(data)).await.unwrap();
    create(&broker, "safe", FLUSHED).await;
    create(&broker, "free", &[]).await;
    let safe = partition(&broker, "safe");
    (broker, safe)
}

/// What nobody waits for is not flushed here.
fn config(data: &tempfile::TempDir) -> BrokerConfig {
    let mut config = super::config(data);
    config.storage.flush_delay = None;
    config
}

fn config_with(data: &tempfile::TempDir, setting: &str) -> BrokerConfig {
    let flags = config::Flags {
        listen: vec!["127.0.0.1:0".into()],
        data_dir: Some(data.path().display().to_string()),
        overrides: vec![setting.into()],
        ..config::Flags::default()
    };
    let mut config = BrokerConfig::load(None, &flags).unwrap();
    config.storage.flush_delay = None;
    config
}

pub(super) fn partition(broker: &Broker, topic: &str) -> Arc<Partition> {
    broker.partitions.find(topic, PartitionIndex(0)).unwrap()
}

async fn alter(broker: &Broker, topic: &str, name: &str, value: &str) {
    let controller = controller(&broker.config, &broker.quorum, &Clock::system());
    let changes = controller::ConfigChanges {
        of: controller::Configured::Topic(topic.into()),
        operations: vec![(name.into(), controller::ConfigOperation::Set(Some(value.into())))],
        others: controller::Others::Stay,
    };
    let changed = controller.alter_configs(vec![changes], controller::Mode::Apply).await.unwrap();
    changed.reply[0].as_ref().unwrap();
    broker.partitions.wait_applied(changed.index).await;
}

pub(super) async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn until_appended(partition: &Partition, end: i64) {
    until("it was not appended", || partition.positions().log_end == Offset(end)).await;
}

/// Asks something on another connection, which is answered when all that came before it was handled.
async fn round_trip(broker: &Broker) {
    let mut other = connect(broker).await;
    other.write_all(&frame(API_VERSIONS, 1, &ApiVersionsRequest::default())).await.unwrap();
    assert_eq!(answer(&mut other).await.0, 1);
}

/// Asks the system, not what the runtime has heard from it.
fn has_no_answer(stream: &TcpStream) -> bool {
    use rustix::net::{RecvFlags, recv};
    matches!(recv(stream, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT), Err(rustix::io::Errno::AGAIN))
}

async fn read(broker: &Broker, topic: &str) -> (i64, usize) {
    let mut stream = connect(broker).await;
    stream.write_all(&fetch(1, topic, 0)).await.unwrap();
    fetched(answer(&mut stream).await.1)
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledgements_and_readers_wait_for_the_sync_and_share_it() {
    let data = tempfile::tempdir().unwrap();
    let (broker, safe) = broker(&data).await;
    let mut streams = Vec::new();
    {
        let _held = safe.log_in_tests().hold_syncs();
        for number in 0..16 {
            let mut stream = connect(&broker).await;
            let acks = if number % 2 == 0 { 1 } else { -1 };
            stream.write_all(&produce(number, "safe", acks, 20_000, "a")).await.unwrap();
            until_appended(&safe, i64::from(number) + 1).await;
            streams.push(stream);
        }
        round_trip(&broker).await;
        assert!(streams.iter().all(has_no_answer), "acknowledged before it was on disk");
        assert_eq!(read(&broker, "safe").await, (0, 0), "read before it was on disk");
        let mut other = connect(&broker).await;
        other.write_all(&produce(1, "free", -1, 20_000, "a")).await.unwrap();
        assert_eq!(produced(answer(&mut other).await.1), (NONE, 0), "another topic does not wait");
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        let (id, body) = answer(stream).await;
        assert_eq!((id, produced(body)), (number as i32, (NONE, number as i64)));
    }
    assert_eq!(safe.log_in_tests().syncs(), 1, "sixteen batches share it");
    assert_eq!(safe.log_in_tests().synced(), Offset(16));
    let (high_watermark, bytes) = read(&broker, "safe").await;
    assert!(high_watermark == 16 && bytes > 0);
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_nothing_more_to_say_gets_the_answers_that_wait_for_the_disk() {
    let data = tempfile::tempdir().unwrap();
    let (broker, safe) = broker(&data).await;
    let mut stream = connect(&broker).await;
    {
        let _held = safe.log_in_tests().hold_syncs();
        let frames = [produce(1, "safe", 1, 20_000, "a"), produce(2, "safe", -1, 20_000, "b")];
        stream.write_all(&frames.concat()).await.unwrap();
        stream.shutdown().await.unwrap();
        until_appended(&safe, 2).await;
        round_trip(&broker).await;
    }
    for (expected, offset) in [(1, 0), (2, 1)] {
        let (id, body) = answer(&mut stream).await;
        assert_eq!((id, produced(body)), (expected, (NONE, offset)));
    }
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "then it is closed");
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_waited_for_the_disk_does_not_wait_for_a_turn_to_recompress() {
    let data = tempfile::tempdir().unwrap();
    let (broker, safe) = broker(&data).await;
    create(&broker, "packed", &[("compression.type", "gzip")]).await;
    let services = broker.server.services_in_tests();
    let turns: Vec<_> = std::iter::from_fn(|| services.recompression.try_take()).collect();
    let mut stream = connect(&broker).await;
    {
        let _held = safe.log_in_tests().hold_syncs();
        // More than is recompressed on a worker.
        let large = "a".repeat(32 << 10);
        let frames = [produce(1, "safe", 1, 20_000, "a"), produce(2, "packed", 1, 20_000, &large)];
        stream.write_all(&frames.concat()).await.unwrap();
        until_appended(&safe, 1).await;
        round_trip(&broker).await;
        assert!(has_no_answer(&stream));
    }
    let first = tokio::time::timeout(Duration::from_secs(5), answer(&mut stream)).await;
    let (id, body) = first.expect("its records are on disk");
    assert_eq!((id, produced(body)), (1, (NONE, 0)));
    assert!(has_no_answer(&stream), "it has no turn");
    drop(turns);
    let (id, body) = answer(&mut stream).await;
    assert_eq!((id, produced(body)), (2, (NONE, 0)));
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_goes_on_while_its_produce_waits_for_the_disk_and_is_answered_in_order() {
    let data = tempfile::tempdir().unwrap();
    let (broker, safe) = broker(&data).await;
    let mut stream = connect(&broker).await;
    {
        let _held = safe.log_in_tests().hold_syncs();
        let frames = [
            produce(1, "safe", 1, 20_000, "a"),
            produce(2, "free", 1, 20_000, "b"),
            produce(3, "safe", 0, 20_000, "c"),
            produce(4, "safe", -1, 20_000, "d"),
            frame(API_VERSIONS, 5, &ApiVersionsRequest::default()),
        ];
        stream.write_all(&frames.concat()).await.unwrap();
        until_appended(&safe, 3).await;
        until_appended(&partition(&broker, "free"), 1).await;
        round_trip(&broker).await;
        assert!(has_no_answer(&stream));
    }
    for (correlation_id, outcome) in [(1, (NONE, 0)), (2, (NONE, 0)), (4, (NONE, 2))] {
        let (id, body) = answer(&mut stream).await;
        assert_eq!((id, produced(body)), (correlation_id, outcome));
    }
    assert_eq!(answer(&mut stream).await.0, 5);
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_sent_while_the_next_waits_behind_a_barrier() {
    let data = tempfile::tempdir().unwrap();
    let (broker, safe) = broker(&data).await;
    let mut stream = connect(&broker).await;
    {
        let _held = safe.log_in_tests().hold_syncs();
        let frames = [
            produce(1, "free", 1, 20_000, "a"),
            produce(2, "safe", 1, 20_000, "b"),
            frame(API_VERSIONS, 3, &ApiVersionsRequest::default()),
        ];
        stream.write_all(&frames.concat()).await.unwrap();
        let first = tokio::time::timeout(Duration::from_secs(10), answer(&mut stream)).await;
        assert_eq!(first.expect("its answer was held back").0, 1);
    }
    assert_eq!([answer(&mut stream).await.0, answer(&mut stream).await.0], [2, 3]);
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_without_acks_waits_for_nothing_and_its_readers_for_the_disk() {
    let data = tempfile::tempdir().unwrap();
    let (broker, safe) = broker(&data).await;
    let (mut producer, mut consumer) = (connect(&broker).await, connect(&broker).await);
    {
        let _held = safe.log_in_tests().hold_syncs();
        let frames = [produce(1, "safe", 0, 0, "a"), frame(API_VERSIONS, 2, &ApiVersionsRequest::default())];
        producer.write_all(&frames.concat()).await.unwrap();
        assert_eq!(answer(&mut producer).await.0, 2);
        until_appended(&safe, 1).await;
        consumer.write_all(&fetch(3, "safe", 20_000)).await.unwrap();
        round_trip(&broker).await;
        assert!(has_no_answer(&consumer));
    }
    assert!(fetched(answer(&mut consumer).await.1).1 > 0, "the sync wakes who waits for records");
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leaders_word_waits_for_its_disk_and_not_for_replicas() {
    let data = tempfile::tempdir().unwrap();
    let broker = broker_with_a_silent_replica(&data).await;
    alter(&broker, "pair", "flush.messages", "1").await;
    let pair = partition(&broker, "pair");
    let (mut leader, mut all) = (connect(&broker).await, connect(&broker).await);
    {
        let _held = pair.log_in_tests().hold_syncs();
        leader.write_all(&produce(1, "pair", 1, 20_000, "a")).await.unwrap();
        all.write_all(&produce(2, "pair", -1, 300, "b")).await.unwrap();
        until_appended(&pair, 2).await;
        round_trip(&broker).await;
        assert!(has_no_answer(&leader));
    }
    assert_eq!(produced(answer(&mut leader).await.1).0, NONE);
    assert_eq!(produced(answer(&mut all).await.1).0, REQUEST_TIMED_OUT, "the replica does not have it");
    assert_eq!(pair.positions().high_watermark, Offset(0));
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_waits_for_what_its_original_waits_for() {
    let data = tempfile::tempdir().unwrap();
    let (broker, safe) = broker(&data).await;
    let mut batch = BatchBuilder::new(Offset::ZERO).producer(ProducerId(7), ProducerEpoch(0), Sequence(0));
    batch.append(Clock::system().now(), None, Some(b"once"), &[]);
    let request = produce_batch(1, "safe", 1, 20_000, batch.build());
    let (mut first, mut again) = (connect(&broker).await, connect(&broker).await);
    {
        let _held = safe.log_in_tests().hold_syncs();
        first.write_all(&request).await.unwrap();
        until_appended(&safe, 1).await;
        again.write_all(&request).await.unwrap();
        // Nothing tells that a duplicate was seen: a moment in which it would have been answered.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(has_no_answer(&again), "what is not on disk is acknowledged as a duplicate");
    }
    assert_eq!(produced(answer(&mut again).await.1), (NONE, 0));
    assert_eq!(produced(answer(&mut first).await.1), (NONE, 0));
    again.write_all(&request).await.unwrap();
    assert_eq!(produced(answer(&mut again).await.1), (NONE, 0));
    assert_eq!(safe.positions().log_end, Offset(1));
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_produce_whose_time_is_up_before_the_sync_says_so() {
    let data = tempfile::tempdir().unwrap();
    let (broker, safe) = broker(&data).await;
    let mut stream = connect(&broker).await;
    {
        let _held = safe.log_in_tests().hold_syncs();
        for acks in [1, -1] {
            stream.write_all(&produce(1, "safe", acks, 30, "a")).await.unwrap();
            assert_eq!(produced(answer(&mut stream).await.1).0, REQUEST_TIMED_OUT);
        }
    }
    stream.write_all(&produce(2, "safe", 1, 20_000, "b")).await.unwrap();
    assert_eq!(produced(answer(&mut stream).await.1), (NONE, 2));
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_is_told_to_all_who_wait_and_is_not_tried_again() {
    let data = tempfile::tempdir().unwrap();
    let (broker, safe) = broker(&data).await;
    let mut streams = [connect(&broker).await, connect(&broker).await, connect(&broker).await];
    {
        let _held = safe.log_in_tests().hold_syncs();
        streams[0].write_all(&produce(1, "safe", 1, 20_000, "a")).await.unwrap();
        streams[1].write_all(&produce(2, "safe", -1, 20_000, "b")).await.unwrap();
        until_appended(&safe, 2).await;
        streams[2].write_all(&fetch(3, "safe", 20_000)).await.unwrap();
        safe.log_in_tests().break_syncs();
    }
    for stream in &mut streams[..2] {
        assert_eq!(produced(answer(stream).await.1).0, KAFKA_STORAGE_ERROR);
    }
    assert_eq!(fetched(answer(&mut streams[2]).await.1).1, 0, "nothing of it was read");
    assert_eq!(safe.positions().high_watermark, Offset(0));
    assert_eq!((safe.log_in_tests().is_offline(), safe.log_in_tests().syncs()), (true, 0));
    let [stream, ..] = &mut streams;
    stream.write_all(&produce(4, "safe", 1, 20_000, "c")).await.unwrap();
    assert_eq!(produced(answer(stream).await.1).0, KAFKA_STORAGE_ERROR);
    stream.write_all(&produce(5, "free", 1, 20_000, "d")).await.unwrap();
    assert_eq!(produced(answer(stream).await.1), (NONE, 0), "the other logs go on");
    assert!(broker.shutdown().await.is_err(), "a log that failed is no clean stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_goes_keeps_its_promise_and_one_that_comes_holds_at_once() {
    let data = tempfile::tempdir().unwrap();
    let (broker, safe) = broker(&data).await;
    let (mut before, mut after) = (connect(&broker).await, connect(&broker).await);
    {
        let _held = safe.log_in_tests().hold_syncs();
        before.write_all(&produce(1, "safe", 1, 20_000, "a")).await.unwrap();
        until_appended(&safe, 1).await;
        alter(&broker, "safe", "flush.messages", "1000").await;
        after.write_all(&produce(2, "safe", 1, 20_000, "b")).await.unwrap();
        until_appended(&safe, 2).await;
        round_trip(&broker).await;
        assert!(has_no_answer(&before), "its sync was promised");
        assert_eq!(safe.positions().high_watermark, Offset(0));
    }
    assert_eq!(produced(answer(&mut before).await.1), (NONE, 0));
    assert_eq!(produced(answer(&mut after).await.1), (NONE, 1));
    {
        let _held = safe.log_in_tests().hold_syncs();
        after.write_all(&produce(3, "safe", -1, 20_000, "c")).await.unwrap();
        assert_eq!(produced(answer(&mut after).await.1), (NONE, 2), "nothing waits any more");
        alter(&broker, "safe", "flush.messages", "1").await;
        assert_eq!(read(&broker, "safe").await.0, 3, "what was read stays readable");
        after.write_all(&produce(4, "safe", 1, 20_000, "d")).await.unwrap();
        until_appended(&safe, 4).await;
        round_trip(&broker).await;
        assert!(has_no_answer(&after));
    }
    assert_eq!(produced(answer(&mut after).await.1), (NONE, 3));
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_more_than_one_message_the_one_that_makes_them_so_many_waits() {
    let data = tempfile::tempdir().unwrap();
    let (broker, _) = broker(&data).await;
    create(&broker, "some", &[("flush.messages", "3")]).await;
    let some = partition(&broker, "some");
    let mut stream = connect(&broker).await;
    {
        let _held = some.log_in_tests().hold_syncs();
        for offset in 0..2 {
            stream.write_all(&produce(1, "some", 1, 20_000, "a")).await.unwrap();
            assert_eq!(produced(answer(&mut stream).await.1), (NONE, offset));
        }
        stream.write_all(&produce(1, "some", 1, 20_000, "a")).await.unwrap();
        until_appended(&some, 3).await;
        round_trip(&broker).await;
        assert!(has_no_answer(&stream));
        assert_eq!(read(&broker, "some").await.0, 2);
    }
    assert_eq!(produced(answer(&mut stream).await.1), (NONE, 2));
    assert_eq!(some.log_in_tests().syncs(), 1);
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_those_who_wait_and_loses_nothing() {
    let data = tempfile::tempdir().unwrap();
    let (broker, safe) = broker(&data).await;
    let mut stream = connect(&broker).await;
    let held = safe.log_in_tests().hold_syncs();
    stream.write_all(&produce(1, "safe", 1, 20_000, "a")).await.unwrap();
    until_appended(&safe, 1).await;
    let stopped = tokio::spawn(broker.shutdown());
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "neither an answer nor a wait");
    drop(held);
    stopped.await.unwrap().unwrap();
    drop(safe);
    let broker = Broker::start(config(&data)).await.unwrap();
    assert_eq!(partition(&broker, "safe").positions().high_watermark, Offset(1));
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_is_synced_before_it_is_read() {
    let data = tempfile::tempdir().unwrap();
    let (first, _) = broker(&data).await;
    let mut stream = connect(&first).await;
    stream.write_all(&produce(1, "free", 1, 20_000, "a")).await.unwrap();
    assert_eq!(produced(answer(&mut stream).await.1), (NONE, 0));
    assert_eq!(partition(&first, "free").log_in_tests().synced(), Offset(0), "nobody waited for the disk");
    drop(stream);
    first.quorum.shutdown().await;
    drop(first);
    // The directory's lock is free when the last task has let go of the partitions.
    let again = loop {
        match Broker::start(config_with(&data, "log.flush.interval.messages=1")).await {
            Ok(broker) => break broker,
            Err(Error::Storage(storage::Error::Locked { .. })) => tokio::task::yield_now().await,
            Err(e) => panic!("{e}"),
        }
    };
    let free = partition(&again, "free");
    assert_eq!((free.positions().high_watermark, free.log_in_tests().synced()), (Offset(1), Offset(1)));
    again.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_synced_when_they_are_as_old_as_flush_ms_lets_them_be() {
    let data = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Clock::system().now());
    let broker = Broker::start_with(config(&data), clock.clone(), Disk::system()).await.unwrap();
    create(&broker, "aged", &[("flush.ms", "60000")]).await;
    let (aged, minute) = (partition(&broker, "aged"), Duration::from_secs(60));
    let look = || broker.partitions.find_old_records();
    clock.advance(Duration::from_millis(1000));
    assert_eq!(look(), Some(minute), "nothing that could be old");
    let mut stream = connect(&broker).await;
    stream.write_all(&produce(1, "aged", -1, 20_000, "a")).await.unwrap();
    assert_eq!(produced(answer(&mut stream).await.1), (NONE, 0), "nothing waits for it");
    clock.advance(Duration::from_millis(58_999));
    assert_eq!(look(), Some(Duration::from_millis(1)));
    round_trip(&broker).await;
    assert_eq!(aged.log_in_tests().syncs(), 0);
    clock.advance(Duration::from_millis(1));
    assert_eq!(look(), Some(minute));
    until("it was not synced", || aged.log_in_tests().synced() == Offset(1)).await;
    assert_eq!(aged.log_in_tests().syncs(), 1);
    alter(&broker, "aged", "flush.ms", "0").await;
    stream.write_all(&produce(2, "aged", 1, 20_000, "b")).await.unwrap();
    until("nobody looked", || aged.log_in_tests().synced() == Offset(2)).await;
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn old_records_are_looked_for_as_often_as_the_broker_says() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(config_with(&data, "log.flush.scheduler.interval.ms=100")).await.unwrap();
    create(&broker, "free", &[]).await;
    assert_eq!(broker.partitions.find_old_records(), Some(Duration::from_millis(100)));
    let mut stream = connect(&broker).await;
    stream.write_all(&produce(1, "free", 1, 20_000, "a")).await.unwrap();
    assert_eq!(produced(answer(&mut stream).await.1), (NONE, 0));
    let free = partition(&broker, "free");
    until("nobody looked", || free.log_in_tests().synced() == Offset(1)).await;
    broker.shutdown().await.unwrap();
}
