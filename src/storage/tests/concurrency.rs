//! Readers beside an appender.

use super::*;
use crate::storage::ReadError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Reads on as fast as batches come, and checks what it sees; how many records.
fn follow(log: &Log, done: &AtomicBool, bytes_max: usize) -> i64 {
    let mut next = Offset(0);
    let mut before = log.positions();
    let mut records = 0;
    loop {
        let finished = done.load(Ordering::Acquire);
        match log.read(next, bytes_max, Bound::HighWatermark, Minimum::OneBatch) {
            Ok(read) => {
                let now = read.positions;
                assert!(now.log_end >= before.log_end && now.log_end_bytes >= before.log_end_bytes);
                assert!(now.high_watermark >= before.high_watermark && now.log_start >= before.log_start);
                before = now;
                let Some(slice) = read.slice else {
                    if finished {
                        return records;
                    }
                    continue;
                };
                for info in whole_batches(&bytes_of(&slice)) {
                    assert!(info.last_offset() >= next, "nothing twice");
                    assert!(info.next_offset() <= now.high_watermark, "nothing above the bound");
                    records += i64::from(info.record_count);
                    next = info.next_offset();
                }
            }
            Err(ReadError::OutOfRange { log_start, .. }) => next = log_start,
            Err(other) => panic!("{other}"),
        }
    }
}

fn run(disk: &Disk, retention: impl Fn(&Log)) -> Vec<i64> {
    let (_directory, log) = disk.open();
    let done = AtomicBool::new(false);
    let (small, large) = (batch(2, 60), batch(3, 8000));
    thread::scope(|scope| {
        let readers: Vec<_> = [100, 5_000, 200_000]
            .map(|bytes_max| {
                let (log, done) = (&log, &done);
                scope.spawn(move || follow(log, done, bytes_max))
            })
            .into_iter()
            .collect();
        for i in 0..3000 {
            match i % 7 {
                0 => append(&log, &[small.clone(), large.clone(), small.clone()]),
                3 => append(&log, std::slice::from_ref(&large)),
                _ => append(&log, std::slice::from_ref(&small)),
            };
            if i % 100 == 0 {
                retention(&log);
            }
        }
        done.store(true, Ordering::Release);
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    })
}

#[test]
fn readers_beside_an_appender_see_every_batch_whole_and_once() {
    for disk in [Disk::mapped(500_000), Disk::unmapped(500_000), Disk::mapped(1 << 30)] {
        let seen = run(&disk, |_| ());
        assert!(seen.iter().all(|records| *records == seen[0] && *records > 0), "{seen:?}");
    }
}

#[test]
fn readers_beside_retention_skip_what_is_gone_and_see_the_rest_whole() {
    let mut disk = Disk::mapped(300_000);
    disk.config.retention_bytes = Some(600_000);
    run(&disk, |log| {
        log.delete_old_segments(NOW).unwrap();
        log.delete_due(TimestampMs(i64::MAX)).unwrap();
        log.flush().unwrap();
    });
}
