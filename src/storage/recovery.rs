//! Opening a partition's folder: what is there, what of it holds, and what must be made anew.
//!
//! Invariants:
//! * what lies below the recovery point is not read, but for the few headers that say where it is ([`below`]) and those of
//!   the last 16 MiB ([`state`]); above it every batch is checked: length, magic, CRC, offsets that follow one another;
//! * *nothing goes silently*: what was on disk, or in the page cache of a machine that still runs, and is not whole, takes
//!   the partition offline with all its files as they were; only what a lost machine may have lost is cut off, kept under
//!   another name ([`cut`]) and told;
//! * offsets are missing above the recovery point only where something was lost: what compacts a log must move the recovery
//!   point beyond what it writes first.
//!
//! How the last process ended is known by the clean-shutdown marker and, if it is not there, by the kernel's boot id
//! ([`boot`](super::boot)): *killed* on the same boot, so that all it wrote is in the page cache; or *lost* with its machine.
//! The cases, each with a test of its name in `tests/recovery_cases.rs`:
//!
//! | case | what is found | what is done |
//! |---|---|---|
//! | clean-stop | the marker, and a last segment that the index leads through | taken as it is, nothing is checked |
//! | clean-stop-short | the same, and the log ends below its recovery point | offline |
//! | torn-tail-killed | killed; the last batch is not whole, and nothing follows it | cut off |
//! | torn-tail-lost | the machine was lost; the same | cut off |
//! | garbage-tail-killed | killed; behind the last batch is what no write that was cut off leaves | offline |
//! | garbage-tail-lost | the machine was lost; the same | cut off, set aside, told |
//! | preallocated-zeros | zeros behind the last batch | they stay, the next append stores there |
//! | zeros-in-closed-segment | zeros behind the last batch of a segment, and the next goes on from there | trimmed |
//! | bad-crc-above-killed | killed; a batch above the recovery point does not hold, and others follow | offline |
//! | bad-crc-above-lost | the machine was lost; the same | cut off before it, set aside with all segments behind, told |
//! | bad-crc-below | a batch far below the recovery point does not hold | not read: who reads it finds out |
//! | bad-header-below | a header that says where the recovery point is does not hold | offline |
//! | short-below | the log ends below the recovery point | offline |
//! | gap-killed | killed; offsets are missing above the recovery point | offline |
//! | gap-lost | the machine was lost; the same | cut off before them, set aside, told |
//! | log-start-beyond | the machine was lost; the log ends below its start, and nothing of that was on disk | begins anew at its start |
//! | end-below-high-watermark | killed; the log ends below the high watermark or the log start of a checkpoint | offline |
//! | index-missing | the segment of the recovery point has no index files | its headers are walked, the index made anew |
//! | index-short | its index files end before the recovery point | the headers behind are walked, the index completed |
//! | index-corrupt | they do not agree with the log | its headers are walked, the index made anew |
//! | index-ahead | they have entries beyond the end of the log | those are cut off |
//! | snapshot-missing | there is none at the recovery point | the one before it, and the headers behind it |
//! | snapshot-stale | one lies above the end of the log | removed |
//! | snapshot-corrupt | its CRC is wrong | passed over for the one before it |
//! | checkpoint-missing | no recovery points, or a file of them that cannot be read | all of the log is checked, gaps are let be |
//! | checkpoint-ahead | a recovery point beyond the end of the log | offline |
//! | epochs-missing | no leader epochs beside batches, or a file that cannot be read | made anew from the headers |
//! | overlap | a segment begins below the end of the one before it | offline |
//! | leftover-deleted | `.deleted` files, index files without a segment, `.tmp` files | removed |
//! | leftover-cleaned | `.cleaned` files, of a compaction that was cut off | removed |
//! | leftover-swap | `.swap` files: a compaction was about to replace segments by them | offline, nothing is removed |
//! | half-created | a folder without segments or without a topic id | a log that begins at its start; the id is written |
//! | deleted-folder | a folder that ends in `-delete` | removed when the directory is opened |
//! | unknown-partition | a folder whose topic the metadata does not know | renamed to `-stray`, as Kafka does, told |
//! | foreign-files | files and folders that are nobody's | left alone |
//!
//! Source: Kafka's `LogLoader`, `LogSegment.recover`, `UnifiedLog.rebuildProducerState`, `LogManager.loadLog`. Kafka cuts a log
//! at the first bad batch in all cases, and deletes what lies behind.

