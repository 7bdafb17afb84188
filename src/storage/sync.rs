//! What is on disk, and from where recovery must read: two positions of a log.
//!
//! Invariants:
//! * recovery point ≤ synced ≤ log end;
//! * *synced* moves with each sync of the segments, which is as cheap as can be: `flush.messages` waits for it;
//! * the *recovery point* moves rarely, because more is written there: the index entries up to it, and the producers in a
//!   snapshot. Both are on disk before it moves, so that recovery need read nothing below it;
//! * a snapshot goes only when a checkpoint on disk names a later recovery point.
//!
//! What is written at the recovery point is copied under the append lock, and written without it. All of this blocks.
//! Source: Kafka's `UnifiedLog.flush`, which moves the recovery point with each sync and has recovery read the segment that
//! holds it from its start.

use crate::storage::index::{SavedIndex, Unsaved};
use crate::storage::log::Log;
use crate::storage::segment::{self, Segment};
use crate::storage::{Error, Place, Positions, checkpoint, partition_folder, recovery, snapshot};
use crate::types::{Offset, TimestampMs, TopicPartition};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tracing::warn;

/// What recovery needs to know at an offset, copied while nothing was appended.
struct Landmark {
    place: Place,
    active: Arc<Segment>,
    unsaved: Unsaved,
    producers: Vec<u8>,
}

impl Log {
    /// Syncs everything below the present log end, and moves the recovery point there when much lies between. Blocks;
    /// appends go on meanwhile. Returns up to where it synced.
    ///
    /// # Errors
    /// The disk failed, which takes the log offline; or it was offline.
    pub fn flush(&self) -> Result<Place, Error> {
        let mut saved = self.flushing.lock();
        self.check_online()?;
        let began = self.clock.now();
        let Positions { log_end: offset, log_end_bytes: bytes, .. } = self.positions();
        let is_far = bytes - self.recovery_point_bytes() >= self.shared.tuning.recovery_bytes_max;
        if is_far && self.synced() < offset {
            return self.move_recovery_point(&mut saved);
        }
        let place = Place { offset, bytes };
        self.sync_to(place, began).inspect_err(|error| self.take_offline(error))?;
        Ok(place)
    }

    /// As [`flush`](Log::flush), and moves the recovery point there however little lies between. Where there is no room
    /// for what is written with it, it stays.
    ///
    /// # Errors
    /// As `flush`.
    pub fn flush_and_move_recovery_point(&self) -> Result<Place, Error> {
        let mut saved = self.flushing.lock();
        self.check_online()?;
        self.move_recovery_point(&mut saved)
    }

    fn move_recovery_point(&self, saved: &mut SavedIndex) -> Result<Place, Error> {
        // What is appended while the landmark is written is not older than this.
        let began = self.clock.now();
        let landmark = self.landmark(saved);
        let place = landmark.place;
        match self.write_landmark(&landmark) {
            Ok(()) => self.recovery_point_waits.store(false, Ordering::Relaxed),
            Err(error) if error.is_no_room() => {
                let TopicPartition { topic, partition } = &self.topic_partition;
                if !self.recovery_point_waits.swap(true, Ordering::Relaxed) {
                    warn!(%topic, %partition, %error, "the recovery point stays where it is until there is room");
                }
                self.sync_to(place, began).inspect_err(|error| self.take_offline(error))?;
                return Ok(place);
            }
            Err(error) => {
                self.take_offline(&error);
                return Err(error);
            }
        }
        let synced = self.sync_to(place, began).and_then(|()| self.sync_closed()).and_then(|()| self.sync_names());
        synced.inspect_err(|error| self.take_offline(error))?;
        *saved = landmark.unsaved.saved_with();
        if self.epochs.read().is_saved() {
            self.note_recovery_point(place);
        }
        Ok(place)
    }

