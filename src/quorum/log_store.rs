//! The log and the vote on disk.
//!
//! Files: `log`, a header (what was purged) and one frame per append, holding a JSON array of entries; `vote`, a header.
//!
//! Invariants:
//! * one append is one frame, one write and one `fdatasync`, and is finished before the next begins; only then is it
//!   reported. So a crash can harm the last frame alone: a frame that is not right is cut off when nothing right follows,
//!   and is damage, refused, when something does;
//! * a failed write or sync poisons the log: nothing more is written until the process has started again;
//! * a full disk is found out before an entry is written ([`Room`]) and refuses that proposal alone; where only the
//!   shortening of the log finds no room, the log stays as long as it is;
//! * entries are numbered without a gap, those that were purged excepted;
//! * the vote is durable before it is answered. A vote that is read at start is not yet a mandate: leadership is won anew,
//!   in a new term, so that an index that a crash took is never filled twice in one term.
//!
//! Entries are also kept in memory; snapshots bound how many. Purging and truncating write the file anew: at most once in
//! some thousand entries.

use super::engine::{Engine, Entry, FORMAT, LogId, StorageError, StorageIOError, Vote};
use super::error::Error;
use super::file::{Folder, Prepared, frame_after, push_frame, read_frame};
use super::supervision::Lifeline;
use crate::runtime::{cannot_allocate, is_disk_full};
use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{AnyError, EntryPayload, OptionalSend, RaftLogReader};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs::{self, File};
use std::io;
use std::ops::RangeBounds;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use tracing::warn;

pub(super) const LOG: &str = "log";
const VOTE: &str = "vote";

/// How many bytes are reserved beyond those that are needed, so that few proposals reserve any.
const RESERVE_BYTES: u64 = 256 << 10;

/// The log store that openraft is given. Clones are the same store.
#[derive(Clone)]
pub(super) struct LogStore {
    log: Arc<Mutex<Log>>,
    _lifeline: Arc<Lifeline>,
}

/// A way to reserve room in the log, which does not keep it open.
pub(super) struct Room(Weak<Mutex<Log>>);

struct Log {
    folder: Arc<Folder>,
    file: File,
    end: u64,
    /// Blocks are reserved up to here; 0 when none are known to be.
    reserved_end: u64,
    /// How many bytes were appended since the log was last written anew.
    grown: Arc<AtomicU64>,
    entries: BTreeMap<u64, Entry>,
    purged: Option<LogId>,
    vote: Option<Vote>,
    poisoned: bool,
}

#[derive(Serialize, Deserialize)]
struct LogHeader {
    /// The last entry that the log no longer has.
    purged: Option<LogId>,
}

impl LogStore {
    /// Opens the log of this folder, or begins it.
    pub(super) fn open(folder: Arc<Folder>, lifeline: Lifeline) -> Result<LogStore, Error> {
        let log = Arc::new(Mutex::new(Log::open(folder)?));
        Ok(LogStore { log, _lifeline: Arc::new(lifeline) })
    }

    /// Shows how many bytes were appended since a snapshot last shortened the log.
    pub(super) fn grown(&self) -> Arc<AtomicU64> {
        self.log.lock().grown.clone()
    }

    /// A way to reserve room.
    pub(super) fn room(&self) -> Room {
        Room(Arc::downgrade(&self.log))
    }

    /// All entries that the log has.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.log.lock().entries.values().cloned().collect()
    }

    /// The last entry that the log no longer has.
    pub(super) fn purged(&self) -> Option<LogId> {
        self.log.lock().purged
    }
}

impl Room {
    /// Sees to it that so many bytes more can be appended.
    pub(super) fn reserve(&self, bytes: u64) -> io::Result<()> {
        self.0.upgrade().map_or(Ok(()), |log| log.lock().reserve(bytes))
    }
}

