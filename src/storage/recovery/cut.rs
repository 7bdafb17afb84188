//! Takes the end of a log away that a lost machine left unusable, so that it can still be looked at.
//!
//! What is taken away gets names that end in `.lost`, which neither this broker nor Kafka's reads, and which nobody removes:
//! a whole segment is renamed, the end of one is copied. The last segments go first, and the one that is cut at last: who is
//! stopped in between finds the same place again.

use super::{Folder, remove};
use crate::storage::Error;
use crate::storage::segment::{self, Segment};
use crate::types::Offset;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const LOST: &str = ".lost";
const COPIED_AT_ONCE: u64 = 1 << 20;

/// What went, and where it is.
#[derive(Debug, Default)]
pub(super) struct Lost {
    pub(super) bytes: u64,
    pub(super) segments: usize,
}

/// Sets aside what lies in `segment` between two positions, and all of the segments after it; `offset` is where the log ends
/// then. The segment itself is cut by the caller.
pub(super) fn set_aside(
    folder: &Folder<'_>,
    segment: &Segment,
    (start, end): (u64, u64),
    offset: Offset,
    after: &[Arc<Segment>],
) -> Result<Lost, Error> {
    let mut lost = Lost { bytes: end - start, segments: after.len() };
    for segment in after.iter().rev() {
        lost.bytes += segment.end();
        let path = segment.path(folder.path, segment::LOG);
        if segment.end() > 0 {
            let aside = free_name(&path);
            folder.disk.rename(&path, &aside).map_err(Error::io("rename", &path))?;
        }
        // Made from the log where somebody wants them.
        segment::ENDINGS.iter().try_for_each(|ending| remove(folder.disk, &segment.path(folder.path, ending)))?;
    }
    if end > start {
        copy(folder, &segment.path(folder.path, segment::LOG), (start, end), offset)?;
    }
    Ok(lost)
}

/// Copies a part of a file to one of its own, durably, as it is about to be cut off.
fn copy(folder: &Folder<'_>, from: &Path, (start, end): (u64, u64), offset: Offset) -> Result<(), Error> {
    let source = File::open(from).map_err(Error::io("open", from))?;
    let path = free_name(&segment::file_path(folder.path, offset, segment::LOG));
    let copy = folder.disk.create(&path).map_err(Error::io("create", &path))?;
    let mut position = start;
    let mut block = Vec::new();
    while position < end {
        block.resize(COPIED_AT_ONCE.min(end - position) as usize, 0);
        source.read_exact_at(&mut block, position).map_err(Error::io("read", from))?;
        folder.disk.write_at(&copy, &block, position - start).map_err(Error::io("write", &path))?;
        position += block.len() as u64;
    }
    folder.disk.sync_data(&copy).map_err(Error::io("sync", &path))
}

/// `NAME.lost`, or with a number before it when an earlier loss has that name.
fn free_name(path: &Path) -> PathBuf {
    let name = |middle: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(middle + LOST);
        PathBuf::from(name)
    };
    let numbered = (1_u32..).map(|number| format!(".{number}"));
    let names = std::iter::once(String::new()).chain(numbered).map(name);
    names.into_iter().find(|path| !path.exists()).expect("there are more numbers than files")
}
