//! The metadata log, agreed on by openraft: the only module that names it.
//!
//! Invariants:
//! * what [`Quorum::propose`] answered with [`Applied`] is durable, is in [`Quorum::image`], and comes back after any
//!   crash;
//! * a change is made only on the image it was decided on;
//! * a node proposes only after it was elected and has applied all that was committed before: [`Quorum::open`] returns
//!   no sooner;
//! * the engine lives on a thread and a runtime of its own; a group of one voter runs no timer and sleeps when idle;
//! * whatever ends the engine unasked shows in [`Quorum::fatal`].
//!
//! Files: `log`, `vote`, `snapshot-…` and `.lock`, all in one folder (see `file`, `log_store`, `snapshot_store`). Callers
//! are the controller, which proposes, and the broker, which watches.

mod engine;
mod error;
mod file;
mod log_store;
mod network;
mod snapshot_store;
mod state_machine;
mod supervision;

#[cfg(test)]
mod tests;

pub use error::{Error, ProposeError};

use crate::metadata::{ClusterImage, Record};
use crate::runtime::Disk;
use crate::types::{BrokerId, ClusterId, Offset};
use engine::{Change, FORMAT, Raft, Retention, Verdict, single_voter};
use file::Folder;
use log_store::{LogStore, Room};
use openraft::error::{ClientWriteError, RaftError};
use openraft::{BasicNode, ServerState};
use parking_lot::Mutex;
use snapshot_store::SnapshotStore;
use state_machine::{Published, StateMachine};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use supervision::Failure;
use tokio::sync::{oneshot, watch};

/// How long the election and the replay of the log may take.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// Who takes part, and where.
#[derive(Clone, Debug)]
pub struct QuorumConfig {
    /// This node.
    pub node_id: BrokerId,
    /// The cluster; a log of another one is refused.
    pub cluster_id: ClusterId,
    /// Where its files are changed.
    pub disk: Disk,
}

/// A change that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The index of its entry; images of this index and later ones show it.
    pub index: u64,
}

/// How the quorum stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who leads, if anybody does.
    pub leader: Option<BrokerId>,
    /// The term, which grows with each election.
    pub term: u64,
    /// The first index behind what was committed; not above `log_end`.
    pub committed_end: Offset,
    /// The first index behind the log of this node.
    pub log_end: Offset,
}

/// The running metadata quorum. Clones are the same one; it stops when the last is dropped.
#[derive(Clone)]
pub struct Quorum(Arc<Running>);

struct Running {
    raft: Raft,
    published: Arc<Published>,
    failure: Failure,
    log_grown: Arc<AtomicU64>,
    log_room: Room,
    snapshot_bytes: u64,
    stop: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

/// What the engine's thread hands over once it leads.
struct Started {
    raft: Raft,
    published: Arc<Published>,
    log_grown: Arc<AtomicU64>,
    log_room: Room,
}

impl Quorum {
    /// Whether the folder `path` holds a metadata log of ours.
    pub fn exists(path: &Path) -> bool {
        path.join(log_store::LOG).is_file()
    }

    /// Opens the metadata log in the folder `path`, which is this quorum's own and is created if need be; wins the
    /// election and replays the log.
    ///
    /// # Errors
    /// When the folder is locked, belongs to another cluster or node, is of a newer format, is damaged, or fails.
    pub async fn open(path: &Path, config: QuorumConfig) -> Result<Quorum, Error> {
        Self::open_retaining(path, config, Retention::default()).await
    }

    /// The image that the metadata log in the folder `path` builds, of a group of one that was stopped in order. Nobody is
    /// elected, and nothing is changed.
    ///
    /// # Errors
    /// As [`Quorum::open`].
    pub fn read(path: &Path, config: QuorumConfig) -> Result<Arc<ClusterImage>, Error> {
        let failure = Failure::new();
        failure.expect_end();
        let (_, mut state_machine, log) = open_files(path, &config, &failure)?;
        state_machine.replay(log.entries()).map_err(|e| Error::Engine(e.to_string()))?;
        Ok(state_machine.published().image())
    }

    async fn open_retaining(path: &Path, config: QuorumConfig, retention: Retention) -> Result<Quorum, Error> {
        let failure = Failure::new();
        let (started, start) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("quorum".into()).spawn({
            let (path, failure) = (PathBuf::from(path), failure.clone());
            move || run(&path, &config, retention, &failure, started, stopped)
        });
        let thread = thread.map_err(Error::io(path))?;
        let ended = |_| Error::Engine("its thread ended".into());
        let Started { raft, published, log_grown, log_room } = start.await.map_err(ended)??;
        let (snapshot_bytes, stop) = (retention.snapshot_bytes, Mutex::new(Some((stop, thread))));
        let running = Running { raft, published, failure, log_grown, log_room, snapshot_bytes, stop };
        Ok(Quorum(Arc::new(running)))
    }

