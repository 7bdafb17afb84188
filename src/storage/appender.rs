//! The appender of a log: checks, stores, indexes, publishes.
//!
//! Invariants:
//! * everything is checked before anything is changed: the producers' sequences first, then room, then the bytes are
//!   stored, then indexes and producers follow, then the positions are published;
//! * bytes are stored as they came, but for the 61 bytes of header that [`record::stamp`] gives;
//! * a failure of the disk takes the log offline; a full disk does not: what was not published is taken back.

use crate::config::{LogConfig, TimestampType};
use crate::record::{self, BatchInfo, HEADER_BYTES};
use crate::runtime::is_disk_full;
use crate::storage::index::{self, Index};
use crate::storage::log::{self, Log, State};
use crate::storage::producers::{ProducerRefusal, Verdict};
use crate::storage::segment::{self, Segment};
use crate::storage::writer::{Origin, Writer};
use crate::storage::{AppendError, Error, Place, Positions, ReadError, snapshot};
use crate::types::{LeaderEpoch, Offset, TimestampMs, TopicPartition};
use parking_lot::MutexGuard;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tracing::debug;

/// A validated batch on its way into the log, and what became of it.
#[derive(Debug)]
pub struct LeaderBatch<'a> {
    /// One whole batch, as the producer sent it.
    pub bytes: &'a [u8],
    /// Its header, as [`record::validate_produced`] returned it.
    pub info: BatchInfo,
    /// Set by [`Appender::append`].
    pub outcome: Outcome,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet.
    Pending,
    /// Stored.
    Appended {
        /// The offset of its first record.
        base_offset: Offset,
        /// The time that it was stamped with; [`TimestampMs::NONE`] unless the topic has `LogAppendTime`.
        append_time: TimestampMs,
    },
    /// It was stored before: a retry.
    Duplicate {
        /// The offset of its first record, then.
        base_offset: Offset,
        /// The offset after its last record.
        next_offset: Offset,
        /// Its largest timestamp, as Kafka answers whatever the timestamp type.
        append_time: TimestampMs,
    },
    /// The producer may not write this.
    Refused(ProducerRefusal),
}

/// The right to change a log. Short-lived; never held across an `await`.
#[derive(Debug)]
pub struct Appender<'a> {
    log: &'a Log,
    state: MutexGuard<'a, State>,
}

/// A batch that will be stored.
#[derive(Debug)]
pub(super) struct Accepted {
    /// Which one of the group.
    place: usize,
    header: [u8; HEADER_BYTES],
    /// As it will lie in the log.
    info: BatchInfo,
    position: u64,
}

