//! One partition's log: its positions, its segments, its leader epochs, and the lock of its appender.
//!
//! Invariants:
//! * one appender at a time ([`Log::lock`]); readers take no lock but the short one of the active segment's index;
//! * a new segment is in the list before positions that reach into it are published; a segment leaves the list after
//!   the log start above it was published;
//! * the recovery point ≤ what is synced ≤ the log end (see [`sync`](super::sync));
//! * after a failed write or sync the log is offline until the process ends;
//! * lock order: flush, append state, leader epochs, index, file cache.
//!
//! Called by the partitions: appends and reads inline, [`Log::flush`] and the maintenance calls where blocking is allowed.

use crate::config::LogConfig;
use crate::runtime::{Clock, Disk};
use crate::storage::appender::{Accepted, Appender};
use crate::storage::epochs::{self, LeaderEpochs};
use crate::storage::files::FileCache;
use crate::storage::index::{Progress, SavedIndex};
use crate::storage::positions::{Positions, Published};
use crate::storage::producers::{Pending, Producers};
use crate::storage::room::Room;
use crate::storage::segment::Segment;
use crate::storage::writer::Writer;
use crate::storage::{Error, Tuning};
use crate::types::{LeaderEpoch, Offset, TimestampMs, TopicId, TopicPartition};
use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use std::fmt::Display;
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
    pub(super) room: Room,
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
    synced: AtomicI64,
    recovery_point: AtomicI64,
    /// Bytes appended below the recovery point, in the sense of [`Positions`].
    recovery_point_bytes: AtomicU64,
    /// Held while the disk works.
    pub(super) flushing: Mutex<SavedIndex>,
    /// Where there are snapshots besides those at the starts of segments.
    pub(super) snapshots: Mutex<Vec<Offset>>,
    /// It was told that there is no room for what is written with the recovery point.
    pub(super) recovery_point_waits: AtomicBool,
    /// When the last sync began, or the log was opened.
    last_sync: AtomicI64,
    syncs: AtomicU64,
    /// Whether the folder has names that a power cut may take.
    pub(super) names_unsynced: AtomicBool,
    /// The same of the folder's own name in the directory.
    pub(super) folder_unsynced: AtomicBool,
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
    pub(super) recovery_point: Place,
    /// The entries of the active segment's index that are in its files.
    pub(super) saved_index: SavedIndex,
    /// Where there are snapshots besides those at the starts of segments.
    pub(super) snapshots: Vec<Offset>,
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
            synced: AtomicI64::new(found.recovery_point.offset.0),
            recovery_point: AtomicI64::new(found.recovery_point.offset.0),
            recovery_point_bytes: AtomicU64::new(found.recovery_point.bytes),
            flushing: Mutex::new(found.saved_index),
            snapshots: Mutex::new(found.snapshots),
            recovery_point_waits: AtomicBool::new(false),
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

    /// Records below are on disk.
    pub fn synced(&self) -> Offset {
        Offset(self.synced.load(Ordering::Acquire))
    }

    /// Recovery reads nothing below: what it needs to know was written down there. At or below [`synced`](Log::synced).
    pub fn recovery_point(&self) -> Offset {
        Offset(self.recovery_point.load(Ordering::Acquire))
    }

    pub(super) fn recovery_point_bytes(&self) -> u64 {
        self.recovery_point_bytes.load(Ordering::Acquire)
    }

    /// The bytes below are on disk since a sync that began at `began`.
    pub(super) fn note_synced(&self, to: Offset, began: TimestampMs) {
        self.last_sync.store(began.0, Ordering::Relaxed);
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.synced.store(to.0, Ordering::Release);
    }

    /// What recovery needs to know at `place` is on disk.
    pub(super) fn note_recovery_point(&self, place: Place) {
        self.recovery_point_bytes.store(place.bytes, Ordering::Release);
        self.recovery_point.store(place.offset.0, Ordering::Release);
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

    /// A file of the log was created: its name lasts from the next sync on.
    pub(super) fn note_new_file(&self) {
        self.names_unsynced.store(true, Ordering::Release);
    }

    /// The same, and the folder was created too, or nobody knows.
    pub(super) fn note_new_folder(&self) {
        self.note_new_file();
        self.folder_unsynced.store(true, Ordering::Release);
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
    _flushing: parking_lot::MutexGuard<'a, SavedIndex>,
}

#[cfg(test)]
impl Log {
    /// Holds back what would be synced from now on.
    pub(crate) fn hold_syncs(&self) -> HeldSyncs<'_> {
        HeldSyncs { _flushing: self.flushing.lock() }
    }

    /// Lets the next sync fail: a pipe cannot be synced.
    pub(crate) fn break_syncs(&self) {
        let (_, pipe) = std::io::pipe().unwrap();
        self.state.lock().active.set_file(Arc::new(std::fs::File::from(std::os::fd::OwnedFd::from(pipe))));
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
