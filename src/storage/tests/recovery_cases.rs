//! The table of cases in the head of `recovery.rs`, row by row.
//!
//! A log has one record in each batch, of one producer; the recovery point was moved to [`POINT`] and checkpointed, and as
//! many records were appended above. Then its process is killed, with its machine or without, or stops in order.

use super::*;
use crate::storage::boot;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;

/// The rows, each with its test.
macro_rules! cases {
    ($($case:literal $test:ident $body:block)*) => {
        const CASES: &[&str] = &[$($case),*];
        $(#[test] fn $test() $body)*
    };
}

const POINT: i64 = 20;
const END: i64 = 40;

#[derive(Clone, Copy, PartialEq)]
enum Ended {
    Clean,
    Killed,
    Lost,
}

fn nth(number: i64) -> Bytes {
    produced_sized(9, 0, number as i32, 100)
}

/// A disk with the log on it.
fn left(ended: Ended, segment_bytes: u32) -> Disk {
    let mut disk = Disk::new(segment_bytes);
    disk.config.index_interval_bytes = 300;
    let (directory, log) = disk.open();
    directory.note_running(|| vec![log.clone()]).unwrap();
    log.lock().assign_epoch(epoch(1)).unwrap();
    (0..POINT).for_each(|number| drop(append(&log, &[nth(number)])));
    log.flush_and_move_recovery_point().unwrap();
    directory.checkpoint(std::slice::from_ref(&log)).unwrap();
    (POINT..END).for_each(|number| drop(append(&log, &[nth(number)])));
    match ended {
        Ended::Clean => directory.close(&[log]).unwrap(),
        Ended::Killed => {}
        Ended::Lost => lose_machine(&disk),
    }
    disk
}

const ONE_SEGMENT: u32 = 1 << 20;
/// Six or seven records in each.
const SEGMENTS: u32 = 1200;

/// Lets all that was left count as left under another boot.
fn lose_machine(disk: &Disk) {
    let path = disk.root.path().join(boot::FILE_NAME);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(&boot::boot_id().unwrap(), "4f1d9b0c-another-boot")).unwrap();
}

/// Where the batch with this offset lies: file, start, end.
fn place_of(disk: &Disk, offset: i64) -> (PathBuf, u64, u64) {
    for path in disk.files(".log") {
        let bytes = fs::read(&path).unwrap();
        let mut at = 0;
        while let Ok(info) = BatchInfo::parse_header(&bytes[at..]) {
            let end = at + info.size_bytes as usize;
            if info.base_offset.0 == offset {
                return (path, at as u64, end as u64);
            }
            at = end;
        }
    }
    panic!("offset {offset} is in no file");
}

fn open_file(path: &Path) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}

fn write_at(path: &Path, position: u64, bytes: &[u8]) {
    open_file(path).write_all_at(bytes, position).unwrap();
}

/// Changes a byte in the record of a batch.
fn flip(disk: &Disk, offset: i64) {
    let (path, _, end) = place_of(disk, offset);
    write_at(&path, end - 20, b"#");
}

fn cut_to(path: &Path, length: u64) {
    open_file(path).set_len(length).unwrap();
}

fn all_files(disk: &Disk) -> BTreeMap<PathBuf, Vec<u8>> {
    disk.files("").into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Expects that the log is refused, and that nothing of it was changed. What is said.
fn refused(disk: &Disk) -> String {
    let before = all_files(disk);
    let directory = disk.open_directory();
    let error = disk.open_log(&directory).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. } | Error::Corrupt { .. }), "{error}");
    for (path, bytes) in before {
        let is_index = path.to_str().unwrap().ends_with("index");
        assert!(is_index || fs::read(&path).unwrap() == bytes, "{} was changed", path.display());
    }
    directory.close(&[]).unwrap();
    drop(disk.open_directory());
    let again = disk.open_log(&disk.open_directory()).unwrap_err();
    let place = |error: &Error| error.to_string().split(" belongs").next().unwrap().to_owned();
    assert_eq!(place(&again), place(&error), "and again");
    error.to_string()
}