mod below;
mod cut;
mod state;
mod tail;

pub(super) use below::Below;
pub(super) use tail::{Tail, inspect as inspect_tail};

use crate::config::LogConfig;
use crate::runtime::Disk;
use crate::storage::epochs::LeaderEpochs;
use crate::storage::headers::Headers;
use crate::storage::index::{Index, IndexFiles, Progress, SavedIndex};
use crate::storage::log::Recovered;
use crate::storage::positions::Positions;
use crate::storage::producers::Producers;
use crate::storage::scan::{self, Active, Gaps, Rules};
use crate::storage::segment::{self, Segment};
use crate::storage::{Error, Place, checkpoint};
use crate::types::{LeaderEpoch, Offset, TopicPartition};
use state::Known;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tracing::{info, warn};

/// What the directory's checkpoints say about a log.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checkpoints {
    /// `None` when nobody knows: the file is missing.
    pub(super) recovery_point: Option<Offset>,
    pub(super) log_start: Option<Offset>,
    pub(super) high_watermark: Option<Offset>,
}

/// How the process before this one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastStop {
    /// In order.
    Clean,
    /// It died, and the machine runs on: all that it wrote is there.
    Killed,
    /// It died with its machine, or nobody knows: what was not synced may be lost.
    Lost,
}

/// What a folder is recovered with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening<'a> {
    pub(super) disk: &'a Disk,
    pub(super) topic_partition: &'a TopicPartition,
    pub(super) folder: &'a Path,
    /// The names of what is in it.
    pub(super) names: &'a [String],
    pub(super) config: &'a LogConfig,
    pub(super) last_stop: LastStop,
    pub(super) checkpoints: Checkpoints,
    /// Where the bytes that were checked are counted.
    pub(super) checked_bytes: &'a AtomicU64,
}

/// Opens the folder of a partition.
///
/// # Errors
/// [`Error::Damaged`] and [`Error::Corrupt`]: nothing was changed. The system refuses.
pub(super) fn recover(opening: Opening<'_>) -> Result<Recovered, Error> {
    let Opening { disk, topic_partition, folder, names, config, last_stop, checkpoints, checked_bytes } = opening;
    let interval_bytes = config.index_interval_bytes;
    let gaps = if checkpoints.recovery_point.is_some() { Gaps::None } else { Gaps::Possible };
    let recovery = Recovery {
        topic_partition,
        folder: Folder { disk, path: folder, interval_bytes },
        last_stop,
        checkpoints,
        rules: Rules { gaps, interval_bytes, bytes: checked_bytes },
    };
    let mut files = Files::of(names, disk, folder)?;
    if files.bases.is_empty() {
        let base = checkpoints.log_start.unwrap_or(Offset::ZERO);
        recovery.folder.create_segment(base)?;
        files.bases.push(base);
    }
    recovery.run(&files)
}

/// A partition's folder.
struct Folder<'a> {
    disk: &'a Disk,
    path: &'a Path,
    interval_bytes: u32,
}

struct Recovery<'a> {
    topic_partition: &'a TopicPartition,
    folder: Folder<'a>,
    last_stop: LastStop,
    checkpoints: Checkpoints,
    rules: Rules<'a>,
}

/// The files of a folder that matter, by offset.
struct Files {
    bases: Vec<Offset>,
    snapshots: BTreeSet<Offset>,
}

impl Files {
    /// Picks them out, and removes what an earlier process left on its way out.
    fn of(names: &[String], disk: &Disk, folder: &Path) -> Result<Files, Error> {
        if let Some(swap) = names.iter().find(|name| name.ends_with(".swap")) {
            // The segments that it replaces may be gone already.
            let what = "Kafka was about to replace segments by it: start and stop Apache Kafka there once more".into();
            return Err(Error::Corrupt { path: folder.join(swap), what });
        }
        let offsets = |ending| names.iter().filter_map(move |name| segment::parse_file_name(name, ending));
        let mut bases: Vec<Offset> = offsets(segment::LOG).collect();
        bases.sort_unstable();
        let snapshots = offsets(segment::SNAPSHOT).collect();
        for name in names {
            let is_leftover = [segment::DELETED, ".cleaned", ".tmp"].iter().any(|end| name.ends_with(end));
            let indexed = [segment::INDEX, segment::TIME_INDEX, segment::TRANSACTION_INDEX]
                .iter()
                .find_map(|ending| segment::parse_file_name(name, ending));
            if is_leftover || indexed.is_some_and(|base| bases.binary_search(&base).is_err()) {
                remove(disk, &folder.join(name))?;
            }
        }
        Ok(Files { bases, snapshots })
    }
}

