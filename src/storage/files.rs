//! A bounded number of open closed segments, shared by all logs of a directory.
//!
//! Invariants: at most `capacity` segments are held open; what was lent stays open by itself until it is dropped.

use crate::storage::Error;
use crate::storage::index::ClosedIndex;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

/// The log file of a closed segment, and its offset index: two descriptors.
#[derive(Debug)]
pub(super) struct OpenSegment {
    pub(super) file: Arc<File>,
    pub(super) index: ClosedIndex,
}

#[derive(Debug)]
pub(super) struct FileCache {
    capacity: usize,
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    /// By the key of the segment: what is open, and when it was last used.
    open: HashMap<u64, (Arc<OpenSegment>, u64)>,
    uses: u64,
}

impl FileCache {
    pub(super) fn new(capacity: usize) -> FileCache {
        FileCache { capacity: capacity.max(1), slots: Mutex::default() }
    }

    /// What is open under this key.
    pub(super) fn get(&self, key: u64) -> Option<Arc<OpenSegment>> {
        self.slots.lock().get(key)
    }

    /// What is open under this key, or what `open` opens. Two callers may open the same segment at once; one stays.
    pub(super) fn get_or_open(
        &self,
        key: u64,
        open: impl FnOnce() -> Result<OpenSegment, Error>,
    ) -> Result<Arc<OpenSegment>, Error> {
        if let Some(found) = self.get(key) {
            return Ok(found);
        }
        let opened = Arc::new(open()?);
        let mut slots = self.slots.lock();
        if let Some(found) = slots.get(key) {
            return Ok(found);
        }
        // Rare enough (it follows two opens) that the oldest is looked for one by one.
        let evicted = if slots.open.len() < self.capacity { None } else { slots.remove_oldest() };
        slots.uses += 1;
        let uses = slots.uses;
        slots.open.insert(key, (opened.clone(), uses));
        drop(slots);
        drop(evicted);
        Ok(opened)
    }

    /// Closes a segment that is no longer part of its log.
    pub(super) fn forget(&self, key: u64) {
        let removed = self.slots.lock().open.remove(&key);
        drop(removed);
    }
}

impl Slots {
    fn get(&mut self, key: u64) -> Option<Arc<OpenSegment>> {
        self.uses += 1;
        let uses = self.uses;
        let (open, used) = self.open.get_mut(&key)?;
        *used = uses;
        Some(open.clone())
    }

    fn remove_oldest(&mut self) -> Option<Arc<OpenSegment>> {
        let oldest = self.open.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| *key)?;
        self.open.remove(&oldest).map(|(open, _)| open)
    }
}
