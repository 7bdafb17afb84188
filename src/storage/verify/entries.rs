//! The entries of one index file, compared with the batches of its segment as these go by.
//!
//! Invariants: each entry is judged by itself, so that one that is wrong does not blame those after it; entries come in any
//! order from the file, batches in theirs.

use crate::storage::index::{OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES, offset_entry, time_entry};
use crate::types::{Offset, TimestampMs};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Kafka's are 10 MiB at most by default; one that claims more is not read.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// What an index file says, or that there is none.
#[derive(Debug)]
pub(super) struct Entries {
    kind: Kind,
    all: Vec<Entry>,
    /// Places in `all`, by key.
    order: Vec<u32>,
    next: usize,
    /// Bytes behind the last whole entry.
    rest_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The key is a position, the value the relative offset at which the batch there ends.
    Offsets,
    /// The key is a relative offset, the value the largest timestamp up to it.
    Times,
}

/// Whether zeros may follow the last entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    Exact,
    /// Kafka allocates ahead, and an unclean stop cuts nothing off.
    MayBeAllocated,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u32,
    value: i64,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// No batch came that it could name.
    Unmet,
    Right,
    /// There is such a batch, and this is what should stand there, if anything.
    Wrong(Option<i64>),
    /// It names damaged bytes: nobody can tell.
    Unknown,
}

impl Entries {
    /// Reads a file; `None` when there is none.
    pub(super) fn read(path: &Path, kind: Kind, tail: Tail) -> io::Result<Option<Entries>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        if file.metadata()?.len() > FILE_BYTES_MAX {
            return Err(io::Error::other("it is longer than any index"));
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        let entry_bytes = kind.entry_bytes() as usize;
        match tail {
            Tail::Exact => {}
            Tail::MayBeAllocated => {
                let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                bytes.truncate(used.next_multiple_of(entry_bytes));
            }
        }
        let chunks = bytes.chunks_exact(entry_bytes);
        let rest_bytes = chunks.remainder().len() as u64;
        let all: Vec<Entry> = chunks.map(|bytes| kind.decode(bytes)).collect();
        let mut order: Vec<u32> = (0..all.len() as u32).collect();
        order.sort_by_key(|place| all[*place as usize].key);
        Ok(Some(Entries { kind, all, order, next: 0, rest_bytes }))
    }

    /// A batch with this key went by, for which an entry would say `value`; `None` when none may name it.
    pub(super) fn observe(&mut self, key: u32, value: Option<i64>) {
        self.judge_below(u64::from(key) + 1, |entry| match () {
            () if entry.key < key => Verdict::Unmet,
            () if Some(entry.value) == value => Verdict::Right,
            () => Verdict::Wrong(value),
        });
    }

    /// Keys below this one were in damaged bytes, if no batch had them.
    pub(super) fn pass_over(&mut self, below: u64) {
        self.judge_below(below, |_| Verdict::Unknown);
    }

    fn judge_below(&mut self, below: u64, judge: impl Fn(&Entry) -> Verdict) {
        while let Some(place) = self.order.get(self.next) {
            let entry = &mut self.all[*place as usize];
            if u64::from(entry.key) >= below {
                break;
            }
            entry.verdict = judge(entry);
            self.next += 1;
        }
    }

    /// The largest timestamp of a time index that is right.
    pub(super) fn last_right_value(&self) -> Option<i64> {
        self.all.iter().rev().find(|entry| entry.verdict == Verdict::Right).map(|entry| entry.value)
    }

    /// What is wrong, with its position in the file and, where one can be named, the offset it is about.
    pub(super) fn findings(&self, base_offset: Offset, mut found: impl FnMut(u64, Option<Offset>, String)) {
        let mut last_right: Option<Entry> = None;
        for (place, entry) in self.all.iter().enumerate() {
            let position = place as u64 * self.kind.entry_bytes();
            match entry.verdict {
                Verdict::Right if last_right.is_some_and(|last| last.key >= entry.key || last.value >= entry.value) => {
                    found(
                        position,
                        self.kind.offset(base_offset, entry),
                        "the entry does not rise above the one before".into(),
                    );
                }
                Verdict::Right => last_right = Some(*entry),
                Verdict::Unmet => {
                    let what = match self.kind {
                        Kind::Offsets => format!("the entry points at position {}, where no batch begins", entry.key),
                        Kind::Times => "the entry names an offset at which no batch ends".into(),
                    };
                    found(position, self.kind.offset(base_offset, entry), what);
                }
                Verdict::Wrong(right) => {
                    found(
                        position,
                        self.kind.offset(base_offset, entry),
                        self.kind.say_wrong(base_offset, entry, right),
                    );
                }
                Verdict::Unknown => {}
            }
        }
        if self.rest_bytes > 0 {
            let position = self.all.len() as u64 * self.kind.entry_bytes();
            found(position, None, format!("{} bytes at the end are no whole entry", self.rest_bytes));
        }
    }
}

impl Kind {
    fn entry_bytes(self) -> u64 {
        match self {
            Kind::Offsets => OFFSET_ENTRY_BYTES,
            Kind::Times => TIME_ENTRY_BYTES,
        }
    }

    fn decode(self, bytes: &[u8]) -> Entry {
        let (key, value) = match self {
            Kind::Offsets => {
                let entry = offset_entry(bytes);
                (entry.position, entry.relative.into())
            }
            Kind::Times => {
                let entry = time_entry(bytes);
                (entry.relative, entry.timestamp.0)
            }
        };
        Entry { key, value, verdict: Verdict::Unmet }
    }

    fn offset(self, base_offset: Offset, entry: &Entry) -> Option<Offset> {
        let relative = match self {
            Kind::Offsets => entry.value,
            Kind::Times => entry.key.into(),
        };
        base_offset.0.checked_add(relative).map(Offset)
    }

    fn say_wrong(self, base_offset: Offset, entry: &Entry, right: Option<i64>) -> String {
        match (self, right) {
            (Kind::Offsets, Some(right)) => {
                format!("the batch at position {} ends at offset {}", entry.key, base_offset.0.saturating_add(right))
            }
            (Kind::Offsets, None) => format!("the batch at position {} lies beyond what an index can name", entry.key),
            (Kind::Times, Some(right)) => {
                format!("the entry says time {}, and the largest up to there is {right}", TimestampMs(entry.value))
            }
            (Kind::Times, None) => {
                format!("the entry says time {}, which is not its batch's", TimestampMs(entry.value))
            }
        }
    }
}

/// Whether a file is there at all, even an empty one.
pub(super) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
