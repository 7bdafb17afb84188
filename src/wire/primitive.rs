//! Kafka's primitive types, read out of borrowed bytes and written into a buffer.
//!
//! Invariants: no read goes beyond the bytes that are there, whatever a length claims, and none allocates; a count of
//! elements is refused when the bytes that are left could not hold them.
//!
//! "Flexible" messages (KIP-482) have compact lengths and tagged fields; both sides are told once, at the start.

use super::Malformed;
use super::cursor::Cursor;
use crate::types::TopicId;
use std::str;
use uuid::Uuid;

/// A topic as a message names it: by its name, or, in newer versions, by its id (KIP-516).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicRef<'a> {
    /// Its name, which need not be a legal one.
    Name(&'a str),
    /// Its id.
    Id(TopicId),
}

/// Where a broker listens: told to clients whose leader has moved (KIP-951).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeEndpoint<'a> {
    /// The broker's node id.
    pub node_id: i32,
    /// Its advertised host.
    pub host: &'a str,
    /// Its advertised port.
    pub port: i32,
    /// Its rack, or none.
    pub rack: Option<&'a str>,
}

/// Who leads a partition, told with an error that says "not I" (KIP-951).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentLeader {
    /// The leader's node id, or −1.
    pub leader_id: i32,
    /// Its epoch.
    pub leader_epoch: i32,
}

/// How a version of a message writes lengths, and whether it has tagged fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Lengths of 2 or 4 bytes, no tagged fields.
    Classic,
    /// Compact lengths and tagged fields (KIP-482).
    Flexible,
}