impl<'a> Appender<'a> {
    pub(super) fn new(log: &'a Log, state: MutexGuard<'a, State>) -> Appender<'a> {
        Appender { log, state }
    }

    /// Appends batches in order, each with the offsets that follow the one before. Each batch's outcome says what became
    /// of it. Batches that do not fit into one segment are stored in several steps.
    ///
    /// # Errors
    /// The batches whose outcome is still [`Outcome::Pending`] were not appended; with [`AppendError::Offline`] the log
    /// takes no more.
    pub fn append(&mut self, batches: &mut [LeaderBatch<'_>], now: TimestampMs) -> Result<(), AppendError> {
        if self.log.is_offline() {
            return Err(AppendError::Offline);
        }
        let config = self.log.config.load();
        let segment_bytes = segment_bytes(&config);
        if let Some(bytes) = batches.iter().map(|b| b.bytes.len() as u64).find(|bytes| *bytes > segment_bytes) {
            return Err(AppendError::LargerThanSegment { bytes, segment_bytes });
        }
        let mut rest = batches;
        while !rest.is_empty() {
            let mut accepted = std::mem::take(&mut self.state.accepted);
            accepted.clear();
            let done = self.append_group(rest, &mut accepted, &config, now);
            self.state.accepted = accepted;
            if done.is_err() {
                self.state.pending.clear();
                rest.iter_mut().for_each(|batch| batch.outcome = Outcome::Pending);
            }
            rest = &mut rest[done?..];
        }
        Ok(())
    }

    /// Appends as many of the batches as fit into one segment. How many have an outcome.
    fn append_group(
        &mut self,
        batches: &mut [LeaderBatch<'_>],
        accepted: &mut Vec<Accepted>,
        config: &LogConfig,
        now: TimestampMs,
    ) -> Result<usize, AppendError> {
        let append_time = (config.timestamp_type == TimestampType::LogAppendTime).then_some(now);
        let mut next_offset = self.state.positions.log_end;
        let mut bytes = 0;
        let mut done = 0;
        for (place, batch) in batches.iter_mut().enumerate() {
            assert!(batch.bytes.len() == batch.info.size_bytes as usize, "the header is that of another batch");
            let refusal = match self.state.producers.check(&self.state.pending, &batch.info) {
                Verdict::Append => None,
                Verdict::Refuse(refusal) => Some(Outcome::Refused(refusal)),
                Verdict::Duplicate(stored) => Some(Outcome::Duplicate {
                    base_offset: stored.base_offset,
                    next_offset: stored.last_offset.plus(1),
                    append_time: stored.timestamp,
                }),
            };
            if let Some(outcome) = refusal {
                batch.outcome = outcome;
                done += 1;
                continue;
            }
            let leader_epoch = self.state.positions.leader_epoch;
            let mut info = BatchInfo { base_offset: next_offset, leader_epoch, ..batch.info };
            info.max_timestamp = append_time.unwrap_or(info.max_timestamp);
            if self.state.is_roll_due(bytes, &info, config, now) {
                if bytes > 0 {
                    break;
                }
                self.ask_for_room(batch.bytes.len() as u64, now)?;
                self.roll(now)?;
            }
            let state = &mut *self.state;
            state.producers.prepare(&mut state.pending, &info);
            let header = record::stamp(batch.bytes, next_offset, leader_epoch, append_time);
            accepted.push(Accepted { place, header, info, position: state.active.end() + bytes });
            let append_time = append_time.unwrap_or(TimestampMs::NONE);
            batch.outcome = Outcome::Appended { base_offset: next_offset, append_time };
            next_offset = info.next_offset();
            bytes += batch.bytes.len() as u64;
            done += 1;
        }
        if !accepted.is_empty() {
            self.store(batches, accepted, bytes, segment_bytes(config), now)?;
            self.publish_batches(accepted, next_offset, bytes, config);
        }
        Ok(done)
    }

    /// Puts the bytes into the file.
    fn store(
        &mut self,
        batches: &[LeaderBatch<'_>],
        accepted: &[Accepted],
        bytes: u64,
        segment_bytes: u64,
        now: TimestampMs,
    ) -> Result<(), AppendError> {
        let writer = self.writer()?;
        if let Err(source) = writer.reserve(bytes, segment_bytes, now) {
            return Err(self.refuse(bytes, self.io_error("allocate", source)));
        }
        let pieces = accepted.iter().flat_map(|a| [&a.header[..], &batches[a.place].bytes[HEADER_BYTES..]]);
        match writer.store(pieces, bytes) {
            Ok(()) => Ok(()),
            // Where the file system does not allocate ahead: nothing of it was published, and the file is cut.
            Err(source) if is_disk_full(&source) && writer.trim().is_ok() => {
                self.log.shared.room.note_refused(bytes, now);
                Err(AppendError::DiskFull { bytes, source })
            }
            Err(source) => Err(self.give_up(&self.io_error("write", source))),
        }
    }

    /// Before a new segment is begun, whose other files would take from the reserve.
    fn ask_for_room(&self, bytes: u64, now: TimestampMs) -> Result<(), AppendError> {
        if self.origin() == Origin::Internal {
            return Ok(());
        }
        match self.log.shared.room.ask(bytes, bytes, now) {
            Ok(_) => Ok(()),
            Err(source) => Err(AppendError::DiskFull { bytes, source }),
        }
    }

    fn origin(&self) -> Origin {
        if self.log.topic_partition.topic.is_internal() { Origin::Internal } else { Origin::Users }
    }

    /// The active segment's writer, opened by the first append.
    fn writer(&mut self) -> Result<&mut Writer, AppendError> {
        if self.state.writer.is_none() {
            let path = self.state.active.path(&self.log.folder(), segment::LOG);
            let file = match File::options().read(true).write(true).open(&path) {
                Ok(file) => Arc::new(file),
                Err(source) => return Err(self.give_up(&self.io_error("open", source))),
            };
            self.state.active.set_file(file.clone());
            self.state.writer = Some(Writer::new(file, self.state.active.end(), self.origin(), &self.log.shared));
        }
        Ok(self.state.writer.as_mut().expect("made above"))
    }

    /// The bytes are stored: lets everybody know.
    fn publish_batches(&mut self, accepted: &[Accepted], log_end: Offset, bytes: u64, config: &LogConfig) {
        let state = &mut *self.state;
        let base_offset = state.active.base_offset;
        for batch in accepted {
            if state.progress.observe(&batch.info, config.index_interval_bytes)
                && let Some(index) = state.active.index().write().as_mut()
            {
                index.push(base_offset, batch.info.last_offset(), batch.position, state.progress.largest);
            }
            state.first_timestamp.get_or_insert(batch.info.max_timestamp);
        }
        state.active.set_largest(state.progress.largest);
        state.producers.commit(&mut state.pending);
        let writer = state.writer.as_mut().expect("it stored the bytes");
        writer.publish(&state.active);
        state.active.set_end(state.active.end() + bytes);
        state.positions.log_end = log_end;
        state.positions.log_end_bytes += bytes;
        self.log.published.store(&state.positions);
    }

    /// Closes the active segment and begins a new one at the log end. Nothing is synced here: [`Log::flush`] does it,
    /// and what a crash leaves of the index and snapshot files is completed or passed over at the next start.
    pub(super) fn roll(&mut self, now: TimestampMs) -> Result<(), AppendError> {
        let closed = self.state.active.clone();
        let (base_offset, base_bytes) = (self.state.positions.log_end, self.state.positions.log_end_bytes);
        let file = Arc::new(self.close_and_create(base_offset).map_err(|error| self.refuse(0, error))?);
        let progress = index::Progress::new(base_offset);
        let active = Arc::new(Segment::active(base_offset, base_bytes, 0, Index::default(), &progress));
        active.set_file(file.clone());
        self.log.note_new_file();
        let mut segments = Vec::clone(&self.log.segments.load());
        segments.push(active.clone());
        self.log.segments.store(Arc::new(segments));
        closed.set_map(None);
        *closed.index().write() = None;
        let origin = self.origin();
        let state = &mut *self.state;
        state.writer = Some(Writer::new(file, 0, origin, &self.log.shared));
        state.active = active;
        state.progress = progress;
        state.first_timestamp = None;
        state.created = now;
        state.jitter = log::random();
        let TopicPartition { topic, partition } = &self.log.topic_partition;
        debug!(%topic, %partition, offset = %base_offset, "rolled a new segment");
        Ok(())
    }

    /// Everything about a roll that can fail. What it did can be done again.
    fn close_and_create(&mut self, base_offset: Offset) -> Result<File, Error> {
        self.close_active()?;
        let (disk, folder) = (&self.log.shared.disk, self.log.folder());
        snapshot::write(disk, &segment::file_path(&folder, base_offset, segment::SNAPSHOT), &self.state.producers)?;
        let path = segment::file_path(&folder, base_offset, segment::LOG);
        disk.create(&path).map_err(Error::io("create", &path))
    }

    /// Trims the active segment and writes its index files. It can be appended to afterwards.
    pub(super) fn close_active(&mut self) -> Result<(), Error> {
        let (disk, folder) = (&self.log.shared.disk, self.log.folder());
        let active = self.state.active.clone();
        let path = active.path(&folder, segment::LOG);
        let trimmed = match &mut self.state.writer {
            Some(writer) => writer.trim(),
            None => File::options().read(true).write(true).open(&path).and_then(|file| {
                disk.set_length(&file, active.end())?;
                // The next sync has something to do.
                active.set_file(Arc::new(file));
                Ok(())
            }),
        };
        trimmed.map_err(Error::io("trim", &path))?;
        if let Some(index) = active.index().write().as_mut() {
            index.push_time(active.base_offset, self.state.progress.largest);
            index.write(disk, &active.path(&folder, segment::INDEX), &active.path(&folder, segment::TIME_INDEX))?;
        }
        Ok(())
    }

    /// Lets records up to `to` be read by consumers. Never moves back, and never beyond the log end.
    ///
    /// # Errors
    /// The place of `to` cannot be found in the log.
    pub fn set_high_watermark(&mut self, to: Offset) -> Result<(), ReadError> {
        let positions = &self.state.positions;
        let to = to.min(positions.log_end);
        if to <= positions.high_watermark {
            return Ok(());
        }
        let bytes = self.log.bytes_below(to, positions)?;
        self.set_high_watermark_at(Place { offset: to, bytes });
        Ok(())
    }

    /// As [`set_high_watermark`](Appender::set_high_watermark), to a place of this log that needs not be looked for.
    pub fn set_high_watermark_at(&mut self, to: Place) {
        let positions = &mut self.state.positions;
        if positions.high_watermark < to.offset && to.offset <= positions.log_end {
            positions.high_watermark = to.offset;
            positions.high_watermark_bytes = to.bytes;
            self.log.published.store(&self.state.positions);
        }
    }

    /// Lets records up to `to` be read by read-committed consumers. Never moves back, and never beyond the high watermark.
    ///
    /// # Errors
    /// The place of `to` cannot be found in the log.
    pub fn set_last_stable(&mut self, to: Offset) -> Result<(), ReadError> {
        let positions = &self.state.positions;
        let to = to.min(positions.high_watermark);
        if to <= positions.last_stable {
            return Ok(());
        }
        let bytes = self.log.bytes_below(to, positions)?;
        self.state.positions.last_stable = to;
        self.state.positions.last_stable_bytes = bytes;
        self.log.published.store(&self.state.positions);
        Ok(())
    }

    /// Lets `epoch` begin at the log end: batches are stamped with it from now on (`UnifiedLog.assignEpochStartOffset`).
    ///
    /// # Errors
    /// The checkpoint cannot be written, which takes the log offline.
    pub fn assign_epoch(&mut self, epoch: LeaderEpoch) -> Result<(), Error> {
        self.log.check_online()?;
        let assigned = self.log.epochs.write().assign(epoch, self.state.positions.log_end);
        assigned.inspect_err(|error| self.log.take_offline(error))?;
        self.state.positions.leader_epoch = epoch;
        self.log.published.store(&self.state.positions);
        Ok(())
    }

    /// The positions, as this appender left them.
    pub fn positions(&self) -> Positions {
        self.state.positions
    }

    pub(super) fn log(&self) -> &'a Log {
        self.log
    }

    pub(super) fn state(&mut self) -> &mut State {
        &mut self.state
    }

    fn io_error(&self, operation: &'static str, source: io::Error) -> Error {
        Error::Io { operation, path: self.state.active.path(&self.log.folder(), segment::LOG), source }
    }

    /// What a failure before the first byte means: a full disk is told and may pass, all else is the end.
    fn refuse(&self, bytes: u64, cause: Error) -> AppendError {
        match cause {
            Error::Io { source, .. } if is_disk_full(&source) => AppendError::DiskFull { bytes, source },
            other => self.give_up(&other),
        }
    }

    fn give_up(&self, cause: &Error) -> AppendError {
        self.log.take_offline(cause);
        AppendError::Offline
    }
}

impl Drop for Appender<'_> {
    /// What a panic left half-done is not appended to.
    fn drop(&mut self) {
        if thread::panicking() {
            self.log.take_offline(&"the appender panicked");
        }
    }
}

