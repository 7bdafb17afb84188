//! A range of bytes of an open file: what `storage` lends and `net` sends, without a copy.
//!
//! Invariants: the bytes in the range are never rewritten while the slice lives; the descriptor stays open with it.

use super::Disk;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// So many are brought in at a time: the kernel keeps the processor meanwhile, and others wait for the turn.
const BROUGHT_IN_BYTES: u64 = 256 << 10;

/// `length` bytes of `file` from `position`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FileSlice {
    /// The open file.
    pub file: Arc<File>,
    /// The first byte, from the start of the file.
    pub position: u64,
    /// How many bytes.
    pub length: u64,
    /// The disk that the file is on.
    pub disk: Disk,
    /// Whether they are in memory.
    pub presence: Presence,
}

/// Whether bytes of a file are in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// They are: the page cache keeps what is not on disk yet.
    Certain,
    /// That is to be asked.
    Unknown,
}

impl FileSlice {
    /// Whether all of it can be sent without waiting for the disk.
    pub fn is_in_memory(&self) -> bool {
        match self.presence {
            Presence::Certain => true,
            Presence::Unknown => self.disk.is_in_memory(&self.file, self.position, self.length),
        }
    }

    /// Brings bytes from the slice's start on into memory, and waits for them. How many.
    ///
    /// # Errors
    /// Those of reading the file.
    pub fn bring_in(&self) -> io::Result<u64> {
        let stretch = self.length.min(BROUGHT_IN_BYTES);
        self.disk.bring_in(&self.file, self.position, stretch).map(|()| stretch)
    }

    /// Appends the slice's bytes to `out`.
    ///
    /// # Errors
    /// Those of reading the file; `UnexpectedEof` when the file ends inside the slice. `out` is then as it was.
    pub fn read_into(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let start = out.len();
        out.resize(start + usize::try_from(self.length).map_err(io::Error::other)?, 0);
        let read = self.file.read_exact_at(&mut out[start..], self.position);
        if read.is_err() {
            out.truncate(start);
        }
        read
    }
}