/// What is known of a log when it was looked through.
struct Found {
    segments: Vec<Arc<Segment>>,
    active: Active,
    /// What the active segment's index files hold, if they were read as a whole.
    index_files: Option<IndexFiles>,
    producers: Producers,
    epochs: LeaderEpochs,
    /// Which segment holds the recovery point, and where.
    recovery_place: (usize, u64),
}

impl Recovery<'_> {
    fn run(&self, files: &Files) -> Result<Recovered, Error> {
        let mut segments: Vec<Arc<Segment>> = Vec::new();
        for base in &files.bases {
            let path = segment::file_path(self.folder.path, *base, segment::LOG);
            let length = path.metadata().map_err(Error::io("inspect", &path))?.len();
            segments.push(Arc::new(Segment::closed(*base, 0, length)));
        }
        let trusted = match self.last_stop {
            LastStop::Clean => self.trust(segments.last().expect("there is at least one"))?,
            LastStop::Killed | LastStop::Lost => None,
        };
        let found = match trusted {
            Some(active) => self.take(segments, active, files)?,
            None => self.check(segments, files)?,
        };
        let log_end = found.active.progress.next_offset;
        match self.checkpoints.log_start {
            Some(log_start) if log_start > log_end => self.start_over(log_start, found, files),
            _ => self.finish(found, files),
        }
    }

    /// The log as a clean stop left it.
    fn take(
        &self,
        segments: Vec<Arc<Segment>>,
        (active, index_files): (Active, IndexFiles),
        files: &Files,
    ) -> Result<Found, Error> {
        let known = Known {
            folder: &self.folder,
            segments: &segments,
            index: &active.index,
            position: active.end,
            end: active.progress.next_offset,
        };
        let (epochs, producers) = (known.epochs()?, known.producers(&files.snapshots)?);
        let last = segments.last().expect("there is at least one");
        self.refuse_missing(last, active.end, active.progress.next_offset)?;
        let recovery_place = (segments.len() - 1, active.end);
        Ok(Found { segments, active, index_files: Some(index_files), producers, epochs, recovery_place })
    }

    /// The log with all that lies above the recovery point checked.
    fn check(&self, mut segments: Vec<Arc<Segment>>, files: &Files) -> Result<Found, Error> {
        let recovery_point = self.checkpoints.recovery_point.unwrap_or(Offset::ZERO);
        // One that ends at the recovery point was perhaps closed after it, not durably.
        let place = segments.partition_point(|s| s.base_offset < recovery_point).saturating_sub(1);
        let (segment, interval_bytes) = (&segments[place], self.folder.interval_bytes);
        let file = self.folder.open_log_file(segment.base_offset)?;
        let below = Below::find(segment, &file, self.folder.path, recovery_point, interval_bytes)?;
        let known = Known {
            folder: &self.folder,
            segments: &segments[..=place],
            index: &below.index,
            position: below.position,
            end: below.progress.next_offset,
        };
        let (mut epochs, mut producers) = (known.epochs()?, known.producers(&files.snapshots)?);
        let recovery_place = (place, below.position);
        let active = self.check_from(place, below, &mut segments, &mut producers, &mut epochs)?;
        Ok(Found { segments, active, index_files: None, producers, epochs, recovery_place })
    }

    /// The active segment after a clean stop; `None` when it is not as a clean stop leaves it.
    fn trust(&self, segment: &Segment) -> Result<Option<(Active, IndexFiles)>, Error> {
        let Folder { path: folder, interval_bytes, .. } = self.folder;
        let file = self.folder.open_log_file(segment.base_offset)?;
        let index_files = self.folder.read_index_files(segment.base_offset, segment.end())?;
        let (index, progress) = match segment.complete_index(index_files.index.clone(), &file, folder, interval_bytes) {
            Ok(loaded) => loaded,
            Err(Error::Corrupt { path, what }) => {
                warn!(path = %path.display(), what, "segment is not as a clean stop leaves it, checking it");
                return Ok(None);
            }
            Err(other) => return Err(other),
        };
        let first = Headers::new(&file, None, 0, segment.end()).next().map_err(|f| f.at(folder))?;
        let first_timestamp = first.map(|(_, batch)| batch.max_timestamp);
        Ok(Some((Active { index, progress, first_timestamp, end: segment.end() }, index_files)))
    }

    /// Checks the segments from `place` on, of which something is known, and cuts the log before what does not hold.
    fn check_from(
        &self,
        mut place: usize,
        mut below: Below,
        segments: &mut Vec<Arc<Segment>>,
        producers: &mut Producers,
        epochs: &mut LeaderEpochs,
    ) -> Result<Active, Error> {
        let mut epochs_changed = false;
        let active = loop {
            let segment = segments[place].clone();
            let file = self.folder.open_log_file(segment.base_offset)?;
            let path = segment.path(self.folder.path, segment::LOG);
            let checked = scan::check(&segment, &file, &path, below, &self.rules, |batch| {
                producers.replay(batch);
                if epochs.latest().is_none_or(|last| batch.leader_epoch > last.epoch) {
                    epochs_changed |= epochs.note(batch.leader_epoch, batch.base_offset);
                }
            })?;
            let after = &segments[place + 1..];
            if self.ends_here(&segment, &checked, after)? {
                segments.truncate(place + 1);
                break checked.active;
            }
            let mut index = checked.active.index;
            index.push_time(segment.base_offset, checked.active.progress.largest);
            let (offsets, times) = (segment::INDEX, segment::TIME_INDEX);
            let path = |ending| segment.path(self.folder.path, ending);
            index.write_synced_if_room(self.folder.disk, &path(offsets), &path(times))?;
            place += 1;
            below = Below::nothing(segments[place].base_offset);
        };
        if epochs_changed {
            epochs.save()?;
        }
        Ok(active)
    }

    /// Whether the log ends in a segment that was checked; then nothing is behind its end.
    fn ends_here(&self, segment: &Segment, checked: &scan::Checked, after: &[Arc<Segment>]) -> Result<bool, Error> {
        let (end, offset) = (checked.active.end, checked.active.progress.next_offset);
        let path = segment.path(self.folder.path, segment::LOG);
        let tail = match &checked.fault {
            Some(_) => {
                let file = self.folder.open_log_file(segment.base_offset)?;
                tail::inspect(&file, end, segment.end()).map_err(Error::io("read", &path))?
            }
            None => Tail::Zeros,
        };
        let Some(next) = after.first().map(|next| next.base_offset) else {
            if !matches!(tail, Tail::Damaged { .. }) {
                self.refuse_missing(segment, end, offset)?;
            }
            match tail {
                // What was allocated ahead may stay: the next append stores there.
                Tail::Zeros => {}
                Tail::Incomplete => self.cut_incomplete(segment, end, offset)?,
                Tail::Damaged { end: content_end } => self.give_up(segment, checked, content_end, after)?,
            }
            return Ok(true);
        };
        if tail == Tail::Zeros && next < offset {
            let path = after[0].path(self.folder.path, segment::LOG);
            return Err(Error::Corrupt { path, what: format!("the segment before it ends at offset {offset}") });
        }
        let goes_on = next == offset || (self.rules.gaps == Gaps::Possible && checked.fault.is_none());
        if tail == Tail::Zeros && goes_on {
            if end < segment.end() {
                // A lost machine took the trim.
                self.set_length(segment, end)?;
            }
            return Ok(false);
        }
        let content_end = match tail {
            Tail::Zeros => end,
            Tail::Incomplete => segment.end(),
            Tail::Damaged { end } => end,
        };
        self.give_up(segment, checked, content_end, after)?;
        Ok(true)
    }

    /// One batch that was never whole.
    fn cut_incomplete(&self, segment: &Segment, end: u64, offset: Offset) -> Result<(), Error> {
        let TopicPartition { topic, partition } = self.topic_partition;
        let bytes = segment.end() - end;
        info!(%topic, %partition, %offset, position = end, bytes, "cut an incomplete batch off the log");
        self.set_length(segment, end)
    }

    /// The log ends before its content does: what follows is set aside if a lost machine explains it.
    fn give_up(
        &self,
        segment: &Segment,
        checked: &scan::Checked,
        content_end: u64,
        after: &[Arc<Segment>],
    ) -> Result<(), Error> {
        let (position, offset) = (checked.active.end, checked.active.progress.next_offset);
        let gap =
            || after.first().map_or(String::new(), |next| format!("the next segment begins at {}", next.base_offset));
        let what = checked.fault.clone().unwrap_or_else(gap);
        match self.last_stop {
            LastStop::Killed => {
                let path = segment.path(self.folder.path, segment::LOG);
                let what = format!("{what}, and the machine has not been started anew since it was written");
                Err(Error::Damaged { path, position, offset, what })
            }
            LastStop::Clean | LastStop::Lost => {
                let lost = cut::set_aside(&self.folder, segment, (position, content_end), offset, after)?;
                self.set_length(segment, position)?;
                // Should they come back behind what is appended next, nobody could tell which is right.
                checkpoint::sync_folder(self.folder.disk, self.folder.path)?;
                let TopicPartition { topic, partition } = self.topic_partition;
                let (bytes, segments) = (lost.bytes, lost.segments);
                let known_to = self.checkpoints.high_watermark.unwrap_or(offset).max(offset);
                warn!(
                    %topic, %partition, %offset, %known_to, position, bytes, segments, reason = what,
                    "the log was cut: records from this offset on are lost; what was there is kept in files that end in .lost"
                );
                Ok(())
            }
        }
    }

    /// Refuses a log that ends at `position` of `segment` when more is known to have been there.
    fn refuse_missing(&self, segment: &Segment, position: u64, log_end: Offset) -> Result<(), Error> {
        let Checkpoints { recovery_point, log_start, high_watermark } = self.checkpoints;
        let (known, why) = match self.last_stop {
            LastStop::Killed => {
                let known = [recovery_point, log_start, high_watermark].into_iter().flatten().max();
                (known, "were there, and the machine has not been started anew since")
            }
            LastStop::Clean | LastStop::Lost => (recovery_point, "were on disk"),
        };
        match known.filter(|known| log_end < *known) {
            None => Ok(()),
            Some(known) => {
                let path = segment.path(self.folder.path, segment::LOG);
                let what = format!("the log ends there, and records up to {known} {why}");
                Err(Error::Damaged { path, position, offset: log_end, what })
            }
        }
    }

    fn finish(&self, found: Found, files: &Files) -> Result<Recovered, Error> {
        let Found { mut segments, active, index_files, producers, mut epochs, recovery_place } = found;
        let log_end = active.progress.next_offset;
        epochs.truncate_from_end(log_end);
        let log_start = self.checkpoints.log_start.unwrap_or(Offset::ZERO).max(segments[0].base_offset);
        epochs.truncate_from_start(log_start)?;
        let (recovery_point, (place, position)) = match self.last_stop {
            LastStop::Clean => (log_end, (segments.len() - 1, active.end)),
            LastStop::Killed | LastStop::Lost => {
                (self.checkpoints.recovery_point.unwrap_or(Offset::ZERO), recovery_place)
            }
        };
        let snapshots = self.remove_stray_snapshots(&files.snapshots, &segments, log_end, recovery_point)?;

        // Only now is it known how long each is.
        let last = segments.pop().expect("there is at least one");
        let mut log_end_bytes = 0;
        for segment in &mut segments {
            *segment = Arc::new(Segment::closed(segment.base_offset, log_end_bytes, segment.end()));
            log_end_bytes += segment.end();
        }
        let index_files = match index_files {
            Some(read) => read,
            None => self.folder.read_index_files(last.base_offset, u64::MAX)?,
        };
        let path = |ending| last.path(self.folder.path, ending);
        let paths = (&*path(segment::INDEX), &*path(segment::TIME_INDEX));
        let saved_index = SavedIndex::agreeing(self.folder.disk, last.base_offset, &active.index, &index_files, paths)?;
        segments.push(Arc::new(Segment::active(
            last.base_offset,
            log_end_bytes,
            active.end,
            active.index,
            &active.progress,
        )));
        Ok(Recovered {
            recovery_point: Place { offset: recovery_point, bytes: segments[place].base_bytes + position },
            segments,
            progress: active.progress,
            first_timestamp: active.first_timestamp,
            producers,
            positions: fresh_positions(log_start, log_end, log_end_bytes + active.end, &epochs),
            epochs,
            saved_index,
            snapshots,
        })
    }

    /// The log start lies beyond all that is left: begins there with nothing (`LogLoader`).
    fn start_over(&self, log_start: Offset, found: Found, files: &Files) -> Result<Recovered, Error> {
        let TopicPartition { topic, partition } = self.topic_partition;
        warn!(%topic, %partition, offset = %log_start, "the log ends below its start offset, begins anew there");
        for segment in &found.segments {
            for ending in segment::ENDINGS {
                remove(self.folder.disk, &segment.path(self.folder.path, ending))?;
            }
        }
        for snapshot in &files.snapshots {
            remove(self.folder.disk, &segment::file_path(self.folder.path, *snapshot, segment::SNAPSHOT))?;
        }
        let mut epochs = found.epochs;
        epochs.truncate_from_end(Offset::ZERO);
        self.folder.create_segment(log_start)?;
        // The recovery point lies here from now on, and no sync of bytes will come before a checkpoint that says so.
        checkpoint::sync_folder(self.folder.disk, self.folder.path)?;
        let progress = Progress::new(log_start);
        Ok(Recovered {
            segments: vec![Arc::new(Segment::active(log_start, 0, 0, Index::default(), &progress))],
            progress,
            first_timestamp: None,
            producers: Producers::default(),
            positions: fresh_positions(log_start, log_start, 0, &epochs),
            epochs,
            recovery_point: Place { offset: log_start, bytes: 0 },
            saved_index: SavedIndex { base_offset: log_start, offsets: 0, times: 0 },
            snapshots: Vec::new(),
        })
    }

    /// Snapshots are kept at the start of each segment, and the one from which recovery would begin again. Returns those
    /// that are not at the start of a segment.
    fn remove_stray_snapshots(
        &self,
        snapshots: &BTreeSet<Offset>,
        segments: &[Arc<Segment>],
        log_end: Offset,
        recovery_point: Offset,
    ) -> Result<Vec<Offset>, Error> {
        let newest = snapshots.range(..=recovery_point).next_back();
        let mut kept = Vec::new();
        for snapshot in snapshots {
            if segments.binary_search_by_key(snapshot, |s| s.base_offset).is_ok() && *snapshot <= log_end {
                continue;
            }
            if Some(snapshot) == newest {
                kept.push(*snapshot);
            } else {
                remove(self.folder.disk, &segment::file_path(self.folder.path, *snapshot, segment::SNAPSHOT))?;
            }
        }
        Ok(kept)
    }

    fn set_length(&self, segment: &Segment, length: u64) -> Result<(), Error> {
        let path = segment.path(self.folder.path, segment::LOG);
        let file = File::options().write(true).open(&path).map_err(Error::io("open", &path))?;
        let cut = self.folder.disk.set_length(&file, length);
        // What was cut off must not come back among what is appended in its place: a batch's epoch lies outside its checksum.
        cut.and_then(|()| self.folder.disk.sync_data(&file)).map_err(Error::io("cut", &path))?;
        segment.set_end(length);
        Ok(())
    }
}

