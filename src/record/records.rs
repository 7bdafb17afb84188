//! The records of a batch, one by one, out of plain or compressed bytes.
//!
//! Invariants:
//! * a [`RecordView`] is wholly checked when it is made: its lengths fill the record to the last byte, and its headers
//!   are all there;
//! * a compressed batch is decompressed as far as the current record, never beyond the cap; a length field makes
//!   nothing grow before its bytes have come;
//! * after the first error there are no more records.

use super::varint::{Cursor, put_varint, varint_bytes};
use super::{BatchInfo, Compression, Malformed};
use crate::config::TimestampType;
use crate::types::TimestampMs;
use std::io::{self, Read};

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    /// Its offset, from the batch's base offset.
    pub offset_delta: i32,
    /// Its timestamp, from the batch's base timestamp.
    pub timestamp_delta: i64,
    /// Its key, or null.
    pub key: Option<&'a [u8]>,
    /// Its value, or null: a tombstone in a compacted topic.
    pub value: Option<&'a [u8]>,
    /// Its headers, in order; keys may repeat.
    pub headers: Headers<'a>,
}

impl<'a> RecordView<'a> {
    /// Parses what follows a record's length. The record's attributes have no meaning yet and are not looked at.
    #[inline]
    pub(super) fn parse(body: &'a [u8]) -> Result<RecordView<'a>, &'static str> {
        let mut cursor = Cursor::new(body);
        cursor.byte().ok_or("too short")?;
        let timestamp_delta = cursor.varlong().ok_or("invalid timestamp delta")?;
        let offset_delta = cursor.varint().ok_or("invalid offset delta")?;
        let key = nullable(&mut cursor).ok_or("the key is longer than the record")?;
        let value = nullable(&mut cursor).ok_or("the value is longer than the record")?;
        let count = cursor.varint().ok_or("invalid number of headers")?;
        // A header has at least 2 bytes.
        if count < 0 || count as usize > cursor.rest().len() / 2 {
            return Err("more headers than the record has bytes");
        }
        let headers = Headers { rest: cursor.rest(), count: count as u32 };
        for _ in 0..count {
            header(&mut cursor).ok_or("a header is longer than the record")?;
        }
        if !cursor.rest().is_empty() {
            return Err("bytes remain after the headers");
        }
        Ok(RecordView { offset_delta, timestamp_delta, key, value, headers })
    }

    /// The record's time, in a batch with this header (`DefaultRecordBatch`: with `LogAppendTime` the batch's).
    pub fn timestamp(&self, batch: &BatchInfo) -> TimestampMs {
        match batch.attributes.timestamp_type() {
            TimestampType::LogAppendTime => batch.max_timestamp,
            TimestampType::CreateTime => TimestampMs(batch.base_timestamp.0.wrapping_add(self.timestamp_delta)),
        }
    }
}

/// Any negative length is null, as in Kafka.
#[inline]
fn nullable<'a>(cursor: &mut Cursor<'a>) -> Option<Option<&'a [u8]>> {
    match cursor.varint()? {
        length if length < 0 => Some(None),
        length => cursor.take(length as usize).map(Some),
    }
}

/// What [`nullable`] reads.
pub(super) fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, bytes.len() as i32);
            out.extend_from_slice(bytes);
        }
    }
}

/// How many bytes [`put_nullable`] writes.
pub(super) fn nullable_bytes(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint_bytes(bytes.len() as i32) + bytes.len())
}

fn header<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let length = usize::try_from(cursor.varint()?).ok()?;
    let key = cursor.take(length)?;
    Some((key, nullable(cursor)?))
}

/// A record's headers: key, and value or null. Kafka's clients read keys as UTF-8; a broker does not look.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    rest: &'a [u8],
    count: u32,
}

impl<'a> Headers<'a> {
    /// Those that are left, as they are stored.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        let mut cursor = Cursor::new(self.rest);
        let next = header(&mut cursor).expect("the headers were walked when the record was parsed");
        self.rest = cursor.rest();
        Some(next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count as usize, Some(self.count as usize))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// The records of one batch, lent one by one: a record borrows from it until the next is asked for.
pub struct Records<'a> {
    source: Source<'a>,
    count: i32,
    index: i32,
    ended: bool,
}

