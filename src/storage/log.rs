//! One partition's log: its positions, its segments, its leader epochs, and the lock of its appender.
//!
//! Invariants:
//! * one appender at a time ([`Log::lock`]); readers take no lock but the short one of the active segment's index;
//! * a new segment is in the list before positions that reach into it are published; a segment leaves the list after
//!   the log start above it was published;
//! * after a failed write or sync the log is offline until the process ends;
//! * lock order: flush, append state, leader epochs, index, file cache.
//!
//! Called by the partitions: appends and reads inline, [`Log::flush`] and the maintenance calls where blocking is allowed.

use crate::config::LogConfig;
use crate::runtime::{Clock, Disk};
use crate::storage::appender::{Accepted, Appender};
use crate::storage::epochs::{self, LeaderEpochs};
use crate::storage::files::FileCache;
use crate::storage::index::Progress;
use crate::storage::positions::{Positions, Published};
use crate::storage::producers::{Pending, Producers};
use crate::storage::segment::{self, Segment};
use crate::storage::writer::Writer;
use crate::storage::{Error, Tuning, checkpoint, snapshot};
use crate::types::{LeaderEpoch, Offset, TimestampMs, TopicId, TopicPartition};
use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use std::fmt::Display;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tracing::error;

/// What all logs of a directory share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) disk: Disk,
    pub(super) tuning: Tuning,
    pub(super) files: FileCache,
}

/// One partition's records on disk.
#[derive(Debug)]
pub struct Log {
    pub(super) topic_partition: TopicPartition,
    pub(super) topic_id: TopicId,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
    pub(super) config: ArcSwap<LogConfig>,
    pub(super) folder: ArcSwap<PathBuf>,
    pub(super) published: Published,
    /// By base offset; the last one is active.
    pub(super) segments: ArcSwap<Vec<Arc<Segment>>>,
    pub(super) epochs: RwLock<LeaderEpochs>,
    pub(super) state: Mutex<State>,
    offline: AtomicBool,
    recovery_point: AtomicI64,
    pub(super) flushing: Mutex<()>,
    /// When the last sync began, or the log was opened.
    last_sync: AtomicI64,
    syncs: AtomicU64,
    /// Whether the folder has names that a power cut may take.
    names_unsynced: AtomicBool,
    /// The same of the folder's own name in the directory.
    folder_unsynced: AtomicBool,
    /// Files that were renamed, and when they are to be unlinked.
    pub(super) deletions: Mutex<Vec<(TimestampMs, PathBuf)>>,
}

/// What only the appender may touch.
#[derive(Debug)]
pub(super) struct State {
    pub(super) positions: Positions,
    pub(super) producers: Producers,
    pub(super) pending: Pending,
    /// Empty between appends; kept for its memory.
    pub(super) accepted: Vec<Accepted>,
    pub(super) active: Arc<Segment>,
    /// Opened by the first append.
    pub(super) writer: Option<Writer>,
    pub(super) progress: Progress,
    /// The largest timestamp of the active segment's first batch, from which its age counts.
    pub(super) first_timestamp: Option<TimestampMs>,
    pub(super) created: TimestampMs,
    /// Which share of the jitter this segment has, in 2⁻³².
    pub(super) jitter: u32,
}

/// A place in a log where a batch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The offset after the batch.
    pub offset: Offset,
    /// Bytes appended below `offset`, in the sense of [`Positions`].
    pub bytes: u64,
}

/// Whose log it is, and where.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) topic_partition: TopicPartition,
    pub(super) topic_id: TopicId,
    pub(super) folder: PathBuf,
}

/// What recovery found, of which a log is made.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) progress: Progress,
    pub(super) first_timestamp: Option<TimestampMs>,
    pub(super) producers: Producers,
    pub(super) epochs: LeaderEpochs,
    pub(super) positions: Positions,
    pub(super) recovery_point: Offset,
}

