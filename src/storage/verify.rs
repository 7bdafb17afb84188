//! Looks through a data directory that nobody uses, and says what is wrong in it.
//!
//! Invariants:
//! * nothing is written; a shared lock keeps brokers away meanwhile, where there is a lock file;
//! * a *note* is what an unclean stop leaves behind and the next start puts right; all else that is found is a *problem*;
//! * nothing on disk makes it panic, or hold more than one batch and the indexes of one segment.
//!
//! Called by the command line. Source of the rules: `docs/on-disk-format.md`, and what Kafka's `DumpLogSegments` and its
//! sanity checks ask for.

mod entries;
mod epochs;
mod partition;
mod segment;
#[cfg(test)]
mod tests;

use crate::storage::boot::{self, BootRecord};
use crate::storage::properties::{self, FormattedBy, MetaProperties};
use crate::storage::recovery::LastStop;
use crate::storage::{Error, checkpoint, directory, lock, offsets, partition_folder};
use crate::types::{Offset, TopicId, TopicPartition};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::File;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

/// Findings that are shown of one file; more are counted.
const SHOWN_PER_FILE_MAX: u64 = 50;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Something is damaged or missing.
    Problem,
    /// An unclean stop left it; the next start puts it right.
    Note,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub weight: Weight,
    /// The file, from the data directory on.
    pub path: PathBuf,
    /// The byte in the file, where one can be named.
    pub position: Option<u64>,
    /// The offset in the log, where one can be named.
    pub offset: Option<Offset>,
    /// What was found there.
    pub what: String,
}

impl Finding {
    fn new(weight: Weight, path: &Path, what: impl Into<String>) -> Finding {
        Finding { weight, path: path.to_owned(), position: None, offset: None, what: what.into() }
    }

    fn problem(path: &Path, what: impl Into<String>) -> Finding {
        Finding::new(Weight::Problem, path, what)
    }

    fn at(self, position: u64) -> Finding {
        Finding { position: Some(position), ..self }
    }

    fn offset(self, offset: Offset) -> Finding {
        Finding { offset: Some(offset), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.weight {
            Weight::Problem => {}
            Weight::Note => f.write_str("note: ")?,
        }
        write!(f, "{}: ", self.path.display())?;
        match (self.position, self.offset) {
            (Some(position), Some(offset)) => write!(f, "position {position}, offset {offset}: ")?,
            (Some(position), None) => write!(f, "position {position}: ")?,
            (None, Some(offset)) => write!(f, "offset {offset}: ")?,
            (None, None) => {}
        }
        f.write_str(&self.what)
    }
}

/// What is told while a directory is looked through.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// Something is not as it should be.
    Found(&'a Finding),
    /// A segment was looked through, of so many bytes.
    Segment {
        /// The length of its log file.
        bytes: u64,
    },
}

/// How much was looked at, and found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Partitions.
    pub partitions: u64,
    /// Their segments.
    pub segments: u64,
    /// Whole batches with the right checksum.
    pub batches: u64,
    /// The records that these claim.
    pub records: u64,
    /// The bytes of these batches.
    pub bytes: u64,
    /// Problems, those that were not shown included.
    pub problems: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.partitions += other.partitions;
        self.segments += other.segments;
        self.batches += other.batches;
        self.records += other.records;
        self.bytes += other.bytes;
        self.problems += other.problems;
    }
}

/// A data directory, ours or Kafka's, that is looked through.
#[derive(Debug)]
pub struct Verifier {
    path: PathBuf,
    _lock: Option<File>,
    last_stop: LastStop,
    /// How the last process of a partition ended that the one after it could not open.
    unopened: BTreeMap<TopicPartition, LastStop>,
    offsets: Offsets,
    /// Told with the directory's own findings.
    unreadable: Vec<Finding>,
    folders: BTreeMap<TopicPartition, PathBuf>,
}

/// What the checkpoint files say.
#[derive(Debug, Default)]
struct Offsets {
    recovery_points: HashMap<TopicPartition, Offset>,
    log_starts: HashMap<TopicPartition, Offset>,
    high_watermarks: HashMap<TopicPartition, Offset>,
    /// Up to where Kafka's cleaner came: below, offsets may be missing.
    cleaned: HashMap<TopicPartition, Offset>,
}

impl Verifier {
    /// Opens a directory to look at it, and locks it against brokers.
    ///
    /// # Errors
    /// It is in use; it is no data directory, or one of a newer format; the system refuses.
    pub fn open(path: &Path) -> Result<Verifier, Error> {
        let lock = lock::shared(path)?;
        let meta_path = path.join(properties::FILE_NAME);
        let meta = MetaProperties::read(&meta_path)?.ok_or_else(|| Error::Corrupt {
            path: meta_path,
            what: "there is no such file: this is no data directory".into(),
        })?;
        let mut unreadable = Vec::new();
        let mut read = |name: &str| {
            checkpoint::read_offsets(&path.join(name)).unwrap_or_else(|error| {
                unreadable.push(Finding::problem(Path::new(name), reason(&error)));
                HashMap::new()
            })
        };
        let offsets = Offsets {
            recovery_points: read(offsets::RECOVERY_POINTS),
            log_starts: read(offsets::LOG_STARTS),
            high_watermarks: read(offsets::HIGH_WATERMARKS),
            cleaned: read(offsets::CLEANED),
        };
        let mut folders = BTreeMap::new();
        for name in partition_folder::folders(path)? {
            // Ours has another format, which the broker checks at each start; Kafka's is a log like others.
            if name == partition_folder::CLUSTER_METADATA && meta.formatted_by == FormattedBy::Us {
                continue;
            }
            if let Some(topic_partition) = partition_folder::parse_folder_name(&name) {
                folders.insert(topic_partition, path.join(name));
            }
        }
        let boot = BootRecord::read(&path.join(boot::FILE_NAME))?;
        let is_clean = path.join(directory::CLEAN_SHUTDOWN).exists();
        let last_stop = match &boot {
            _ if is_clean => LastStop::Clean,
            Some(written) if Some(&written.boot_id) == boot::boot_id().as_ref() => LastStop::Killed,
            Some(_) | None => LastStop::Lost,
        };
        let unopened = boot.map(|written| written.unopened).unwrap_or_default();
        Ok(Verifier { path: path.to_owned(), _lock: lock, last_stop, unopened, offsets, unreadable, folders })
    }

