//! Opening what an earlier process left, in order or not.

use super::*;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;

/// Leaves the directory as a killed process does.
fn kill(opened: (DataDirectory, Arc<Log>)) {
    drop(opened);
}

fn stop((directory, log): (DataDirectory, Arc<Log>)) {
    directory.close(&[log]).unwrap();
}

/// Batches of different sizes, of producers and without, enough for several segments.
fn fill(log: &Log) -> Vec<(i64, i64)> {
    log.lock().assign_epoch(epoch(1)).unwrap();
    for i in 0..40 {
        append(log, &[batch_at(NOW.0 + i, 1 + i as usize % 3, 50 + 37 * i as usize), produced(9, 0, i as i32, 1)]);
    }
    log.lock().assign_epoch(epoch(2)).unwrap();
    append(log, &[batch(1, 10)]);
    contents(log)
}

#[test]
fn a_log_comes_back_whole_after_a_clean_and_an_unclean_stop() {
    for disk in [Disk::mapped(10_000), Disk::unmapped(10_000), Disk::new(1 << 20)] {
        let opened = disk.open();
        let expected = fill(&opened.1);
        let size = opened.1.size_bytes();
        kill(opened);
        let opened = disk.open();
        assert!(!opened.0.was_cleanly_stopped());
        assert_eq!(contents(&opened.1), expected);
        assert_eq!(opened.1.size_bytes(), size);
        let log_end = opened.1.positions().log_end;
        opened.1.lock().set_high_watermark(log_end).unwrap();
        stop(opened);
        let total: u64 = disk.files(".log").iter().map(|path| logical_bytes(path)).sum();
        assert_eq!(total, size, "what was allocated ahead is gone");
        let opened = disk.open();
        assert!(opened.0.was_cleanly_stopped());
        assert_eq!(contents(&opened.1), expected);
        assert_eq!(opened.1.positions().high_watermark, log_end);
        assert_eq!(opened.1.positions().leader_epoch, epoch(2));
        assert_eq!(opened.1.end_offset_for_epoch(epoch(1)).unwrap().1, Offset(expected.last().unwrap().0));
        let next = expected.last().unwrap().1 + 1;
        assert_eq!(append(&opened.1, &[batch(1, 10)]), [appended(next)]);
        assert!(!disk.root.path().join(".kafka_cleanshutdown").exists());
    }
}

#[test]
fn a_log_that_was_not_touched_closes_without_writing() {
    let disk = Disk::new(1 << 20);
    stop(disk.open());
    let modified = |path: &PathBuf| path.metadata().unwrap().modified().unwrap();
    let before: Vec<_> = disk.files("").iter().map(modified).collect();
    stop(disk.open());
    assert_eq!(disk.files("").iter().map(modified).collect::<Vec<_>>(), before);
}

#[test]
fn cut_at_any_byte_of_the_last_batch_the_log_ends_before_it() {
    let disk = Disk::new(1 << 20);
    let opened = disk.open();
    append(&opened.1, &[batch(2, 30), batch(1, 30)]);
    let last = batch(3, 20);
    append(&opened.1, std::slice::from_ref(&last));
    let end = opened.1.size_bytes();
    kill(opened);
    let path = disk.files(".log").remove(0);
    let whole = fs::read(&path).unwrap();
    for kept in 0..last.len() as u64 {
        let cut_to = (end - last.len() as u64 + kept) as usize;
        for zeros_after in [0, 5000] {
            let mut bytes = whole[..cut_to].to_vec();
            bytes.resize(cut_to + zeros_after, 0);
            fs::write(&path, bytes).unwrap();
            let opened = disk.open();
            // The last bytes of a batch may be zeros themselves.
            let survived = zeros_after > 0 && whole[cut_to..end as usize].iter().all(|b| *b == 0);
            let log_end = if survived { 6 } else { 3 };
            assert_eq!(opened.1.positions().log_end, Offset(log_end), "{kept} bytes kept");
            assert_eq!(append(&opened.1, &[batch(1, 1)]), [appended(log_end)]);
            kill(opened);
        }
    }
}

#[test]
fn a_changed_byte_above_the_recovery_point_cuts_the_log_there_and_removes_what_follows() {
    let disk = Disk::new(2000);
    let opened = disk.open();
    (0..10).for_each(|_| drop(append(&opened.1, &[batch(1, 900)])));
    kill(opened);
    let third = &disk.files(".log")[2];
    File::options().write(true).open(third).unwrap().write_all_at(b"x", 1500).unwrap();
    let opened = disk.open();
    assert_eq!(contents(&opened.1), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]);
    assert_eq!(disk.files(".log").len(), 3);
    assert_eq!(append(&opened.1, &[batch(1, 10)]), [appended(5)]);
}

#[test]
fn only_segments_from_the_recovery_point_on_are_checked() {
    let disk = Disk::new(2000);
    let (directory, log) = disk.open();
    (0..10).for_each(|_| drop(append(&log, &[batch(1, 900)])));
    assert_eq!(log.recovery_point(), Offset(0));
    log.flush_and_move_recovery_point().unwrap();
    assert_eq!(log.recovery_point(), Offset(10));
    directory.checkpoint(std::slice::from_ref(&log)).unwrap();
    append(&log, &[batch(1, 900)]);
    kill((directory, log));
    let first = &disk.files(".log")[0];
    File::options().write(true).open(first).unwrap().write_all_at(b"x", 500).unwrap();
    let opened = disk.open();
    assert_eq!(opened.1.positions().log_end, Offset(11));
    assert_eq!(opened.1.recovery_point(), Offset(10));
}

