//! The bytes of the quorum's files: frames, headers, and files that are replaced whole.
//!
//! Each file is a sequence of frames, the first of which is a [`Header`]:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | the marker `FF 'K' 'M' 'L'`; `FF` occurs in no JSON |
//! | 4 | length of the payload, big-endian |
//! | 4 | CRC-32C of the length's four bytes and the payload, big-endian |
//! | … | the payload, JSON |
//!
//! Invariants: a file comes to be, and is replaced, by a synced temporary file of a unique name, a rename and a sync of
//! the folder; what a crash leaves of that is a `.tmp` file, removed at the next start.

use super::QuorumConfig;
use super::engine::FORMAT;
use super::error::Error;
use crate::runtime::Disk;
use crate::types::{BrokerId, ClusterId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

const MARKER: [u8; 4] = [0xff, b'K', b'M', b'L'];
const FRAME_HEADER_BYTES: usize = 12;

/// The first frame of each file; `T` is what this kind of file adds.
#[derive(Serialize, Deserialize)]
pub(super) struct Header<T> {
    /// The format of the file, checked before anything else is looked at.
    format: u32,
    cluster_id: ClusterId,
    node_id: BrokerId,
    /// What this kind of file adds.
    pub(super) content: T,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// The locked folder of one node's quorum.
pub(super) struct Folder {
    disk: Disk,
    path: PathBuf,
    cluster_id: ClusterId,
    node_id: BrokerId,
    _lock: File,
}

impl Folder {
    /// Creates the folder if need be, locks it and clears what a crash left half written.
    pub(super) fn open(path: &Path, config: QuorumConfig) -> Result<Folder, Error> {
        let QuorumConfig { node_id, cluster_id, disk } = config;
        disk.create_folders(path).map_err(Error::io(path))?;
        let lock_path = path.join(".lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(Error::io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked(path.into())),
            Err(TryLockError::Error(source)) => return Err(Error::Io { path: lock_path, source }),
        }
        let folder = Folder { disk, path: path.into(), cluster_id, node_id, _lock: lock };
        for name in folder.names()?.iter().filter(|name| name.ends_with(".tmp")) {
            folder.remove(name).map_err(Error::io(&folder.file(name)))?;
        }
        Ok(folder)
    }

    /// The cluster that the folder belongs to.
    pub(super) fn cluster_id(&self) -> &ClusterId {
        &self.cluster_id
    }

    /// The disk that the folder's files are changed through.
    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The path of a file.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The names of all files.
    pub(super) fn names(&self) -> Result<Vec<String>, Error> {
        let entries = fs::read_dir(&self.path).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let entries = entries.map_err(Error::io(&self.path))?;
        Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    /// Removes a file; durable only after the folder's next sync.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove_file(&self.file(name))
    }

    /// Writes the frame of a header for this folder.
    pub(super) fn push_header<T: Serialize>(&self, out: &mut Vec<u8>, content: &T) -> io::Result<()> {
        let (cluster_id, node_id) = (self.cluster_id.clone(), self.node_id);
        push_frame(out, &serde_json::to_vec(&Header { format: FORMAT, cluster_id, node_id, content })?)
    }

    /// Reads the header with which `bytes`, the contents of `path`, begin; returns where the next frame begins.
    ///
    /// # Errors
    /// A newer format, another cluster, another node, or no header.
    pub(super) fn read_header<T: DeserializeOwned>(&self, path: &Path, bytes: &[u8]) -> Result<(T, usize), Error> {
        let (payload, next) = read_frame(bytes, 0).ok_or_else(|| Error::corrupt(path, 0, "the header is not whole"))?;
        let malformed = |e| Error::corrupt(path, 0, format!("the header is not what it should be: {e}"));
        let Format { format } = serde_json::from_slice(payload).map_err(malformed)?;
        if format > FORMAT {
            return Err(Error::NewerFormat { path: path.into(), found: format, known: FORMAT });
        }
        let header: Header<T> = serde_json::from_slice(payload).map_err(malformed)?;
        if header.cluster_id != self.cluster_id {
            let (found, expected) = (header.cluster_id, self.cluster_id.clone());
            return Err(Error::OtherCluster { path: path.into(), found, expected });
        }
        if header.node_id != self.node_id {
            let (found, expected) = (header.node_id, self.node_id);
            return Err(Error::OtherNode { path: path.into(), found, expected });
        }
        Ok((header.content, next))
    }

    /// Makes `bytes` the whole and durable contents of the file `name`, or leaves it as it was.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.prepare(name, bytes).and_then(|prepared| self.put(prepared))
    }

    /// Writes and syncs what is to become the file `name`. Nothing has changed when this fails.
    pub(super) fn prepare(&self, name: &str, bytes: &[u8]) -> io::Result<Prepared> {
        let temporary = self.file(&format!("{name}.{}.tmp", Uuid::new_v4().simple()));
        let written = self.disk.write_file(&temporary, bytes).and_then(|file| self.disk.sync_data(&file));
        if written.is_err() {
            // Best effort: the next start removes it otherwise.
            let _ = self.disk.remove_file(&temporary);
        }
        written.map(|()| Prepared { temporary, path: self.file(name) })
    }

    /// Puts a prepared file in its place, durably.
    pub(super) fn put(&self, prepared: Prepared) -> io::Result<()> {
        self.disk.rename(&prepared.temporary, &prepared.path)?;
        self.sync()
    }

    /// Makes creations, renames and removals durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.disk.sync_folder(&self.path)
    }
}

/// A file that only has to be put in its place.
pub(super) struct Prepared {
    temporary: PathBuf,
    path: PathBuf,
}

/// Appends a frame.
pub(super) fn push_frame(out: &mut Vec<u8>, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?.to_be_bytes();
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&length);
    out.extend_from_slice(&checksum(length, payload).to_be_bytes());
    out.extend_from_slice(payload);
    Ok(())
}

/// The payload of the frame at `at` and where the next one begins; `None` unless the frame is whole and right.
pub(super) fn read_frame(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let (header, rest) = bytes.get(at..)?.split_first_chunk::<FRAME_HEADER_BYTES>()?;
    let [m0, m1, m2, m3, l0, l1, l2, l3, c0, c1, c2, c3] = *header;
    let length = [l0, l1, l2, l3];
    let payload = rest.get(..usize::try_from(u32::from_be_bytes(length)).ok()?)?;
    let right = [m0, m1, m2, m3] == MARKER && checksum(length, payload) == u32::from_be_bytes([c0, c1, c2, c3]);
    right.then_some((payload, at + FRAME_HEADER_BYTES + payload.len()))
}

/// Whether a right frame begins anywhere after `at`.
pub(super) fn frame_after(bytes: &[u8], at: usize) -> bool {
    let markers = bytes.windows(MARKER.len()).enumerate().skip(at + 1).filter(|(_, window)| *window == MARKER);
    markers.map(|(position, _)| position).any(|position| read_frame(bytes, position).is_some())
}

fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length), payload)
}
