//! `klamm.boot`: under which boot of the machine the logs of a directory were last written.
//!
//! Invariants:
//! * the file names a boot only when all that an earlier one left was recovered, but for the partitions that it lists, and
//!   before anything is appended: who finds the id of its own boot in it knows that the page cache has all that was written;
//! * a file that is missing, cannot be read or is of a newer format is that of another boot, which forgives more.
//!
//! | line | what |
//! |---|---|
//! | 1 | version, 0 |
//! | 2 | number of lines that follow |
//! | 3 | `/proc/sys/kernel/random/boot_id`, by which Linux names a boot |
//! | 4– | `topic partition how` of each partition that could not be opened; `how` its last process ended: `killed` or `lost` |

use crate::runtime::Disk;
use crate::storage::recovery::LastStop;
use crate::storage::{Error, checkpoint};
use crate::types::{PartitionIndex, TopicName, TopicPartition};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tracing::warn;

/// The name of the file.
pub(super) const FILE_NAME: &str = "klamm.boot";

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BootRecord {
    pub(super) boot_id: String,
    /// How the last process of each partition ended that was not opened since.
    pub(super) unopened: BTreeMap<TopicPartition, LastStop>,
}

/// The id of this boot; `None` when the system does not tell.
pub(super) fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

impl BootRecord {
    /// Reads the file; `None` when there is none that can be understood.
    pub(super) fn read(path: &Path) -> Result<Option<BootRecord>, Error> {
        let lines = match checkpoint::read_lines(path) {
            Ok(lines) => lines,
            Err(error @ (Error::Corrupt { .. } | Error::NewerFormat { .. })) => {
                warn!(%error, "taken for that of another boot");
                return Ok(None);
            }
            Err(other) => return Err(other),
        };
        let mut lines = lines.into_iter();
        let Some(boot_id) = lines.next() else { return Ok(None) };
        Ok(lines.map(|line| parse(&line)).collect::<Option<_>>().map(|unopened| BootRecord { boot_id, unopened }))
    }

    /// Replaces the file, durably.
    pub(super) fn write(&self, disk: &Disk, path: &Path) -> Result<(), Error> {
        let mut lines = vec![self.boot_id.clone()];
        for (TopicPartition { topic, partition }, stop) in &self.unopened {
            let how = match stop {
                LastStop::Killed => "killed",
                LastStop::Clean | LastStop::Lost => "lost",
            };
            lines.push(format!("{topic} {partition} {how}"));
        }
        checkpoint::replace(disk, path, checkpoint::format_lines(lines.into_iter()).as_bytes())
    }
}

fn parse(line: &str) -> Option<(TopicPartition, LastStop)> {
    let mut words = line.split(' ');
    let topic = TopicName::new(words.next()?).ok()?;
    let partition = PartitionIndex(words.next()?.parse().ok()?);
    let stop = match words.next()? {
        "killed" => LastStop::Killed,
        "lost" => LastStop::Lost,
        _ => return None,
    };
    words.next().is_none().then_some((TopicPartition { topic, partition }, stop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_comes_back_and_what_cannot_be_understood_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        assert_eq!(BootRecord::read(&path).unwrap(), None);
        let partition =
            |number| TopicPartition { topic: TopicName::new("orders").unwrap(), partition: PartitionIndex(number) };
        let unopened = BTreeMap::from([(partition(3), LastStop::Killed), (partition(4), LastStop::Lost)]);
        let written = BootRecord { boot_id: boot_id().unwrap(), unopened };
        written.write(&Disk::system(), &path).unwrap();
        assert_eq!(BootRecord::read(&path).unwrap(), Some(written.clone()));
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("0\n3\n{}\norders 3 killed\norders 4 lost\n", written.boot_id));
        for other in ["", "1\n1\nid\n", "0\n0\n", "0\n2\nid\norders 3 else\n", "0\n2\nid\norders x lost\n"] {
            fs::write(&path, other).unwrap();
            assert_eq!(BootRecord::read(&path).unwrap(), None, "{other:?}");
        }
    }
}
