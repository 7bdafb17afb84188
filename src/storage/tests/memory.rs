//! What is read without asking whether it is in memory, what only if it is, and what the disk is asked for.

use super::*;
use crate::runtime::{Disk as Seam, DiskWatcher, Reach, not_in_memory};
use crate::storage::let_folder_leave_memory;
use std::fs::File;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Nothing is in memory. How many reads went to the disk.
#[derive(Debug, Default)]
struct Forgetful(AtomicUsize);

impl DiskWatcher for Forgetful {
    fn reads(&self, _: &File, _: Range<u64>, reach: Reach) -> std::io::Result<()> {
        match reach {
            Reach::Memory => Err(not_in_memory()),
            Reach::Disk => {
                self.0.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}

/// How often it was asked what is in memory, or read from there.
#[derive(Debug, Default)]
struct Curious(AtomicUsize);

impl DiskWatcher for Curious {
    fn reads(&self, _: &File, _: Range<u64>, reach: Reach) -> std::io::Result<()> {
        assert_eq!(reach, Reach::Memory);
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn open<W: DiskWatcher + Default + 'static>(disk: &Disk) -> (DataDirectory, Log, Arc<W>) {
    let watcher = Arc::new(W::default());
    let seam = Seam::watched(watcher.clone());
    let directory = DataDirectory::open_on(seam, disk.root.path(), BrokerId(1), disk.tuning).unwrap();
    let log = disk.open_log(&directory).unwrap();
    (directory, log, watcher)
}

#[test]
fn synced_records_of_a_map_are_asked_for_once_whatever_their_size() {
    let disk = Disk::mapped(1 << 20);
    let (_directory, log, curious) = open::<Curious>(&disk);
    (0..20).for_each(|_| drop(append(&log, &[batch(1, 100)])));
    append(&log, &[batch(1, 100_000)]);
    log.flush().unwrap();
    for (from, bytes_max) in [(5, 1), (5, 1000), (5, 1 << 20), (20, 1)] {
        let before = curious.0.load(Ordering::Relaxed);
        let read = log.read_from_memory(Offset(from), bytes_max, Bound::LogEnd, Minimum::OneBatch).unwrap();
        let slice = read.expect("it was just written").slice.expect("there are batches");
        let asked_to_send = match (&slice, bytes_max) {
            // It reaches farther than was asked for.
            (Slice::File(slice), 1) => slice.is_in_memory(),
            (Slice::File(slice), _) => !slice.is_in_memory(),
            (Slice::Mapped(_), _) => false,
        };
        let asked = curious.0.load(Ordering::Relaxed) - before;
        assert_eq!(asked, 1 + usize::from(asked_to_send), "{from} {bytes_max}");
    }
}

#[test]
fn records_that_are_not_synced_are_read_without_asking_and_others_only_when_they_are_in_memory() {
    let disk = Disk::mapped(1 << 20);
    let (_directory, log, forgetful) = open::<Forgetful>(&disk);
    append(&log, &[batch(1, 100)]);
    append(&log, &[batch(1, 100_000)]);
    let from_memory = |from| {
        let read = log.read_from_memory(Offset(from), 1000, Bound::LogEnd, Minimum::OneBatch).unwrap();
        read.map(|read| read.slice.expect("there is a batch"))
    };
    let (small, large) = (from_memory(0).unwrap(), from_memory(1).unwrap());
    assert_eq!(bytes_of(&small).len(), batch(1, 100).len());
    let Slice::File(large) = large else { panic!("large slices are ranges of the file") };
    assert!(large.is_in_memory());
    log.flush().unwrap();
    assert!(from_memory(0).is_none() && from_memory(1).is_none());
    assert_eq!(forgetful.0.load(Ordering::Relaxed), 0);
    append(&log, &[batch(1, 100)]);
    assert!(from_memory(2).is_some(), "what follows is not synced");
}

#[test]
fn what_is_read_from_the_disk_is_in_memory_or_to_be_asked_for() {
    let disk = Disk::mapped(1 << 20);
    let (_directory, log, forgetful) = open::<Forgetful>(&disk);
    append(&log, &[batch(1, 100)]);
    append(&log, &[batch(1, 100_000)]);
    log.flush().unwrap();
    let read = |from| log.read(Offset(from), 1000, Bound::LogEnd, Minimum::OneBatch).unwrap().slice.unwrap();
    let small = read(0);
    assert_eq!(forgetful.0.load(Ordering::Relaxed), 1, "its bytes; the map has its header");
    assert!(matches!(small, Slice::Mapped(_)));
    let Slice::File(large) = read(1) else { panic!("large slices are ranges of the file") };
    assert_eq!((large.is_in_memory(), large.bring_in().unwrap()), (false, large.length));
}

#[test]
fn a_large_file_has_left_memory_before_it_is_unlinked_and_is_still_read_by_those_who_have_it() {
    use std::os::unix::fs::FileExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large");
    let bytes: Vec<u8> = (0..17 << 20).map(|i| (i >> 12) as u8).collect();
    std::fs::write(&path, &bytes).unwrap();
    let file = File::open(&path).unwrap();
    file.sync_all().unwrap();
    let_folder_leave_memory(directory.path());
    match Seam::system().is_in_memory(&file, 16 << 20, 1) {
        true => eprintln!("skipped: the file system keeps what it should forget"),
        false => assert!(!Seam::system().is_in_memory(&file, 0, 1)),
    }
    let mut found = vec![0; bytes.len()];
    file.read_exact_at(&mut found, 0).unwrap();
    assert!(found == bytes);
}

#[test]
fn a_closed_segment_is_opened_where_the_disk_may_be_waited_for() {
    let disk = Disk::new(500);
    let (_directory, log) = disk.open();
    (0..3).for_each(|_| drop(append(&log, &[batch(1, 300)])));
    let from_memory = || log.read_from_memory(Offset(0), 1000, Bound::LogEnd, Minimum::OneBatch).unwrap();
    assert!(from_memory().is_none());
    log.read(Offset(0), 1000, Bound::LogEnd, Minimum::OneBatch).unwrap();
    assert!(from_memory().is_some(), "it is open now");
}
