//! Opening a partition's folder: what is there, what of it holds, and what must be made anew.
//!
//! Invariants:
//! * after a clean stop the log is taken as it is: one walk from the last index entry finds its end;
//! * after any other stop every batch from the recovery point's segment on is checked (length, magic, CRC, offsets that
//!   rise), and the log is cut before the first that is not whole; what was allocated ahead, zeros, is passed over;
//! * indexes and the producers' state are made from the log where files are missing or do not agree with it.
//!
//! Source: Kafka's `LogLoader`, `LogSegment.recover`, `UnifiedLog.rebuildProducerState`.

use crate::config::LogConfig;
use crate::record::BatchInfo;
use crate::runtime::Disk;
use crate::storage::epochs::{self, LeaderEpochs};
use crate::storage::headers::Headers;
use crate::storage::index::{Index, Progress, SavedIndex};
use crate::storage::log::Recovered;
use crate::storage::positions::Positions;
use crate::storage::producers::Producers;
use crate::storage::scan::{self, Active};
use crate::storage::segment::{self, Segment};
use crate::storage::{Error, Place, checkpoint, snapshot};
use crate::types::{LeaderEpoch, Offset, TopicPartition};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::{info, warn};

/// As many bytes before the newest snapshot are looked at for batches that may be sent again: five of the largest batches
/// of three producers. Only headers are read.
const REMEMBERED_BYTES: u64 = 16 << 20;

/// What the directory's checkpoints say about a log.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checkpoints {
    pub(super) recovery_point: Option<Offset>,
    pub(super) log_start: Option<Offset>,
}

/// How the process before this one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastStop {
    Clean,
    Unclean,
}

/// Opens the folder of a partition.
pub(super) fn recover(
    disk: &Disk,
    topic_partition: &TopicPartition,
    folder: &Path,
    config: &LogConfig,
    last_stop: LastStop,
    checkpoints: Checkpoints,
) -> Result<Recovered, Error> {
    let recovery = Recovery { disk, topic_partition, folder, config };
    let mut files = Files::list(disk, folder)?;
    if files.bases.is_empty() {
        let base = checkpoints.log_start.unwrap_or(Offset::ZERO);
        recovery.create_segment(base)?;
        files.bases.push(base);
    }
    recovery.run(files, last_stop, checkpoints)
}

struct Recovery<'a> {
    disk: &'a Disk,
    topic_partition: &'a TopicPartition,
    folder: &'a Path,
    config: &'a LogConfig,
}

/// The files of a folder that matter, by offset.
struct Files {
    bases: Vec<Offset>,
    snapshots: BTreeSet<Offset>,
}