/// Positions in a segment must fit into Kafka's signed 32 bits.
pub(super) fn segment_bytes(config: &LogConfig) -> u64 {
    u64::from(config.segment_bytes.min(i32::MAX as u32))
}

impl State {
    /// Whether `batch`, after `pending_bytes` that go before it, belongs into a new segment (`LogSegment.shouldRoll`).
    fn is_roll_due(&self, pending_bytes: u64, batch: &BatchInfo, config: &LogConfig, now: TimestampMs) -> bool {
        let bytes = self.active.end() + pending_bytes;
        if bytes == 0 {
            return index::relative(self.active.base_offset, batch.last_offset()).is_none();
        }
        let age_max = milliseconds(config.segment_age_max);
        let jitter_max = i128::from(milliseconds(config.segment_jitter_max).min(age_max));
        let jitter = (jitter_max * i128::from(self.jitter)) >> 32;
        let waited = match self.first_timestamp {
            Some(first) if first.0 >= 0 => batch.max_timestamp.0.saturating_sub(first.0),
            _ => now.0.saturating_sub(self.created.0),
        };
        bytes + u64::from(batch.size_bytes) > segment_bytes(config)
            || i128::from(waited) > i128::from(age_max) - jitter
            || (self.active.index().read().as_ref()).is_some_and(|index| index.is_full(config.segment_index_bytes))
            || index::relative(self.active.base_offset, batch.last_offset()).is_none()
    }
}

pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
