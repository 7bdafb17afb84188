//! Appending, reading, rolling, retention, producers: one log, no crash.

use super::*;
use crate::config::TimestampType;
use crate::record::BatchView;
use crate::storage::{ProducerRefusal, ReadError};
use std::fs;
use std::time::Duration;

fn read(log: &Log, from: i64, bytes_max: usize, bound: Bound, minimum: Minimum) -> Vec<BatchInfo> {
    let read = log.read(Offset(from), bytes_max, bound, minimum).unwrap();
    read.slice.map_or(Vec::new(), |slice| whole_batches(&bytes_of(&slice)))
}

#[test]
fn batches_get_the_offsets_that_follow_and_keep_their_bytes() {
    let disk = Disk::new(1 << 20);
    let (_directory, log) = disk.open();
    log.lock().assign_epoch(epoch(4)).unwrap();
    let sent = [batch(3, 10), batch(1, 5000), batch(2, 100)];
    assert_eq!(append(&log, &sent), [appended(0), appended(3), appended(4)]);
    assert_eq!(append(&log, &sent[..1]), [appended(6)]);
    let slice = log.read(Offset(0), usize::MAX, Bound::LogEnd, Minimum::OneBatch).unwrap().slice.unwrap();
    let stored = bytes_of(&slice);
    let mut at = 0;
    for (sent, base) in sent.iter().zip([0, 3, 4]) {
        let view = BatchView::parse(&stored[at..]).unwrap();
        assert_eq!((view.info().base_offset, view.info().leader_epoch), (Offset(base), epoch(4)));
        assert_eq!(view.bytes()[16..], sent[16..], "all but offset, length and epoch");
        at += sent.len();
    }
    assert_eq!(log.size_bytes(), stored.len() as u64);
    assert_eq!(log.epoch_at(Offset(5)), Some(epoch(4)));
    assert_eq!(log.end_offset_for_epoch(epoch(4)), Some((epoch(4), Offset(9))));
}

#[test]
fn log_append_time_stamps_the_batch() {
    let mut disk = Disk::new(1 << 20);
    disk.config.timestamp_type = TimestampType::LogAppendTime;
    let (_directory, log) = disk.open();
    let outcomes = append(&log, &[batch_at(5, 2, 10)]);
    assert_eq!(outcomes, [Outcome::Appended { base_offset: Offset(0), append_time: NOW }]);
    let stored = read(&log, 0, 1000, Bound::LogEnd, Minimum::OneBatch);
    assert_eq!(stored[0].max_timestamp, NOW);
}

#[test]
fn a_read_is_bounded_by_its_position_and_by_whole_batches() {
    for disk in [Disk::mapped(1 << 20), Disk::unmapped(1 << 20)] {
        let (_directory, log) = disk.open();
        let one = batch(2, 100);
        append(&log, &[one.clone(), one.clone()]);
        let mut appender = log.lock();
        let mut more =
            [LeaderBatch { bytes: &one, info: BatchInfo::parse_header(&one).unwrap(), outcome: Outcome::Pending }];
        appender.append(&mut more, NOW).unwrap();
        drop(appender);
        let bases = |found: Vec<BatchInfo>| found.iter().map(|b| b.base_offset.0).collect::<Vec<_>>();
        let all = usize::MAX;
        assert_eq!(bases(read(&log, 0, all, Bound::HighWatermark, Minimum::OneBatch)), [0, 2]);
        assert_eq!(bases(read(&log, 1, all, Bound::LogEnd, Minimum::OneBatch)), [0, 2, 4]);
        assert_eq!(bases(read(&log, 3, all, Bound::LastStable, Minimum::OneBatch)), [2]);
        assert_eq!(bases(read(&log, 4, all, Bound::HighWatermark, Minimum::OneBatch)), [0; 0]);
        assert_eq!(bases(read(&log, 5, all, Bound::HighWatermark, Minimum::OneBatch)), [0; 0]);
        assert_eq!(bases(read(&log, 0, one.len(), Bound::LogEnd, Minimum::Nothing)), [0]);
        assert_eq!(bases(read(&log, 0, 2 * one.len() - 1, Bound::LogEnd, Minimum::Nothing)), [0]);
        assert_eq!(bases(read(&log, 0, one.len() - 1, Bound::LogEnd, Minimum::Nothing)), [0; 0]);
        assert_eq!(bases(read(&log, 0, 0, Bound::LogEnd, Minimum::OneBatch)), [0]);
        let outside = log.read(Offset(7), 1, Bound::LogEnd, Minimum::OneBatch).unwrap_err();
        assert!(matches!(outside, ReadError::OutOfRange { .. }));
        let positions = log.positions();
        assert_eq!(positions.log_end_bytes, 3 * one.len() as u64);
        assert_eq!(positions.high_watermark_bytes, 2 * one.len() as u64);
    }
}