    fn landmark(&self, saved: &SavedIndex) -> Landmark {
        let mut appender = self.lock();
        let Positions { log_end: offset, log_end_bytes: bytes, .. } = appender.positions();
        let state = appender.state();
        let active = state.active.clone();
        let index = active.index().read();
        let index = index.as_ref().expect("the active segment has its index in memory");
        Landmark {
            place: Place { offset, bytes },
            unsaved: saved.unsaved(active.base_offset, index),
            active: active.clone(),
            producers: snapshot::encode(&state.producers),
        }
    }

    /// Leaves the landmark on disk, but for the new name in the folder.
    fn write_landmark(&self, landmark: &Landmark) -> Result<(), Error> {
        let (disk, folder) = (&self.shared.disk, self.folder());
        let path = |ending| landmark.active.path(&folder, ending);
        let snapshot_path = segment::file_path(&folder, landmark.place.offset, segment::SNAPSHOT);
        landmark.unsaved.append(disk, &path(segment::INDEX), &path(segment::TIME_INDEX))?;
        disk.write_file(&snapshot_path, &landmark.producers).map_err(Error::io("write", &snapshot_path))?;
        self.note_new_file();
        let mut snapshots = self.snapshots.lock();
        if snapshots.last() != Some(&landmark.place.offset) {
            snapshots.push(landmark.place.offset);
        }
        drop(snapshots);
        for path in [path(segment::INDEX), path(segment::TIME_INDEX), snapshot_path] {
            checkpoint::sync_file(disk, &path)?;
        }
        Ok(())
    }

    fn sync_to(&self, place: Place, began: TimestampMs) -> Result<(), Error> {
        if self.synced() >= place.offset {
            return Ok(());
        }
        self.sync_segments()?;
        self.sync_names()?;
        self.epochs.write().sync()?;
        self.note_synced(place.offset, began);
        Ok(())
    }

    /// Syncs all segments that may have bytes at or above what is synced.
    fn sync_segments(&self) -> Result<(), Error> {
        let folder = self.folder();
        let segments = self.segments.load_full();
        let first = segments.partition_point(|s| s.base_offset <= self.synced()).saturating_sub(1);
        // The active one when it was synced, and rolled meanwhile: its bytes are on disk, its length is not.
        let first = first - usize::from(first > 0 && segments[first - 1].own_file().is_some());
        for (i, segment) in segments.iter().enumerate().skip(first) {
            let path = segment.path(&folder, segment::LOG);
            let file = match segment.own_file().map_or_else(|| File::open(&path).map(Arc::new), Ok) {
                // Retention was faster: nobody needs what is in it.
                Err(e) if e.kind() == io::ErrorKind::NotFound && segment.base_offset < self.first_base_offset() => {
                    continue;
                }
                other => other.map_err(Error::io("open", &path))?,
            };
            self.shared.disk.sync_data(&file).map_err(Error::io("sync", &path))?;
            if i + 1 < segments.len() {
                segment.release_file();
            }
        }
        Ok(())
    }

    /// Syncs what the closing of segments above the recovery point wrote: below it they are neither trimmed nor indexed
    /// anew. That can be all that there is to sync.
    fn sync_closed(&self) -> Result<(), Error> {
        let (folder, segments, recovery_point) = (self.folder(), self.segments.load_full(), self.recovery_point());
        let holds = segments.partition_point(|s| s.base_offset <= recovery_point).saturating_sub(1);
        // One that was active at the recovery point was perhaps closed there.
        for segment in &segments[holds.saturating_sub(1)..segments.len() - 1] {
            if let Some(file) = segment.own_file() {
                let synced = self.shared.disk.sync_data(&file);
                synced.map_err(Error::io("sync", &segment.path(&folder, segment::LOG)))?;
                segment.release_file();
            }
            for ending in [segment::INDEX, segment::TIME_INDEX] {
                match checkpoint::sync_file(&self.shared.disk, &segment.path(&folder, ending)) {
                    // It was retention, again.
                    Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                    other => other?,
                }
            }
        }
        Ok(())
    }