impl Log {
    fn open(folder: Arc<Folder>) -> Result<Log, Error> {
        let vote = read_vote(&folder)?;
        let path = folder.file(LOG);
        if !path.try_exists().map_err(Error::io(&path))? {
            let mut bytes = Vec::new();
            folder.push_header(&mut bytes, &LogHeader { purged: None }).map_err(Error::io(&path))?;
            folder.replace(LOG, &bytes).map_err(Error::io(&path))?;
        }
        let bytes = fs::read(&path).map_err(Error::io(&path))?;
        let (LogHeader { purged }, first) = folder.read_header(&path, &bytes)?;
        let (entries, end) = read_entries(&path, &bytes, first, purged)?;
        let last = entries.last_key_value().map(|(_, entry): (_, &Entry)| entry.log_id).or(purged);
        check_against_vote(&path, last, vote)?;
        let file = File::options().read(true).write(true).open(&path).map_err(Error::io(&path))?;
        if end < bytes.len() {
            warn!(path = %path.display(), bytes = bytes.len() - end, "cut off what a crash left unfinished of the metadata log");
            let cut = folder.disk().set_length(&file, end as u64).and_then(|()| folder.disk().sync_data(&file));
            cut.map_err(Error::io(&path))?;
        }
        let grown = Arc::new(AtomicU64::new((end - first) as u64));
        Ok(Log { folder, file, end: end as u64, reserved_end: 0, grown, entries, purged, vote, poisoned: false })
    }

    fn state(&self) -> LogState<Engine> {
        let last = self.entries.last_key_value().map(|(_, entry)| entry.log_id);
        LogState { last_purged_log_id: self.purged, last_log_id: last.or(self.purged) }
    }

    fn reserve(&mut self, bytes: u64) -> io::Result<()> {
        if self.end.saturating_add(bytes) <= self.reserved_end {
            return Ok(());
        }
        let length = bytes.saturating_add(RESERVE_BYTES);
        match self.reserve_exactly(length) {
            Err(e) if is_disk_full(&e) => self.reserve_exactly(bytes),
            other => other,
        }
    }

    fn reserve_exactly(&mut self, length: u64) -> io::Result<()> {
        match self.folder.disk().reserve(&self.file, self.end, length) {
            Ok(()) => self.reserved_end = self.end + length,
            // Then a full disk shows when it is written to.
            Err(e) if cannot_allocate(&e) => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }

    fn append(&mut self, entries: Vec<Entry>) -> io::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        push_frame(&mut bytes, &serde_json::to_vec(&entries)?)?;
        self.write(|log| {
            log.folder.disk().write_at(&log.file, &bytes, log.end)?;
            log.folder.disk().sync_data(&log.file)?;
            log.end += bytes.len() as u64;
            log.grown.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            Ok(())
        })?;
        self.entries.extend(entries.into_iter().map(|entry| (entry.log_id.index, entry)));
        Ok(())
    }

    fn truncate(&mut self, since: u64) -> io::Result<()> {
        self.entries.split_off(&since);
        let bytes = self.whole()?;
        self.write(|log| {
            let prepared = log.folder.prepare(LOG, &bytes)?;
            log.put(prepared, bytes.len() as u64)
        })
    }

    fn purge(&mut self, upto: LogId) -> io::Result<()> {
        if self.purged.is_some_and(|purged| purged.index >= upto.index) {
            return Ok(());
        }
        self.purged = Some(upto);
        self.entries = self.entries.split_off(&upto.index.saturating_add(1));
        let bytes = self.whole()?;
        // Until the rename nothing has changed, and entries that come back at the next start do no harm.
        match self.folder.prepare(LOG, &bytes) {
            Ok(prepared) => self.write(|log| log.put(prepared, bytes.len() as u64)),
            Err(e) if is_disk_full(&e) => {
                warn!(error = %e, "no room to shorten the metadata log");
                Ok(())
            }
            Err(e) => self.write(|_| Err(e)),
        }
    }

    /// The whole contents of the log's file as it should be.
    fn whole(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.folder.push_header(&mut bytes, &LogHeader { purged: self.purged })?;
        for entry in self.entries.values() {
            push_frame(&mut bytes, &serde_json::to_vec(&[entry])?)?;
        }
        Ok(bytes)
    }

    /// Puts a prepared file of this length in the place of the log's.
    fn put(&mut self, prepared: Prepared, length: u64) -> io::Result<()> {
        self.folder.put(prepared)?;
        self.file = File::options().read(true).write(true).open(self.folder.file(LOG))?;
        self.end = length;
        self.reserved_end = 0;
        self.grown.store(0, Ordering::Relaxed);
        Ok(())
    }

    fn save_vote(&mut self, vote: Vote) -> io::Result<()> {
        // That an election was won is forgotten at the next start anyway: not worth two syncs.
        if self.vote.is_none_or(|saved| saved.leader_id != vote.leader_id) {
            self.write(|log| {
                let mut bytes = Vec::new();
                log.folder.push_header(&mut bytes, &vote)?;
                log.folder.replace(VOTE, &bytes)
            })?;
        }
        self.vote = Some(vote);
        Ok(())
    }