#[test]
fn index_files_that_are_missing_short_or_wrong_are_made_anew() {
    let mut disk = Disk::new(20_000);
    disk.config.index_interval_bytes = 500;
    let opened = disk.open();
    let expected = fill(&opened.1);
    stop(opened);
    let read_all = || {
        let indexes: Vec<Vec<u8>> = disk.files("index").iter().map(|path| fs::read(path).unwrap()).collect();
        indexes
    };
    let right = read_all();
    assert!(right.iter().any(|bytes| bytes.len() > 100));
    let damages: [fn(&Path); 4] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, &fs::read(path).unwrap()[..12]).unwrap(),
        |path| fs::write(path, [0xff; 240]).unwrap(),
        |path| File::options().append(true).open(path).unwrap().write_all(&[0; 24]).unwrap(),
    ];
    for damage in damages {
        disk.files("index").iter().for_each(|path| damage(path));
        let opened = disk.open();
        assert_eq!(contents(&opened.1), expected);
        for (base, _) in &expected {
            let read = opened.1.read(Offset(*base), 1, Bound::LogEnd, Minimum::OneBatch).unwrap();
            assert_eq!(whole_batches(&bytes_of(&read.slice.unwrap()))[0].base_offset.0, *base);
        }
        opened.1.lock().close_active().unwrap();
        stop(opened);
        assert_eq!(read_all(), right);
    }
}

#[test]
fn producers_are_known_again_after_any_stop() {
    let disk = Disk::new(6000);
    let opened = disk.open();
    fill(&opened.1);
    kill(opened);
    for stop_it in [kill, stop, kill] {
        let opened = disk.open();
        let retried = append(&opened.1, &[produced(9, 0, 39, 1)]);
        assert!(matches!(retried[0], Outcome::Duplicate { .. }), "{retried:?}");
        let next = append(&opened.1, &[produced(9, 0, 41, 1)]);
        assert!(matches!(next[0], Outcome::Refused(_)), "{next:?}");
        stop_it(opened);
    }
}

#[test]
fn a_broken_snapshot_is_passed_over_for_an_older_one() {
    let disk = Disk::new(6000);
    let opened = disk.open();
    fill(&opened.1);
    kill(opened);
    for path in disk.files(".snapshot") {
        fs::write(path, b"torn").unwrap();
    }
    let opened = disk.open();
    assert!(matches!(append(&opened.1, &[produced(9, 0, 39, 1)])[0], Outcome::Duplicate { .. }));
}

#[test]
fn leftovers_of_deleted_segments_and_snapshots_without_a_segment_are_removed() {
    let disk = Disk::new(1 << 20);
    let opened = disk.open();
    append(&opened.1, &[batch(5, 10)]);
    stop(opened);
    let folder = disk.folder();
    for name in [
        "00000000000000000000.log.deleted",
        "00000000000000000007.index",
        "00000000000000000003.snapshot",
        "00000000000000000099.snapshot",
        "leader-epoch-checkpoint.tmp",
    ] {
        fs::write(folder.join(name), b"").unwrap();
    }
    let opened = disk.open();
    let names: Vec<String> =
        disk.files("").iter().map(|p| p.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(
        names,
        [
            "00000000000000000000.index",
            "00000000000000000000.log",
            "00000000000000000000.timeindex",
            "00000000000000000005.snapshot",
            "partition.metadata"
        ]
    );
    assert_eq!(opened.1.positions().log_end, Offset(5));
}

#[test]
fn a_log_start_that_was_moved_survives_by_its_checkpoint() {
    let disk = Disk::new(1 << 20);
    let (directory, log) = disk.open();
    append(&log, &[batch(5, 10), batch(5, 10)]);
    log.advance_log_start(Offset(7)).unwrap();
    directory.checkpoint(std::slice::from_ref(&log)).unwrap();
    kill((directory, log));
    let opened = disk.open();
    let positions = opened.1.positions();
    assert_eq!((positions.log_start, positions.log_end), (Offset(7), Offset(10)));
}

#[test]
fn leader_epochs_that_are_missing_or_cannot_be_read_are_made_anew_from_the_batches() {
    for end in [kill, stop] {
        let disk = Disk::new(6000);
        let opened = disk.open();
        fill(&opened.1);
        // The last epoch begins in the active segment.
        opened.1.lock().assign_epoch(epoch(90)).unwrap();
        append(&opened.1, &[batch(1, 10)]);
        let path = disk.folder().join("leader-epoch-checkpoint");
        let right = fs::read(&path).unwrap();
        end(opened);
        for damaged in [None, Some(&b""[..]), Some(b"\xff")] {
            match damaged {
                None => fs::remove_file(&path).unwrap(),
                Some(bytes) => fs::write(&path, bytes).unwrap(),
            }
            end(disk.open());
            assert_eq!(fs::read(&path).unwrap(), right);
        }
    }
}