/// Reads from the front of a message. Names in calls are for the errors.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    cursor: Cursor<'a>,
    encoding: Encoding,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], encoding: Encoding) -> Reader<'a> {
        Reader { cursor: Cursor::new(bytes), encoding }
    }

    #[inline]
    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        self.cursor.take(length).map_err(|e| e.within(what))
    }

    #[inline]
    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        self.cursor.take_array().map_err(|e| e.within(what))
    }

    pub(super) fn int8(&mut self, what: &'static str) -> Result<i8, Malformed> {
        self.array(what).map(i8::from_be_bytes)
    }

    pub(super) fn int16(&mut self, what: &'static str) -> Result<i16, Malformed> {
        self.array(what).map(i16::from_be_bytes)
    }

    pub(super) fn int32(&mut self, what: &'static str) -> Result<i32, Malformed> {
        self.array(what).map(i32::from_be_bytes)
    }

    pub(super) fn int64(&mut self, what: &'static str) -> Result<i64, Malformed> {
        self.array(what).map(i64::from_be_bytes)
    }

    pub(super) fn topic_id(&mut self, what: &'static str) -> Result<TopicId, Malformed> {
        self.array(what).map(|bytes| TopicId(Uuid::from_bytes(bytes)))
    }

    pub(super) fn unsigned_varint(&mut self, what: &'static str) -> Result<u32, Malformed> {
        self.cursor.read_unsigned_varint().map_err(|e| e.within(what))
    }

    pub(super) fn impossible(&self, what: &'static str) -> Malformed {
        self.cursor.malformed("an impossible length").within(what)
    }

    /// A length that is not compact is negative for null, a compact one is one more than the length, and 0 for null.
    fn compact_length(&mut self, what: &'static str) -> Result<Option<usize>, Malformed> {
        Ok(self.unsigned_varint(what)?.checked_sub(1).map(|length| length as usize))
    }

    fn null_or_length(&self, length: i64, what: &'static str) -> Result<Option<usize>, Malformed> {
        match length {
            -1 => Ok(None),
            _ => usize::try_from(length).map(Some).map_err(|_| self.impossible(what)),
        }
    }

    pub(super) fn nullable_string(&mut self, what: &'static str) -> Result<Option<&'a str>, Malformed> {
        let length = match self.encoding {
            Encoding::Flexible => self.compact_length(what)?,
            Encoding::Classic => {
                let length = self.int16(what)?;
                self.null_or_length(length.into(), what)?
            }
        };
        let Some(length) = length else {
            return Ok(None);
        };
        if length > i16::MAX as usize {
            return Err(self.impossible(what));
        }
        let bytes = self.take(length, what)?;
        str::from_utf8(bytes).map(Some).map_err(|_| self.cursor.malformed("text not in UTF-8").within(what))
    }

    pub(super) fn string(&mut self, what: &'static str) -> Result<&'a str, Malformed> {
        self.nullable_string(what)?.ok_or_else(|| self.impossible(what))
    }

    pub(super) fn nullable_bytes(&mut self, what: &'static str) -> Result<Option<&'a [u8]>, Malformed> {
        let length = match self.encoding {
            Encoding::Flexible => self.compact_length(what)?,
            Encoding::Classic => {
                let length = self.int32(what)?;
                self.null_or_length(length.into(), what)?
            }
        };
        length.map(|length| self.take(length, what)).transpose()
    }

    /// How many elements follow, each of at least `element_bytes_min` bytes. Null is refused: none of our arrays is.
    pub(super) fn count(&mut self, element_bytes_min: usize, what: &'static str) -> Result<usize, Malformed> {
        let count = match self.encoding {
            Encoding::Flexible => self.compact_length(what)?,
            Encoding::Classic => {
                let length = self.int32(what)?;
                self.null_or_length(length.into(), what)?
            }
        };
        match count {
            Some(count) if count <= self.cursor.remaining() / element_bytes_min.max(1) => Ok(count),
            _ => Err(self.impossible(what)),
        }
    }

    /// The tagged fields at the end of a structure: each is handed over with a reader of its own bytes, and what that
    /// leaves is an error. Unknown tags are to be skipped by [`Reader::skip_rest`]. None where the version has none.
    /// Their order, which should ascend, is not checked, as Kafka does not.
    pub(super) fn tagged_fields(
        &mut self,
        what: &'static str,
        mut field: impl FnMut(u32, &mut Reader<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if self.encoding == Encoding::Classic {
            return Ok(());
        }
        let count = self.unsigned_varint(what)?;
        for _ in 0..count {
            let tag = self.unsigned_varint(what)?;
            let length = self.unsigned_varint(what)? as usize;
            let mut value = Reader::new(self.take(length, what)?, self.encoding);
            field(tag, &mut value)?;
            value.end()?;
        }
        Ok(())
    }

    pub(super) fn skip_tagged_fields(&mut self, what: &'static str) -> Result<(), Malformed> {
        self.tagged_fields(what, |_, value| {
            value.skip_rest();
            Ok(())
        })
    }

    pub(super) fn skip_rest(&mut self) {
        self.cursor.skip_rest();
    }

    /// # Errors
    /// Bytes are left.
    pub(super) fn end(&self) -> Result<(), Malformed> {
        match self.cursor.remaining() {
            0 => Ok(()),
            _ => Err(self.cursor.malformed("bytes after the message")),
        }
    }
}

/// Appends a message to a buffer.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    encoding: Encoding,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, encoding: Encoding) -> Writer<'a> {
        Writer { out, encoding }
    }

    /// Begins a response frame: room for its length, which [`end_frame`] fills in, then the header.
    pub(super) fn begin_frame(out: &'a mut Vec<u8>, correlation_id: i32, encoding: Encoding) -> Writer<'a> {
        let mut writer = Writer::new(out, encoding);
        writer.int32(0);
        writer.int32(correlation_id);
        writer.no_tagged_fields();
        writer
    }

    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        self.out
    }

    pub(super) fn int16(&mut self, value: i16) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn int32(&mut self, value: i32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn int64(&mut self, value: i64) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn topic_id(&mut self, id: TopicId) {
        self.out.extend_from_slice(id.0.as_bytes());
    }

    pub(super) fn unsigned_varint(&mut self, value: u32) {
        let mut rest = value;
        while rest >= 0x80 {
            self.out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.out.push(rest as u8);
    }

    /// Writes a string; one of more than 32,767 bytes, which no message can hold, is cut there.
    pub(super) fn nullable_string(&mut self, value: Option<&str>) {
        let value = value.map(fitting);
        match (self.encoding, value) {
            (Encoding::Flexible, None) => self.unsigned_varint(0),
            (Encoding::Flexible, Some(text)) => self.unsigned_varint(text.len() as u32 + 1),
            (Encoding::Classic, None) => self.int16(-1),
            (Encoding::Classic, Some(text)) => self.int16(text.len() as i16),
        }
        self.out.extend_from_slice(value.unwrap_or_default().as_bytes());
    }

    pub(super) fn string(&mut self, value: &str) {
        self.nullable_string(Some(value));
    }

    /// The length of bytes that somebody else appends, or how many elements follow.
    ///
    /// # Panics
    /// At 2 GiB and more: no message is that large.
    pub(super) fn length(&mut self, length: usize) {
        self.nullable_length(Some(length));
    }

    /// The same, or null.
    pub(super) fn nullable_length(&mut self, length: Option<usize>) {
        let length = length.map_or(-1, |length| i32::try_from(length).expect("a message is smaller than 2 GiB"));
        match self.encoding {
            Encoding::Flexible => self.unsigned_varint(length.wrapping_add(1) as u32),
            Encoding::Classic => self.int32(length),
        }
    }

    pub(super) fn topic(&mut self, topic: TopicRef<'_>) {
        match topic {
            TopicRef::Name(name) => self.string(name),
            TopicRef::Id(id) => self.topic_id(id),
        }
    }

    /// One tagged field: the leader of a partition.
    pub(super) fn current_leader(&mut self, tag: u32, leader: CurrentLeader) {
        self.unsigned_varint(tag);
        self.unsigned_varint(9);
        self.int32(leader.leader_id);
        self.int32(leader.leader_epoch);
        self.no_tagged_fields();
    }

    /// The tagged fields of a whole response: the brokers' endpoints, as tag 0, when there are any.
    pub(super) fn node_endpoints(&mut self, endpoints: &[NodeEndpoint<'_>]) {
        if endpoints.is_empty() {
            return self.no_tagged_fields();
        }
        let mut field = Vec::new();
        let mut writer = Writer::new(&mut field, self.encoding);
        writer.length(endpoints.len());
        for endpoint in endpoints {
            writer.int32(endpoint.node_id);
            writer.string(endpoint.host);
            writer.int32(endpoint.port);
            writer.nullable_string(endpoint.rack);
            writer.no_tagged_fields();
        }
        self.tagged_fields(1);
        self.unsigned_varint(0);
        self.unsigned_varint(field.len() as u32);
        self.out.extend_from_slice(&field);
    }

    pub(super) fn no_tagged_fields(&mut self) {
        self.tagged_fields(0);
    }

    /// Begins `count` tagged fields; nothing where the version has none.
    pub(super) fn tagged_fields(&mut self, count: u32) {
        if self.encoding == Encoding::Flexible {
            self.unsigned_varint(count);
        }
    }
}

fn fitting(text: &str) -> &str {
    let mut end = text.len().min(i16::MAX as usize);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Fills in the length of the frame that begins at `start`, of which `outside_bytes` are not in `out`.
///
/// # Panics
/// When the frame has 2 GiB or more.
pub(super) fn end_frame(out: &mut [u8], start: usize, outside_bytes: usize) {
    let length = i32::try_from(out.len() - start - 4 + outside_bytes).expect("a frame is smaller than 2 GiB");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_string_longer_than_what_is_left_or_not_utf_8_is_refused() {
        let string =
            |bytes: &'static [u8], encoding| Reader::new(bytes, encoding).string("s").map_err(Malformed::into_reason);
        assert_eq!(string(&[0, 1, b'a'], Encoding::Classic), Ok("a"));
        assert_eq!(string(&[2, b'a'], Encoding::Flexible), Ok("a"));
        assert_eq!(string(&[0, 2, b'a'], Encoding::Classic), Err("a length exceeds the frame in s".into()));
        assert_eq!(string(&[3, b'a'], Encoding::Flexible), Err("a length exceeds the frame in s".into()));
        assert_eq!(string(&[0xff, 0xff], Encoding::Classic), Err("an impossible length in s".into()));
        assert_eq!(string(&[0xff, 0xfe], Encoding::Classic), Err("an impossible length in s".into()));
        assert_eq!(string(&[0], Encoding::Flexible), Err("an impossible length in s".into()));
        assert_eq!(string(&[2, 0xff], Encoding::Flexible), Err("text not in UTF-8 in s".into()));
        assert_eq!(
            string(&[0xff, 0xff, 0xff, 0xff, 0x1f], Encoding::Flexible),
            Err("a varint exceeds 32 bits in s".into())
        );
    }

    #[test]
    fn a_count_is_refused_when_its_elements_could_not_be_there() {
        let count = |bytes, encoding| Reader::new(bytes, encoding).count(4, "c").map_err(Malformed::into_reason);
        assert_eq!(count(&[0, 0, 0, 1, 9, 9, 9, 9], Encoding::Classic), Ok(1));
        assert_eq!(count(&[0, 0, 0, 1, 9, 9, 9], Encoding::Classic), Err("an impossible length in c".into()));
        assert_eq!(count(&[0xff; 4], Encoding::Classic), Err("an impossible length in c".into()));
        assert_eq!(count(&[2, 9, 9, 9, 9], Encoding::Flexible), Ok(1));
        assert_eq!(count(&[3, 9, 9, 9, 9], Encoding::Flexible), Err("an impossible length in c".into()));
        assert_eq!(count(&[0], Encoding::Flexible), Err("an impossible length in c".into()));
    }

    #[test]
    fn a_tagged_field_ends_where_its_length_says() {
        let mut seen = Vec::new();
        let mut read = |bytes: &'static [u8]| {
            let mut reader = Reader::new(bytes, Encoding::Flexible);
            let fields = reader.tagged_fields("t", |tag, field| {
                seen.push((tag, field.int16("f")?));
                Ok(())
            });
            fields.and_then(|()| reader.end()).map_err(Malformed::into_reason)
        };
        assert_eq!(read(&[2, 0, 2, 0, 7, 5, 2, 0, 8]), Ok(()));
        assert_eq!(read(&[1, 0, 3, 0, 7, 0]), Err("bytes after the message".into()));
        assert_eq!(read(&[1, 0, 1, 0, 7]), Err("a length exceeds the frame in f".into()));
        assert_eq!(read(&[1, 0, 9, 0, 7]), Err("a length exceeds the frame in t".into()));
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Err("a length exceeds the frame in t".into()));
        assert_eq!(seen, [(0, 7), (5, 8), (0, 7)]);
    }

    proptest! {
        #[test]
        fn an_unsigned_varint_comes_back(value: u32) {
            let mut out = Vec::new();
            Writer::new(&mut out, Encoding::Flexible).unsigned_varint(value);
            let mut reader = Reader::new(&out, Encoding::Flexible);
            prop_assert_eq!(reader.unsigned_varint("v"), Ok(value));
            prop_assert_eq!(reader.end(), Ok(()));
        }
    }
}