impl Files {
    /// Lists the folder, and removes what an earlier process left on its way out.
    fn list(disk: &Disk, folder: &Path) -> Result<Files, Error> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
            let name = entry.map_err(Error::io("list", folder))?.file_name();
            names.extend(name.into_string());
        }
        let offsets = |ending| names.iter().filter_map(move |name| segment::parse_file_name(name, ending));
        let mut bases: Vec<Offset> = offsets(segment::LOG).collect();
        bases.sort_unstable();
        let snapshots = offsets(segment::SNAPSHOT).collect();
        for name in &names {
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

impl Recovery<'_> {
    fn run(&self, mut files: Files, last_stop: LastStop, checkpoints: Checkpoints) -> Result<Recovered, Error> {
        let recovery_point = checkpoints.recovery_point.unwrap_or(Offset::ZERO);
        let mut first_checked = match last_stop {
            LastStop::Clean => files.bases.len(),
            // The one that ends at the recovery point was perhaps trimmed after it, not durably.
            LastStop::Unclean => files.bases.partition_point(|b| *b < recovery_point).saturating_sub(1),
        };
        let mut segments: Vec<Arc<Segment>> = Vec::new();
        for base in &files.bases {
            let path = segment::file_path(self.folder, *base, segment::LOG);
            let length = path.metadata().map_err(Error::io("inspect", &path))?.len();
            segments.push(Arc::new(Segment::closed(*base, 0, length)));
        }
        let trusted = match first_checked == segments.len() {
            true => self.trust(segments.last().expect("there is at least one"))?,
            false => None,
        };
        if trusted.is_none() {
            first_checked = first_checked.min(segments.len() - 1);
        }

        let checked_from = match &trusted {
            Some(active) => active.progress.next_offset,
            None => segments[first_checked].base_offset,
        };
        let mut epochs = self.open_epochs(&segments, checked_from)?;
        let mut producers = self.producers_at(checked_from, &files, &segments)?;
        let active = match trusted {
            Some(active) => active,
            None => self.check_from(first_checked, recovery_point, &mut segments, &mut producers, &mut epochs)?,
        };
        let log_end = active.progress.next_offset;
        epochs.truncate_from_end(log_end)?;
        if checkpoints.log_start.is_some_and(|start| start > log_end) {
            return self.start_over(checkpoints.log_start.expect("just seen"), &segments, &mut files, epochs);
        }
        let log_start = checkpoints.log_start.unwrap_or(Offset::ZERO).max(segments[0].base_offset);
        epochs.truncate_from_start(log_start)?;
        let recovery_point = match last_stop {
            LastStop::Clean => log_end,
            LastStop::Unclean => recovery_point.min(log_end),
        };
        let snapshots = self.remove_stray_snapshots(&files.snapshots, &segments, log_end, recovery_point)?;
        let last_base = segments.last().expect("there is at least one").base_offset;
        let index_path = |ending| segment::file_path(self.folder, last_base, ending);
        let saved_index = SavedIndex::agreeing(
            self.disk,
            last_base,
            &active.index,
            &index_path(segment::INDEX),
            &index_path(segment::TIME_INDEX),
        )?;

        // Only now is it known how long each is.
        let last = segments.pop().expect("there is at least one");
        let mut log_end_bytes = 0;
        for segment in &mut segments {
            *segment = Arc::new(Segment::closed(segment.base_offset, log_end_bytes, segment.end()));
            log_end_bytes += segment.end();
        }
        let (base_offset, end, progress) = (last.base_offset, active.end, active.progress);
        segments.push(Arc::new(Segment::active(base_offset, log_end_bytes, end, active.index, &progress)));
        log_end_bytes += end;
        let holds = segments.partition_point(|s| s.base_offset <= recovery_point).saturating_sub(1);
        let recovery_point_bytes = if recovery_point == log_end { log_end_bytes } else { segments[holds].base_bytes };
        Ok(Recovered {
            segments,
            progress: active.progress,
            first_timestamp: active.first_timestamp,
            producers,
            positions: fresh_positions(log_start, log_end, log_end_bytes, &epochs),
            epochs,
            recovery_point: Place { offset: recovery_point, bytes: recovery_point_bytes },
            saved_index,
            snapshots,
        })
    }

    /// The active segment after a clean stop; `None` when it is not as a clean stop leaves it.
    fn trust(&self, segment: &Segment) -> Result<Option<Active>, Error> {
        let file = self.open_log_file(segment.base_offset)?;
        let (index, progress) = match segment.load_index(&file, self.folder, self.config.index_interval_bytes) {
            Ok(loaded) => loaded,
            Err(Error::Corrupt { path, what }) => {
                warn!(path = %path.display(), what, "segment is not as a clean stop leaves it, checking it");
                return Ok(None);
            }
            Err(other) => return Err(other),
        };
        let first = Headers::new(&file, None, 0, segment.end()).next().map_err(|f| f.at(self.folder))?;
        let first_timestamp = first.map(|(_, batch)| batch.max_timestamp);
        Ok(Some(Active { index, progress, first_timestamp, end: segment.end() }))
    }

    /// Checks the segments from `first` on, and cuts the log before what does not hold.
    fn check_from(
        &self,
        first: usize,
        recovery_point: Offset,
        segments: &mut Vec<Arc<Segment>>,
        producers: &mut Producers,
        epochs: &mut LeaderEpochs,
    ) -> Result<Active, Error> {
        if let Some(before) = first.checked_sub(1).map(|place| &segments[place]) {
            let file = self.open_log_file(before.base_offset)?;
            let (_, progress) = before.load_index(&file, self.folder, self.config.index_interval_bytes)?;
            self.refuse_overlap(progress.next_offset, &segments[first])?;
        }
        let mut epochs_changed = false;
        let mut place = first;
        let active = loop {
            let segment = segments[place].clone();
            let file = self.open_log_file(segment.base_offset)?;
            let path = segment.path(self.folder, segment::LOG);
            let checked = scan::check(&segment, &file, &path, self.config.index_interval_bytes, |batch| {
                producers.replay(batch);
                if epochs.latest().is_none_or(|last| batch.leader_epoch > last.epoch) {
                    epochs_changed |= epochs.note(batch.leader_epoch, batch.base_offset);
                }
            })?;
            let is_last = place + 1 == segments.len();
            let next_base = segments.get(place + 1).map(|next| next.base_offset);
            let fault = checked.fault.or_else(|| {
                let end = checked.active.progress.next_offset;
                // Nothing but the cleaner leaves gaps, and not above the recovery point.
                let next = next_base.filter(|next| *next > end.max(recovery_point))?;
                Some(format!("the log ends at offset {end} and goes on at {next}"))
            });
            if let Some(fault) = &fault
                && !self.trim_if_followed(&segment, &checked.active, next_base)?
            {
                self.cut(&segment, &checked.active, fault, &segments[place + 1..])?;
                segments.truncate(place + 1);
                break checked.active;
            }
            if is_last {
                break checked.active;
            }
            self.refuse_overlap(checked.active.progress.next_offset, &segments[place + 1])?;
            let mut index = checked.active.index;
            index.push_time(segment.base_offset, checked.active.progress.largest);
            index.write_synced(
                self.disk,
                &segment.path(self.folder, segment::INDEX),
                &segment.path(self.folder, segment::TIME_INDEX),
            )?;
            place += 1;
        };
        if epochs_changed {
            epochs.save()?;
        }
        Ok(active)
    }

    /// Two segments that hold the same offsets: which one is right cannot be known here.
    fn refuse_overlap(&self, end: Offset, next: &Segment) -> Result<(), Error> {
        if next.base_offset >= end {
            return Ok(());
        }
        let path = next.path(self.folder, segment::LOG);
        Err(Error::Corrupt { path, what: format!("the segment before it ends at offset {end}") })
    }

    /// A closed segment that still has what was allocated ahead, because a power cut took the trim: gives it back. True
    /// when the log goes on in the next segment.
    fn trim_if_followed(&self, segment: &Segment, kept: &Active, next_base: Option<Offset>) -> Result<bool, Error> {
        if next_base != Some(kept.progress.next_offset) {
            return Ok(false);
        }
        let path = segment.path(self.folder, segment::LOG);
        let file = File::options().read(true).write(true).open(&path).map_err(Error::io("open", &path))?;
        if !scan::is_zero(&file, kept.end, segment.end()).map_err(Error::io("read", &path))? {
            return Ok(false);
        }
        self.disk.set_length(&file, kept.end).map_err(Error::io("cut", &path))?;
        segment.set_end(kept.end);
        Ok(true)
    }

    /// Takes what follows the last whole batch away, and the segments after it.
    fn cut(&self, segment: &Segment, kept: &Active, fault: &str, after: &[Arc<Segment>]) -> Result<(), Error> {
        let path = segment.path(self.folder, segment::LOG);
        let file = File::options().read(true).write(true).open(&path).map_err(Error::io("open", &path))?;
        let (end, length) = (kept.end, segment.end());
        let TopicPartition { topic, partition } = self.topic_partition;
        let offset = kept.progress.next_offset;
        if scan::is_zero(&file, end, length).map_err(Error::io("read", &path))? {
            if after.is_empty() {
                // What was allocated ahead may stay: the next append stores there.
                return Ok(());
            }
        } else {
            let bytes = length - end;
            info!(%topic, %partition, %offset, bytes, reason = fault, "cut an incomplete end off the log");
        }
        if !after.is_empty() {
            let bytes: u64 = after.iter().map(|s| s.end()).sum();
            let count = after.len();
            warn!(%topic, %partition, %offset, count, bytes, "removed the segments after a broken batch");
        }
        self.disk.set_length(&file, end).map_err(Error::io("cut", &path))?;
        if after.is_empty() {
            return Ok(());
        }
        // Should they come back behind what is appended next, nobody could tell which is right.
        after.iter().try_for_each(|s| self.remove_segment_files(s.base_offset))?;
        checkpoint::sync_folder(self.disk, self.folder)
    }

    /// The newest snapshot at or below `offset`, and what follows it in the log.
    fn producers_at(&self, offset: Offset, files: &Files, segments: &[Arc<Segment>]) -> Result<Producers, Error> {
        let mut from = segments[0].base_offset;
        let mut producers = Producers::default();
        for snapshot in files.snapshots.range(..=offset).rev() {
            let path = segment::file_path(self.folder, *snapshot, segment::SNAPSHOT);
            match snapshot::read(&path) {
                Ok(found) => {
                    (from, producers) = (*snapshot, found);
                    break;
                }
                Err(error) => warn!(path = %path.display(), %error, "snapshot passed over"),
            }
        }
        self.walk(segments, from, offset, |batch| producers.replay(batch))?;
        if !producers.entries.is_empty() {
            producers.remember(&self.latest_producers(offset, segments));
        }
        Ok(producers)
    }

    /// What the last batches below `offset` tell of their producers: a snapshot has one batch of each, and those before
    /// it may come again, because their answers were lost. What cannot be read here tells nothing: the batches that
    /// matter were looked at already.
    fn latest_producers(&self, offset: Offset, segments: &[Arc<Segment>]) -> Producers {
        let count = segments.partition_point(|s| s.base_offset < offset);
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        for segment in segments[..count].iter().rev() {
            let start = segment.end().saturating_sub(REMEMBERED_BYTES - bytes);
            pieces.push((segment, start));
            bytes += segment.end() - start;
            if bytes >= REMEMBERED_BYTES {
                break;
            }
        }
        let mut producers = Producers::default();
        for (segment, start) in pieces.into_iter().rev() {
            let _ = self.replay_tail(segment, start, offset, &mut producers);
        }
        producers
    }

    /// Replays the batches of a segment that end after `start` and lie below `offset`.
    fn replay_tail(
        &self,
        segment: &Segment,
        start: u64,
        offset: Offset,
        producers: &mut Producers,
    ) -> Result<(), Error> {
        let file = self.open_log_file(segment.base_offset)?;
        let start = match start {
            0 => 0,
            _ => segment.load_index(&file, self.folder, self.config.index_interval_bytes)?.0.position_before(start),
        };
        let mut headers = Headers::new(&file, None, start, segment.end());
        while let Some((_, batch)) = headers.next().map_err(|fault| fault.at(self.folder))? {
            if batch.base_offset >= offset {
                break;
            }
            producers.replay(&batch);
        }
        Ok(())
    }

    /// Shows the headers of all batches in a range of offsets.
    fn walk(
        &self,
        segments: &[Arc<Segment>],
        from: Offset,
        to: Offset,
        mut seen: impl FnMut(&BatchInfo),
    ) -> Result<(), Error> {
        let first = segments.partition_point(|s| s.base_offset <= from).saturating_sub(1);
        for segment in segments[first..].iter().take_while(|s| s.base_offset < to && from < to) {
            let file = self.open_log_file(segment.base_offset)?;
            let mut headers = Headers::new(&file, None, 0, segment.end());
            let path = segment.path(self.folder, segment::LOG);
            while let Some((_, batch)) = headers.next().map_err(|fault| fault.at(&path))? {
                if batch.base_offset >= to {
                    return Ok(());
                }
                if batch.base_offset >= from {
                    seen(&batch);
                }
            }
        }
        Ok(())
    }

    /// The leader epochs. A file that cannot be read, or is missing beside batches, is made anew from the batches below
    /// `checked_from`; those above will be looked at anyway.
    fn open_epochs(&self, segments: &[Arc<Segment>], checked_from: Offset) -> Result<LeaderEpochs, Error> {
        let path = self.folder.join(epochs::FILE_NAME);
        let mut epochs = match LeaderEpochs::open(self.disk, path.clone()) {
            Ok(epochs) if epochs.latest().is_some() || segments.iter().all(|s| s.end() == 0) => return Ok(epochs),
            Ok(epochs) => epochs,
            Err(Error::Corrupt { path, what }) => {
                warn!(path = %path.display(), what, "leader epochs made anew from the log");
                remove(self.disk, &path)?;
                LeaderEpochs::open(self.disk, path)?
            }
            Err(other) => return Err(other),
        };
        let mut is_found = false;
        self.walk(segments, segments[0].base_offset, checked_from, |batch| {
            is_found |= epochs.note(batch.leader_epoch, batch.base_offset);
        })?;
        if is_found {
            epochs.save()?;
        }
        Ok(epochs)
    }

    /// The log start lies beyond all that is left: begins there with nothing (`LogLoader`).
    fn start_over(
        &self,
        log_start: Offset,
        segments: &[Arc<Segment>],
        files: &mut Files,
        mut epochs: LeaderEpochs,
    ) -> Result<Recovered, Error> {
        let TopicPartition { topic, partition } = self.topic_partition;
        warn!(%topic, %partition, offset = %log_start, "the log ends below its start offset, begins anew there");
        segments.iter().try_for_each(|s| self.remove_segment_files(s.base_offset))?;
        for snapshot in std::mem::take(&mut files.snapshots) {
            remove(self.disk, &segment::file_path(self.folder, snapshot, segment::SNAPSHOT))?;
        }
        epochs.truncate_from_end(Offset::ZERO)?;
        self.create_segment(log_start)?;
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
                remove(self.disk, &segment::file_path(self.folder, *snapshot, segment::SNAPSHOT))?;
            }
        }
        Ok(kept)
    }

    fn remove_segment_files(&self, base: Offset) -> Result<(), Error> {
        for ending in segment::ENDINGS {
            remove(self.disk, &segment::file_path(self.folder, base, ending))?;
        }
        Ok(())
    }

    fn create_segment(&self, base: Offset) -> Result<(), Error> {
        let path = segment::file_path(self.folder, base, segment::LOG);
        self.disk.create(&path).map_err(Error::io("create", &path)).map(drop)
    }

    fn open_log_file(&self, base: Offset) -> Result<File, Error> {
        let path: PathBuf = segment::file_path(self.folder, base, segment::LOG);
        File::open(&path).map_err(Error::io("open", &path))
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