    /// The newest image. Costs no lock.
    pub fn image(&self) -> Arc<ClusterImage> {
        self.0.published.image()
    }

    /// How the quorum stands now; what [`Quorum::propose`] has answered is counted.
    pub fn standing(&self) -> Standing {
        let end = |index: u64| Offset(i64::try_from(index).map_or(i64::MAX, |index| index.saturating_add(1)));
        let published = match self.image().index {
            // The image of no change yet.
            0 => Offset(0),
            index => end(index),
        };
        let metrics = self.0.raft.metrics();
        let metrics = metrics.borrow();
        // The engine reports after it has answered, so that the image may be ahead. A group of one has applied what is
        // committed.
        let committed_end = metrics.last_applied.map_or(Offset(0), |last| end(last.index)).max(published);
        Standing {
            leader: metrics.current_leader.and_then(|leader| i32::try_from(leader).ok()).map(BrokerId),
            term: metrics.current_term,
            committed_end,
            log_end: metrics.last_log_index.map_or(Offset(0), end).max(committed_end),
        }
    }

    /// Shows the newest image now and whenever it changes.
    pub fn subscribe(&self) -> watch::Receiver<Arc<ClusterImage>> {
        self.0.published.subscribe()
    }

    /// Makes a change of `records`, which were decided on the image of index `decided_on`. Returns when the change is
    /// durable and published.
    ///
    /// # Errors
    /// [`ProposeError::Stale`] when another change came between: decide again. [`ProposeError::NoRoom`] when the disk is
    /// full: the quorum goes on. Dropping the future does not withdraw the
    /// change.
    pub async fn propose(&self, records: Vec<Record>, decided_on: u64) -> Result<Applied, ProposeError> {
        let image = self.image();
        if image.index != decided_on {
            return Err(ProposeError::Stale);
        }
        // Once in the log, an entry that does not fit would stop this and every later start.
        ClusterImage::clone(&image).apply(decided_on, &records)?;
        drop(image);
        let change = Change { format: FORMAT, decided_on, records };
        self.reserve_room(&change)?;
        let written = tokio::select! {
            written = self.0.raft.client_write(change) => written,
            reason = self.0.failure.wait() => return Err(ProposeError::Failed(reason.to_string())),
        };
        self.bound_log().await;
        match written {
            Ok(response) => match response.data {
                Verdict::Changed => Ok(Applied { index: response.log_id.index }),
                Verdict::Stale | Verdict::Nothing => Err(ProposeError::Stale),
            },
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => Err(ProposeError::NotLeader),
            Err(e) => Err(ProposeError::Failed(e.to_string())),
        }
    }

    /// Once the engine has an entry, a full disk would end it.
    fn reserve_room(&self, change: &Change) -> Result<(), ProposeError> {
        const ENTRY_OVERHEAD_BYTES: u64 = 1024;
        let no_room = |e: &dyn ToString| ProposeError::NoRoom(e.to_string());
        let bytes = serde_json::to_vec(change).map_err(|e| no_room(&e))?.len() as u64;
        self.0.log_room.reserve(bytes + ENTRY_OVERHEAD_BYTES).map_err(|e| no_room(&e))
    }

    /// The engine counts entries; this looks at their bytes.
    async fn bound_log(&self) {
        if self.0.log_grown.load(Ordering::Relaxed) >= self.0.snapshot_bytes {
            // A snapshot that is being built already is not begun again; a failed engine is reported elsewhere.
            let _ = self.0.raft.trigger().snapshot().await;
        }
    }

    /// Waits until the quorum fails, and says how; for ever, when it does not. This broker must then stop.
    pub fn fatal(&self) -> impl Future<Output = Arc<str>> + Send + 'static {
        let failure = self.0.failure.clone();
        async move { failure.wait().await }
    }

    /// Stops the engine and waits for its thread. The second call does nothing.
    pub async fn shutdown(&self) {
        let Some((stop, thread)) = self.0.stop.lock().take() else { return };
        self.0.failure.expect_end();
        // The thread may have ended by itself; then nobody listens, and there is nothing to stop.
        let _ = stop.send(());
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the metadata quorum's thread panicked while stopping");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Dropping `stop` stops the thread; it is not waited for.
        self.failure.expect_end();
    }
}