/// Expects that the log has the records below `end`, knows the last one as a duplicate, and goes on.
fn served_to(disk: &Disk, end: i64) -> (DataDirectory, Arc<Log>) {
    let (directory, log) = disk.open();
    assert_eq!(contents(&log), (0..end).map(|i| (i, i)).collect::<Vec<_>>());
    assert_eq!(log.positions().leader_epoch, epoch(1));
    assert_eq!(log.end_offset_for_epoch(epoch(1)), Some((epoch(1), Offset(end))));
    let retried = append(&log, &[nth(end - 1)]);
    assert!(matches!(retried[0], Outcome::Duplicate { base_offset, .. } if base_offset.0 == end - 1), "{retried:?}");
    assert_eq!(append(&log, &[nth(end)]), [appended(end)]);
    let found = log.offset_for_timestamp(NOW, Bound::LogEnd).unwrap().unwrap();
    assert_eq!(found.offset, Offset(0));
    (directory, log)
}

/// The files that were set aside, with how many bytes they have.
fn set_aside(disk: &Disk) -> Vec<(String, u64)> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    disk.files(".lost").iter().map(|path| (name(path), logical_bytes(path))).collect()
}

/// Everything below the recovery point, but for the batches that the last index entry below it stands for.
fn scribble_below(disk: &Disk) {
    let (path, _, end) = place_of(disk, POINT - 6);
    write_at(&path, 61, &vec![b'#'; end as usize - 61]);
}

