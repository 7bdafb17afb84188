//! Walks the body of a request before the `kafka-protocol` crate decodes it.
//!
//! Why: the crate takes the count of an array from the wire straight into `Vec::with_capacity`, so that four bytes make
//! it ask for 150 GB, and a refused allocation aborts the process. The walk follows a compact table of shapes, reads
//! every length as the crate does, and refuses what the crate must not see.
//!
//! Invariants. A body that is accepted
//! - begins with one request of its API and version, whose length is returned; what follows is nobody's, and skipped;
//! - has no array that announces more elements than the bytes after it can hold;
//! - takes at most [`decoded_bytes_max`] bytes when it is decoded, besides the copy of its own bytes;
//! - is read by the crate at the same positions: every known tagged field fills its size, a varint has no excess bits,
//!   a struct that may be absent says so with 1 or −1.
//!
//! The walk allocates nothing, its nesting is that of the table, and it takes time linear in the body. It does not look at
//! UTF-8; the crate does.

mod shape;
mod shapes;
#[cfg(test)]
mod tests;

use super::api::ApiKey;
use super::cursor::Cursor;
use super::malformed::Malformed;
use shape::{Encoding, Field, Kind, Shape};

/// What a decoded request may take at least, however small its body is.
const DECODED_BYTES_ALLOWANCE: usize = 1 << 20;
/// What it may take for each byte of its body. An honest element with a name of seven characters stays below, one with a
/// shorter name lives on the allowance: 14,000 of the smallest topics of a Metadata request.
const DECODED_BYTES_PER_BYTE: usize = 8;
/// What it may take at most: 700,000 of the largest elements, more than a cluster has partitions.
const DECODED_BYTES_LIMIT: usize = 64 << 20;

/// What the first unknown tagged field of a struct takes (a leaf of a `BTreeMap<i32, Bytes>`), and each one after it.
const FIRST_UNKNOWN_TAG_DECODED_BYTES: usize = 416;
const NEXT_UNKNOWN_TAG_DECODED_BYTES: usize = 96;

/// The bytes that the structs of a request may take in memory when its body has `body_bytes`: eight for each byte and
/// 1 MiB, at most 64 MiB. A small element is up to 36 times as large decoded as on the wire; this bounds what a frame
/// full of them costs.
#[must_use]
pub const fn decoded_bytes_max(body_bytes: usize) -> usize {
    let scaled = body_bytes.saturating_mul(DECODED_BYTES_PER_BYTE).saturating_add(DECODED_BYTES_ALLOWANCE);
    if scaled < DECODED_BYTES_LIMIT { scaled } else { DECODED_BYTES_LIMIT }
}

/// Whether `body` may be decoded as a request of `api` in `version`; returns how many of its bytes are the request. Kafka
/// skips what follows, and librdkafka 2.16 sends some behind Metadata version 13.
///
/// # Errors
/// When the body is not such a request, or would take too much memory.
pub fn check(api: ApiKey, version: i16, body: &[u8]) -> Result<usize, Malformed> {
    if !api.api().serves(version) {
        return Err(Malformed::new("a version that is not served", 0));
    }
    let encoding = Encoding { version, is_flexible: api.api().is_flexible(version) };
    let mut walk = Walk { cursor: Cursor::new(body), encoding, budget: decoded_bytes_max(body.len()) };
    walk.structure(shapes::of(api))?;
    Ok(walk.cursor.position())
}

struct Walk<'a> {
    cursor: Cursor<'a>,
    encoding: Encoding,
    /// Bytes that what is still to come may take when decoded.
    budget: usize,
}

#[derive(Clone, Copy)]
enum Nullability {
    Nullable,
    Required,
}