/// The engine's thread.
fn run(
    path: &Path,
    config: &QuorumConfig,
    retention: Retention,
    failure: &Failure,
    started: oneshot::Sender<Result<Started, Error>>,
    stopped: oneshot::Receiver<()>,
) {
    let _lifeline = failure.lifeline("metadata quorum's thread");
    let opened = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(Error::io(path));
    let opened = opened.and_then(|runtime| {
        let started = runtime.block_on(start(path, config, retention, failure))?;
        Ok((runtime, started))
    });
    let (runtime, opened) = match opened {
        Ok(opened) => opened,
        Err(e) => {
            // The folder is unlocked by now: the runtime and all that held it are gone.
            failure.expect_end();
            let _ = started.send(Err(e));
            return;
        }
    };
    // A caller that no longer waits drops the sender of `stopped`, and the engine stops.
    let raft = opened.raft.clone();
    let _ = started.send(Ok(opened));
    runtime.block_on(async {
        tokio::select! {
            _ = stopped => failure.expect_end(),
            () = report_engine_failure(&raft, failure) => {}
        }
        if let Err(e) = raft.shutdown().await {
            tracing::error!(error = %e, "the metadata quorum did not stop in order");
        }
    });
}

/// Opens the files, starts the engine, wins the election, and waits until everything committed is applied.
async fn start(path: &Path, config: &QuorumConfig, retention: Retention, failure: &Failure) -> Result<Started, Error> {
    let (node_id, state_machine, log) = open_files(path, config, failure)?;
    let (published, log_grown, log_room) = (state_machine.published(), log.grown(), log.room());
    let engine = |e: &dyn std::fmt::Display| Error::Engine(e.to_string());
    let settings = Arc::new(single_voter(retention).validate().map_err(|e| engine(&e))?);
    let raft = Raft::new(node_id, settings, network::NoPeers, log, state_machine).await.map_err(|e| engine(&e))?;
    let led = tokio::time::timeout(START_DEADLINE, lead(&raft, node_id)).await;
    match led {
        Ok(Ok(())) => Ok(Started { raft, published, log_grown, log_room }),
        Ok(Err(e)) => {
            // That the engine is gone says less than what it died of.
            let died_of = raft.metrics().borrow().running_state.clone().err();
            Err(Error::Engine(died_of.map_or(e, |cause| cause.to_string())))
        }
        Err(_) => Err(Error::Engine(format!("it did not lead within {} seconds", START_DEADLINE.as_secs()))),
    }
}

/// This node's id for the engine, the state of the newest snapshot, and the log.
fn open_files(path: &Path, config: &QuorumConfig, failure: &Failure) -> Result<(u64, StateMachine, LogStore), Error> {
    let node_id = u64::try_from(config.node_id.0).map_err(|_| Error::NodeId(config.node_id))?;
    let folder = Arc::new(Folder::open(path, config.clone())?);
    let snapshots = Arc::new(SnapshotStore::open(folder.clone())?);
    let state_machine = StateMachine::open(snapshots, failure)?;
    let log = LogStore::open(folder, failure.lifeline("metadata log"))?;
    if log.purged() > state_machine.applied() {
        return Err(Error::corrupt(path, 0, "the log begins after the newest snapshot ends"));
    }
    Ok((node_id, state_machine, log))
}

async fn lead(raft: &Raft, node_id: u64) -> Result<(), String> {
    if raft.is_initialized().await.map_err(|e| e.to_string())? {
        raft.trigger().elect().await.map_err(|e| e.to_string())?;
    } else {
        let voters = BTreeMap::from([(node_id, BasicNode::default())]);
        raft.initialize(voters).await.map_err(|e| e.to_string())?;
    }
    raft.wait(None).state(ServerState::Leader, "elected").await.map_err(|e| e.to_string())?;
    // Waits for the first entry of this term, and so for all before it, to be applied.
    raft.ensure_linearizable().await.map_err(|e| e.to_string())?;
    Ok(())
}

async fn report_engine_failure(raft: &Raft, failure: &Failure) {
    let mut metrics = raft.metrics();
    let reason = match metrics.wait_for(|metrics| metrics.running_state.is_err()).await {
        Ok(metrics) => metrics.running_state.as_ref().err().map(ToString::to_string),
        Err(_) => None,
    };
    failure.report(reason.unwrap_or_else(|| "the engine ended".into()));
}