cases! {
    "clean-stop" a_clean_stop_is_taken_as_it_is {
        let disk = left(Ended::Clean, ONE_SEGMENT);
        flip(&disk, POINT + 5);
        let (directory, log) = disk.open();
        assert_eq!(directory.checked_bytes(), 0);
        assert_eq!((log.positions().log_end, log.recovery_point()), (Offset(END), Offset(END)));
    }

    "clean-stop-short" a_log_that_got_shorter_after_a_clean_stop_is_refused {
        for at_a_batch in [true, false] {
            let disk = left(Ended::Clean, ONE_SEGMENT);
            let (path, start, end) = place_of(&disk, END - 1);
            cut_to(&path, if at_a_batch { start } else { end - 9 });
            let said = refused(&disk);
            assert!(said.contains(&format!("is damaged at byte {start}, where offset {} belongs", END - 1)), "{said}");
            assert!(said.contains(path.to_str().unwrap()) && said.contains("docs/operations.md"), "{said}");
        }
    }

    "torn-tail-killed" what_a_killed_process_was_writing_is_cut_off {
        for ahead in [0, 5000] {
            let disk = left(Ended::Killed, ONE_SEGMENT);
            let (path, start, end) = place_of(&disk, END - 1);
            cut_to(&path, (start + end) / 2);
            cut_to(&path, (start + end) / 2 + ahead);
            drop(served_to(&disk, END - 1));
            assert_eq!(set_aside(&disk), []);
        }
    }

    "torn-tail-lost" what_a_lost_machine_was_writing_is_cut_off {
        for segment_bytes in [ONE_SEGMENT, SEGMENTS] {
            let disk = left(Ended::Lost, segment_bytes);
            let (path, start, end) = place_of(&disk, END - 1);
            cut_to(&path, (start + end) / 2);
            drop(served_to(&disk, END - 1));
            assert_eq!(set_aside(&disk), []);
        }
    }

    "garbage-tail-killed" garbage_that_no_killed_process_leaves_is_refused {
        let disk = left(Ended::Killed, ONE_SEGMENT);
        let (path, _, end) = place_of(&disk, END - 1);
        write_at(&path, end, &[0xa7; 100]);
        let said = refused(&disk);
        assert!(said.contains(&format!("at byte {end}, where offset {END} belongs")), "{said}");
        assert!(said.contains("the machine has not been started anew"), "{said}");
    }

    "garbage-tail-lost" garbage_of_a_lost_machine_is_set_aside {
        let disk = left(Ended::Lost, ONE_SEGMENT);
        let (path, _, end) = place_of(&disk, END - 1);
        write_at(&path, end, &[0xa7; 100]);
        drop(served_to(&disk, END));
        assert_eq!(set_aside(&disk), [(format!("{END:020}.log.lost"), 100)]);
    }

    "preallocated-zeros" zeros_that_were_allocated_ahead_stay {
        for ended in [Ended::Killed, Ended::Lost] {
            let disk = left(ended, ONE_SEGMENT);
            let (path, _, end) = place_of(&disk, END - 1);
            let length = logical_bytes(&path);
            assert!(length > end + 1000);
            drop(disk.open());
            assert_eq!(logical_bytes(&path), length);
            drop(served_to(&disk, END));
        }
    }

    "zeros-in-closed-segment" a_closed_segment_that_was_not_trimmed_is_and_the_log_goes_on {
        for ended in [Ended::Killed, Ended::Lost] {
            let disk = left(ended, SEGMENTS);
            let (path, _, _) = place_of(&disk, POINT + 5);
            let length = logical_bytes(&path);
            cut_to(&path, 70_000);
            let opened = served_to(&disk, END);
            assert_eq!(logical_bytes(&path), length);
            drop(opened);
        }
    }

    "bad-crc-above-killed" a_bad_batch_with_others_behind_it_is_refused_after_a_kill {
        for segment_bytes in [ONE_SEGMENT, SEGMENTS] {
            for offset in [POINT, POINT + 8] {
                let disk = left(Ended::Killed, segment_bytes);
                flip(&disk, offset);
                let (path, start, _) = place_of(&disk, offset);
                let said = refused(&disk);
                assert!(said.contains(&format!("{} is damaged at byte {start}, where offset {offset}", path.display())), "{said}");
            }
        }
    }

    "bad-crc-above-lost" a_bad_batch_cuts_the_log_of_a_lost_machine_and_what_follows_is_kept {
        let disk = left(Ended::Lost, ONE_SEGMENT);
        flip(&disk, POINT + 8);
        let (path, start, _) = place_of(&disk, POINT + 8);
        let lost = fs::read(&path).unwrap()[start as usize..].to_vec();
        drop(served_to(&disk, POINT + 8));
        let aside = disk.files(".lost").remove(0);
        let kept = fs::read(&aside).unwrap();
        assert_eq!(kept, lost[..kept.len()]);
        assert!(lost[kept.len()..].iter().all(|byte| *byte == 0));

        let disk = left(Ended::Lost, SEGMENTS);
        flip(&disk, POINT + 2);
        let behind: Vec<PathBuf> = disk.files(".log").into_iter().filter(|path| *path > place_of(&disk, POINT + 2).0).collect();
        let bytes: Vec<Vec<u8>> = behind.iter().map(|path| fs::read(path).unwrap()).collect();
        assert!(behind.len() >= 2);
        drop(served_to(&disk, POINT + 2));
        let aside = disk.files(".lost");
        assert_eq!(aside.len(), behind.len() + 1);
        assert_eq!(aside[1..].iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>(), bytes);
        drop(served_to(&disk, POINT + 3));
    }

    "bad-crc-below" what_lies_below_the_recovery_point_is_not_read {
        for ended in [Ended::Killed, Ended::Lost] {
            let disk = left(ended, ONE_SEGMENT);
            scribble_below(&disk);
            let (directory, log) = disk.open();
            assert_eq!((log.positions().log_end, log.recovery_point()), (Offset(END), Offset(POINT)));
            let (_, start, _) = place_of_above(&disk, POINT);
            assert_eq!(directory.checked_bytes(), log.size_bytes() - start);
            assert!(matches!(append(&log, &[nth(END - 1)])[0], Outcome::Duplicate { .. }));
            let read = log.read(Offset(POINT), 1 << 20, Bound::LogEnd, Minimum::OneBatch).unwrap();
            assert_eq!(whole_batches(&bytes_of(&read.slice.unwrap())).len() as i64, END - POINT);
            assert!(log.read(Offset(3), 1 << 20, Bound::LogEnd, Minimum::OneBatch).is_err(), "who reads it finds out");
        }
    }

    "bad-header-below" a_header_below_the_recovery_point_that_does_not_hold_is_refused {
        for ended in [Ended::Killed, Ended::Lost] {
            let disk = left(ended, ONE_SEGMENT);
            let (path, start, _) = place_of(&disk, POINT - 1);
            // The magic.
            write_at(&path, start + 16, &[9]);
            let said = refused(&disk);
            assert!(said.contains(&format!("at byte {start}, where offset {} belongs", POINT - 1)), "{said}");
            assert!(said.contains("below the recovery point 20"), "{said}");
        }
    }

    "short-below" a_log_that_ends_below_its_recovery_point_is_refused {
        for ended in [Ended::Killed, Ended::Lost] {
            for (segment_bytes, offset) in [(ONE_SEGMENT, POINT - 1), (ONE_SEGMENT, 0), (SEGMENTS, POINT - 1)] {
                let disk = left(ended, segment_bytes);
                let (path, start, _) = place_of(&disk, offset);
                let behind = disk.files(".log").into_iter().filter(|other| *other > path);
                behind.for_each(|path| fs::remove_file(path).unwrap());
                cut_to(&path, start);
                let said = refused(&disk);
                assert!(said.contains(&format!("at byte {start}, where offset ")), "{said}");
            }
        }
    }

    "gap-killed" missing_offsets_are_refused_after_a_kill {
        let disk = left(Ended::Killed, SEGMENTS);
        let (path, start, _) = place_of(&disk, POINT + 4);
        cut_to(&path, start);
        let said = refused(&disk);
        assert!(said.contains(&format!("where offset {} belongs: the next segment begins at", POINT + 4)), "{said}");
    }

    "gap-lost" missing_offsets_end_the_log_of_a_lost_machine {
        let disk = left(Ended::Lost, SEGMENTS);
        let (path, start, _) = place_of(&disk, POINT + 4);
        cut_to(&path, start);
        let behind = disk.files(".log").into_iter().filter(|other| *other > path).count();
        drop(served_to(&disk, POINT + 4));
        assert_eq!(set_aside(&disk).len(), behind);

        let disk = left(Ended::Lost, SEGMENTS);
        let (path, _, _) = place_of(&disk, POINT + 4);
        fs::remove_file(&path).unwrap();
        let base: i64 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        drop(served_to(&disk, base));
    }

    "log-start-beyond" a_log_that_ends_below_its_start_begins_anew_there {
        let disk = Disk::new(ONE_SEGMENT);
        let (directory, log) = disk.open();
        append(&log, &[batch(5, 10), batch(5, 10)]);
        log.advance_log_start(Offset(10)).unwrap();
        directory.note_running(|| vec![log.clone()]).unwrap();
        directory.checkpoint(&[log]).unwrap();
        drop(directory);
        lose_machine(&disk);
        cut_to(&disk.files(".log")[0], 20);
        let opened = disk.open();
        assert_eq!(append(&opened.1, &[batch(1, 1)]), [appended(10)]);
        assert_eq!(contents(&opened.1), [(10, 10)]);
    }

    "end-below-high-watermark" a_log_that_lost_what_was_read_is_refused_after_a_kill {
        let disk = left(Ended::Killed, ONE_SEGMENT);
        let (path, start, _) = place_of(&disk, END - 1);
        fs::write(disk.root.path().join("replication-offset-checkpoint"), format!("0\n1\norders 0 {END}\n")).unwrap();
        cut_to(&path, start + 20);
        let said = refused(&disk);
        assert!(said.contains("records up to 40 were there, and the machine"), "{said}");
        lose_machine(&disk);
        drop(served_to(&disk, END - 1));
    }

    "index-missing" a_missing_index_is_made_from_the_headers {
        with_index_files(|path| fs::remove_file(path).unwrap());
    }

    "index-short" a_short_index_is_completed_from_the_headers {
        with_index_files(|path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2 / 24 * 24]).unwrap();
        });
    }

    "index-corrupt" an_index_that_does_not_agree_is_made_anew_from_the_headers {
        with_index_files(|path| fs::write(path, [0xff; 240]).unwrap());
        with_index_files(|path| fs::write(path, [[0, 0, 0, 9], [0, 0, 0, 70]].concat()).unwrap());
        with_index_files(|path| write_at(path, 8, &[0; 8]));
    }

    "index-ahead" index_entries_beyond_the_end_are_cut_off {
        with_index_files(|path| {
            // A later entry, of a batch that is not there; it also is a time that is not known.
            let last = [[0, 0, 0, 99], [0, 0, 0x70, 0]].concat();
            File::options().append(true).open(path).unwrap().write_all(&last).unwrap();
        });
    }

    "snapshot-missing" without_a_snapshot_producers_are_known_from_the_one_before_and_the_headers {
        for segment_bytes in [ONE_SEGMENT, SEGMENTS] {
            let disk = left(Ended::Lost, segment_bytes);
            fs::remove_file(snapshot_at(&disk, POINT)).unwrap();
            drop(served_to(&disk, END));
        }
    }

    "snapshot-stale" a_snapshot_above_the_end_is_removed {
        let disk = left(Ended::Lost, ONE_SEGMENT);
        // In it the producer's sequence is far ahead.
        let (_other, other_log) = {
            let other = Disk::new(ONE_SEGMENT);
            let opened = other.open();
            append(&opened.1, &[produced(9, 0, 500, 1)]);
            opened.1.flush_and_move_recovery_point().unwrap();
            fs::copy(snapshot_at(&other, 1), snapshot_at(&disk, END + 7)).unwrap();
            opened
        };
        drop(other_log);
        drop(served_to(&disk, END));
        assert!(!snapshot_at(&disk, END + 7).exists());
        assert!(snapshot_at(&disk, POINT).exists(), "recovery would begin there again");
    }

    "snapshot-corrupt" a_snapshot_that_cannot_be_read_is_passed_over {
        for segment_bytes in [ONE_SEGMENT, SEGMENTS] {
            let disk = left(Ended::Killed, segment_bytes);
            write_at(&snapshot_at(&disk, POINT), 12, b"#");
            drop(served_to(&disk, END));
        }
    }

    "checkpoint-missing" without_a_checkpoint_all_is_checked {
        let damages: [fn(&Path); 2] = [|path| fs::remove_file(path).unwrap(), |path| fs::write(path, "0\n7\n").unwrap()];
        for damage in damages {
            let disk = left(Ended::Lost, SEGMENTS);
            damage(&disk.root.path().join("recovery-point-offset-checkpoint"));
            let (directory, log) = served_to(&disk, END);
            assert_eq!(directory.checked_bytes(), log.size_bytes() - nth(0).len() as u64, "but for what came since");
            assert_eq!(log.recovery_point(), Offset(END), "it is known again");
            drop((directory, log));
            // A gap may be one that compaction left, as nobody knows.
            let disk = left(Ended::Lost, SEGMENTS);
            damage(&disk.root.path().join("recovery-point-offset-checkpoint"));
            let (path, start, _) = place_of(&disk, 3);
            cut_to(&path, start);
            let (_directory, log) = disk.open();
            assert_eq!(log.positions().log_end, Offset(END));
        }
    }

    "checkpoint-ahead" a_recovery_point_beyond_the_end_is_refused {
        for ended in [Ended::Clean, Ended::Killed, Ended::Lost] {
            let disk = left(ended, ONE_SEGMENT);
            fs::write(disk.root.path().join("recovery-point-offset-checkpoint"), "0\n1\norders 0 41\n").unwrap();
            let said = refused(&disk);
            assert!(said.contains("where offset 40 belongs"), "{said}");
        }
    }

    "epochs-missing" leader_epochs_are_made_anew_from_the_headers {
        for damaged in [None, Some(&b""[..]), Some(b"\xff")] {
            for segment_bytes in [ONE_SEGMENT, SEGMENTS] {
                let disk = left(Ended::Lost, segment_bytes);
                let path = disk.folder().join("leader-epoch-checkpoint");
                let right = fs::read(&path).unwrap();
                match damaged {
                    None => fs::remove_file(&path).unwrap(),
                    Some(bytes) => fs::write(&path, bytes).unwrap(),
                }
                drop(served_to(&disk, END));
                assert_eq!(fs::read(&path).unwrap(), right);
            }
        }
    }

    "overlap" a_segment_that_begins_below_the_end_of_the_one_before_is_refused {
        for (ended, base) in [(Ended::Lost, POINT - 5), (Ended::Killed, POINT + 5)] {
            let disk = left(ended, ONE_SEGMENT);
            fs::copy(&disk.files(".log")[0], disk.folder().join(format!("{base:020}.log"))).unwrap();
            refused(&disk);
        }
    }

    "leftover-deleted" what_deletions_and_replacements_left_is_removed {
        let names = ["00000000000000000000.log.deleted", "00000000000000000007.index", "leader-epoch-checkpoint.tmp"];
        assert_leftovers_go(&names);
    }

    "leftover-cleaned" what_a_compaction_left_is_removed {
        assert_leftovers_go(&["00000000000000000000.log.cleaned", "00000000000000000000.index.cleaned"]);
    }

    "leftover-swap" segments_that_were_about_to_be_replaced_are_left_for_kafka {
        let disk = left(Ended::Clean, ONE_SEGMENT);
        for name in ["00000000000000000000.log.swap", "00000000000000000000.log.deleted"] {
            fs::copy(&disk.files(".log")[0], disk.folder().join(name)).unwrap();
        }
        let said = refused(&disk);
        assert!(said.contains(".log.swap is corrupt: Kafka was about to replace segments by it"), "{said}");
    }

    "half-created" a_folder_that_was_only_begun_becomes_a_log {
        let disk = Disk::new(ONE_SEGMENT);
        fs::create_dir_all(disk.folder()).unwrap();
        let (_directory, log) = disk.open();
        assert_eq!(append(&log, &[batch(1, 10)]), [appended(0)]);
        let id = fs::read_to_string(disk.folder().join("partition.metadata")).unwrap();
        assert_eq!(id, format!("version: 0\ntopic_id: {}\n", log.topic_id()));
    }

    "deleted-folder" what_is_left_of_a_deleted_partition_is_removed {
        let disk = left(Ended::Lost, ONE_SEGMENT);
        let folder = disk.root.path().join("gone-0.0123456789abcdef0123456789abcdef-delete");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("00000000000000000000.log"), b"x").unwrap();
        drop(served_to(&disk, END));
        assert!(!folder.exists());
    }

    "unknown-partition" a_folder_that_the_metadata_does_not_know_is_kept_as_a_stray {
        let disk = left(Ended::Lost, ONE_SEGMENT);
        let folder = disk.root.path().join("unheard-of-3");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("00000000000000000000.log"), b"x").unwrap();
        let directory = disk.open_directory();
        let found = directory.partitions().unwrap();
        assert_eq!(found.len(), 2);
        directory.set_stray_aside(&found[1]).unwrap();
        assert_eq!(directory.partitions().unwrap(), found[..1]);
        drop(directory);
        drop(served_to(&disk, END));
        let entries = fs::read_dir(disk.root.path()).unwrap().map(|entry| entry.unwrap().path());
        let stray: Vec<PathBuf> = entries.filter(|path| path.to_str().unwrap().ends_with("-stray")).collect();
        assert!(stray[0].file_name().unwrap().to_str().unwrap().starts_with("unheard-of-3."));
        assert_eq!(fs::read(stray[0].join("00000000000000000000.log")).unwrap(), b"x");
    }

    "foreign-files" what_is_nobodys_is_left_alone {
        let disk = left(Ended::Lost, ONE_SEGMENT);
        let root = disk.root.path();
        fs::create_dir(root.join("lost+found")).unwrap();
        let foreign = [root.join("notes.txt"), root.join("lost+found/x-1"), disk.folder().join("notes.log"), disk.folder().join("7.log")];
        foreign.iter().for_each(|path| fs::write(path, b"mine").unwrap());
        drop(served_to(&disk, END));
        assert!(foreign.iter().all(|path| fs::read(path).unwrap() == b"mine"));
    }
}

