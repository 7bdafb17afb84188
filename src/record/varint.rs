//! Kafka's zigzag varints (`org.apache.kafka.common.utils.ByteUtils`).
//!
//! Invariants: at most 5 bytes for 32 bits and 10 for 64; bits beyond the type are refused, where Kafka drops them.

/// Bytes read from the front.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Option<i32> {
        let long = self.unsigned()?;
        let value = u32::try_from(long).ok()?;
        Some((value >> 1) as i32 ^ -((value & 1) as i32))
    }

    #[inline]
    pub(super) fn varlong(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Lengths below 64, most deltas and all nulls are one byte; that way is kept short.
    #[inline]
    fn unsigned(&mut self) -> Option<u64> {
        let first = self.byte()?;
        if first < 0x80 { Some(first.into()) } else { self.unsigned_after(first) }
    }

    #[inline]
    fn unsigned_after(&mut self, first: u8) -> Option<u64> {
        let mut value = u64::from(first & 0x7f);
        let mut shift = 7;
        loop {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
            shift += 7;
        }
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_varlong(out, value.into());
}

pub(super) fn put_varlong(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// How many bytes [`put_varint`] writes.
pub(super) fn varint_bytes(value: i32) -> usize {
    varlong_bytes(value.into())
}

/// How many bytes [`put_varlong`] writes.
pub(super) fn varlong_bytes(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    (u64::BITS - (zigzag | 1).leading_zeros()).div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_varint_that_does_not_fit_is_refused() {
        assert_eq!(Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).varint(), Some(i32::MIN));
        assert_eq!(Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).varint(), None);
        assert_eq!(Cursor::new(&[0x80; 20]).varlong(), None);
        assert_eq!(Cursor::new(&[0x80]).varlong(), None);
        assert_eq!(Cursor::new(&[]).varint(), None);
    }

    proptest! {
        #[test]
        fn a_varint_comes_back(int: i32, long: i64) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, int);
            put_varlong(&mut bytes, long);
            prop_assert_eq!(bytes.len(), varint_bytes(int) + varlong_bytes(long));
            let mut cursor = Cursor::new(&bytes);
            prop_assert_eq!(cursor.varint(), Some(int));
            prop_assert_eq!(cursor.varlong(), Some(long));
            prop_assert!(cursor.rest().is_empty());
        }
    }
}