#[test]
fn small_slices_are_lent_and_large_ones_are_ranges_of_the_file() {
    let disk = Disk::mapped(1 << 20);
    let (_directory, log) = disk.open();
    append(&log, &[batch(1, 100)]);
    append(&log, &[batch(1, 100_000)]);
    let small = log.read(Offset(0), 1000, Bound::LogEnd, Minimum::OneBatch).unwrap().slice.unwrap();
    let large = log.read(Offset(1), 1000, Bound::LogEnd, Minimum::OneBatch).unwrap().slice.unwrap();
    assert!(matches!(small, Slice::Mapped(_)));
    assert!(matches!(large, Slice::File(_)));
    assert_eq!(large.length(), batch(1, 100_000).len() as u64);
}

#[test]
fn a_segment_is_rolled_by_size_trimmed_and_indexed() {
    let disk = Disk::mapped(10_000);
    let (_directory, log) = disk.open();
    (0..30).for_each(|_| drop(append(&log, &[batch(1, 900)])));
    assert!(log.segment_count() > 2);
    let logs = disk.files(".log");
    assert_eq!(logs.len(), log.segment_count());
    let closed: u64 = logs[..logs.len() - 1].iter().map(|path| logical_bytes(path)).sum();
    assert!(log.size_bytes() > closed && log.size_bytes() - closed <= 10_000, "only the active one is longer");
    assert_eq!(disk.files(".index").len(), logs.len() - 1);
    assert_eq!(disk.files(".snapshot").len(), logs.len() - 1);
    assert_eq!(contents(&log).len(), 30);
}

#[test]
fn a_batch_larger_than_a_segment_is_refused_and_the_log_goes_on() {
    let disk = Disk::new(1000);
    let (_directory, log) = disk.open();
    let refused = try_append(&log, &[batch(1, 10), batch(1, 1000)]);
    assert!(matches!(refused, Err(AppendError::LargerThanSegment { segment_bytes: 1000, .. })));
    assert_eq!(append(&log, &[batch(1, 10)]), [appended(0)], "nothing was appended before");
}

#[test]
fn batches_that_do_not_fit_into_one_segment_are_spread_over_several() {
    let disk = Disk::mapped(1000);
    let (_directory, log) = disk.open();
    let many: Vec<Bytes> = (0..10).map(|_| batch(1, 300)).collect();
    append(&log, &many);
    assert_eq!(contents(&log), (0..10).map(|i| (i, i)).collect::<Vec<_>>());
    assert!(log.segment_count() >= 4);
}

#[test]
fn a_segment_is_rolled_by_the_age_of_its_records_and_by_a_full_index() {
    let mut disk = Disk::new(1 << 20);
    disk.config.segment_age_max = Duration::from_millis(100);
    let (directory, log) = disk.open();
    append(&log, &[batch_at(1000, 1, 10)]);
    append(&log, &[batch_at(1100, 1, 10)]);
    assert_eq!(log.segment_count(), 1);
    append(&log, &[batch_at(1101, 1, 10)]);
    assert_eq!(log.segment_count(), 2);
    drop((directory, log));

    let mut disk = Disk::new(1 << 20);
    disk.config.index_interval_bytes = 0;
    disk.config.segment_index_bytes = 80;
    let (_directory, log) = disk.open();
    (0..40).for_each(|_| drop(append(&log, &[batch(1, 10)])));
    assert!(log.segment_count() > 2);
    assert!(disk.files(".index").iter().all(|path| logical_bytes(path) <= 80));
}

#[test]
fn old_segments_go_by_time_and_their_files_later() {
    let mut disk = Disk::new(2000);
    disk.config.retention = Some(Duration::from_secs(60));
    let (_directory, log) = disk.open();
    (0..10).for_each(|i| drop(append(&log, &[batch_at(NOW.0 + i * 10_000, 1, 900)])));
    let lent = log.read(Offset(0), 1, Bound::LogEnd, Minimum::OneBatch).unwrap().slice.unwrap();
    let count = log.segment_count();
    assert_eq!(log.delete_old_segments(TimestampMs(NOW.0 + 60_000)).unwrap(), 0);
    assert_eq!(log.delete_old_segments(TimestampMs(NOW.0 + 75_000)).unwrap(), 1, "both records of the first are older");
    assert_eq!(log.segment_count(), count - 1);
    assert_eq!(log.positions().log_start, Offset(2));
    assert!(matches!(log.read(Offset(1), 1, Bound::LogEnd, Minimum::OneBatch), Err(ReadError::OutOfRange { .. })));
    assert!(!disk.files(".deleted").is_empty());
    assert!(log.delete_due(TimestampMs(NOW.0 + 75_001)).unwrap().is_some());
    assert_eq!(whole_batches(&bytes_of(&lent)).len(), 1, "what was lent stays");
    assert_eq!(log.delete_due(TimestampMs(NOW.0 + 75_000 + 60_000)).unwrap(), None);
    assert!(disk.files(".deleted").is_empty());
    assert_eq!(contents(&log).len(), 8);
}