    fn write(&mut self, write: impl FnOnce(&mut Log) -> io::Result<()>) -> io::Result<()> {
        if self.poisoned {
            return Err(io::Error::other("an earlier write failed"));
        }
        let written = write(self);
        self.poisoned = written.is_err();
        written
    }
}

fn read_vote(folder: &Folder) -> Result<Option<Vote>, Error> {
    let path = folder.file(VOTE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(&path)(e)),
    };
    let (vote, _): (Vote, _) = folder.read_header(&path, &bytes)?;
    Ok(Some(Vote { committed: false, ..vote }))
}

/// A group is founded by its first entry, voted in after that, and votes before each term's entries.
fn check_against_vote(path: &Path, last: Option<LogId>, vote: Option<Vote>) -> Result<(), Error> {
    let reason = match (last, vote) {
        (None, Some(_)) => "it has no entry, but there has been a vote",
        (Some(last), None) if last.leader_id.term > 0 => "it has entries of an election, but the vote is lost",
        (Some(last), Some(vote)) if last.leader_id.term > vote.leader_id.term => "its entries are newer than the vote",
        _ => return Ok(()),
    };
    Err(Error::corrupt(path, 0, reason))
}

/// The entries from byte `at`, and where the right frames end.
fn read_entries(
    path: &Path,
    bytes: &[u8],
    mut at: usize,
    purged: Option<LogId>,
) -> Result<(BTreeMap<u64, Entry>, usize), Error> {
    let mut entries = BTreeMap::new();
    let mut expected = purged.map(|purged| purged.index.saturating_add(1));
    while at < bytes.len() {
        let Some((payload, next)) = read_frame(bytes, at) else {
            if frame_after(bytes, at) {
                return Err(Error::corrupt(path, at, "a damaged entry with good ones after it"));
            }
            break;
        };
        let batch: Vec<Entry> = serde_json::from_slice(payload).map_err(|e| match newest_format(payload) {
            Some(found) if found > FORMAT => Error::NewerFormat { path: path.into(), found, known: FORMAT },
            _ => Error::corrupt(path, at, format!("an entry that this version does not understand: {e}")),
        })?;
        for entry in batch {
            let index = entry.log_id.index;
            if expected.is_some_and(|expected| expected != index) {
                return Err(Error::corrupt(path, at, format!("entry {index} is not the next one")));
            }
            if let EntryPayload::Normal(change) = &entry.payload
                && change.format > FORMAT
            {
                return Err(Error::NewerFormat { path: path.into(), found: change.format, known: FORMAT });
            }
            expected = index.checked_add(1);
            entries.insert(index, entry);
        }
        at = next;
    }
    Ok((entries, at))
}

/// The newest format that entries say they have, whatever else is in them: their records may be unknown here.
fn newest_format(payload: &[u8]) -> Option<u32> {
    let entries: Vec<serde_json::Value> = serde_json::from_slice(payload).ok()?;
    let formats = entries.iter().filter_map(|entry| entry["payload"]["Normal"]["format"].as_u64());
    formats.max().map(|format| u32::try_from(format).unwrap_or(u32::MAX))
}

impl RaftLogReader<Engine> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        Ok(self.log.lock().entries.range(range).map(|(_, entry)| entry.clone()).collect())
    }
}

impl RaftLogStorage<Engine> for LogStore {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> Result<LogState<Engine>, StorageError> {
        Ok(self.log.lock().state())
    }

    async fn get_log_reader(&mut self) -> LogStore {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        self.log.lock().save_vote(*vote).map_err(|e| StorageIOError::write_vote(AnyError::new(&e)).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.log.lock().vote)
    }

    /// Writes and syncs in place: the thread is the quorum's own, and a hand-off would cost more than it hides.
    async fn append<I>(&mut self, entries: I, flushed: LogFlushed<Engine>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let appended = self.log.lock().append(entries.into_iter().collect());
        let answer = appended.as_ref().map(|_| ()).map_err(|e| StorageIOError::write_logs(AnyError::new(e)).into());
        flushed.log_io_completed(appended);
        answer
    }

    async fn truncate(&mut self, since: LogId) -> Result<(), StorageError> {
        self.log.lock().truncate(since.index).map_err(|e| StorageIOError::write_logs(AnyError::new(&e)).into())
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), StorageError> {
        self.log.lock().purge(upto).map_err(|e| StorageIOError::write_logs(AnyError::new(&e)).into())
    }
}
