//! The committed entries, applied: the cluster image, published to all.
//!
//! Invariants:
//! * an entry takes effect only when its `decided_on` is the index of the image it meets: no other change came between
//!   the decision and its place in the log;
//! * an entry that does not fit the image it was decided on is fatal: guessing would part the nodes;
//! * an image is published before the proposals of its entries are answered.

use super::engine::{Change, Engine, Entry, FORMAT, LogId, Membership, Snapshot, SnapshotMeta, StorageError};
use super::engine::{StorageIOError, Verdict};
use super::error::Error;
use super::snapshot_store::{SnapshotStore, Taken};
use super::supervision::{Failure, Lifeline};
use crate::metadata::ClusterImage;
use crate::runtime::is_disk_full;
use arc_swap::ArcSwap;
use openraft::storage::RaftStateMachine;
use openraft::{AnyError, EntryPayload, OptionalSend, RaftSnapshotBuilder};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tracing::warn;

/// How long a snapshot that found no room waits before it tries again; the log grows meanwhile.
const FULL_DISK_PAUSE: Duration = Duration::from_secs(30);

/// Where images are published: for looking at, without a lock, and for waiting on.
pub(super) struct Published {
    current: ArcSwap<ClusterImage>,
    changes: watch::Sender<Arc<ClusterImage>>,
}

impl Published {
    fn new(image: Arc<ClusterImage>) -> Published {
        Published { current: ArcSwap::new(image.clone()), changes: watch::Sender::new(image) }
    }

    /// The newest image.
    pub(super) fn image(&self) -> Arc<ClusterImage> {
        self.current.load_full()
    }

    /// Shows the newest image now and whenever it changes.
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<ClusterImage>> {
        self.changes.subscribe()
    }

    fn publish(&self, image: Arc<ClusterImage>) {
        self.current.store(image.clone());
        self.changes.send_replace(image);
    }
}

/// The state machine that openraft is given.
pub(super) struct StateMachine {
    image: ClusterImage,
    applied: Option<LogId>,
    membership: Membership,
    published: Arc<Published>,
    snapshots: Arc<SnapshotStore>,
    failure: Failure,
    _lifeline: Lifeline,
}

impl StateMachine {
    /// The state of the last snapshot, or that of a new cluster.
    pub(super) fn open(snapshots: Arc<SnapshotStore>, failure: &Failure) -> Result<StateMachine, Error> {
        let taken = snapshots.load()?;
        let published = Arc::new(Published::new(Arc::new(taken.image.clone())));
        let Taken { image, applied, membership } = taken;
        let (failure, _lifeline) = (failure.clone(), failure.lifeline("metadata state machine"));
        Ok(StateMachine { image, applied, membership, published, snapshots, failure, _lifeline })
    }

    /// Where this machine's images are published.
    pub(super) fn published(&self) -> Arc<Published> {
        self.published.clone()
    }

    /// The last applied entry.
    pub(super) fn applied(&self) -> Option<LogId> {
        self.applied
    }

    /// Applies the entries that are not applied yet.
    pub(super) fn replay(&mut self, entries: Vec<Entry>) -> Result<(), Box<StorageError>> {
        for entry in entries {
            if Some(entry.log_id) > self.applied {
                self.apply_entry(entry)?;
            }
        }
        self.publish();
        Ok(())
    }

    fn apply_entry(&mut self, entry: Entry) -> Result<Verdict, Box<StorageError>> {
        let verdict = match entry.payload {
            EntryPayload::Blank => Verdict::Nothing,
            EntryPayload::Membership(membership) => {
                self.membership = Membership::new(Some(entry.log_id), membership);
                Verdict::Nothing
            }
            EntryPayload::Normal(change) => self.apply_change(entry.log_id, &change)?,
        };
        self.applied = Some(entry.log_id);
        Ok(verdict)
    }

    fn apply_change(&mut self, log_id: LogId, change: &Change) -> Result<Verdict, Box<StorageError>> {
        if change.format > FORMAT {
            let text = format!("entry in format {}; this version knows formats up to {FORMAT}", change.format);
            return Err(Box::new(StorageIOError::apply(log_id, AnyError::error(text)).into()));
        }
        if change.decided_on != self.image.index {
            return Ok(Verdict::Stale);
        }
        let applied = self.image.apply(log_id.index, &change.records);
        let fatal = |e| Box::new(StorageIOError::apply(log_id, AnyError::new(&e)).into());
        applied.map(|()| Verdict::Changed).map_err(fatal)
    }

    fn publish(&self) {
        self.published.publish(Arc::new(self.image.clone()));
    }

    fn taken(&self) -> Taken {
        Taken { image: self.image.clone(), applied: self.applied, membership: self.membership.clone() }
    }
}

impl RaftStateMachine<Engine> for StateMachine {
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), StorageError> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Verdict>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let before = self.image.index;
        let verdicts = entries.into_iter().map(|entry| self.apply_entry(entry)).collect::<Result<Vec<_>, _>>();
        let verdicts = verdicts.map_err(|e| *e)?;
        if self.image.index != before {
            self.publish();
        }
        Ok(verdicts)
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        let _lifeline = BuildLifeline(self.failure.clone());
        SnapshotBuilder { taken: Arc::new(self.taken()), snapshots: self.snapshots.clone(), _lifeline }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Vec<u8>>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, data: Box<Vec<u8>>) -> Result<(), StorageError> {
        let failed = |e: &Error| StorageIOError::read_snapshot(Some(meta.signature()), AnyError::new(e));
        let taken = self.snapshots.parse(meta, &data).map_err(|e| failed(&e))?;
        let failed = |e: &std::io::Error| StorageIOError::write_snapshot(Some(meta.signature()), AnyError::new(e));
        self.snapshots.save(meta, &data).map_err(|e| failed(&e))?;
        (self.image, self.applied, self.membership) = (taken.image, taken.applied, taken.membership);
        self.publish();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, StorageError> {
        let current = self.snapshots.current().map_err(|e| StorageIOError::read_snapshot(None, AnyError::new(&e)))?;
        Ok(current.map(|(meta, data)| Snapshot { meta, snapshot: Box::new(data) }))
    }
}

/// Builds a snapshot of one moment, beside the machine that goes on.
pub(super) struct SnapshotBuilder {
    taken: Arc<Taken>,
    snapshots: Arc<SnapshotStore>,
    _lifeline: BuildLifeline,
}

/// A build that panics would be waited for without end, and the log would grow: so that is a failure.
struct BuildLifeline(Failure);

impl Drop for BuildLifeline {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.report("building a metadata snapshot panicked");
        }
    }
}

impl RaftSnapshotBuilder<Engine> for SnapshotBuilder {
    async fn build_snapshot(&mut self) -> Result<Snapshot, StorageError> {
        let built = loop {
            let (taken, snapshots) = (self.taken.clone(), self.snapshots.clone());
            // Proposals go on while the image is written out.
            let built = tokio::task::spawn_blocking(move || {
                let (meta, data) = taken.to_snapshot()?;
                snapshots.save(&meta, &data)?;
                Ok(Snapshot { meta, snapshot: Box::new(data) })
            });
            match built.await.expect("the build neither panicked nor was cancelled") {
                Err(e) if is_disk_full(&e) => warn!(error = %e, "no room for a metadata snapshot"),
                built => break built,
            }
            tokio::time::sleep(FULL_DISK_PAUSE).await;
        };
        built.map_err(|e: std::io::Error| StorageIOError::write_snapshot(None, AnyError::new(&e)).into())
    }
}
