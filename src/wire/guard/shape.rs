//! The words in which the shapes of requests are written: fields, by version.
//!
//! Invariants: shapes are constants that contain no cycle, so that their nesting bounds that of the walk; a field that
//! the crate's struct has is in the shape in the order of the wire, known tagged fields included.
//!
//! Notation: `STRING.since(3)`, `INT32.until(14)`, `INT64.since(18).tagged(1)`, `array(&STRING).nullable_since(1)`;
//! `structure(&Kind::Struct(&[…]))` is one struct, `structures(…)` an array of them.

/// The fields of a request or of a struct in it, in the order of the wire.
pub(super) type Shape = &'static [Field];

/// A field and the versions that have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) kind: Kind,
    since: i16,
    until: i16,
    nullable_since: Option<i16>,
    pub(super) tag: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// That many bytes: numbers, Booleans, UUIDs.
    Fixed(usize),
    /// A two-byte length, or a compact one, and text.
    String,
    /// A four-byte length, or a compact one, and bytes; record sets are such bytes.
    Bytes,
    /// A four-byte count, or a compact one, and so many of one kind.
    Array(&'static Kind),
    /// The fields of a struct, and its tagged fields in a flexible version. When nullable: a byte says whether it is there.
    Struct(Shape),
}

pub(super) const INT8: Field = field(Kind::Fixed(1));
pub(super) const BOOL: Field = INT8;
pub(super) const INT16: Field = field(Kind::Fixed(2));
pub(super) const INT32: Field = field(Kind::Fixed(4));
pub(super) const INT64: Field = field(Kind::Fixed(8));
pub(super) const UUID: Field = field(Kind::Fixed(16));
pub(super) const STRING: Field = field(Kind::String);
pub(super) const BYTES: Field = field(Kind::Bytes);

const fn field(kind: Kind) -> Field {
    Field { kind, since: 0, until: i16::MAX, nullable_since: None, tag: None }
}

/// An array of numbers or strings.
pub(super) const fn array(of: &'static Field) -> Field {
    field(Kind::Array(&of.kind))
}

/// One struct.
pub(super) const fn structure(kind: &'static Kind) -> Field {
    field(*kind)
}

/// An array of structs.
pub(super) const fn structures(kind: &'static Kind) -> Field {
    field(Kind::Array(kind))
}

impl Field {
    pub(super) const fn since(self, version: i16) -> Field {
        Field { since: version, ..self }
    }

    /// The last version that has the field.
    pub(super) const fn until(self, version: i16) -> Field {
        Field { until: version, ..self }
    }

    pub(super) const fn nullable_since(self, version: i16) -> Field {
        Field { nullable_since: Some(version), ..self }
    }

    pub(super) const fn tagged(self, tag: u32) -> Field {
        Field { tag: Some(tag), ..self }
    }

    pub(super) fn is_in(&self, version: i16) -> bool {
        self.since <= version && version <= self.until
    }

    pub(super) fn is_nullable_in(&self, version: i16) -> bool {
        self.nullable_since.is_some_and(|since| since <= version)
    }
}

/// A version of an API, as far as the encoding of its fields goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encoding {
    pub(super) version: i16,
    pub(super) is_flexible: bool,
}

impl Kind {
    /// The fewest bytes that a value which is not null takes on the wire; at least one, so that counts can be divided by it.
    pub(super) fn wire_bytes_min(&self, encoding: Encoding) -> usize {
        let length_bytes = |rigid| if encoding.is_flexible { 1 } else { rigid };
        match self {
            Kind::Fixed(bytes) => *bytes,
            Kind::String => length_bytes(2),
            Kind::Bytes | Kind::Array(_) => length_bytes(4),
            Kind::Struct(shape) => {
                let here = shape.iter().filter(|field| field.tag.is_none() && field.is_in(encoding.version));
                let fields: usize = here.map(|field| field.wire_bytes_min(encoding)).sum();
                (fields + usize::from(encoding.is_flexible)).max(1)
            }
        }
    }

    /// The bytes that a decoded value takes where it stands, without what it points to. A struct has the fields of every
    /// version, so none is left out. The tests compare it with the sizes of the crate's structs.
    pub(super) fn decoded_bytes(&self) -> usize {
        match self {
            Kind::Fixed(bytes) => *bytes,
            Kind::String | Kind::Bytes => 32,
            Kind::Array(_) => 24,
            Kind::Struct(shape) => {
                let fields: usize = shape.iter().map(|field| field.kind.decoded_bytes()).sum();
                (fields + TAGGED_FIELDS_DECODED_BYTES).next_multiple_of(8)
            }
        }
    }
}

/// The map of unknown tagged fields that every struct of the crate has.
const TAGGED_FIELDS_DECODED_BYTES: usize = 24;

impl Field {
    fn wire_bytes_min(&self, encoding: Encoding) -> usize {
        match self.kind {
            // One byte says that there is none.
            Kind::Struct(_) if self.is_nullable_in(encoding.version) => 1,
            kind => kind.wire_bytes_min(encoding),
        }
    }
}