    /// Whether the broker that used it last stopped in order.
    pub fn was_cleanly_stopped(&self) -> bool {
        self.last_stop == LastStop::Clean
    }

    /// The partitions that have a folder here, in order.
    pub fn partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.folders.keys()
    }

    /// Looks at what belongs to no single partition.
    pub fn verify_directory(&self, tell: &mut dyn FnMut(News<'_>)) -> Tally {
        let mut reports = Reports::new(&self.path, tell);
        for finding in &self.unreadable {
            reports.tell(finding.clone());
        }
        for (name, offsets) in [
            (offsets::RECOVERY_POINTS, &self.offsets.recovery_points),
            (offsets::LOG_STARTS, &self.offsets.log_starts),
            (offsets::HIGH_WATERMARKS, &self.offsets.high_watermarks),
        ] {
            let mut homeless: Vec<_> = offsets.keys().filter(|p| !self.folders.contains_key(p)).collect();
            homeless.sort_unstable();
            for topic_partition in homeless {
                // A topic that was deleted stays in the checkpoints until they are written again.
                let weight = self.weight_of_what_a_start_repairs();
                reports.tell(Finding::new(weight, Path::new(name), format!("{topic_partition} has no folder")));
            }
        }
        self.compare_topic_ids(&mut reports);
        Tally { problems: reports.finish(), ..Tally::default() }
    }

    /// Looks at one partition, which [`partitions`](Verifier::partitions) named.
    pub fn verify(&self, topic_partition: &TopicPartition, tell: &mut dyn FnMut(News<'_>)) -> Tally {
        let Some(folder) = self.folders.get(topic_partition) else { return Tally::default() };
        let known = partition::Known {
            topic_partition,
            folder,
            last_stop: self.unopened.get(topic_partition).copied().unwrap_or(self.last_stop),
            recovery_point: self.offsets.recovery_points.get(topic_partition).copied(),
            log_start: self.offsets.log_starts.get(topic_partition).copied(),
            high_watermark: self.offsets.high_watermarks.get(topic_partition).copied(),
            cleaned_below: self.offsets.cleaned.get(topic_partition).copied().unwrap_or(Offset::ZERO),
        };
        let mut reports = Reports::new(&self.path, tell);
        let tally = partition::verify(&known, &mut reports);
        Tally { problems: reports.finish(), ..tally }
    }

    fn weight_of_what_a_start_repairs(&self) -> Weight {
        match self.last_stop {
            LastStop::Clean => Weight::Problem,
            LastStop::Killed | LastStop::Lost => Weight::Note,
        }
    }

    /// All partitions of a topic bear the same id.
    fn compare_topic_ids(&self, reports: &mut Reports<'_>) {
        let mut ids: HashMap<&str, (TopicId, &TopicPartition)> = HashMap::new();
        for (topic_partition, folder) in &self.folders {
            let Ok(Some(id)) = partition_folder::read_topic_id(folder) else { continue };
            let (first_id, first) = *ids.entry(topic_partition.topic.as_str()).or_insert((id, topic_partition));
            if first_id != id {
                let path = folder.join(partition_folder::METADATA);
                let what = format!("the topic's id is {id} here, and {first_id} in {first}");
                reports.tell(Finding::problem(&path, what));
            }
        }
    }
}

/// What an error says, without the path that a finding names anyway.
fn reason(error: &Error) -> String {
    if let Error::Corrupt { what, .. } = error { what.clone() } else { error.to_string() }
}

/// Counts findings and passes them on.
struct Reports<'a> {
    root: &'a Path,
    tell: &'a mut dyn FnMut(News<'_>),
    problems: u64,
    /// Only files of which something was found.
    found: BTreeMap<PathBuf, u64>,
}

impl<'a> Reports<'a> {
    fn new(root: &'a Path, tell: &'a mut dyn FnMut(News<'_>)) -> Reports<'a> {
        Reports { root, tell, problems: 0, found: BTreeMap::new() }
    }

    fn tell(&mut self, mut finding: Finding) {
        if let Ok(inside) = finding.path.strip_prefix(self.root) {
            finding.path = inside.to_owned();
        }
        match finding.weight {
            Weight::Problem => self.problems += 1,
            Weight::Note => {}
        }
        let found = self.found.entry(finding.path.clone()).or_default();
        *found += 1;
        if *found <= SHOWN_PER_FILE_MAX {
            (self.tell)(News::Found(&finding));
        }
    }

    fn segment_done(&mut self, bytes: u64) {
        (self.tell)(News::Segment { bytes });
    }

    /// How many problems there were.
    fn finish(self) -> u64 {
        for (path, found) in self.found.iter().filter(|(_, found)| **found > SHOWN_PER_FILE_MAX) {
            let what = format!("{} more findings in this file are not shown", found - SHOWN_PER_FILE_MAX);
            (self.tell)(News::Found(&Finding::new(Weight::Note, path, what)));
        }
        self.problems
    }
}
