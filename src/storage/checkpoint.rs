//! Kafka's small text files: a version, a count, one entry a line; and how any small file is replaced as a whole.
//!
//! Invariants: a reader finds the old file or the new one, never a part; a replaced file is on disk when the call returns.
//! Source: Kafka's `CheckpointFile`, `OffsetCheckpointFile`, `LeaderEpochCheckpointFile`.

use crate::runtime::Disk;
use crate::storage::Error;
use crate::storage::segment::is_possible;
use crate::types::{Offset, PartitionIndex, TopicName, TopicPartition};
use rustix::io::retry_on_intr;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const VERSION: i64 = 0;

/// Replaces a file: written beside it, synced, renamed, the folder synced.
pub(super) fn replace(disk: &Disk, path: &Path, contents: &[u8]) -> Result<(), Error> {
    let temporary = beside(path);
    let written = disk.write_file(&temporary, contents).and_then(|file| disk.sync_data(&file));
    written.map_err(Error::io("write", &temporary))?;
    disk.rename(&temporary, path).map_err(Error::io("replace", path))?;
    path.parent().map_or(Ok(()), |folder| sync_folder(disk, folder))
}

/// The same without waiting for the disk: atomic towards the end of this process, not towards a power cut.
pub(super) fn replace_unsynced(disk: &Disk, path: &Path, contents: &[u8]) -> Result<(), Error> {
    let temporary = beside(path);
    disk.write_file(&temporary, contents).map_err(Error::io("write", &temporary))?;
    disk.rename(&temporary, path).map_err(Error::io("replace", path))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    path.with_file_name(name)
}

/// Makes what is in a file last, but for its name.
pub(super) fn sync_file(disk: &Disk, path: &Path) -> Result<(), Error> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    disk.sync_data(&file).map_err(Error::io("sync", path))
}

/// Makes creations, renames and removals in a folder last.
pub(super) fn sync_folder(disk: &Disk, path: &Path) -> Result<(), Error> {
    disk.sync_folder(path).map_err(Error::io("sync", path))
}

/// The contents of a file, which is small as a rule: opened, read and closed, where `fs::read` makes five calls. A file gives
/// less than it was asked for only at its end.
pub(super) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    const BLOCK_BYTES: usize = 4 << 10;
    let mut file = File::open(path)?;
    let mut block = [0; BLOCK_BYTES];
    let read = retry_on_intr(|| rustix::io::read(&file, &mut block))?;
    let mut bytes = block[..read].to_vec();
    if read == block.len() {
        file.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// The contents of a text file; `None` when there is no file.
///
/// # Errors
/// It cannot be read; what is in it is no text.
pub(super) fn read_text(path: &Path) -> Result<Option<String>, Error> {
    match read_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path)(error)),
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Error::Corrupt { path: path.to_owned(), what: "it is no text".into() }),
        },
    }
}

/// The contents of a checkpoint file.
pub(super) fn format_lines(lines: impl ExactSizeIterator<Item = String>) -> String {
    let mut text = format!("{VERSION}\n{}\n", lines.len());
    lines.for_each(|line| {
        text.push_str(&line);
        text.push('\n');
    });
    text
}

/// The entries of a checkpoint file; none when there is no file.
///
/// # Errors
/// A newer version, or not the announced number of lines.
pub(super) fn read_lines(path: &Path) -> Result<Vec<String>, Error> {
    let Some(text) = read_text(path)? else { return Ok(Vec::new()) };
    let corrupt = |what: String| Error::Corrupt { path: path.to_owned(), what };
    let mut lines = text.lines();
    let number = |line: Option<&str>| line.and_then(|l| l.trim().parse::<i64>().ok());
    match number(lines.next()) {
        Some(VERSION) => {}
        Some(found) => return Err(Error::NewerFormat { path: path.to_owned(), found, known: VERSION }),
        None => return Err(corrupt("the first line is not a version".into())),
    }
    let announced = number(lines.next()).ok_or_else(|| corrupt("the second line is not a count".into()))?;
    let entries: Vec<String> = lines.map(str::to_owned).collect();
    if entries.len() as i64 != announced {
        return Err(corrupt(format!("{announced} entries announced, {} found", entries.len())));
    }
    Ok(entries)
}

/// Writes `topic partition offset` lines, sorted.
pub(super) fn write_offsets(disk: &Disk, path: &Path, offsets: &HashMap<TopicPartition, Offset>) -> Result<(), Error> {
    let mut sorted: Vec<_> = offsets.iter().collect();
    sorted.sort_unstable();
    let lines = sorted
        .into_iter()
        .map(|(topic_partition, offset)| format!("{} {} {offset}", topic_partition.topic, topic_partition.partition));
    replace(disk, path, format_lines(lines).as_bytes())
}

/// Reads what [`write_offsets`] or Kafka wrote.
pub(super) fn read_offsets(path: &Path) -> Result<HashMap<TopicPartition, Offset>, Error> {
    let parse = |line: &str| {
        let mut words = line.split(' ');
        let topic = TopicName::new(words.next()?).ok()?;
        let partition = PartitionIndex(words.next()?.parse().ok()?);
        let offset = words.next()?.parse().ok().map(Offset).filter(|offset| is_possible(*offset))?;
        words.next().is_none().then_some((TopicPartition { topic, partition }, offset))
    };
    let parsed = read_lines(path)?.into_iter().map(|line| {
        parse(&line).ok_or_else(|| Error::Corrupt { path: path.to_owned(), what: format!("unexpected line '{line}'") })
    });
    parsed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_is_read_whole_whatever_its_length() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        assert_eq!(read_file(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        for length in [0, 1, 4095, 4096, 4097, 100_000] {
            let bytes: Vec<u8> = (0..length).map(|i| i as u8).collect();
            fs::write(&path, &bytes).unwrap();
            assert_eq!(read_file(&path).unwrap(), bytes, "{length}");
        }
    }

    #[test]
    fn offsets_are_written_as_kafka_writes_them_and_come_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recovery-point-offset-checkpoint");
        assert!(read_offsets(&path).unwrap().is_empty());
        let topic_partition = TopicPartition { topic: TopicName::new("orders").unwrap(), partition: PartitionIndex(3) };
        let offsets = HashMap::from([(topic_partition, Offset(42))]);
        write_offsets(&Disk::system(), &path, &offsets).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "0\n1\norders 3 42\n");
        assert_eq!(read_offsets(&path).unwrap(), offsets);
    }

    #[test]
    fn a_cut_or_newer_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        for (text, newer) in [("", false), ("0\n2\na 0 1\n", false), ("0\n1\na 0\n", false), ("1\n0\n", true)] {
            fs::write(&path, text).unwrap();
            let error = read_offsets(&path).unwrap_err();
            assert_eq!(matches!(error, Error::NewerFormat { .. }), newer, "{text:?}: {error}");
        }
        fs::write(&path, b"0\n1\n\xff 0 1\n").unwrap();
        assert!(matches!(read_offsets(&path), Err(Error::Corrupt { .. })), "no text");
    }
}