enum Source<'a> {
    Plain(&'a [u8]),
    Compressed(Stream<'a>),
}

impl<'a> Records<'a> {
    pub(super) fn open(payload: &'a [u8], info: &BatchInfo, bytes_max: usize) -> Result<Records<'a>, Malformed> {
        if info.record_count < 0 {
            return Err(Malformed::Count(info.record_count));
        }
        let codec = info.attributes.compression()?;
        let source = match codec.open(payload, bytes_max)? {
            None => Source::Plain(payload),
            Some(reader) => Source::Compressed(Stream::new(reader, codec, bytes_max)),
        };
        Ok(Records { source, count: info.record_count, index: 0, ended: false })
    }

    /// The next record; after the last, an error if bytes remain, then `None`.
    pub fn next_record(&mut self) -> Option<Result<RecordView<'_>, Malformed>> {
        if self.ended {
            return None;
        }
        if self.index == self.count {
            self.ended = true;
            return match self.source.at_end() {
                Ok(true) => None,
                Ok(false) => Some(Err(Malformed::TrailingBytes(self.count))),
                Err(malformed) => Some(Err(malformed)),
            };
        }
        let index = self.index;
        self.index += 1;
        let record = self
            .source
            .body(index)
            .and_then(|body| RecordView::parse(body).map_err(|fault| Malformed::Record { index, fault }));
        if record.is_err() {
            self.ended = true;
        }
        Some(record)
    }
}

impl Source<'_> {
    #[inline]
    fn body(&mut self, index: i32) -> Result<&[u8], Malformed> {
        match self {
            Source::Plain(rest) => {
                let (body, after) = split_record(rest).ok_or(Malformed::Record { index, fault: LENGTH })?;
                *rest = after;
                Ok(body)
            }
            Source::Compressed(stream) => stream.body(index),
        }
    }

    fn at_end(&mut self) -> Result<bool, Malformed> {
        match self {
            Source::Plain(rest) => Ok(rest.is_empty()),
            Source::Compressed(stream) => Ok(!stream.fill(1)?),
        }
    }
}

pub(super) const LENGTH: &str = "its length does not fit the bytes that remain";

/// The first record's body, without its length, and what follows it.
#[inline]
pub(super) fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut cursor = Cursor::new(bytes);
    let length = usize::try_from(cursor.varint()?).ok()?;
    let body = cursor.take(length)?;
    Some((body, cursor.rest()))
}

/// Decompressed bytes, as many as are needed now.
struct Stream<'a> {
    reader: Box<dyn Read + Send + 'a>,
    codec: Compression,
    buffer: Vec<u8>,
    /// What lies before this in the buffer has been consumed.
    start: usize,
    /// How many more bytes may be decompressed.
    left_bytes: usize,
    bytes_max: usize,
}

impl<'a> Stream<'a> {
    const CHUNK_BYTES: usize = 16 << 10;

    fn new(reader: Box<dyn Read + Send + 'a>, codec: Compression, bytes_max: usize) -> Stream<'a> {
        Stream { reader, codec, buffer: Vec::new(), start: 0, left_bytes: bytes_max, bytes_max }
    }

    fn body(&mut self, index: i32) -> Result<&[u8], Malformed> {
        let malformed = |fault| Malformed::Record { index, fault };
        // A length has at most 5 bytes; fewer may be left.
        self.fill(5)?;
        let mut cursor = Cursor::new(&self.buffer[self.start..]);
        let length = cursor.varint().and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or(malformed(LENGTH))?;
        self.start = self.buffer.len() - cursor.rest().len();
        if !self.fill(length)? {
            return Err(malformed(LENGTH));
        }
        let from = self.start;
        self.start += length;
        Ok(&self.buffer[from..self.start])
    }

    /// Makes at least `wanted` bytes available, or as many as there are; says whether there were enough.
    fn fill(&mut self, wanted: usize) -> Result<bool, Malformed> {
        if self.buffer.len() - self.start < wanted && self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        while self.buffer.len() - self.start < wanted {
            let filled = self.buffer.len();
            // One byte more than is allowed shows that there are more.
            let room = Self::CHUNK_BYTES.min(self.left_bytes.saturating_add(1));
            self.buffer.resize(filled + room, 0);
            let count = self.read(filled);
            self.buffer.truncate(filled + *count.as_ref().unwrap_or(&0));
            match count? {
                0 => return Ok(false),
                count if count > self.left_bytes => return Err(Malformed::DecompressedTooLarge(self.bytes_max)),
                count => self.left_bytes -= count,
            }
        }
        Ok(true)
    }

    fn read(&mut self, from: usize) -> Result<usize, Malformed> {
        loop {
            match self.reader.read(&mut self.buffer[from..]) {
                Ok(count) => return Ok(count),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::FileTooLarge => {
                    return Err(Malformed::DecompressedTooLarge(self.bytes_max));
                }
                Err(_) => return Err(Malformed::Compressed(self.codec)),
            }
        }
    }
}
