//! What leaves a log: segments by age, size and log start, and their files some time later.
//!
//! Invariants:
//! * nothing at or above the high watermark goes;
//! * the log start is published before a segment leaves the list, and the segment leaves before its files are renamed;
//! * what was lent stays readable through its descriptor;
//! * a large file leaves memory by steps before its name goes. The kernel takes a third of a second to forget a GiB, in which
//!   it gives the processor to nobody else: whoever waits for that processor waits for tens of milliseconds.
//!
//! Source: Kafka's `UnifiedLog.deleteOldSegments`. Called by a maintenance task where blocking is allowed.

use crate::runtime::{Disk, is_disk_full, let_leave_memory};
use crate::storage::appender::Appender;
use crate::storage::log::Log;
use crate::storage::segment::{self, Segment};
use crate::storage::{Error, ReadError, recovery};
use crate::types::{Offset, TimestampMs, TopicPartition};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};
use tracing::{info, warn};

/// So much leaves memory at a time, which takes some milliseconds; then others have the processor for as long.
const STEP_BYTES: u64 = 16 << 20;
const STEP_PAUSE: Duration = Duration::from_millis(3);

impl Log {
    /// Lets go of segments that are too old, that are too many, or that lie below the log start. Their files are renamed
    /// now and unlinked by [`delete_due`](Log::delete_due). How many segments went.
    ///
    /// # Errors
    /// The log is offline, or its files cannot be renamed.
    pub fn delete_old_segments(&self, now: TimestampMs) -> Result<usize, Error> {
        let mut appender = self.lock();
        self.check_online()?;
        let mut count = appender.delete_while(now, "retention time", |log, segment, _| log.is_expired(segment, now))?;
        if let Some(bytes_max) = self.config().retention_bytes {
            let mut surplus = self.size_bytes().saturating_sub(bytes_max);
            count += appender.delete_while(now, "retention size", |_, segment, _| {
                let fits = segment.end() <= surplus && segment.end() > 0;
                surplus -= if fits { segment.end() } else { 0 };
                Ok(fits)
            })?;
        }
        let log_start = self.positions().log_start;
        count += appender.delete_while(now, "log start offset", |_, _, next_base| {
            Ok(next_base.is_some_and(|next| next <= log_start))
        })?;
        Ok(count)
    }

    /// Moves the log start up to `to`: records below are gone for readers, and whole segments below at the next
    /// [`delete_old_segments`](Log::delete_old_segments) (DeleteRecords). Returns the log start; never moves back.
    ///
    /// # Errors
    /// `to` lies above the high watermark; the log is offline.
    pub fn advance_log_start(&self, to: Offset) -> Result<Offset, ReadError> {
        let mut appender = self.lock();
        if self.is_offline() {
            return Err(ReadError::Offline);
        }
        let positions = appender.positions();
        if to > positions.high_watermark {
            let (log_start, log_end) = (positions.log_start, positions.log_end);
            return Err(ReadError::OutOfRange { offset: to, log_start, log_end });
        }
        appender.raise_log_start(to)?;
        Ok(appender.positions().log_start)
    }

    /// Unlinks the files whose time has come, and says when the next one's will.
    ///
    /// # Errors
    /// A file cannot be removed; the others were.
    pub fn delete_due(&self, now: TimestampMs) -> Result<Option<TimestampMs>, Error> {
        let mut waiting = self.deletions.lock();
        let due: Vec<_> = waiting.extract_if(.., |(at, _)| *at <= now).collect();
        let next = waiting.iter().map(|(at, _)| *at).min();
        drop(waiting);
        let mut result = Ok(next);
        for (_, path) in due {
            leave_memory(&path);
            if let Err(error) = recovery::remove(&self.shared.disk, &path) {
                result = Err(error);
            }
        }
        result
    }

    fn is_expired(&self, segment: &Segment, now: TimestampMs) -> Result<bool, Error> {
        let Some(retention) = self.config().retention else { return Ok(false) };
        let folder = self.folder();
        let mut newest = segment.largest(&folder)?.0;
        if newest < TimestampMs(0) {
            let path = segment.path(&folder, segment::LOG);
            let modified = path.metadata().and_then(|m| m.modified()).map_err(Error::io("inspect", &path))?;
            let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
            newest = TimestampMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        }
        Ok(i128::from(now.0) - i128::from(newest.0) > retention.as_millis() as i128)
    }

