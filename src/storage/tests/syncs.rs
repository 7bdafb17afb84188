//! What a sync covers, counts and lets go of, and what its failure means.

use super::*;
use crate::runtime::{Change, Disk as Seam, DiskWatcher};

/// Which segments hold their own descriptor.
fn held(log: &Log) -> Vec<bool> {
    log.segments.load().iter().map(|segment| segment.own_file().is_some()).collect()
}

#[test]
fn a_sync_covers_what_was_appended_before_it_and_counts_once() {
    let disk = Disk::new(1 << 20);
    let (_directory, log) = disk.open();
    assert_eq!(log.flush().unwrap().offset, Offset(0));
    assert_eq!(log.syncs(), 0, "there was nothing to sync");
    append(&log, &[batch(3, 10)]);
    disk.clock.advance(Duration::from_millis(5));
    let place = log.flush().unwrap();
    assert_eq!((place.offset, place.bytes), (Offset(3), log.size_bytes()));
    assert_eq!((log.synced(), log.last_sync()), (Offset(3), TimestampMs(NOW.0 + 5)));
    disk.clock.advance(Duration::from_millis(5));
    assert_eq!(log.flush().unwrap(), place);
    assert_eq!((log.syncs(), log.last_sync()), (1, TimestampMs(NOW.0 + 5)));
}

#[test]
fn a_sync_after_rolls_covers_all_segments_and_lets_go_of_the_closed_ones() {
    let mut disk = Disk::new(500);
    disk.tuning.open_segments_max = 1;
    let (_directory, log) = disk.open();
    (0..4).for_each(|_| drop(append(&log, &[batch(1, 300)])));
    assert_eq!(contents(&log).len(), 4);
    assert_eq!(held(&log), [true; 4], "whatever the cache can hold: their bytes are not synced");
    assert!(!log.has_synced_names());
    assert_eq!(log.flush().unwrap().offset, Offset(4));
    assert_eq!(held(&log), [false, false, false, true]);
    assert!(log.has_synced_names());
    // The active segment was synced to its end, and is closed by the next append.
    append(&log, &[batch(1, 300)]);
    assert!(!log.has_synced_names(), "a power cut could take the new file");
    assert_eq!(held(&log), [false, false, false, true, true]);
    log.flush().unwrap();
    assert_eq!(held(&log), [false, false, false, false, true]);
    assert!(log.has_synced_names());
    assert_eq!(log.syncs(), 2);
}

/// Notes what was synced, by the names that the files have then.
#[derive(Debug, Default)]
struct Synced(parking_lot::Mutex<Vec<String>>);

impl DiskWatcher for Synced {
    fn after(&self, change: &Change<'_>) {
        let path = match change {
            Change::SyncFile(file) => {
                std::fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(*file))).unwrap()
            }
            Change::SyncFolder(path) => path.to_path_buf(),
            _ => return,
        };
        self.0.lock().push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
}

#[test]
fn a_new_partition_is_on_disk_with_its_id_and_its_names_before_its_first_records_count_as_synced() {
    let disk = Disk::new(1 << 20);
    let synced = Arc::new(Synced::default());
    let seam = Seam::watched(synced.clone());
    let directory = DataDirectory::open_on(seam, disk.root.path(), BrokerId(1), disk.tuning).unwrap();
    let log = disk.open_log(&directory).unwrap();
    append(&log, &[batch(1, 10)]);
    synced.0.lock().clear();
    log.flush().unwrap();
    let root = disk.root.path().file_name().unwrap().to_str().unwrap();
    let expected = ["00000000000000000000.log", "partition.metadata", "orders-0", root];
    assert_eq!(*synced.0.lock(), expected, "what is in files before their names, and names from within");
    synced.0.lock().clear();
    append(&log, &[batch(1, 10)]);
    log.flush().unwrap();
    assert_eq!(*synced.0.lock(), ["00000000000000000000.log"], "and once is enough");
}

#[test]
fn a_new_log_has_its_folder_synced_with_its_first_records() {
    let disk = Disk::new(1 << 20);
    let (directory, log) = disk.open();
    assert!(!log.has_synced_names());
    append(&log, &[batch(1, 10)]);
    log.flush().unwrap();
    assert!(log.has_synced_names());
    directory.close(&[log]).unwrap();
    let (_directory, log) = disk.open();
    assert!(log.has_synced_names(), "the clean stop told");
}

#[test]
fn a_failed_sync_takes_the_log_offline_and_is_not_tried_again() {
    let disk = Disk::new(1 << 20);
    let (_directory, log) = disk.open();
    append(&log, &[batch(1, 10)]);
    log.break_syncs();
    assert!(matches!(log.flush(), Err(Error::Io { operation: "sync", .. })));
    assert!(log.is_offline());
    assert!(matches!(log.flush(), Err(Error::Offline(_))));
    assert_eq!((log.synced(), log.syncs()), (Offset(0), 0));
    assert!(matches!(try_append(&log, &[batch(1, 10)]), Err(AppendError::Offline)));
}
