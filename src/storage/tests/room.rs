//! A full disk, as the seam tells it: what is refused, what goes on, and that it ends by itself.

use super::*;
use crate::runtime::{Change, Disk as Seam, DiskWatcher, Space};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

const MIB: u64 = 1 << 20;

/// A disk that says how much is free, and refuses what takes room from a moment on.
#[derive(Debug)]
struct Filling {
    free: AtomicU64,
    changes: AtomicU64,
    full_from: AtomicU64,
}

impl DiskWatcher for Filling {
    fn before(&self, change: &Change<'_>) -> io::Result<()> {
        match change {
            Change::CreateFile(_)
            | Change::CreateFolder(_)
            | Change::Write { .. }
            | Change::Allocate { .. }
            | Change::Reserve { .. }
            | Change::Rename { .. } => {}
            // These take none, and neither does what cuts a file.
            Change::SetLength { .. }
            | Change::SyncFile(_)
            | Change::SyncFolder(_)
            | Change::RemoveFile(_)
            | Change::RemoveFolder(_) => return Ok(()),
        }
        let is_full = self.changes.fetch_add(1, Ordering::Relaxed) >= self.full_from.load(Ordering::Relaxed);
        if is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn space(&self) -> Option<Space> {
        Some(Space { total_bytes: 1 << 40, free_bytes: self.free.load(Ordering::Relaxed) })
    }
}

impl Filling {
    fn new() -> Arc<Filling> {
        let (free, changes, full_from) = (AtomicU64::new(1 << 30), AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Arc::new(Filling { free, changes, full_from })
    }

    fn fill_after(&self, changes: u64) {
        self.full_from.store(self.changes.load(Ordering::Relaxed) + changes, Ordering::Relaxed);
    }

    fn is_full(&self) -> bool {
        self.changes.load(Ordering::Relaxed) >= self.full_from.load(Ordering::Relaxed)
    }

    fn empty(&self) {
        self.full_from.store(u64::MAX, Ordering::Relaxed);
    }
}

fn open_directory(disk: &Disk, filling: &Arc<Filling>) -> Result<DataDirectory, Error> {
    DataDirectory::open_on(Seam::watched(filling.clone()), disk.root.path(), BrokerId(1), disk.tuning)
}

fn append_now(log: &Log, disk: &Disk, bytes: &Bytes) -> Result<Offset, AppendError> {
    let info = BatchInfo::parse_header(bytes).unwrap();
    let mut batches = [LeaderBatch { bytes, info, outcome: Outcome::Pending }];
    let mut appender = log.lock();
    let appended = appender.append(&mut batches, disk.clock.now());
    let log_end = appender.positions().log_end;
    appender.set_high_watermark(log_end).unwrap();
    appender.set_last_stable(log_end).unwrap();
    appended.map(|()| match batches[0].outcome {
        Outcome::Appended { base_offset, .. } => base_offset,
        ref other => panic!("{other:?}"),
    })
}

fn refused(result: Result<Offset, AppendError>) -> bool {
    match result {
        Ok(_) => false,
        Err(AppendError::DiskFull { .. }) => true,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn users_records_leave_the_reserve_to_the_brokers_own() {
    for mut disk in [Disk::mapped(MIB as u32), Disk::unmapped(MIB as u32)] {
        disk.tuning.reserve_bytes = 64 * MIB;
        let filling = Filling::new();
        let directory = open_directory(&disk, &filling).unwrap();
        let log = disk.open_log(&directory).unwrap();
        let offsets =
            TopicPartition { topic: TopicName::new("__consumer_offsets").unwrap(), partition: PartitionIndex(0) };
        let internal = directory.open_log(&offsets, TopicId::random(), disk.config.clone(), &disk.clock).unwrap();
        assert!(!refused(append_now(&log, &disk, &batch(1, 1000))));

        filling.free.store(64 * MIB, Ordering::Relaxed);
        disk.clock.advance(Duration::from_secs(1));
        let fitted = (0..).take_while(|_| !refused(append_now(&log, &disk, &batch(1, 1000)))).count();
        assert!(fitted < 64, "{fitted}: only what was allocated before");
        (0..200).for_each(|_| assert!(!refused(append_now(&internal, &disk, &batch(1, 1000)))));
        assert!(!log.is_offline());
        log.flush_and_move_recovery_point().unwrap();
        assert_eq!(log.recovery_point(), log.positions().log_end);
        log.advance_log_start(log.positions().log_end).unwrap();
        assert_eq!(contents(&log), []);

        filling.free.store(70 * MIB, Ordering::Relaxed);
        disk.clock.advance(Duration::from_secs(1));
        assert!(!refused(append_now(&log, &disk, &batch(1, 1000))));
        assert_eq!(contents(&log).len(), 1);
    }
}

/// In memory where there is such a place: thousands of syncs.
fn in_memory(mut disk: Disk) -> Disk {
    if let Ok(root) = tempfile::tempdir_in("/dev/shm") {
        disk.root = root;
    }
    disk
}

/// What a partition lives through; the offsets of what was appended.
fn live(directory: &DataDirectory, log: &Arc<Log>, disk: &Disk) -> Vec<i64> {
    let mut appended = Vec::new();
    let pass = |result: Result<(), Error>| {
        if let Err(error) = result {
            assert!(error.is_no_room(), "{error}");
        }
    };
    for i in 0..24 {
        disk.clock.advance(Duration::from_secs(1));
        match append_now(log, disk, &batch(1, 200 + i * 10)) {
            Ok(offset) => appended.push(offset.0),
            Err(AppendError::DiskFull { .. }) => {}
            Err(other) => panic!("{other}"),
        }
        match i % 6 {
            1 => drop(log.flush().unwrap()),
            2 => log.lock().assign_epoch(LeaderEpoch(i as i32)).unwrap(),
            3 => drop(log.flush_and_move_recovery_point().unwrap()),
            4 => pass(directory.checkpoint(std::slice::from_ref(log))),
            5 => {
                let to = Offset(log.positions().log_start.0 + 2).min(log.positions().high_watermark);
                log.advance_log_start(to).unwrap();
                log.delete_old_segments(disk.clock.now()).unwrap();
                log.delete_due(disk.clock.now()).unwrap();
            }
            _ => {}
        }
    }
    assert!(!log.is_offline());
    appended
}

fn assert_holds(log: &Log, appended: &[i64]) {
    let expected: Vec<(i64, i64)> =
        appended.iter().filter(|offset| **offset >= log.positions().log_start.0).map(|o| (*o, *o)).collect();
    let found: Vec<(i64, i64)> =
        contents(log).into_iter().filter(|(_, last)| *last >= log.positions().log_start.0).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_disk_that_is_full_from_any_change_on_ends_nothing_and_loses_nothing() {
    let fresh = [|| Disk::mapped(1500), || Disk::unmapped(1500)];
    for fresh in fresh {
        for full_after in 0.. {
            let mut disk = in_memory(fresh());
            disk.config.file_delete_delay = Duration::from_secs(2);
            let filling = Filling::new();
            let directory = open_directory(&disk, &filling).unwrap();
            let log = Arc::new(disk.open_log(&directory).unwrap());
            let mut appended = vec![append_now(&log, &disk, &batch(1, 100)).unwrap().0];
            filling.fill_after(full_after);
            appended.extend(live(&directory, &log, &disk));
            let was_full = filling.is_full();
            assert_holds(&log, &appended);
            // Room, and all is as if it had never been otherwise.
            filling.empty();
            disk.clock.advance(Duration::from_secs(3));
            appended.push(append_now(&log, &disk, &batch(1, 100)).unwrap().0);
            assert_holds(&log, &appended);
            log.flush_and_move_recovery_point().unwrap();
            assert_eq!(log.recovery_point(), log.positions().log_end, "full after {full_after}");
            let epoch = log.epoch_at(Offset(*appended.last().unwrap()));
            match full_after % 2 {
                0 => drop((log, directory)),
                _ => {
                    directory.checkpoint(std::slice::from_ref(&log)).unwrap();
                    directory.close(&[log]).unwrap();
                }
            }
            let (_directory, log) = disk.open();
            assert_holds(&log, &appended);
            assert_eq!(log.epoch_at(Offset(*appended.last().unwrap())), epoch);
            if !was_full {
                assert!(full_after > 60, "{full_after} changes");
                break;
            }
        }
    }
}

#[test]
fn a_log_opens_on_a_disk_that_is_full_from_any_change_on() {
    let disk = in_memory(Disk::new(1500));
    let (directory, log) = disk.open();
    let mut appended: Vec<i64> = Vec::new();
    for i in 0..12 {
        appended.push(append_now(&log, &disk, &batch(1, 300 + i)).unwrap().0);
        if i == 3 {
            log.lock().assign_epoch(LeaderEpoch(3)).unwrap();
        }
    }
    drop((log, directory));
    for index in disk.files("index") {
        std::fs::remove_file(index).unwrap();
    }
    std::fs::remove_file(disk.folder().join("leader-epoch-checkpoint")).unwrap();
    for full_after in (0..30).rev() {
        let filling = Filling::new();
        filling.fill_after(full_after);
        let directory = open_directory(&disk, &filling).unwrap();
        let log = disk.open_log(&directory).unwrap();
        assert_holds(&log, &appended);
        assert!(log.offset_for_timestamp(NOW, Bound::LogEnd).unwrap().is_some());
        log.lock().assign_epoch(LeaderEpoch(40 - full_after as i32)).unwrap();
        let log_end = log.positions().log_end;
        filling.empty();
        disk.clock.advance(Duration::from_secs(3));
        appended.push(append_now(&log, &disk, &batch(1, 100)).unwrap().0);
        assert_eq!(log.epoch_at(log_end), Some(LeaderEpoch(40 - full_after as i32)));
    }
}