/// As [`place_of`], where what lies below is no batch any more.
fn place_of_above(disk: &Disk, offset: i64) -> (PathBuf, u64, u64) {
    let path = disk.files(".log").remove(0);
    let bytes = fs::read(&path).unwrap();
    let size = nth(offset).len();
    let at = (0..bytes.len()).find(|at| {
        BatchInfo::parse_header(&bytes[*at..])
            .is_ok_and(|info| info.base_offset.0 == offset && info.size_bytes as usize == size)
    });
    let at = at.unwrap() as u64;
    (path, at, at + size as u64)
}

fn snapshot_at(disk: &Disk, offset: i64) -> PathBuf {
    disk.folder().join(format!("{offset:020}.snapshot"))
}

/// Damages the index files of the segment that holds the recovery point, and expects that they are right in the end.
fn with_index_files(damage: impl Fn(&Path)) {
    let right = {
        let disk = left(Ended::Clean, ONE_SEGMENT);
        disk.files("index").iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>()
    };
    assert!(right.iter().all(|bytes| bytes.len() >= 12));
    for which in 0..2 {
        for ended in [Ended::Killed, Ended::Lost] {
            let disk = left(ended, ONE_SEGMENT);
            damage(&disk.files("index")[which]);
            let (directory, log) = disk.open();
            assert_eq!(contents(&log), (0..END).map(|i| (i, i)).collect::<Vec<_>>());
            for offset in 0..END {
                let read = log.read(Offset(offset), 1, Bound::LogEnd, Minimum::OneBatch).unwrap();
                assert_eq!(whole_batches(&bytes_of(&read.slice.unwrap()))[0].base_offset.0, offset);
            }
            log.flush_and_move_recovery_point().unwrap();
            directory.close(&[log]).unwrap();
            let found: Vec<_> = disk.files("index").iter().map(|path| fs::read(path).unwrap()).collect();
            assert_eq!(found, right);
        }
    }
}

fn assert_leftovers_go(names: &[&str]) {
    let disk = left(Ended::Lost, ONE_SEGMENT);
    names.iter().for_each(|name| fs::write(disk.folder().join(name), b"x").unwrap());
    drop(served_to(&disk, END));
    assert!(names.iter().all(|name| !disk.folder().join(name).exists()));
}

#[test]
fn every_row_of_the_table_has_its_test_and_every_test_its_row() {
    let head = include_str!("../recovery.rs");
    let rows = head.lines().filter_map(|line| line.strip_prefix("//! | ")?.split(" | ").next());
    let rows: Vec<&str> = rows.filter(|row| *row != "case").collect();
    assert_eq!(rows, CASES, "in the same order, each once");
    let distinct: std::collections::BTreeSet<_> = rows.iter().collect();
    assert_eq!(distinct.len(), rows.len());
}
