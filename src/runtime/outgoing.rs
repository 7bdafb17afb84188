//! Answers on their way out: bytes in memory, with slices of files spliced in between.
//!
//! Invariants: splices are ordered by where they stand; what was sent is never looked at again.
//! Handlers fill it, `net` sends it; it reads nothing but whether a slice is in memory, and what it is told to bring in.

use super::{FileSlice, Presence};
use std::collections::VecDeque;
use std::io;

/// A queue of answers for one connection.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// The answers' own bytes; handlers append here.
    pub bytes: Vec<u8>,
    sent: usize,
    splices: VecDeque<Splice>,
    /// Bytes of the first slice that are in memory, since it was looked last.
    present_bytes: u64,
}

/// A file's bytes that belong in front of byte `at` of the answers.
#[derive(Debug)]
struct Splice {
    at: usize,
    slice: FileSlice,
}

/// The places where slices of files stand between the answers' bytes.
#[derive(Debug)]
pub struct Splices<'a>(&'a mut VecDeque<Splice>);

impl Splices<'_> {
    /// Puts a file's bytes in front of byte `at`, behind all earlier ones.
    pub fn put(&mut self, at: usize, slice: FileSlice) {
        self.0.push_back(Splice { at, slice });
    }
}

/// How far answers were appended.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    bytes: usize,
    splices: usize,
}

/// What has to be sent next.
#[derive(Debug)]
pub enum Next<'a> {
    /// These bytes; `more` says that a slice follows at once.
    Bytes {
        /// The bytes that are not sent yet, up to the next slice.
        bytes: &'a [u8],
        /// Whether anything follows.
        more: bool,
    },
    /// This slice of a file; its first `present_bytes` can be sent without waiting for the disk.
    File {
        /// What is not sent yet of the slice.
        slice: &'a FileSlice,
        /// As [`prepare`](Outgoing::prepare) found.
        present_bytes: u64,
    },
    /// Nothing is left.
    Nothing,
}

impl Outgoing {
    /// Capacity that is kept when all is sent; more is given back.
    const KEPT_BYTES: usize = 64 << 10;

    /// Puts a file's bytes behind the bytes appended so far.
    pub fn splice(&mut self, slice: FileSlice) {
        self.splices.push_back(Splice { at: self.bytes.len(), slice });
    }

    /// The answers' bytes, and where slices are put between them, for a writer that holds the bytes.
    pub fn parts(&mut self) -> (&mut Vec<u8>, Splices<'_>) {
        (&mut self.bytes, Splices(&mut self.splices))
    }

