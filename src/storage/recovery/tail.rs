//! What follows the last whole batch of a file: nothing, one batch that was not written whole, or damage.
//!
//! A batch is stored from its header on, into zeros or behind the end of the file, and the next one only when it is whole.
//! A process that dies in it leaves a part of it, and nothing behind it. Copying through a map may store the first and last
//! bytes of a piece out of order, so that what is missing is known by its zeros wherever they are.

use crate::record::{BatchInfo, HEADER_BYTES};
use crate::storage::scan;
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Tail {
    /// Nothing but zeros, as what is allocated ahead has.
    Zeros,
    /// A part of one batch: who wrote it was cut off.
    Incomplete,
    /// Something else, up to this position.
    Damaged { end: u64 },
}

/// As many zeros in a row are taken for bytes that were not stored: a copy moves no fewer at once, but for the rest.
const HOLE_BYTES: usize = 16;
const LENGTH_FIELD: Range<usize> = 8..12;
const CODEC_FIELD: usize = 22;
const READ_BYTES: u64 = 256 << 10;
static ZEROS: [u8; READ_BYTES as usize] = [0; READ_BYTES as usize];

/// Looks at the bytes of a file of `length` bytes from `position` on, where no whole batch is.
pub(in crate::storage) fn inspect(file: &File, position: u64, length: u64) -> io::Result<Tail> {
    let end = content_end(file, position, length)?;
    if end == position {
        return Ok(Tail::Zeros);
    }
    let mut header = [0; HEADER_BYTES];
    let there = header.len().min(usize::try_from(length - position).unwrap_or(usize::MAX));
    file.read_exact_at(&mut header[..there], position)?;
    let field = i32::from_be_bytes(header[LENGTH_FIELD].try_into().expect("four bytes"));
    // A header is stored at once; without its length there can be no more of it.
    let size = (u64::try_from(field).unwrap_or(0) + LENGTH_FIELD.end as u64).max(HEADER_BYTES as u64);
    if position + size > length {
        return Ok(Tail::Incomplete);
    }
    if end > position + size {
        return Ok(Tail::Damaged { end });
    }
    if let Ok(info) = BatchInfo::parse_header(&header)
        && scan::crc(file, position, position + size)? == info.crc
    {
        return Ok(Tail::Damaged { end });
    }
    // Records begin with a length or a codec's mark, neither of which is zero; without a codec they end in the number of
    // headers, which mostly is.
    let zeros_at_end_max = u64::from(header[CODEC_FIELD] & 7 == 0);
    if end <= position + HEADER_BYTES as u64 || position + size - end > zeros_at_end_max {
        return Ok(Tail::Incomplete);
    }
    let mut records = vec![0; (end - position) as usize - HEADER_BYTES];
    file.read_exact_at(&mut records, position + HEADER_BYTES as u64)?;
    let has_hole = records[0] == 0 || records.windows(HOLE_BYTES).any(|window| window.iter().all(|byte| *byte == 0));
    Ok(if has_hole { Tail::Incomplete } else { Tail::Damaged { end } })
}

/// The end of what is not zero. What is only allocated is not read, where the file system tells it: that would be up to
/// 64 MiB of each log, and as much of the page cache.
fn content_end(file: &File, start: u64, length: u64) -> io::Result<u64> {
    let (mut position, mut end) = (start, start);
    while position < length {
        let Some(stored) = next_stored(file, position, length)? else { break };
        end = last_of(file, &stored)?.unwrap_or(end);
        position = stored.end;
    }
    Ok(end)
}

/// The next range at or after `position` in which something was stored.
fn next_stored(file: &File, position: u64, length: u64) -> io::Result<Option<Range<u64>>> {
    match rustix::fs::seek(file, SeekFrom::Data(position)) {
        Ok(start) if start < length => {
            let end = rustix::fs::seek(file, SeekFrom::Hole(start)).unwrap_or(length);
            Ok(Some(start..end.min(length)))
        }
        Ok(_) | Err(Errno::NXIO) => Ok(None),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(Some(position..length)),
        Err(error) => Err(error.into()),
    }
}

