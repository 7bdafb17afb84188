//! The data directory: its lock, its owner, its folders.

use super::*;
use crate::types::ClusterId;
use std::fs;
use std::time::Duration;

#[test]
fn a_directory_is_locked_while_it_is_open() {
    let root = tempfile::tempdir().unwrap();
    let first = DataDirectory::open(root.path(), BrokerId(1)).unwrap();
    let second = DataDirectory::open(root.path(), BrokerId(1)).unwrap_err();
    assert!(matches!(second, Error::Locked { .. }), "{second}");
    drop(first);
    DataDirectory::open(root.path(), BrokerId(1)).unwrap();
}

#[test]
fn a_directory_belongs_to_one_node_of_one_cluster() {
    let root = tempfile::tempdir().unwrap();
    let cluster = ClusterId::random();
    let mut directory = DataDirectory::open(root.path(), BrokerId(1)).unwrap();
    assert_eq!(directory.cluster_id(), None);
    directory.format(&cluster).unwrap();
    let id = directory.directory_id().unwrap();
    drop(directory);
    let mut directory = DataDirectory::open(root.path(), BrokerId(1)).unwrap();
    assert_eq!((directory.cluster_id(), directory.directory_id()), (Some(&cluster), Some(id)));
    directory.format(&cluster).unwrap();
    assert!(matches!(directory.format(&ClusterId::random()), Err(Error::WrongCluster { .. })));
    drop(directory);
    let other = DataDirectory::open(root.path(), BrokerId(2)).unwrap_err();
    assert!(other.to_string().ends_with("belongs to node 1, and this is node 2"), "{other}");
}

#[test]
fn partitions_are_found_by_their_folders_with_their_ids() {
    let disk = Disk::new(1 << 20);
    let (directory, log) = disk.open();
    fs::create_dir(disk.root.path().join("half-made-3")).unwrap();
    for ignored in ["no_partition", "b-007", "__cluster_metadata-0", "c-0.stray"] {
        fs::create_dir(disk.root.path().join(ignored)).unwrap();
    }
    let found = directory.partitions().unwrap();
    let names: Vec<_> = found.iter().map(|f| (f.topic_partition.to_string(), f.topic_id)).collect();
    assert_eq!(names, [("half-made-3".to_owned(), None), ("orders-0".to_owned(), Some(log.topic_id()))]);
}

#[test]
fn the_folder_of_an_earlier_topic_of_that_name_is_refused() {
    let disk = Disk::new(1 << 20);
    let (directory, log) = disk.open();
    drop(log);
    let other = directory.open_log(&partition(), TopicId::random(), disk.config.clone(), &disk.clock);
    assert!(matches!(other, Err(Error::OtherTopic { .. })));
}

#[test]
fn a_removed_log_is_offline_its_slices_stay_and_its_folder_goes_in_time() {
    let disk = Disk::mapped(1 << 20);
    let (directory, log) = disk.open();
    append(&log, &[batch(1, 10), batch(1, 100_000)]);
    let read = |from| log.read(Offset(from), 1, Bound::LogEnd, Minimum::OneBatch).unwrap().slice.unwrap();
    let lent = [read(0), read(1)];
    directory.remove_log(&log).unwrap();
    assert!(log.is_offline());
    assert!(matches!(try_append(&log, &[batch(1, 10)]), Err(AppendError::Offline)));
    assert!(!disk.folder().exists());
    let recreated = directory.open_log(&partition(), TopicId::random(), disk.config.clone(), &disk.clock).unwrap();
    assert_eq!(recreated.positions().log_end, Offset(0));
    disk.clock.advance(Duration::from_secs(59));
    assert!(directory.delete_due(disk.clock.now()).unwrap().is_some());
    disk.clock.advance(Duration::from_secs(1));
    assert_eq!(directory.delete_due(disk.clock.now()).unwrap(), None);
    lent.iter().for_each(|slice| assert_eq!(whole_batches(&bytes_of(slice)).len(), 1));
}

#[test]
fn what_is_left_of_a_removed_log_goes_when_the_directory_is_opened() {
    let disk = Disk::new(1 << 20);
    let (directory, log) = disk.open();
    directory.remove_log(&log).unwrap();
    drop((directory, log));
    let folders = || fs::read_dir(disk.root.path()).unwrap().filter(|e| e.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(folders(), 1);
    disk.open_directory();
    assert_eq!(folders(), 0);
}

#[test]
fn a_directory_with_a_failed_log_does_not_count_as_cleanly_stopped() {
    let disk = Disk::new(1 << 20);
    let (directory, log) = disk.open();
    append(&log, &[batch(1, 10)]);
    log.take_offline(&Error::Offline(partition()));
    assert!(directory.close(&[log]).is_err());
    let (directory, log) = disk.open();
    assert!(!directory.was_cleanly_stopped());
    assert_eq!(contents(&log), [(0, 0)]);
}

#[test]
fn a_checkpoint_that_cannot_be_read_costs_a_scan_and_nothing_else() {
    let disk = Disk::new(1000);
    let (directory, log) = disk.open();
    (0..5).for_each(|_| drop(append(&log, &[batch(1, 500)])));
    directory.close(&[log]).unwrap();
    for name in ["recovery-point-offset-checkpoint", "log-start-offset-checkpoint", "replication-offset-checkpoint"] {
        fs::write(disk.root.path().join(name), b"0\n7\n").unwrap();
    }
    let (directory, log) = disk.open();
    assert_eq!(contents(&log).len(), 5);
    drop((directory, log));
    assert_eq!(contents(&disk.open().1).len(), 5);
}

#[test]
fn a_topic_made_anew_under_an_old_name_inherits_nothing_from_the_checkpoints() {
    let mut disk = Disk::new(1 << 20);
    let (directory, log) = disk.open();
    append(&log, &[batch(50, 10), batch(50, 10)]);
    log.advance_log_start(Offset(70)).unwrap();
    log.flush_and_move_recovery_point().unwrap();
    directory.checkpoint(std::slice::from_ref(&log)).unwrap();
    directory.remove_log(&log).unwrap();
    disk.id = TopicId::random();
    let log = disk.open_log(&directory).unwrap();
    assert_eq!((log.positions().log_start, log.recovery_point()), (Offset(0), Offset(0)));
    append(&log, &[batch(5, 10)]);
    drop((directory, log));
    assert_eq!(contents(&disk.open().1), [(0, 4)], "nor after a crash");
}