impl Folder<'_> {
    fn create_segment(&self, base: Offset) -> Result<(), Error> {
        let path = segment::file_path(self.path, base, segment::LOG);
        self.disk.create(&path).map_err(Error::io("create", &path)).map(drop)
    }

    fn open_log_file(&self, base: Offset) -> Result<File, Error> {
        let path: PathBuf = segment::file_path(self.path, base, segment::LOG);
        File::open(&path).map_err(Error::io("open", &path))
    }

    fn read_index_files(&self, base: Offset, size: u64) -> Result<IndexFiles, Error> {
        let path = |ending| segment::file_path(self.path, base, ending);
        IndexFiles::read(&path(segment::INDEX), &path(segment::TIME_INDEX), size)
    }
}

/// Nothing is above the high watermark yet: the partition raises it when it knows more.
fn fresh_positions(log_start: Offset, log_end: Offset, log_end_bytes: u64, epochs: &LeaderEpochs) -> Positions {
    Positions {
        log_start,
        last_stable: log_start,
        high_watermark: log_start,
        log_end,
        last_stable_bytes: 0,
        high_watermark_bytes: 0,
        log_end_bytes,
        leader_epoch: epochs.latest().map_or(LeaderEpoch::NONE, |last| last.epoch),
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(disk: &Disk, path: &Path) -> Result<(), Error> {
    match disk.remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(Error::io("remove", path)),
    }
}
