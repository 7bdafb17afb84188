//! Offsets by time.

use super::*;
use crate::config::TimestampType;
use crate::record::Compression;
use crate::storage::FoundRecord;

fn found(log: &Log, at: i64) -> Option<(i64, i64)> {
    let found = log.offset_for_timestamp(TimestampMs(at), Bound::HighWatermark).unwrap();
    found.map(|FoundRecord { offset, timestamp, .. }| (offset.0, timestamp.0))
}

#[test]
fn a_time_is_found_to_the_record_across_segments_and_restarts() {
    let mut disk = Disk::new(1500);
    disk.config.index_interval_bytes = 400;
    let (directory, log) = disk.open();
    log.lock().assign_epoch(epoch(3)).unwrap();
    // Records 0, 1, 2 … at 1000, 1010, 1020 …, three in a batch.
    for i in 0..50 {
        let mut builder = BatchBuilder::new(Offset(0)).compression(Compression::Lz4);
        (0..3).for_each(|j| {
            builder.append(TimestampMs(1000 + (3 * i + j) * 10), None, Some(&[b'v'; 40]), &[]);
        });
        append(&log, &[builder.build()]);
    }
    let check = |log: &Log| {
        for offset in 0..150 {
            let time = 1000 + offset * 10;
            assert_eq!(found(log, time), Some((offset, time)));
            assert_eq!(found(log, time - 9), Some((offset, time)));
        }
        assert_eq!(found(log, 0), Some((0, 1000)));
        assert_eq!(found(log, 1000 + 1491), None);
        let max = log.offset_of_max_timestamp(Bound::HighWatermark).unwrap().unwrap();
        assert_eq!((max.offset, max.timestamp, max.leader_epoch), (Offset(149), TimestampMs(2490), epoch(3)));
    };
    assert!(log.segment_count() > 2);
    check(&log);
    directory.close(&[log]).unwrap();
    let (directory, log) = disk.open();
    check(&log);
    log.advance_log_start(Offset(4)).unwrap();
    assert_eq!(found(&log, 0), Some((4, 1040)), "never below the log start");
    drop((directory, log));
    check(&disk.open().1);
}

#[test]
fn times_that_go_back_are_found_at_the_first_record_that_is_late_enough() {
    let disk = Disk::new(700);
    let (_directory, log) = disk.open();
    for time in [500, 100, 900, 300, 900, 200] {
        append(&log, &[batch_at(time, 1, 200)]);
    }
    assert_eq!(found(&log, 600), Some((2, 900)));
    assert_eq!(found(&log, 50), Some((0, 500)));
    assert_eq!(found(&log, 901), None);
    let max = log.offset_of_max_timestamp(Bound::HighWatermark).unwrap().unwrap();
    assert_eq!(max.offset, Offset(2), "the first of two");
}

#[test]
fn records_above_the_bound_and_batches_with_the_brokers_time() {
    let mut disk = Disk::new(1 << 20);
    disk.config.timestamp_type = TimestampType::LogAppendTime;
    let (_directory, log) = disk.open();
    assert_eq!(log.offset_of_max_timestamp(Bound::LogEnd).unwrap(), None);
    append(&log, &[batch_at(5, 3, 10)]);
    assert_eq!(found(&log, 6), Some((0, NOW.0)), "all records bear the batch's time");
    let bytes = batch_at(5, 3, 10);
    let info = BatchInfo::parse_header(&bytes).unwrap();
    let mut one = [LeaderBatch { bytes: &bytes, info, outcome: Outcome::Pending }];
    log.lock().append(&mut one, TimestampMs(NOW.0 + 5)).unwrap();
    assert_eq!(found(&log, NOW.0 + 1), None);
    let above = log.offset_for_timestamp(TimestampMs(NOW.0 + 1), Bound::LogEnd).unwrap();
    assert_eq!(above.unwrap().offset, Offset(3));
    assert_eq!(log.offset_of_max_timestamp(Bound::HighWatermark).unwrap(), None);
}