impl Log {
    pub(super) fn new(
        identity: Identity,
        config: LogConfig,
        clock: Clock,
        shared: Arc<Shared>,
        found: Recovered,
    ) -> Log {
        let Identity { topic_partition, topic_id, folder } = identity;
        let active = found.segments.last().expect("a log has an active segment").clone();
        let opened = clock.now();
        let state = State {
            positions: found.positions,
            producers: found.producers,
            pending: Pending::default(),
            accepted: Vec::new(),
            active,
            writer: None,
            progress: found.progress,
            first_timestamp: found.first_timestamp,
            created: opened,
            jitter: random(),
        };
        Log {
            topic_partition,
            topic_id,
            shared,
            clock,
            config: ArcSwap::from_pointee(config),
            folder: ArcSwap::from_pointee(folder),
            published: Published::new(found.positions),
            segments: ArcSwap::from_pointee(found.segments),
            epochs: RwLock::new(found.epochs),
            state: Mutex::new(state),
            offline: AtomicBool::new(false),
            recovery_point: AtomicI64::new(found.recovery_point.0),
            flushing: Mutex::new(()),
            last_sync: AtomicI64::new(opened.0),
            syncs: AtomicU64::new(0),
            names_unsynced: AtomicBool::new(false),
            folder_unsynced: AtomicBool::new(false),
            deletions: Mutex::default(),
        }
    }

    /// Which partition this is.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    /// The topic's id, as the folder keeps it.
    pub fn topic_id(&self) -> TopicId {
        self.topic_id
    }

