//! When the recovery point moves, and what is on disk there.

use super::*;
use crate::runtime::{Change, Disk as Seam, DiskWatcher};
use crate::storage::{segment, snapshot};
use std::fs;
use std::io;

/// A disk on which some changes do not succeed.
#[derive(Debug)]
struct Refusing {
    kind: io::ErrorKind,
    what: fn(&Change<'_>) -> bool,
}

impl DiskWatcher for Refusing {
    fn before(&self, change: &Change<'_>) -> io::Result<()> {
        if (self.what)(change) { Err(self.kind.into()) } else { Ok(()) }
    }
}

fn open_on(disk: &Disk, watcher: Refusing) -> (DataDirectory, Log) {
    let seam = Seam::watched(Arc::new(watcher));
    let directory = DataDirectory::open_on(seam, disk.root.path(), BrokerId(1), disk.tuning).unwrap();
    let log = disk.open_log(&directory).unwrap();
    (directory, log)
}

fn is_snapshot(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == segment::SNAPSHOT)
}

fn snapshots(disk: &Disk) -> Vec<i64> {
    let number = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    disk.files(".snapshot").iter().map(number).collect()
}

fn index_files(disk: &Disk) -> Vec<Vec<u8>> {
    disk.files("index").iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn a_sync_moves_what_is_synced_and_writes_nothing_beside_the_log() {
    let disk = Disk::new(1 << 20);
    let (_directory, log) = disk.open();
    append(&log, &[produced(9, 0, 0, 3)]);
    log.flush().unwrap();
    assert_eq!((log.synced(), log.recovery_point()), (Offset(3), Offset(0)));
    assert_eq!((disk.files("index").len(), disk.files(".snapshot").len()), (0, 0));
    log.flush_and_move_recovery_point().unwrap();
    assert_eq!((log.synced(), log.recovery_point(), log.syncs()), (Offset(3), Offset(3), 1));
    append(&log, &[produced(9, 0, 3, 1)]);
    log.flush_and_move_recovery_point().unwrap();
    assert_eq!((log.synced(), log.recovery_point(), log.syncs()), (Offset(4), Offset(4), 2));
}

#[test]
fn the_recovery_point_moves_with_a_sync_when_much_lies_above_it() {
    let mut disk = Disk::new(1 << 20);
    disk.tuning.recovery_bytes_max = 10_000;
    let (_directory, log) = disk.open();
    let mut moved_at = 0;
    for _ in 0..30 {
        append(&log, &[batch(1, 1000)]);
        let before = log.recovery_point();
        log.flush().unwrap();
        if log.recovery_point() != before {
            assert_eq!(log.recovery_point(), log.positions().log_end);
            let bytes = log.size_bytes() - moved_at;
            assert!((10_000..11_200).contains(&bytes), "{bytes}");
            moved_at = log.size_bytes();
        }
    }
    assert!(moved_at > 0);
}

#[test]
fn at_the_recovery_point_the_files_tell_all_that_lies_below() {
    let mut disk = Disk::new(1 << 20);
    disk.config.index_interval_bytes = 200;
    let (_directory, log) = disk.open();
    for round in 0..4 {
        for i in 0..20 {
            append(&log, &[batch_at(NOW.0 + round * 100 + i, 1, 90), produced(9, 0, (round * 20 + i) as i32, 1)]);
        }
        log.flush_and_move_recovery_point().unwrap();
        let offset = log.recovery_point();
        let active = log.state.lock().active.clone();
        let index = active.index().read().clone().unwrap();
        assert!(index.offsets.len() as i64 > 15 * (round + 1));
        assert_eq!(active.read_index_files(&disk.folder()).unwrap(), index);
        assert_eq!(index_files(&disk)[0].len(), index.offsets.len() * 8);
        assert_eq!(index_files(&disk)[1].len(), index.times.len() * 12);
        let path = segment::file_path(&disk.folder(), offset, segment::SNAPSHOT);
        let entry = snapshot::read(&path).unwrap().entries.remove(&ProducerId(9)).unwrap();
        assert_eq!(entry.batches.last().unwrap().last_offset, Offset(offset.0 - 1));
    }
}

#[test]
fn a_passed_snapshot_goes_when_the_checkpoint_names_a_later_one_and_those_of_segments_stay() {
    let disk = Disk::new(3000);
    let (directory, log) = disk.open();
    let mut next = 0;
    let mut append_some = || {
        (0..2).for_each(|_| {
            append(&log, &[produced_sized(9, 0, next, 900)]);
            next += 1;
        });
    };
    append_some();
    log.flush_and_move_recovery_point().unwrap();
    append_some();
    log.flush_and_move_recovery_point().unwrap();
    assert_eq!(snapshots(&disk), [2, 3, 4], "one is that of a segment");
    directory.checkpoint(std::slice::from_ref(&log)).unwrap();
    assert_eq!(snapshots(&disk), [3, 4]);
    append_some();
    log.flush_and_move_recovery_point().unwrap();
    assert_eq!(snapshots(&disk), [3, 4, 6], "until it is written down that recovery begins later");
    directory.checkpoint(std::slice::from_ref(&log)).unwrap();
    assert_eq!(snapshots(&disk), [3, 6]);
    append_some();
    assert_eq!(snapshots(&disk), [3, 6], "a segment begins there now");
    log.flush_and_move_recovery_point().unwrap();
    directory.checkpoint(std::slice::from_ref(&log)).unwrap();
    assert_eq!(snapshots(&disk), [3, 6, 8]);
    directory.close(&[log]).unwrap();
    assert_eq!(snapshots(&disk), [3, 6, 8]);
}

#[test]
fn files_are_the_same_in_the_end_however_often_the_recovery_point_moved() {
    let run = |moves: bool| {
        let mut disk = Disk::new(5000);
        disk.config.index_interval_bytes = 200;
        for stops in 0..3 {
            let (directory, log) = disk.open();
            for i in 0..25 {
                let number = stops * 25 + i;
                append(&log, &[batch_at(NOW.0 + number, 1, 90 + number as usize), produced(9, 0, number as i32, 1)]);
                if moves && i % 7 == 3 {
                    log.flush_and_move_recovery_point().unwrap();
                    directory.checkpoint(std::slice::from_ref(&log)).unwrap();
                }
            }
            directory.close(&[log]).unwrap();
        }
        let name = |path: &PathBuf| path.file_name().unwrap().to_owned();
        let all = disk.files("");
        let all = all.iter().filter(|path| !path.ends_with("partition.metadata"));
        all.map(|path| (name(path), fs::read(path).unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_snapshot_beside_an_appender_is_that_of_its_offset() {
    let disk = Disk::mapped(200_000);
    let (_directory, log) = disk.open();
    std::thread::scope(|scope| {
        let appender = scope.spawn(|| (0..4000).for_each(|i| drop(append(&log, &[produced(9, 0, i, 1)]))));
        while !appender.is_finished() {
            let place = log.flush_and_move_recovery_point().unwrap();
            let path = segment::file_path(&disk.folder(), place.offset, segment::SNAPSHOT);
            let found = snapshot::read(&path).unwrap();
            let last =
                found.entries.get(&ProducerId(9)).map_or(-1, |entry| entry.batches.last().unwrap().last_offset.0);
            assert_eq!(last, place.offset.0 - 1);
        }
    });
}

#[test]
fn without_room_for_a_snapshot_the_recovery_point_stays_and_the_log_goes_on() {
    let disk = Disk::new(1 << 20);
    let what = |change: &Change<'_>| matches!(change, Change::CreateFile(path) if is_snapshot(path));
    let (_directory, log) = open_on(&disk, Refusing { kind: io::ErrorKind::StorageFull, what });
    append(&log, &[produced(9, 0, 0, 3)]);
    assert_eq!(log.flush_and_move_recovery_point().unwrap().offset, Offset(3));
    assert_eq!((log.synced(), log.recovery_point()), (Offset(3), Offset(0)));
    append(&log, &[produced(9, 0, 3, 1)]);
    log.flush().unwrap();
    assert_eq!((log.synced(), log.recovery_point()), (Offset(4), Offset(0)));
}

#[test]
fn a_disk_that_fails_at_the_recovery_point_takes_the_log_offline() {
    let disk = Disk::new(1 << 20);
    let what = |change: &Change<'_>| matches!(change, Change::CreateFile(path) if is_snapshot(path));
    let (_directory, log) = open_on(&disk, Refusing { kind: io::ErrorKind::Other, what });
    append(&log, &[produced(9, 0, 0, 3)]);
    assert!(log.flush_and_move_recovery_point().is_err());
    assert!(log.is_offline());
    assert_eq!((log.synced(), log.recovery_point()), (Offset(0), Offset(0)));
}

/// A disk on which a snapshot takes its time.
#[derive(Debug)]
struct Slow(Clock);

impl DiskWatcher for Slow {
    fn before(&self, change: &Change<'_>) -> io::Result<()> {
        if matches!(change, Change::CreateFile(path) if is_snapshot(path)) {
            self.0.advance(Duration::from_secs(5));
        }
        Ok(())
    }
}

#[test]
fn a_sync_began_before_what_is_written_with_the_recovery_point() {
    let disk = Disk::new(1 << 20);
    let seam = Seam::watched(Arc::new(Slow(disk.clock.clone())));
    let directory = DataDirectory::open_on(seam, disk.root.path(), BrokerId(1), disk.tuning).unwrap();
    let log = disk.open_log(&directory).unwrap();
    append(&log, &[batch(1, 10)]);
    log.flush_and_move_recovery_point().unwrap();
    assert_eq!(disk.clock.now(), TimestampMs(NOW.0 + 5000));
    assert_eq!(log.last_sync(), NOW, "what was appended meanwhile is not on disk, and counts from here");
}
