//! Stores bytes at the end of the active segment: through its map when they are few, by `pwritev` otherwise.
//!
//! Invariants:
//! * the file is allocated ahead of what is stored, so that a full disk is an error here and not a signal in a store;
//! * what users' records take of the disk was granted by the directory's [`Room`];
//! * `end` moves only when all bytes of a store are in the file. After a failed store the file is cut there, when the disk
//!   was full, or the caller gives the log up;
//! * what is stored is readable after [`Writer::publish`].
//!
//! Where the file system refuses to allocate, there is no map, and positioned writes extend the file.

use crate::runtime::{Disk, cannot_allocate, is_disk_full};
use crate::storage::Allocation;
use crate::storage::log::Shared;
use crate::storage::map::MapWriter;
use crate::storage::room::Grant;
use crate::storage::segment::Segment;
use crate::types::TimestampMs;
use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;
use tracing::info;

/// Allocation ahead begins with this and doubles.
const CHUNK_BYTES_MIN: u64 = 64 << 10;
const CHUNK_BYTES_MAX: u64 = 64 << 20;

/// Whose records are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Users': the reserve is not for them.
    Users,
    /// The broker's own.
    Internal,
}

#[derive(Debug)]
pub(super) struct Writer {
    disk: Disk,
    file: Arc<File>,
    /// Bytes stored.
    end: u64,
    /// Bytes that the file has; `None` when it cannot be allocated ahead.
    allocated: Option<u64>,
    map: MapState,
    /// Readers have been given the map.
    map_is_lent: bool,
    origin: Origin,
    shared: Arc<Shared>,
}

#[derive(Debug)]
enum MapState {
    /// Small segments are not mapped: a mapped granule costs up to 2 MiB of memory.
    NotYet,
    Mapped(MapWriter),
    Refused,
}

impl Writer {
    /// Writes on at `end`, which is also the length of the file.
    pub(super) fn new(file: Arc<File>, end: u64, origin: Origin, shared: &Arc<Shared>) -> Writer {
        let (allocated, map) = match shared.tuning.allocation {
            Allocation::Ahead => (Some(end), MapState::NotYet),
            Allocation::Never => (None, MapState::Refused),
        };
        let (disk, shared) = (shared.disk.clone(), shared.clone());
        Writer { disk, file, end, allocated, map, map_is_lent: false, origin, shared }
    }

    /// Makes room for `bytes` more in a segment that will grow to `segment_bytes` at most.
    ///
    /// # Errors
    /// No room, or the disk failed. Nothing was stored.
    pub(super) fn reserve(&mut self, bytes: u64, segment_bytes: u64, now: TimestampMs) -> io::Result<()> {
        let needed = self.end + bytes;
        let Some(allocated) = self.allocated else {
            // Nothing is allocated ahead, and what the write before took was there.
            let grant = self.ask(bytes, bytes, now)?;
            grant.inspect(|grant| self.shared.room.note_taken(*grant));
            return Ok(());
        };
        if needed > allocated {
            let ahead = allocated + allocated.clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
            let target = ahead.min(segment_bytes).max(needed);
            let grant = self.ask(needed - allocated, target - allocated, now)?;
            let target = grant.map_or(target, |grant| allocated + grant.bytes);
            let result = match self.allocate(allocated, target) {
                Err(e) if is_disk_full(&e) && target > needed => self.allocate(allocated, needed),
                other => other,
            };
            match result {
                Ok(()) => drop(grant.inspect(|grant| self.shared.room.note_taken(*grant))),
                Err(e) if cannot_allocate(&e) => self.give_up_allocating(),
                Err(error) => {
                    if is_disk_full(&error) {
                        self.shared.room.note_refused(needed - allocated, now);
                    }
                    return Err(error);
                }
            }
        }
        self.map_when_large(segment_bytes);
        Ok(())
    }

    fn ask(&self, needed: u64, wanted: u64, now: TimestampMs) -> io::Result<Option<Grant>> {
        match self.origin {
            Origin::Users => self.shared.room.ask(needed, wanted, now).map(Some),
            Origin::Internal => Ok(None),
        }
    }

    fn allocate(&mut self, from: u64, to: u64) -> io::Result<()> {
        self.disk.allocate(&self.file, from, to)?;
        self.allocated = Some(to);
        if let MapState::Mapped(map) = &mut self.map
            && map.set_allocated(to).is_err()
        {
            self.map = MapState::Refused;
        }
        Ok(())
    }

    fn give_up_allocating(&mut self) {
        info!("the file system does not allocate ahead: appends use positioned writes, without a memory map");
        self.allocated = None;
        self.map = MapState::Refused;
    }

    /// Maps the file once, at the full length that it can reach; slices of it are lent, so it is never mapped anew.
    fn map_when_large(&mut self, segment_bytes: u64) {
        let Some(allocated) = self.allocated else { return };
        if matches!(self.map, MapState::NotYet) && self.end >= self.shared.tuning.map_from_bytes {
            let length = segment_bytes.max(allocated);
            self.map = match MapWriter::new(&self.file, length, self.end, allocated) {
                Ok(Some(map)) => MapState::Mapped(map),
                Ok(None) | Err(_) => MapState::Refused,
            };
        }
    }

    /// Stores the pieces, `bytes` in all, at the end.
    ///
    /// # Errors
    /// The write failed; how much of it was written is not known: [`trim`](Writer::trim) takes it back.
    pub(super) fn store<'a>(&mut self, pieces: impl Iterator<Item = &'a [u8]>, bytes: u64) -> io::Result<()> {
        let end = self.end + bytes;
        match &mut self.map {
            MapState::Mapped(map) if bytes < self.shared.tuning.map_below_bytes && map.reaches(end) => {
                self.disk.store_by_map(&self.file, pieces, self.end, |position, piece| map.store(position, piece))?;
            }
            _ => self.write(pieces)?,
        }
        self.end = end;
        Ok(())
    }

    fn write<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
        let mut slices = Vec::with_capacity(pieces.size_hint().1.unwrap_or(0));
        slices.extend(pieces.filter(|piece| !piece.is_empty()).map(IoSlice::new));
        self.disk.write_slices_at(&self.file, &mut slices, self.end)
    }

    /// Lets readers of the map see what is stored.
    pub(super) fn publish(&mut self, segment: &Segment) {
        match &mut self.map {
            MapState::Mapped(map) if map.reaches(self.end) => {
                map.publish(self.end);
                if !self.map_is_lent {
                    segment.set_map(Some(map.map().clone()));
                    self.map_is_lent = true;
                }
            }
            // The segment grew beyond its map, because its configuration did.
            MapState::Mapped(_) => {
                segment.set_map(None);
                self.map = MapState::Refused;
            }
            MapState::NotYet | MapState::Refused => {}
        }
    }

    /// Gives back what was allocated beyond the end.
    pub(super) fn trim(&mut self) -> io::Result<()> {
        self.disk.set_length(&self.file, self.end)?;
        if self.allocated.is_some() {
            self.allocated = Some(self.end);
        }
        match &mut self.map {
            MapState::Mapped(map) => map.set_allocated(self.end),
            MapState::NotYet | MapState::Refused => Ok(()),
        }
    }
}