impl Walk<'_> {
    fn structure(&mut self, shape: Shape) -> Result<(), Malformed> {
        let version = self.encoding.version;
        for field in shape.iter().filter(|field| field.tag.is_none() && field.is_in(version)) {
            self.field(field)?;
        }
        if self.encoding.is_flexible { self.tagged_fields(shape) } else { Ok(()) }
    }

    fn field(&mut self, field: &Field) -> Result<(), Malformed> {
        let nullability =
            if field.is_nullable_in(self.encoding.version) { Nullability::Nullable } else { Nullability::Required };
        self.value(&field.kind, nullability)
    }

    fn value(&mut self, kind: &Kind, nullability: Nullability) -> Result<(), Malformed> {
        match (kind, nullability) {
            (Kind::Fixed(bytes), _) => self.skip(*bytes),
            (Kind::String, _) => {
                let length = if self.encoding.is_flexible { self.compact()? } else { self.cursor.read_i16()?.into() };
                let length = self.length(length, nullability)?;
                // As in Kafka, for compact lengths too.
                if length > i16::MAX as usize {
                    return Err(self.cursor.malformed("a string that is too long"));
                }
                self.skip(length)
            }
            (Kind::Bytes, _) => {
                let length = self.wide()?;
                let length = self.length(length, nullability)?;
                self.skip(length)
            }
            (Kind::Array(element), _) => {
                let count = self.wide()?;
                let count = self.length(count, nullability)?;
                self.elements(element, count)
            }
            (Kind::Struct(shape), Nullability::Required) => self.structure(shape),
            (Kind::Struct(shape), Nullability::Nullable) => match self.cursor.read_i8()? {
                1 => self.structure(shape),
                -1 => Ok(()),
                _ => Err(self.cursor.malformed("neither a struct nor null")),
            },
        }
    }

    fn elements(&mut self, element: &Kind, count: usize) -> Result<(), Malformed> {
        if count > self.cursor.remaining() / element.wire_bytes_min(self.encoding) {
            return Err(self.cursor.malformed("an array has more elements than the frame can hold"));
        }
        self.spend(count.saturating_mul(element.decoded_bytes()))?;
        for _ in 0..count {
            self.value(element, Nullability::Required)?;
        }
        Ok(())
    }

    fn tagged_fields(&mut self, shape: Shape) -> Result<(), Malformed> {
        let mut price_of_unknown = FIRST_UNKNOWN_TAG_DECODED_BYTES;
        for _ in 0..self.cursor.read_unsigned_varint()? {
            let tag = self.cursor.read_unsigned_varint()?;
            let size = self.cursor.read_unsigned_varint()? as usize;
            let start = self.cursor.position();
            match shape.iter().find(|field| field.tag == Some(tag) && field.is_in(self.encoding.version)) {
                Some(field) => self.field(field)?,
                None => {
                    self.spend(price_of_unknown)?;
                    price_of_unknown = NEXT_UNKNOWN_TAG_DECODED_BYTES;
                    self.skip(size)?;
                }
            }
            if self.cursor.position() - start != size {
                return Err(self.cursor.malformed("a tagged field does not fill its size"));
            }
        }
        Ok(())
    }

    /// A length field of a string in a version that is not flexible has two bytes, this one has four.
    fn wide(&mut self) -> Result<i64, Malformed> {
        if self.encoding.is_flexible { self.compact() } else { Ok(self.cursor.read_i32()?.into()) }
    }

    /// One more than the length; 0 is null.
    fn compact(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from(self.cursor.read_unsigned_varint()?) - 1)
    }

    /// What a length field means: null is nothing to walk, where it is allowed.
    fn length(&self, length: i64, nullability: Nullability) -> Result<usize, Malformed> {
        match (length, nullability) {
            (-1, Nullability::Nullable) => Ok(0),
            (-1, Nullability::Required) => Err(self.cursor.malformed("a required field is null")),
            (length, _) => usize::try_from(length).map_err(|_| self.cursor.malformed("a negative length")),
        }
    }

    fn skip(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.cursor.take(bytes).map(drop)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Malformed> {
        match self.budget.checked_sub(bytes) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => Err(self.cursor.malformed("the request would take too much memory")),
        }
    }
}
