//! An answer as text: one line per field, `path = value`.
//!
//! The structs of the `kafka-protocol` crate print themselves in one regular form, which is read back here, so that any
//! response can be rendered without a word about it. Records are unpacked to their batches.

use std::fmt::Debug;

use kafka_protocol::ResponseError;

use super::normal::Names;
use crate::support::batch::{self, LOG_APPEND_TIME};

/// What stands in a response.
#[derive(Debug, PartialEq)]
pub enum Value {
    /// A struct's name and its fields.
    Struct(String, Vec<(String, Value)>),
    List(Vec<Value>),
    Text(String),
    Bytes(Vec<u8>),
    /// A number, an id, true, null.
    Bare(String),
}

/// A field of an answer: where it stands, and what it says.
pub type Line = (String, String);

/// The fields of a response in their order, with what must differ replaced by `names`.
pub fn lines(response: &impl Debug, names: &mut Names) -> Vec<Line> {
    let printed = format!("{response:?}");
    let mut reader = Reader { rest: &printed };
    let mut value = reader.value();
    assert_eq!(reader.rest, "", "all that was printed is understood: {printed}");
    let Value::Struct(root, _) = &value else { panic!("a response is a struct: {printed}") };
    let root = root.clone();
    names.sort(&root, &mut value);
    let mut lines = Vec::new();
    put(&mut lines, &root, "", "", &value, names);
    lines
}

fn put(lines: &mut Vec<Line>, root: &str, path: &str, field: &str, value: &Value, names: &mut Names) {
    let mut line = |text: String| lines.push((path.to_owned(), text));
    match value {
        Value::Bare(text) if field == "error_code" => line(error(text)),
        Value::Bare(text) => line(names.bare(root, field, text)),
        Value::Text(text) => line(format!("{:?}", names.text(root, field, text))),
        Value::Bytes(bytes) if bytes.is_empty() => line("no bytes".to_owned()),
        Value::Bytes(bytes) if field == "records" => put_batches(lines, path, bytes, names),
        Value::Bytes(bytes) => line(format!("{bytes:02x?}")),
        Value::List(items) if items.is_empty() => line("[]".to_owned()),
        Value::List(items) => {
            for (item, i) in items.iter().zip(0..) {
                put(lines, root, &format!("{path}[{i}]"), field, item, names);
            }
        }
        Value::Struct(_, fields) => {
            for (name, value) in fields {
                let is_empty = matches!(value, Value::List(items) if items.is_empty());
                if name == "unknown_tagged_fields" && is_empty {
                    continue;
                }
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                put(lines, root, &path, name, value, names);
            }
        }
    }
}

/// The code with the name that the crate has for it.
fn error(code: &str) -> String {
    let code = code.parse().expect("an error code is a number");
    match ResponseError::try_from_code(code) {
        Some(error) => format!("{code} {error:?}"),
        None if code == 0 => "0".to_owned(),
        None => format!("{code} ?"),
    }
}

fn put_batches(lines: &mut Vec<Line>, path: &str, records: &[u8], names: &mut Names) {
    for (batch, i) in batch::read(records).into_iter().zip(0..) {
        let mut line = |field: &str, text: String| lines.push((format!("{path}[{i}].{field}"), text));
        line("base_offset", batch.base_offset.to_string());
        line("leader_epoch", batch.leader_epoch.to_string());
        line("attributes", batch.attributes.to_string());
        line("last_offset_delta", batch.last_offset_delta.to_string());
        let is_brokers = batch.attributes & LOG_APPEND_TIME != 0;
        let time = if is_brokers { "log_append_time" } else { "max_timestamp" };
        line(time, names.bare("Batch", time, &batch.max_timestamp.to_string()));
        line("producer_id", names.bare("Batch", "producer_id", &batch.producer_id.to_string()));
        line("producer_epoch", batch.producer_epoch.to_string());
        line("base_sequence", batch.base_sequence.to_string());
        for (offset, value) in &batch.values {
            line("record", format!("{offset} {value:?}"));
        }
    }
}

/// Reads what a derived `Debug` printed.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn value(&mut self) -> Value {
        if self.takes("[") {
            return Value::List(self.items("]", Reader::value));
        }
        if self.takes("{") {
            // A map, which stands for fields of unknown tags.
            return Value::List(self.items("}", |reader| {
                let key = reader.bare();
                reader.expect(": ");
                Value::Struct(String::new(), vec![(key, reader.value())])
            }));
        }
        if self.takes("b\"") {
            return Value::Bytes(self.bytes());
        }
        if self.takes("\"") {
            return Value::Text(self.text());
        }
        let word = self.bare();
        if self.takes(" { ") {
            let fields = self.items(" }", |reader| {
                let name = reader.bare();
                reader.expect(": ");
                (name, reader.value())
            });
            return Value::Struct(word, fields);
        }
        if self.takes("(") {
            // Some(value) or a newtype: only what is inside counts.
            let value = self.value();
            self.expect(")");
            return value;
        }
        Value::Bare(if word == "None" { "null".to_owned() } else { word })
    }

    fn items<T>(&mut self, end: &str, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut items = Vec::new();
        while !self.takes(end) {
            items.push(item(self));
            self.takes(", ");
        }
        items
    }

    fn bare(&mut self) -> String {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        assert!(end > 0, "a word is due: {}", self.rest);
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.to_owned()
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        loop {
            match self.next() {
                '"' => return text,
                '\\' => text.push(match self.next() {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    '0' => '\0',
                    'u' => {
                        self.expect("{");
                        let code = u32::from_str_radix(&self.bare(), 16).expect("an escaped character has a number");
                        self.expect("}");
                        char::from_u32(code).expect("an escaped character is one")
                    }
                    plain => plain,
                }),
                plain => text.push(plain),
            }
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            match self.next() {
                '"' => return bytes,
                '\\' => bytes.push(match self.next() {
                    'n' => b'\n',
                    'r' => b'\r',
                    't' => b'\t',
                    '0' => 0,
                    'x' => {
                        let digits = [self.next(), self.next()].iter().collect::<String>();
                        u8::from_str_radix(&digits, 16).expect("an escaped byte has two digits")
                    }
                    plain => u8::try_from(plain).expect("a byte string is of bytes"),
                }),
                plain => bytes.push(u8::try_from(plain).expect("a byte string is of bytes")),
            }
        }
    }

    fn next(&mut self) -> char {
        let mut chars = self.rest.chars();
        let next = chars.next().expect("what was printed ends with its last value");
        self.rest = chars.as_str();
        next
    }

    fn takes(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) {
        assert!(self.takes(token), "{token:?} is due: {}", self.rest);
    }
}
