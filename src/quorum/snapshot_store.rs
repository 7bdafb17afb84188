//! Snapshots on disk: the records that build an image, the entry it stands at, the voters.
//!
//! A snapshot is a file `snapshot-INDEX-ID`: a header (openraft's description of it) and one frame, its data.
//!
//! Invariants:
//! * each file has a name of its own; a snapshot is saved under a lock, and never takes the place of a newer one (openraft
//!   builds one while it installs another);
//! * a newer snapshot is durable before an older one is removed; files that a crash left behind are removed at start.

use super::engine::{LogId, Membership, SnapshotMeta};
use super::error::Error;
use super::file::{Folder, push_frame, read_frame};
use crate::metadata::{ClusterImage, Record};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;
use uuid::Uuid;

const PREFIX: &str = "snapshot-";

/// The state of one moment.
pub(super) struct Taken {
    /// The image.
    pub(super) image: ClusterImage,
    /// The last entry it holds.
    pub(super) applied: Option<LogId>,
    /// The voters, and which entry made them so.
    pub(super) membership: Membership,
}

#[derive(Serialize, Deserialize)]
struct Data {
    /// The image's index.
    index: u64,
    /// What builds it.
    records: Vec<Record>,
}

impl Taken {
    /// What openraft knows of this state as a snapshot, and its data.
    pub(super) fn to_snapshot(&self) -> io::Result<(SnapshotMeta, Vec<u8>)> {
        let data = Data { index: self.image.index, records: self.image.records().collect() };
        let meta = SnapshotMeta {
            last_log_id: self.applied,
            last_membership: self.membership.clone(),
            snapshot_id: Uuid::new_v4().simple().to_string(),
        };
        Ok((meta, serde_json::to_vec(&data)?))
    }
}

/// The snapshots of one folder, of which one counts.
pub(super) struct SnapshotStore {
    folder: Arc<Folder>,
    current: Mutex<Option<(SnapshotMeta, String)>>,
}

impl SnapshotStore {
    /// Finds the newest snapshot of the folder, and removes others.
    pub(super) fn open(folder: Arc<Folder>) -> Result<SnapshotStore, Error> {
        let mut found = Vec::new();
        for name in folder.names()?.into_iter().filter(|name| name.starts_with(PREFIX)) {
            let (meta, _) = read(&folder, &name)?;
            found.push((meta, name));
        }
        found.sort_by_key(|(meta, _)| meta.last_log_id);
        let current = found.pop();
        for (_, older) in found {
            folder.remove(&older).map_err(Error::io(&folder.file(&older)))?;
        }
        Ok(SnapshotStore { folder, current: Mutex::new(current) })
    }

    /// The state of the newest snapshot; that of a new cluster, when there is none.
    pub(super) fn load(&self) -> Result<Taken, Error> {
        match self.current()? {
            Some((meta, data)) => self.parse(&meta, &data),
            None => {
                let image = ClusterImage::new(self.folder.cluster_id().clone());
                Ok(Taken { image, applied: None, membership: Membership::default() })
            }
        }
    }

    /// The newest snapshot.
    pub(super) fn current(&self) -> Result<Option<(SnapshotMeta, Vec<u8>)>, Error> {
        let current = self.current.lock();
        current.as_ref().map(|(_, name)| read(&self.folder, name)).transpose()
    }

    /// Makes a snapshot the newest, durably; one that is older than the newest is dropped.
    pub(super) fn save(&self, meta: &SnapshotMeta, data: &[u8]) -> io::Result<()> {
        let mut current = self.current.lock();
        if current.as_ref().is_some_and(|(newest, _)| newest.last_log_id > meta.last_log_id) {
            return Ok(());
        }
        let index = meta.last_log_id.map_or(0, |log_id| log_id.index);
        let name = format!("{PREFIX}{index:020}-{}", Uuid::new_v4().simple());
        let mut bytes = Vec::with_capacity(data.len() + 1024);
        self.folder.push_header(&mut bytes, meta)?;
        push_frame(&mut bytes, data)?;
        self.folder.replace(&name, &bytes)?;
        if let Some((_, older)) = current.replace((meta.clone(), name)) {
            self.folder.remove(&older)?;
        }
        Ok(())
    }

    /// The state that a snapshot's data describe.
    pub(super) fn parse(&self, meta: &SnapshotMeta, data: &[u8]) -> Result<Taken, Error> {
        let reason = |e: &dyn ToString| {
            let path = self.folder.file(PREFIX);
            Error::corrupt(&path, 0, format!("snapshot {}: {}", meta.snapshot_id, e.to_string()))
        };
        let data: Data = serde_json::from_slice(data).map_err(|e| reason(&e))?;
        let image = ClusterImage::restore(self.folder.cluster_id().clone(), data.index, data.records);
        let image = image.map_err(|e| reason(&e))?;
        Ok(Taken { image, applied: meta.last_log_id, membership: meta.last_membership.clone() })
    }
}

fn read(folder: &Folder, name: &str) -> Result<(SnapshotMeta, Vec<u8>), Error> {
    let path = folder.file(name);
    let mut bytes = std::fs::read(&path).map_err(Error::io(&path))?;
    let (meta, at) = folder.read_header(&path, &bytes)?;
    let Some((payload, end)) = read_frame(&bytes, at) else {
        return Err(Error::corrupt(&path, at, "the snapshot is not whole"));
    };
    let start = end - payload.len();
    bytes.truncate(end);
    bytes.drain(..start);
    Ok((meta, bytes))
}