    /// The present end, until something is sent.
    pub fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), splices: self.splices.len() }
    }

    /// How many bytes were appended since, files included.
    pub fn bytes_since(&self, mark: Mark) -> u64 {
        (self.bytes.len() - mark.bytes) as u64 + self.splices.range(mark.splices..).map(|s| s.slice.length).sum::<u64>()
    }

    /// Forgets what was appended since.
    pub fn take_back(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        self.splices.truncate(mark.splices);
        self.present_bytes = 0;
    }

    /// Whether all is sent.
    pub fn is_empty(&self) -> bool {
        self.sent == self.bytes.len() && self.splices.is_empty()
    }

    /// Bytes that wait to be sent, files included.
    pub fn waiting_bytes(&self) -> u64 {
        (self.bytes.len() - self.sent) as u64 + self.splices.iter().map(|s| s.slice.length).sum::<u64>()
    }

    /// What has to be sent next.
    pub fn next(&self) -> Next<'_> {
        let end = self.splices.front().map_or(self.bytes.len(), |s| s.at);
        match self.splices.front() {
            _ if self.sent < end => Next::Bytes { bytes: &self.bytes[self.sent..end], more: !self.splices.is_empty() },
            Some(splice) => Next::File { slice: &splice.slice, present_bytes: self.present_bytes },
            None => Next::Nothing,
        }
    }

    /// Looks whether what has to be sent next is in memory, unless that is known. False: it is to be brought in first.
    pub fn prepare(&mut self) -> bool {
        if self.present_bytes == 0
            && let Next::File { slice, .. } = self.next()
        {
            self.present_bytes = if slice.is_in_memory() { slice.length } else { 0 };
            return self.present_bytes > 0;
        }
        true
    }

    /// Brings what has to be sent next into memory, and waits for the disk.
    ///
    /// # Errors
    /// Those of the file.
    pub fn bring_in(&mut self) -> io::Result<()> {
        if let Next::File { slice, .. } = self.next() {
            self.present_bytes = slice.bring_in()?;
        }
        Ok(())
    }

    /// The client was waited for: what was in memory may have left it.
    pub fn forget_presence(&mut self) {
        self.present_bytes = 0;
        self.splices.iter_mut().for_each(|splice| splice.slice.presence = Presence::Unknown);
    }

    /// Notes that `count` bytes of what [`next`](Outgoing::next) returned are sent.
    pub fn advance(&mut self, count: usize) {
        let end = self.splices.front().map_or(self.bytes.len(), |s| s.at);
        if self.sent < end {
            self.sent += count;
            assert!(self.sent <= end, "no more is sent than was offered");
        } else if let Some(splice) = self.splices.front_mut() {
            splice.slice.position += count as u64;
            splice.slice.length -= count as u64;
            self.present_bytes = self.present_bytes.saturating_sub(count as u64);
            if splice.slice.length == 0 {
                self.splices.pop_front();
                self.present_bytes = 0;
            }
        }
        if self.is_empty() {
            self.sent = 0;
            self.bytes.clear();
            self.bytes.shrink_to(Self::KEPT_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Disk;
    use std::sync::Arc;

    #[test]
    fn slices_go_out_between_the_bytes_around_them() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let mut out = Outgoing::default();
        out.bytes.extend_from_slice(b"head");
        out.splice(FileSlice { file, position: 7, length: 5, disk: Disk::system(), presence: Presence::Certain });
        out.bytes.extend_from_slice(b"tail");
        assert_eq!(out.waiting_bytes(), 13);
        assert!(matches!(out.next(), Next::Bytes { bytes: b"head", more: true }));
        out.advance(3);
        assert!(matches!(out.next(), Next::Bytes { bytes: b"d", more: true }));
        out.advance(1);
        out.advance(2);
        assert!(matches!(out.next(), Next::File { slice: FileSlice { position: 9, length: 3, .. }, .. }));
        out.advance(3);
        assert!(matches!(out.next(), Next::Bytes { bytes: b"tail", more: false }));
        out.advance(4);
        assert!(out.is_empty() && matches!(out.next(), Next::Nothing));
    }

    #[test]
    fn what_is_taken_back_is_not_sent() {
        let file = || Arc::new(tempfile::tempfile().unwrap());
        let (disk, presence) = (Disk::system(), Presence::Certain);
        let slice = || FileSlice { file: file(), position: 0, length: 5, disk: disk.clone(), presence };
        let mut out = Outgoing::default();
        out.bytes.extend_from_slice(b"kept");
        out.splice(slice());
        let mark = out.mark();
        out.bytes.extend_from_slice(b"not");
        out.splice(slice());
        assert_eq!(out.bytes_since(mark), 8);
        out.take_back(mark);
        assert_eq!((out.bytes_since(mark), out.waiting_bytes()), (0, 9));
    }

    #[test]
    fn what_a_client_was_waited_for_is_asked_for_anew() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let slice = FileSlice { file, position: 0, length: 5, disk: Disk::system(), presence: Presence::Certain };
        let mut out = Outgoing::default();
        out.splice(slice);
        assert!(out.prepare());
        assert!(matches!(out.next(), Next::File { present_bytes: 5, .. }));
        out.forget_presence();
        assert!(!out.prepare(), "the file has no such bytes");
        assert!(matches!(out.next(), Next::File { present_bytes: 0, .. }));
    }
}