    fn delete_files_later(&self, segment: &Segment, now: TimestampMs) -> Result<(), Error> {
        self.shared.files.forget(segment.key);
        let folder = self.folder();
        let delay = i64::try_from(self.config().file_delete_delay.as_millis()).unwrap_or(i64::MAX);
        let due = TimestampMs(now.0.saturating_add(delay));
        for ending in segment::ENDINGS {
            let path = segment.path(&folder, ending);
            if let Some(renamed) = rename_deleted(&self.shared.disk, &path)? {
                self.deletions.lock().push((due, renamed));
            }
        }
        Ok(())
    }
}

/// Lets what is in the files of a folder leave memory, so that their removal is quick. Blocks, and pauses.
pub fn let_folder_leave_memory(folder: &Path) {
    // What cannot be read now is told when it is to be removed.
    let Ok(entries) = fs::read_dir(folder) else { return };
    entries.flatten().for_each(|entry| leave_memory(&entry.path()));
}

/// Those who still read the file have it from the disk.
pub(super) fn leave_memory(path: &Path) {
    let Ok(file) = File::open(path) else { return };
    let length = file.metadata().map_or(0, |found| found.len());
    if length <= STEP_BYTES {
        return;
    }
    for position in (0..length).step_by(STEP_BYTES as usize) {
        let_leave_memory(&file, position, STEP_BYTES);
        thread::sleep(STEP_PAUSE);
    }
}

fn rename_deleted(disk: &Disk, path: &Path) -> Result<Option<PathBuf>, Error> {
    let mut renamed = path.as_os_str().to_owned();
    renamed.push(segment::DELETED);
    let renamed = PathBuf::from(renamed);
    match disk.rename(path, &renamed) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // The longer name may need a block for the folder. Who reads the file has it open.
        Err(error) if is_disk_full(&error) => recovery::remove(disk, path).map(|()| None),
        other => other.map(|()| Some(renamed)).map_err(Error::io("rename", path)),
    }
}

impl Appender<'_> {
    /// Deletes segments from the oldest on while `goes` says so, given the segment and the base offset of the next.
    fn delete_while(
        &mut self,
        now: TimestampMs,
        reason: &'static str,
        mut goes: impl FnMut(&Log, &Segment, Option<Offset>) -> Result<bool, Error>,
    ) -> Result<usize, Error> {
        let log = self.log();
        let segments = log.segments.load_full();
        let positions = self.positions();
        let mut count = 0;
        while let Some(segment) = segments.get(count) {
            let next_base = segments.get(count + 1).map(|next| next.base_offset);
            let is_committed = next_base.unwrap_or(positions.log_end) <= positions.high_watermark;
            let is_empty_active = next_base.is_none() && segment.end() == 0;
            if is_empty_active || !is_committed || !goes(log, segment, next_base)? {
                break;
            }
            count += 1;
        }
        if count == 0 {
            return Ok(0);
        }
        if count == segments.len() && self.roll(now).is_err() {
            log.check_online()?;
            warn!(folder = %log.folder().display(), "no room for a new segment, the active one stays");
            count -= 1;
        }
        self.delete_first(count, now, reason)
    }

    fn delete_first(&mut self, count: usize, now: TimestampMs, reason: &'static str) -> Result<usize, Error> {
        let log = self.log();
        let segments: Vec<Arc<Segment>> = Vec::clone(&log.segments.load());
        let (gone, kept) = segments.split_at(count);
        let Some(first_kept) = kept.first() else { return Ok(0) };
        self.raise_log_start(first_kept.base_offset)?;
        log.segments.store(Arc::new(kept.to_vec()));
        for segment in gone {
            let TopicPartition { topic, partition } = &log.topic_partition;
            let (offset, bytes) = (segment.base_offset, segment.end());
            info!(%topic, %partition, %offset, bytes, reason, "deleted a segment");
            log.delete_files_later(segment, now).inspect_err(|error| log.take_offline(error))?;
        }
        Ok(count)
    }

    /// Publishes a higher log start, and lets the leader epochs follow.
    fn raise_log_start(&mut self, to: Offset) -> Result<(), Error> {
        let log = self.log();
        let mut positions = self.positions();
        if to <= positions.log_start {
            return Ok(());
        }
        positions.log_start = to;
        if positions.last_stable < to {
            positions.last_stable = to;
            positions.last_stable_bytes = match log.bytes_below(to, &positions) {
                Err(ReadError::Failed(error)) => return Err(error),
                other => other.unwrap_or(positions.high_watermark_bytes),
            };
        }
        self.state().positions = positions;
        log.published.store(&positions);
        log.epochs.write().truncate_from_start(to).inspect_err(|error| log.take_offline(error))
    }
}