#[test]
fn when_all_is_expired_the_active_segment_goes_too() {
    let mut disk = Disk::new(2000);
    disk.config.retention = Some(Duration::from_secs(60));
    let (_directory, log) = disk.open();
    (0..5).for_each(|_| drop(append(&log, &[batch(1, 900)])));
    let deleted = log.delete_old_segments(TimestampMs(NOW.0 + 61_000)).unwrap();
    assert!(deleted >= 3);
    let positions = log.positions();
    assert_eq!((positions.log_start, positions.log_end), (Offset(5), Offset(5)));
    assert_eq!(log.size_bytes(), 0);
    assert_eq!(append(&log, &[batch(1, 10)]), [appended(5)]);
    assert_eq!(log.delete_old_segments(TimestampMs(NOW.0 + 1)).unwrap(), 0);
}

#[test]
fn the_log_is_kept_at_its_size_and_nothing_above_the_high_watermark_goes() {
    let mut disk = Disk::new(2000);
    disk.config.retention_bytes = Some(5000);
    let (_directory, log) = disk.open();
    (0..10).for_each(|_| drop(append(&log, &[batch(1, 900)])));
    log.delete_old_segments(NOW).unwrap();
    assert!(log.size_bytes() >= 5000 && log.size_bytes() < 5000 + 2000, "{}", log.size_bytes());

    let mut disk = Disk::new(2000);
    disk.config.retention_bytes = Some(0);
    let (_directory, log) = disk.open();
    let bytes = batch(1, 900);
    for _ in 0..5 {
        let info = BatchInfo::parse_header(&bytes).unwrap();
        let mut one = [LeaderBatch { bytes: &bytes, info, outcome: Outcome::Pending }];
        log.lock().append(&mut one, NOW).unwrap();
    }
    assert_eq!(log.delete_old_segments(NOW).unwrap(), 0);
    log.lock().set_high_watermark(Offset(3)).unwrap();
    assert_eq!(log.positions().high_watermark_bytes, 3 * bytes.len() as u64);
    assert_eq!(log.delete_old_segments(NOW).unwrap(), 1);
}

#[test]
fn the_log_start_moves_up_to_the_high_watermark_and_segments_follow() {
    let disk = Disk::new(2000);
    let (_directory, log) = disk.open();
    (0..10).for_each(|_| drop(append(&log, &[batch(1, 900)])));
    assert!(matches!(log.advance_log_start(Offset(11)), Err(ReadError::OutOfRange { .. })));
    assert_eq!(log.advance_log_start(Offset(5)).unwrap(), Offset(5));
    assert_eq!(log.advance_log_start(Offset(3)).unwrap(), Offset(5));
    assert_eq!(log.delete_old_segments(NOW).unwrap(), 2);
    assert_eq!(contents(&log), (5..10).map(|i| (i, i)).collect::<Vec<_>>());
}

#[test]
fn a_retried_batch_is_answered_with_its_old_offset_and_a_gap_is_refused() {
    let disk = Disk::new(1 << 20);
    let (_directory, log) = disk.open();
    append(&log, &[batch(5, 1)]);
    let (first, second) = (produced(7, 0, 0, 2), produced(7, 0, 2, 3));
    let outcomes = append(&log, &[first.clone(), second.clone(), first.clone()]);
    let duplicate = Outcome::Duplicate { base_offset: Offset(5), next_offset: Offset(7), append_time: NOW };
    assert_eq!(outcomes, [appended(5), appended(7), duplicate]);
    let gap = append(&log, &[produced(7, 0, 9, 1), second, produced(7, 0, 5, 1)]);
    assert!(matches!(gap[0], Outcome::Refused(ProducerRefusal::OutOfOrderSequence { .. })));
    assert!(matches!(gap[1], Outcome::Duplicate { base_offset: Offset(7), .. }));
    assert_eq!(gap[2], appended(10), "one batch's refusal is not another's");
    assert_eq!(log.expire_producers(TimestampMs(NOW.0 + 1000), Duration::from_secs(1)), 1);
}