/// The end of what is not zero in a range; `None` when all is.
fn last_of(file: &File, range: &Range<u64>) -> io::Result<Option<u64>> {
    let (mut position, mut end) = (range.start, None);
    let mut block = Vec::new();
    while position < range.end {
        block.resize(READ_BYTES.min(range.end - position) as usize, 0);
        file.read_exact_at(&mut block, position)?;
        // One comparison of memory, where a look at each byte took a millisecond for each log.
        if block != ZEROS[..block.len()]
            && let Some(last) = block.iter().rposition(|byte| *byte != 0)
        {
            end = Some(position + last as u64 + 1);
        }
        position += block.len() as u64;
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::BatchBuilder;
    use crate::types::{Offset, TimestampMs};

    fn batch(value: &[u8]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Offset(7));
        builder.append(TimestampMs(1_795_500_000_000), None, Some(value), &[]);
        builder.build().to_vec()
    }

    fn inspected(bytes: &[u8]) -> Tail {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        inspect(&file, 0, bytes.len() as u64).unwrap()
    }

    fn with_zeros(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.resize(bytes.len() + 1000, 0);
        bytes
    }

    #[test]
    fn a_batch_cut_anywhere_is_incomplete_with_zeros_behind_it_and_without() {
        let whole = batch(&[b'v'; 200]);
        // The batch ends in the number of headers, which is 0.
        for kept in 1..whole.len() - 1 {
            // The base offset begins with zeros.
            let expected = if kept < 8 { Tail::Zeros } else { Tail::Incomplete };
            assert_eq!(inspected(&whole[..kept]), expected, "{kept}");
            let mut bytes = whole[..kept].to_vec();
            bytes.resize(5000, 0);
            assert_eq!(inspected(&bytes), expected, "{kept}");
        }
        assert_eq!(inspected(&[0; 300]), Tail::Zeros);
        assert_eq!(inspected(&[]), Tail::Zeros);
    }

    #[test]
    fn what_lies_behind_much_that_is_only_allocated_is_found() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10 << 20).unwrap();
        assert_eq!(inspect(&file, 5, 10 << 20).unwrap(), Tail::Zeros);
        file.write_all_at(b"x", 9 << 20).unwrap();
        assert_eq!(inspect(&file, 5, 10 << 20).unwrap(), Tail::Damaged { end: (9 << 20) + 1 });
        file.write_all_at(&[0; 5000], 8 << 20).unwrap();
        assert_eq!(inspect(&file, 5, 9 << 20).unwrap(), Tail::Zeros);
    }

    #[test]
    fn a_hole_that_a_copy_out_of_order_leaves_is_incomplete() {
        let whole = batch(&[b'v'; 200]);
        for start in [HEADER_BYTES, 100] {
            let mut bytes = whole.clone();
            bytes[start..start + 32].fill(0);
            assert_eq!(inspected(&with_zeros(bytes)), Tail::Incomplete, "{start}");
        }
    }

    #[test]
    fn what_no_cut_off_write_leaves_is_damage() {
        let whole = batch(&[b'v'; 200]);
        let end = whole.len() as u64 - 1;
        let mut flipped = whole.clone();
        flipped[120] ^= 4;
        assert_eq!(inspected(&flipped), Tail::Damaged { end });
        assert_eq!(inspected(&with_zeros(flipped.clone())), Tail::Damaged { end });
        assert_eq!(inspected(&whole), Tail::Damaged { end }, "a whole batch is no part of one");
        let mut followed = whole[..150].to_vec();
        followed.resize(whole.len(), 0);
        followed.extend_from_slice(&whole);
        assert_eq!(inspected(&followed), Tail::Damaged { end: followed.len() as u64 - 1 });
        assert_eq!(inspected(&[0xff; 100]), Tail::Damaged { end: 100 }, "no length");
    }
}