    fn sync_active_index(&self) -> Result<(), Error> {
        let (folder, segments) = (self.folder(), self.segments.load());
        let active = segments.last().expect("a log has an active segment");
        checkpoint::sync_file(&self.shared.disk, &active.path(&folder, segment::INDEX))?;
        checkpoint::sync_file(&self.shared.disk, &active.path(&folder, segment::TIME_INDEX))
    }

    /// Syncs the names of what was created.
    fn sync_names(&self) -> Result<(), Error> {
        let folder = self.folder();
        if self.folder_unsynced.load(Ordering::Acquire) {
            // Without its id the folder would be taken for that of a later topic of this name.
            checkpoint::sync_file(&self.shared.disk, &folder.join(partition_folder::METADATA))?;
        }
        // Cleared first: a roll after this is above what is synced now.
        if self.names_unsynced.swap(false, Ordering::AcqRel) {
            checkpoint::sync_folder(&self.shared.disk, &folder)?;
        }
        if self.folder_unsynced.swap(false, Ordering::AcqRel)
            && let Some(directory) = folder.parent()
        {
            checkpoint::sync_folder(&self.shared.disk, directory)?;
        }
        Ok(())
    }

    /// A checkpoint on disk says that recovery begins at `recovery_point` or later: snapshots below are for nobody, but
    /// for those at the starts of segments, which go with them.
    pub(super) fn remove_passed_snapshots(&self, recovery_point: Offset) {
        let passed: Vec<Offset> = self.snapshots.lock().extract_if(.., |at| *at < recovery_point).collect();
        if passed.is_empty() {
            return;
        }
        let (folder, segments) = (self.folder(), self.segments.load());
        for offset in passed {
            if segments.binary_search_by_key(&offset, |s| s.base_offset).is_err()
                && let Err(error) =
                    recovery::remove(&self.shared.disk, &segment::file_path(&folder, offset, segment::SNAPSHOT))
            {
                warn!(%error, "a snapshot that nobody needs stays behind");
            }
        }
    }

    /// Leaves the files as a clean start wants them: trimmed, indexed, the producers in a snapshot at the log end. The
    /// log takes nothing more. Nothing is synced yet. True when there was something to do.
    pub(super) fn settle(&self) -> Result<bool, Error> {
        let mut appender = self.lock();
        self.check_online()?;
        let log_end = appender.positions().log_end;
        let snapshot_path = segment::file_path(&self.folder(), log_end, segment::SNAPSHOT);
        let log_path = appender.state().active.path(&self.folder(), segment::LOG);
        let length = log_path.metadata().map_err(Error::io("inspect", &log_path))?.len();
        let is_settled = length == appender.state().active.end() && snapshot_path.exists();
        let changed = appender.state().writer.is_some() || self.recovery_point() < log_end || !is_settled;
        if changed {
            let settled = appender.close_active();
            settled
                .and_then(|()| snapshot::write(&self.shared.disk, &snapshot_path, &appender.state().producers))
                .inspect_err(|error| self.take_offline(error))?;
        }
        self.retire();
        Ok(changed)
    }

    /// Syncs a log that [`settle`](Self::settle) has settled.
    pub(super) fn sync_settled(&self) -> Result<(), Error> {
        let _one_at_a_time = self.flushing.lock();
        let Positions { log_end: offset, log_end_bytes: bytes, .. } = self.positions();
        let synced = self
            .sync_segments()
            .and_then(|()| self.sync_closed())
            .and_then(|()| self.sync_active_index())
            .and_then(|()| self.sync_names())
            .and_then(|()| self.epochs.write().sync());
        synced.inspect_err(|error| self.take_offline(error))?;
        if !self.epochs.read().is_saved() {
            return Err(self.epochs.read().no_room());
        }
        self.note_synced(offset, self.clock.now());
        self.note_recovery_point(Place { offset, bytes });
        Ok(())
    }
}
