//! The memory map of an active segment: the only file of this floor with `unsafe`.
//!
//! Invariants, which the `SAFETY` comments name by number:
//! 1. The directory is locked by this process, and nothing in it shortens the file below `readable` while a [`Map`] lives.
//! 2. No `&mut [u8]` over the map ever exists; bytes are stored through a raw pointer.
//! 3. One [`MapWriter`] exists for a map. It stores at or above `readable` and below the allocated end only, and moves
//!    `readable` with `Release` after the bytes are there.
//! 4. Readers load `readable` with `Acquire` and touch nothing at or above it: what they see is never rewritten.
//! 5. Nothing at or above the allocated end of the file is touched: the map is longer than the file.
//!
//! The number of maps in the process is bounded (`vm.max_map_count`); without a permit there is no map, and the caller
//! reads and writes by position.

#![allow(unsafe_code)]

use bytes::Bytes;
use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A quarter of Linux's default `vm.max_map_count`.
const MAPS_MAX: usize = 16_384;

static MAPS: AtomicUsize = AtomicUsize::new(0);

/// The right to have one map; given back when dropped.
#[derive(Debug)]
struct Permit;

impl Permit {
    fn take() -> Option<Permit> {
        let more = |maps| (maps < MAPS_MAX).then_some(maps + 1);
        MAPS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        MAPS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The readable side of a mapped file.
#[derive(Debug)]
pub(super) struct Map {
    raw: MmapRaw,
    /// Bytes below may be read and never change.
    readable: AtomicUsize,
    _permit: Permit,
}

impl Map {
    /// The published bytes in `range`; `None` when it reaches beyond them.
    pub(super) fn bytes(&self, range: Range<u64>) -> Option<&[u8]> {
        let start = usize::try_from(range.start).ok()?;
        let end = usize::try_from(range.end).ok()?;
        if start > end || end > self.readable.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: `readable` lies inside the map and inside the file (1, 5); below it nothing is written (2, 3, 4). The
        // slice borrows `self`, which keeps the mapping.
        Some(unsafe { std::slice::from_raw_parts(self.raw.as_ptr().add(start), end - start) })
    }

    /// The same, keeping the map alive by itself.
    pub(super) fn lend(self: &Arc<Map>, range: Range<u64>) -> Option<Bytes> {
        self.bytes(range.clone())?;
        Some(Bytes::from_owner(Lent { map: self.clone(), range }))
    }
}

struct Lent {
    map: Arc<Map>,
    range: Range<u64>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.map.bytes(self.range.clone()).expect("the readable end never moves back")
    }
}

/// The one who stores through a map.
#[derive(Debug)]
pub(super) struct MapWriter {
    map: Arc<Map>,
    file: Arc<File>,
    allocated: usize,
}

impl MapWriter {
    /// Maps `length` bytes of `file`, of which those below `readable` are published and those below `allocated` exist.
    /// `None` when the process has as many maps as it may.
    ///
    /// # Errors
    /// The system refuses to map, or the file is shorter than said.
    pub(super) fn new(file: &Arc<File>, length: u64, readable: u64, allocated: u64) -> io::Result<Option<MapWriter>> {
        let Some(permit) = Permit::take() else { return Ok(None) };
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let raw = MmapOptions::new().len(length).map_raw(file.as_ref())?;
        let map = Map { raw, readable: AtomicUsize::new(0), _permit: permit };
        let mut writer = MapWriter { map: Arc::new(map), file: file.clone(), allocated: 0 };
        writer.set_allocated(allocated)?;
        writer.publish(readable);
        Ok(Some(writer))
    }

    /// The readable side.
    pub(super) fn map(&self) -> &Arc<Map> {
        &self.map
    }

    /// Takes note that the file is allocated below `to`, and not beyond.
    ///
    /// # Errors
    /// The file is shorter than that.
    pub(super) fn set_allocated(&mut self, to: u64) -> io::Result<()> {
        if self.file.metadata()?.len() < to {
            return Err(io::Error::other("the file is shorter than its allocation"));
        }
        self.allocated = usize::try_from(to).map_err(io::Error::other)?.min(self.map.raw.len());
        Ok(())
    }

    /// True when bytes up to `end` can be stored.
    pub(super) fn reaches(&self, end: u64) -> bool {
        end <= self.allocated as u64
    }

    /// Stores bytes that nobody may read yet.
    ///
    /// # Panics
    /// When they would overwrite what is published, or lie beyond the allocation.
    pub(super) fn store(&mut self, position: u64, bytes: &[u8]) {
        let readable = self.map.readable.load(Ordering::Relaxed) as u64;
        assert!(position >= readable && self.reaches(position + bytes.len() as u64), "stored outside the free space");
        // SAFETY: the target lies inside the map and the allocated file (5, just checked), at or above `readable`, where
        // no reference exists (2, 4); `&mut self` makes this the only writer (3). The source is borrowed, and cannot be
        // the target, since no slice of unpublished bytes exists.
        unsafe {
            let target = self.map.raw.as_mut_ptr().add(position as usize);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len());
        }
    }

    /// Lets readers see the bytes below `end`, by whichever path they were written.
    ///
    /// # Panics
    /// When the end moves back or beyond the allocation.
    pub(super) fn publish(&mut self, end: u64) {
        let before = self.map.readable.load(Ordering::Relaxed) as u64;
        assert!(end >= before && self.reaches(end), "published outside the allocation");
        self.map.readable.store(end as usize, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(allocated: u64) -> MapWriter {
        let file = Arc::new(tempfile::tempfile().unwrap());
        file.set_len(allocated).unwrap();
        MapWriter::new(&file, 1 << 20, 0, allocated).unwrap().unwrap()
    }

    #[test]
    fn bytes_are_readable_once_published_and_outlive_the_writer() {
        let mut writer = mapped(4096);
        let map = writer.map().clone();
        writer.store(0, b"gorge");
        assert!(map.lend(0..5).is_none());
        writer.publish(5);
        let lent = map.lend(1..5).unwrap();
        writer.file.set_len(5).unwrap();
        drop((writer, map));
        assert_eq!(lent.as_ref(), b"orge");
    }

    #[test]
    #[should_panic(expected = "stored outside the free space")]
    fn published_bytes_are_not_rewritten() {
        let mut writer = mapped(4096);
        writer.publish(10);
        writer.store(9, b"x");
    }

    #[test]
    #[should_panic(expected = "stored outside the free space")]
    fn nothing_is_stored_beyond_the_allocation() {
        mapped(4096).store(4090, b"seven by");
    }

    #[test]
    fn an_allocation_that_the_file_does_not_have_is_refused() {
        assert!(mapped(4096).set_allocated(4097).is_err());
    }
}
