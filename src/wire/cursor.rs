//! A cursor over bytes that nobody has checked yet.
//!
//! Invariants: it never reads outside its bytes and never allocates, whatever a length field says; lengths are
//! compared, not added, so that nothing overflows.
//!
//! Used by [`header`](super::header), [`guard`](super::guard) and, through `primitive`, by the codecs of the hot path.

use super::Malformed;

#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    /// Bytes read or skipped so far.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Everything that was not read.
    pub(super) fn rest(self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub(super) fn skip_rest(&mut self) {
        self.at = self.bytes.len();
    }

    pub(super) fn malformed(&self, reason: &'static str) -> Malformed {
        Malformed::new(reason, self.at)
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        if length > self.remaining() {
            return Err(self.malformed("a length exceeds the frame"));
        }
        let taken = &self.bytes[self.at..self.at + length];
        self.at += length;
        Ok(taken)
    }

    pub(super) fn take_array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("take returns as many bytes as asked"))
    }

    pub(super) fn read_i8(&mut self) -> Result<i8, Malformed> {
        Ok(i8::from_be_bytes(self.take_array()?))
    }

    pub(super) fn read_i16(&mut self) -> Result<i16, Malformed> {
        Ok(i16::from_be_bytes(self.take_array()?))
    }

    pub(super) fn read_i32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.take_array()?))
    }

    /// At most five bytes, and no bits beyond the 32nd: a longer form would be read differently by different decoders.
    pub(super) fn read_unsigned_varint(&mut self) -> Result<u32, Malformed> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take_array()?;
            if shift == 28 && byte > 0x0f {
                break;
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.malformed("a varint exceeds 32 bits"))
    }
}
