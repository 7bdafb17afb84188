//! Walks from batch header to batch header through a range of a log file.
//!
//! Invariants: every batch returned lies wholly inside the range; offsets rise; at most [`BLOCK_BYTES`] are read at once.
//! Bodies are not looked at: what is walked was checked before, when it was appended or recovered.

use crate::record::{BatchInfo, HEADER_BYTES};
use crate::runtime::FileReader;
use crate::storage::Error;
use crate::storage::map::Map;
use crate::storage::segment::is_possible;
use crate::types::Offset;
use std::fs::File;
use std::io;
use std::path::Path;

/// As much as lies between two index entries by default, so that most searches need one read.
const BLOCK_BYTES: usize = 4096;

/// Why a walk cannot go on.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    /// There is no whole batch at this position.
    Broken {
        position: u64,
        what: String,
    },
}

impl Fault {
    /// The same, as an error about a file.
    pub(super) fn at(self, path: &Path) -> Error {
        match self {
            Fault::Io(source) => Error::io("read", path)(source),
            Fault::Broken { position, what } => {
                Error::Corrupt { path: path.to_owned(), what: format!("at position {position}: {what}") }
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Headers<'a> {
    file: &'a File,
    reader: FileReader,
    map: Option<&'a Map>,
    map_end: u64,
    position: u64,
    end: u64,
    last_offset: Option<Offset>,
    /// Empty as long as the map answers.
    block: Vec<u8>,
    block_start: u64,
}

impl<'a> Headers<'a> {
    /// Walks from `position`, where a batch begins, to `end`, where one ends. Reads from the map where there is one.
    pub(super) fn new(file: &'a File, map: Option<&'a Map>, position: u64, end: u64) -> Headers<'a> {
        let reader = FileReader::default();
        Headers { file, reader, map, map_end: end, position, end, last_offset: None, block: Vec::new(), block_start: 0 }
    }

    /// The same walk, by a reader of the caller's, and through the map only below `map_end`.
    pub(super) fn by(self, reader: &FileReader, map_end: u64) -> Headers<'a> {
        Headers { reader: reader.clone(), map_end, ..self }
    }

    /// The next batch and where it begins; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, BatchInfo)>, Fault> {
        let position = self.position;
        if position >= self.end {
            return Ok(None);
        }
        let broken = |what: String| Fault::Broken { position, what };
        let left = self.end - position;
        if left < HEADER_BYTES as u64 {
            return Err(broken(format!("{left} bytes are too few for a batch")));
        }
        let batch = BatchInfo::parse_header(self.header(position)?).map_err(|e| broken(e.to_string()))?;
        if u64::from(batch.size_bytes) > left {
            return Err(broken(format!("a batch of {} bytes, of which {left} are there", batch.size_bytes)));
        }
        if !is_possible(batch.base_offset) {
            return Err(broken(format!("offset {} is impossible", batch.base_offset)));
        }
        if batch.last_offset_delta < 0 || self.last_offset.is_some_and(|last| batch.base_offset <= last) {
            return Err(broken(format!("offsets do not rise at offset {}", batch.base_offset)));
        }
        self.last_offset = Some(batch.last_offset());
        self.position += u64::from(batch.size_bytes);
        Ok(Some((position, batch)))
    }

    fn header(&mut self, position: u64) -> Result<&[u8], Fault> {
        let header_end = position + HEADER_BYTES as u64;
        if let Some(bytes) =
            self.map.filter(|_| header_end <= self.map_end).and_then(|map| map.bytes(position..header_end))
        {
            return Ok(bytes);
        }
        if position < self.block_start || header_end > self.block_start + self.block.len() as u64 {
            let length = usize::try_from(self.end - position).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
            self.block.resize(length, 0);
            self.block_start = position;
            self.reader.read_exact_at(self.file, &mut self.block, position).map_err(Fault::Io)?;
        }
        let start = (position - self.block_start) as usize;
        Ok(&self.block[start..start + HEADER_BYTES])
    }
}