#[test]
fn nothing_is_mapped_and_no_file_is_open_before_the_first_append() {
    let disk = Disk::new(1 << 20);
    let (_directory, log) = disk.open();
    assert_eq!(logical_bytes(&disk.files(".log")[0]), 0);
    assert!(log.state.lock().writer.is_none());
    append(&log, &[batch(1, 10)]);
    assert_eq!(logical_bytes(&disk.files(".log")[0]), 64 << 10, "a small chunk first");
    assert!(log.state.lock().active.map().is_none());
}

#[test]
fn allocation_ahead_doubles_and_stays_within_the_segment() {
    let disk = Disk::new(1 << 20);
    let (_directory, log) = disk.open();
    let mut lengths = Vec::new();
    (0..100).for_each(|_| {
        append(&log, &[batch(1, 10_000)]);
        lengths.push(logical_bytes(&disk.files(".log")[0]) >> 10);
    });
    lengths.dedup();
    assert_eq!(lengths, [64, 128, 256, 512, 1024]);
}

#[test]
fn a_failed_write_takes_the_log_offline_for_good() {
    let disk = Disk::unmapped(1 << 20);
    let (_directory, log) = disk.open();
    append(&log, &[batch(1, 10)]);
    {
        let mut state = log.state.lock();
        let read_only = Arc::new(fs::File::open(&disk.files(".log")[0]).unwrap());
        let end = state.active.end();
        state.writer = Some(crate::storage::writer::Writer::new(
            read_only,
            end,
            crate::storage::writer::Origin::Users,
            &log.shared,
        ));
    }
    assert!(matches!(try_append(&log, &[batch(1, 10)]), Err(AppendError::Offline)));
    assert!(log.is_offline());
    assert!(matches!(try_append(&log, &[batch(1, 10)]), Err(AppendError::Offline)));
    assert!(matches!(log.read(Offset(0), 1, Bound::LogEnd, Minimum::OneBatch), Err(ReadError::Offline)));
    assert!(matches!(log.flush(), Err(Error::Offline(_))));
}

#[test]
fn a_segment_is_mapped_once_it_is_large_and_lends_from_the_map_until_it_closes() {
    let mut disk = Disk::new(100_000);
    disk.tuning.map_from_bytes = 5000;
    let (_directory, log) = disk.open();
    append(&log, &[batch(1, 4000)]);
    append(&log, &[batch(1, 4000)]);
    assert!(log.segments.load()[0].map().is_none());
    append(&log, &[batch(1, 10)]);
    let map = log.segments.load()[0].map().expect("the segment has 8000 bytes");
    let end = log.size_bytes();
    assert_eq!(map.bytes(0..end).unwrap().len() as u64, end);
    append(&log, &[batch(1, 4000)]);
    assert!(map.bytes(0..log.size_bytes()).is_some(), "what pwritev stored is in the same pages");
    assert!(map.bytes(0..log.size_bytes() + 1).is_none());
    let lent = log.read(Offset(2), 1, Bound::LogEnd, Minimum::OneBatch).unwrap().slice.unwrap();
    drop(map);
    (0..30).for_each(|_| drop(append(&log, &[batch(1, 4000)])));
    assert!(log.segments.load()[0].map().is_none(), "closed");
    assert_eq!(whole_batches(&bytes_of(&lent))[0].base_offset, Offset(2));
}

#[test]
fn a_panic_of_the_appender_takes_its_log_offline_and_no_other() {
    let disk = Disk::new(1 << 20);
    let (_directory, log) = disk.open();
    let bytes = batch(1, 10);
    let info = BatchInfo { size_bytes: 7, ..BatchInfo::parse_header(&bytes).unwrap() };
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut wrong = [LeaderBatch { bytes: &bytes, info, outcome: Outcome::Pending }];
        let _ = log.lock().append(&mut wrong, NOW);
    }));
    assert!(panicked.is_err());
    assert!(log.is_offline());
    assert!(matches!(try_append(&log, &[bytes]), Err(AppendError::Offline)));
}

#[test]
fn a_larger_segment_than_the_map_goes_on_by_positioned_writes() {
    let disk = Disk::mapped(20_000);
    let (_directory, log) = disk.open();
    append(&log, &[batch(1, 10)]);
    log.set_config(LogConfig { segment_bytes: 100_000, ..LogConfig::clone(&log.config()) });
    (0..150).for_each(|_| drop(append(&log, &[batch(1, 500)])));
    assert_eq!(log.segment_count(), 1);
    assert_eq!(contents(&log).len(), 151);
}
