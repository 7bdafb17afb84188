//! Directories that a log of ours left behind, whole and damaged in each way.

use super::*;
use crate::record::{BatchBuilder, Compression};
use crate::storage::tests::{Disk, NOW, append, batch_at, epoch};
use crate::types::{ProducerEpoch, ProducerId, Sequence, TimestampMs};
use bytes::Bytes;
use std::fs;

mod damages;
mod flips;

/// What a verifier says about a directory.
pub(super) fn findings(root: &Path) -> (Vec<Finding>, Tally) {
    let verifier = Verifier::open(root).unwrap();
    let mut found = Vec::new();
    let mut tell = |news: News<'_>| match news {
        News::Found(finding) => found.push(finding.clone()),
        News::Segment { .. } => {}
    };
    let mut total = verifier.verify_directory(&mut tell);
    for topic_partition in verifier.partitions() {
        total += verifier.verify(topic_partition, &mut tell);
    }
    (found, total)
}

/// A compressed batch, of records one millisecond after the other.
pub(super) fn compressed(time: i64, codec: Compression) -> Bytes {
    let mut builder = BatchBuilder::new(Offset(0)).compression(codec);
    for i in 0..3 {
        builder.append(TimestampMs(time + i), Some(b"key"), Some(b"value value value"), &[]);
    }
    builder.build()
}

/// A record of an idempotent producer. No two batches have the same largest time: to a time index they would be the same.
fn idempotent(time: i64, sequence: i32) -> Bytes {
    let mut builder = BatchBuilder::new(Offset(0)).producer(ProducerId(7), ProducerEpoch(0), Sequence(sequence));
    builder.append(TimestampMs(time), None, Some(b"value"), &[]);
    builder.build()
}

/// How the log below was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Clean,
    /// The machine runs on.
    Killed,
    /// With its machine.
    Lost,
}

/// A log of three segments with batches of all codecs, an idempotent producer and two leader epochs; nothing is synced
/// but after a clean stop.
pub(super) fn left(end: End) -> Disk {
    let mut disk = Disk::new(500);
    disk.config.index_interval_bytes = 100;
    let (directory, log) = disk.open();
    log.lock().assign_epoch(epoch(3)).unwrap();
    let codecs = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    for (i, codec) in codecs.into_iter().enumerate() {
        let time = NOW.0 + 10 * i as i64;
        append(&log, &[batch_at(time, 2, 20), compressed(time + 3, codec)]);
        if i == 1 {
            log.lock().assign_epoch(epoch(4)).unwrap();
        }
    }
    for i in 0..3 {
        append(&log, &[idempotent(NOW.0 + 100 + i64::from(i), i)]);
    }
    match end {
        End::Clean => directory.close(&[log]).unwrap(),
        End::Killed => {
            drop((directory, log));
            let boot = BootRecord { boot_id: boot::boot_id().unwrap(), unopened: BTreeMap::new() };
            boot.write(&crate::runtime::Disk::system(), &disk.root.path().join(boot::FILE_NAME)).unwrap();
        }
        End::Lost => drop((directory, log)),
    }
    assert_eq!(disk.files(".log").len(), 3);
    disk
}

/// Everything below a folder: names, contents, times of the last change.
fn picture(root: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let changed = path.metadata().unwrap().modified().unwrap();
            let contents = if path.is_dir() { Vec::new() } else { fs::read(&path).unwrap() };
            if path.is_dir() {
                folders.push(path.clone());
            }
            all.insert(path, (contents, changed));
        }
    }
    all
}

#[test]
fn nothing_is_found_in_a_whole_log_and_nothing_is_changed() {
    for end in [End::Clean, End::Killed, End::Lost] {
        let disk = format(left(end));
        let before = picture(disk.root.path());
        let (found, tally) = findings(disk.root.path());
        assert_eq!(found, [], "{end:?}");
        let expected = Tally { partitions: 1, segments: 3, batches: 11, records: 23, bytes: tally.bytes, problems: 0 };
        assert_eq!(tally, expected);
        assert!(tally.bytes > 1000);
        assert!(before == picture(disk.root.path()), "not even a time");
        assert_eq!(before.contains_key(&disk.root.path().join(".kafka_cleanshutdown")), end == End::Clean);
    }
}

/// The tests of logs open directories that nobody formatted.
pub(super) fn format(disk: Disk) -> Disk {
    let text = "klamm.format.version=1\nversion=1\ncluster.id=4L6g3nShT-eMCtK--X86sw\nnode.id=1\n";
    fs::write(disk.root.path().join("meta.properties"), text).unwrap();
    disk
}

#[test]
fn a_directory_in_use_is_refused_and_two_may_look_at_once() {
    let disk = format(left(End::Clean));
    let first = Verifier::open(disk.root.path()).unwrap();
    let second = Verifier::open(disk.root.path()).unwrap();
    assert!(second.was_cleanly_stopped());
    let refused = crate::storage::DataDirectory::open(disk.root.path(), crate::types::BrokerId(1));
    assert!(matches!(refused, Err(Error::Locked { .. })), "no broker starts meanwhile");
    drop((first, second));
    let directory = disk.open_directory();
    let error = Verifier::open(disk.root.path()).unwrap_err();
    assert!(error.to_string().contains("is in use by another process"), "{error}");
    drop(directory);
}

#[test]
fn what_is_no_data_directory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Verifier::open(folder.path()), Err(Error::Corrupt { .. })));
    assert!(matches!(Verifier::open(&folder.path().join("none")), Err(Error::Corrupt { .. })));
    fs::write(folder.path().join("meta.properties"), "version=2\ncluster.id=a\nnode.id=1\n").unwrap();
    assert!(matches!(Verifier::open(folder.path()), Err(Error::NewerFormat { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no lock file was made");
}

#[test]
fn a_finding_says_file_position_offset_and_what() {
    let finding = Finding::new(Weight::Note, Path::new("orders-0/x.log"), "torn").at(12).offset(Offset(3));
    assert_eq!(finding.to_string(), "note: orders-0/x.log: position 12, offset 3: torn");
    assert_eq!(Finding::problem(Path::new("x"), "gone").to_string(), "x: gone");
}
