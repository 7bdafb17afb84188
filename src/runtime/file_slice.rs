//! A range of bytes of an open file: what `storage` lends and `net` sends, without a copy.
//!
//! Invariants: the bytes in the range are never rewritten while the slice lives; the descriptor stays open with it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// `length` bytes of `file` from `position`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FileSlice {
    /// The open file.
    pub file: Arc<File>,
    /// The first byte, from the start of the file.
    pub position: u64,
    /// How many bytes.
    pub length: u64,
}

impl FileSlice {
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
