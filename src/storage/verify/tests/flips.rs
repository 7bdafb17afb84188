//! One bit of each byte of a small log, flipped: by whom it is found.
//!
//! Found by `Verifier`: every flip in a log, in its indexes and snapshots. What it cannot find is told by tests of their own.

use super::*;
use crate::record::{BatchInfo, BatchView};
use crate::storage::tests::bytes_of;
use crate::storage::{Bound, Minimum};

/// Which bit of each byte: by a seed that is printed.
struct Bits(u64);

impl Bits {
    fn seeded() -> Bits {
        let told = std::env::var("KLAMM_TEST_SEED").ok().map(|seed| seed.parse().expect("a seed is a number"));
        let seed = told.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
        println!("KLAMM_TEST_SEED={seed}");
        Bits(seed | 1)
    }

    fn next(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        1 << (self.0 >> 61)
    }
}

/// Flips one bit of each byte of these files in turn, and shows file, place and bit while it is flipped.
fn flip_each(files: &[PathBuf], mut show: impl FnMut(&Path, usize, u8)) -> usize {
    let mut bits = Bits::seeded();
    let mut flips = 0;
    for path in files {
        let whole = fs::read(path).unwrap();
        for place in 0..whole.len() {
            let (bit, mut bytes) = (bits.next(), whole.clone());
            bytes[place] ^= bit;
            fs::write(path, bytes).unwrap();
            show(path, place, bit);
            flips += 1;
        }
        fs::write(path, whole).unwrap();
    }
    flips
}

/// The log's files, cut behind the last batch: what is allocated ahead has a test of its own.
fn without_allocated_end(disk: &Disk) -> Vec<PathBuf> {
    let files = disk.files(".log");
    for path in &files {
        let bytes = fs::read(path).unwrap();
        let mut end = 0;
        while let Ok(view) = BatchView::parse(&bytes[end..]) {
            end += view.bytes().len();
        }
        fs::write(path, &bytes[..end]).unwrap();
    }
    files
}

#[test]
fn every_flip_in_a_log_its_indexes_and_snapshots_is_a_problem_after_a_clean_stop() {
    let disk = format(left(End::Clean));
    for ending in [".log", ".index", ".timeindex", ".snapshot"] {
        let files = disk.files(ending);
        assert!(!files.is_empty());
        let flips = flip_each(&files, |path, place, bit| {
            let (found, tally) = findings(disk.root.path());
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(tally.problems > 0, "bit {bit} of byte {place} of {name} is not found");
            let is_named = found.iter().any(|finding| finding.path.ends_with(name));
            assert!(is_named, "bit {bit} of byte {place} of {name}: {found:?}");
        });
        println!("{flips} flips in {ending} files");
    }
    assert_eq!(findings(disk.root.path()).0, [], "all were taken back");
}

#[test]
fn every_flip_in_a_log_is_told_after_an_unclean_stop() {
    let disk = format(left(End::Lost));
    let files = without_allocated_end(&disk);
    let last = files.last().unwrap().clone();
    flip_each(&files, |path, place, bit| {
        let (found, tally) = findings(disk.root.path());
        assert!(!found.is_empty(), "bit {bit} of byte {place} of {}", path.display());
        // In a last batch it cannot be told from a torn one.
        assert!(tally.problems > 0 || *path == last, "bit {bit} of byte {place} of {}: {found:?}", path.display());
    });
}

#[test]
fn a_flip_in_what_was_allocated_ahead_is_told() {
    let disk = format(left(End::Lost));
    let path = disk.files(".log").pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    let (found, tally) = findings(disk.root.path());
    assert!(found.len() == 1 && tally.problems == 0 && found[0].what.contains("will be cut"), "{found:?}");
}

/// Nobody else says what they should be.
#[test]
fn flips_that_nothing_contradicts_are_not_found() {
    let disk = format(left(End::Clean));
    let first = disk.files(".log")[0].clone();
    let whole = fs::read(&first).unwrap();
    // An offset that still rises, in a log from which a cleaner took others.
    fs::write(disk.root.path().join("cleaner-offset-checkpoint"), "0\n1\norders 0 23\n").unwrap();
    for name in disk.files("index") {
        fs::remove_file(name).unwrap();
    }
    let without_indexes = findings(disk.root.path()).0.len();
    let last_batch = {
        let (mut at, mut last) = (0, 0);
        while let Ok(info) = BatchInfo::parse_header(&whole[at..]) {
            (last, at) = (at, at + info.size_bytes as usize);
        }
        last
    };
    let mut bytes = whole.clone();
    bytes[last_batch + 7] ^= 0x80;
    fs::write(&first, bytes).unwrap();
    assert!(findings(disk.root.path()).0.len() > without_indexes, "the next segment begins below");
    fs::write(&first, &whole).unwrap();
    // A leader epoch, when the checkpoint is lost too and no other batch contradicts it.
    let epochs = disk.folder().join("leader-epoch-checkpoint");
    fs::remove_file(&epochs).unwrap();
    let lost = findings(disk.root.path()).0.len();
    let mut bytes = whole.clone();
    bytes[15] ^= 1;
    fs::write(&first, bytes).unwrap();
    assert_eq!(findings(disk.root.path()).0.len(), lost, "epoch 2 before epoch 3");
}