    /// The one appender. Waits for the former; never held across an `await`.
    pub fn lock(&self) -> Appender<'_> {
        Appender::new(self, self.state.lock())
    }

    /// The one appender, unless somebody else is it now.
    pub fn try_lock(&self) -> Option<Appender<'_>> {
        self.state.try_lock().map(|state| Appender::new(self, state))
    }

    /// Where the log begins and ends: one value that was published, without a lock.
    pub fn positions(&self) -> Positions {
        self.published.load()
    }

    /// The settings in force.
    pub fn config(&self) -> Arc<LogConfig> {
        self.config.load_full()
    }

    /// Changes the settings, from the next append on.
    pub fn set_config(&self, config: LogConfig) {
        self.config.store(Arc::new(config));
    }

    /// Bytes of all batches in the log, without what is allocated ahead.
    pub fn size_bytes(&self) -> u64 {
        self.segments.load().iter().map(|segment| segment.end()).sum()
    }

    /// How many segments there are; at least one.
    pub fn segment_count(&self) -> usize {
        self.segments.load().len()
    }

    /// True after a failed write or sync, and once the log was removed or closed.
    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    /// Bytes below are on disk.
    pub fn recovery_point(&self) -> Offset {
        Offset(self.recovery_point.load(Ordering::Acquire))
    }

    /// Where records of `epoch` and before end: the largest epoch here that is not above it, and the first offset of
    /// the next one; `None` when the epoch is not known here (KIP-101, KIP-320; `LeaderEpochFileCache.endOffsetFor`).
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.epochs.read().end_offset(epoch, self.positions().log_end)
    }

    /// The epoch of the record at `offset`; `None` below the first known epoch.
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs.read().epoch_at(offset)
    }

    /// Forgets idempotent producers that wrote nothing for `age_max` (`producer.id.expiration.ms`). How many.
    pub fn expire_producers(&self, now: TimestampMs, age_max: Duration) -> usize {
        self.state.lock().producers.expire(now, age_max)
    }

    /// Syncs everything below the present log end, and moves the recovery point there. Blocks; appends go on meanwhile.
    /// Returns up to where it synced.
    ///
    /// # Errors
    /// The disk failed, which takes the log offline; or it was offline.
    pub fn flush(&self) -> Result<Place, Error> {
        let _one_at_a_time = self.flushing.lock();
        self.check_online()?;
        let began = self.clock.now();
        let Positions { log_end: offset, log_end_bytes: bytes, .. } = self.positions();
        if self.recovery_point() < offset {
            self.sync_segments().inspect_err(|error| self.take_offline(error))?;
            self.last_sync.store(began.0, Ordering::Relaxed);
            self.syncs.fetch_add(1, Ordering::Relaxed);
            self.recovery_point.store(offset.0, Ordering::Release);
        }
        Ok(Place { offset, bytes })
    }

    /// When the last sync of the log began, or when it was opened: what is not synced was appended after that, or before
    /// it was opened.
    pub fn last_sync(&self) -> TimestampMs {
        TimestampMs(self.last_sync.load(Ordering::Relaxed))
    }

    /// How often the log was synced since it was opened.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Syncs all segments that may have bytes at or above the recovery point, then the names of what was created.
    fn sync_segments(&self) -> Result<(), Error> {
        let recovery_point = self.recovery_point();
        let folder = self.folder();
        // Cleared first: a roll after this is above what is synced now.
        let names_unsynced = self.names_unsynced.swap(false, Ordering::AcqRel);
        let segments = self.segments.load_full();
        let first = segments.partition_point(|s| s.base_offset <= recovery_point).saturating_sub(1);
        if let Some(before) = first.checked_sub(1) {
            // The active one when it was synced, and rolled meanwhile.
            segments[before].release_file();
        }
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
        if names_unsynced {
            checkpoint::sync_folder(&self.shared.disk, &folder)?;
        }
        if self.folder_unsynced.swap(false, Ordering::AcqRel)
            && let Some(directory) = folder.parent()
        {
            checkpoint::sync_folder(&self.shared.disk, directory)?;
        }
        self.epochs.write().sync()
    }

    /// A file of the log was created: its name lasts from the next sync on.
    pub(super) fn note_new_file(&self) {
        self.names_unsynced.store(true, Ordering::Release);
    }

    /// The same, and the folder was created too, or nobody knows.
    pub(super) fn note_new_folder(&self) {
        self.note_new_file();
        self.folder_unsynced.store(true, Ordering::Release);
    }

    /// Leaves the files as a clean start wants them: trimmed, indexed, the producers in a snapshot at the log end. The
    /// log takes nothing more. Nothing is synced yet. True when there was something to do.
    pub(super) fn settle(&self) -> Result<bool, Error> {
        let mut appender = self.lock();
        self.check_online()?;
        let log_end = appender.positions().log_end;
        let snapshot_path = segment::file_path(&self.folder(), log_end, segment::SNAPSHOT);
        let changed = appender.state().writer.is_some() || self.recovery_point() < log_end || !snapshot_path.exists();
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
        self.sync_segments().inspect_err(|error| self.take_offline(error))?;
        self.recovery_point.store(self.positions().log_end.0, Ordering::Release);
        Ok(())
    }

    pub(super) fn first_base_offset(&self) -> Offset {
        self.segments.load()[0].base_offset
    }

    /// The partition's folder, as it is called now.
    pub(super) fn folder(&self) -> Arc<PathBuf> {
        self.folder.load_full()
    }

    /// Follows the folder to its new name.
    pub(super) fn set_folder(&self, folder: &Path) {
        self.epochs.write().set_path(folder.join(epochs::FILE_NAME));
        self.folder.store(Arc::new(folder.to_owned()));
    }

    /// Refuses to go on with a log that failed.
    pub(super) fn check_online(&self) -> Result<(), Error> {
        if self.is_offline() { Err(Error::Offline(self.topic_partition.clone())) } else { Ok(()) }
    }

    /// Gives the log up after a failure, and says so once.
    pub(super) fn take_offline(&self, cause: &dyn Display) {
        if !self.offline.swap(true, Ordering::AcqRel) {
            let TopicPartition { topic, partition } = &self.topic_partition;
            error!(%topic, %partition, error = %cause, "log went offline");
        }
    }

    /// Refuses appends and reads from now on, because the log is closed or removed.
    pub(super) fn retire(&self) {
        self.offline.store(true, Ordering::Release);
    }
}

/// No sync of the log begins or ends while this is there.
#[cfg(test)]
pub(crate) struct HeldSyncs<'a> {
    _flushing: parking_lot::MutexGuard<'a, ()>,
}

#[cfg(test)]
impl Log {
    /// Holds back what would be synced from now on.
    pub(crate) fn hold_syncs(&self) -> HeldSyncs<'_> {
        HeldSyncs { _flushing: self.flushing.lock() }
    }

    /// Lets the next sync fail: a pipe cannot be synced.
    pub(crate) fn break_syncs(&self) {
        let (_, pipe) = io::pipe().unwrap();
        self.state.lock().active.set_file(Arc::new(File::from(std::os::fd::OwnedFd::from(pipe))));
    }

    /// Whether the names of its files would survive a power cut.
    pub(crate) fn has_synced_names(&self) -> bool {
        !self.names_unsynced.load(Ordering::Acquire) && !self.folder_unsynced.load(Ordering::Acquire)
    }
}

/// A random number, for jitter.
pub(super) fn random() -> u32 {
    uuid::Uuid::new_v4().as_u128() as u32
}