#[test]
fn a_time_entry_that_names_another_batch_of_the_same_time_is_as_true() {
    let disk = Disk::new(1 << 20);
    let (directory, log) = disk.open();
    log.lock().assign_epoch(epoch(3)).unwrap();
    (0..2).for_each(|_| drop(append(&log, &[batch_at(NOW.0, 1, 20)])));
    directory.close(&[log]).unwrap();
    let disk = format(disk);
    let path = &disk.files(".timeindex")[0];
    let mut bytes = fs::read(path).unwrap();
    assert_eq!(bytes.len(), 12);
    bytes[11] ^= 1;
    fs::write(path, bytes).unwrap();
    assert_eq!(findings(disk.root.path()).0, []);
}

/// What a log hands out: all batches from its start on, or up to an error.
fn read_all(log: &crate::storage::Log) -> Vec<u8> {
    let mut all = Vec::new();
    let mut next = log.positions().log_start;
    while next < log.positions().log_end {
        let Ok(read) = log.read(next, 1, Bound::LogEnd, Minimum::OneBatch) else { break };
        let bytes = bytes_of(read.slice.as_ref().unwrap());
        next = BatchInfo::parse_header(&bytes).unwrap().next_offset();
        all.extend(bytes);
    }
    all
}

#[test]
fn recovery_above_the_recovery_point_cuts_or_refuses_and_never_serves_a_wrong_checksum() {
    for end in [End::Killed, End::Lost] {
        let disk = left(end);
        let files = without_allocated_end(&disk);
        // All of it lies above, and no offsets may be missing.
        fs::write(disk.root.path().join("recovery-point-offset-checkpoint"), "0\n1\norders 0 0\n").unwrap();
        let whole: Vec<u8> = files.iter().flat_map(|path| fs::read(path).unwrap()).collect();
        let kept: Vec<(PathBuf, Vec<u8>)> =
            disk.files("").into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        let (mut refused, mut cut, mut in_epochs) = (0, 0, 0);
        flip_each(&files, |path, place, bit| {
            let directory = disk.open_directory();
            match disk.open_log(&directory).map(|log| read_all(&log)) {
                Err(_) => refused += 1,
                Ok(served) if served.len() < whole.len() => {
                    cut += 1;
                    assert!(whole.starts_with(&served), "bit {bit} of byte {place} of {}", path.display());
                }
                Ok(served) => {
                    in_epochs += 1;
                    assert_intact_but_for_epochs(&whole, &served);
                }
            }
            drop(directory);
            for entry in fs::read_dir(disk.folder()).unwrap() {
                fs::remove_file(entry.unwrap().path()).unwrap();
            }
            kept.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        });
        println!("{end:?}: {refused} refused, {cut} cut, {in_epochs} in leader epochs");
        assert_eq!(in_epochs, 4 * 11, "each byte of a leader epoch, which no checksum covers");
        match end {
            End::Killed => assert!(refused > cut, "nothing was lost that explains it"),
            End::Lost => assert_eq!(refused, 0),
            End::Clean => unreachable!("not asked"),
        }
    }
}

fn assert_intact_but_for_epochs(whole: &[u8], served: &[u8]) {
    let mut at = 0;
    while let Ok(view) = BatchView::parse(&served[at..]) {
        assert!(view.verify_crc());
        let end = at + view.bytes().len();
        assert!(served[at..at + 12] == whole[at..at + 12] && served[at + 16..end] == whole[at + 16..end]);
        at = end;
    }
    assert_eq!(at, served.len());
}

#[test]
fn a_read_of_a_broken_structure_is_an_error_and_a_flipped_payload_is_handed_out() {
    let disk = left(End::Clean);
    let files = disk.files(".log");
    let (directory, log) = disk.open();
    let whole = read_all(&log);
    let (mut errors, mut handed_out) = (0, 0);
    let flips = flip_each(&files[..1], |path, place, bit| {
        let bytes = fs::read(path).unwrap();
        let (mut at, mut batch_start) = (0, 0);
        // The batch that the flip is in, by the bytes as they were.
        while at <= place {
            batch_start = at;
            at += BatchInfo::parse_header(&whole[at..]).unwrap().size_bytes as usize;
        }
        let info = BatchInfo::parse_header(&whole[batch_start..]).unwrap();
        let field = place - batch_start;
        match log.read(info.base_offset, 1, Bound::LogEnd, Minimum::OneBatch) {
            Err(crate::storage::ReadError::Failed(Error::Corrupt { .. })) => {
                errors += 1;
                assert!(field < 17 || (23..27).contains(&field), "bit {bit} of field byte {field}");
            }
            Err(other) => panic!("{other}"),
            Ok(read) => {
                let read = bytes_of(&read.slice.unwrap());
                assert!(field != 16, "another magic is an error");
                if (12..16).contains(&field) || field >= 17 && !(23..27).contains(&field) {
                    handed_out += 1;
                    assert_eq!(read, bytes[batch_start..at], "as it is: bit {bit} of field byte {field}");
                }
            }
        }
    });
    println!("{flips} flips: {errors} errors, {handed_out} handed out");
    assert!(errors > 0 && handed_out > 300);
    directory.close(&[log]).unwrap();
}
