//! The keys of our own in a configuration file, as data. `config/klamm.toml` shows each with its default.
//!
//! Invariants: each key is there once; all but those without a `name` in Kafka become Kafka's setting of that name.

use super::setting::Setting;
use super::settings::setting;

/// How a key's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A whole number.
    Number,
    /// A text; the empty one stands for "not set".
    Text,
    /// A number with a unit of time, or −1 for "without limit".
    Duration,
    /// A number with a unit of size, a number of bytes, or −1 for "without limit".
    Size,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(super) struct NativeKey {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    pub(super) form: Form,
    name: Option<&'static str>,
}

impl NativeKey {
    /// Kafka's setting that the key stands for, if Kafka has one.
    pub(super) fn setting(&self) -> Option<&'static Setting> {
        self.name.map(setting)
    }
}

const fn key(section: &'static str, key: &'static str, form: Form, name: Option<&'static str>) -> NativeKey {
    NativeKey { section, key, form, name }
}

/// The keys outside `[[listener]]` and `[kafka]`.
pub(super) static KEYS: &[NativeKey] = &[
    key("node", "id", Form::Number, Some("node.id")),
    key("node", "data_dir", Form::Text, Some("log.dirs")),
    key("node", "rack", Form::Text, Some("broker.rack")),
    key("topics", "partitions", Form::Number, Some("num.partitions")),
    key("topics", "replication", Form::Number, Some("default.replication.factor")),
    key("topics", "retention", Form::Duration, Some("log.retention.ms")),
    key("topics", "retention_bytes", Form::Size, Some("log.retention.bytes")),
    key("topics", "segment", Form::Size, Some("log.segment.bytes")),
    key("validation", "compressed_batches", Form::Word(&["header", "strict"]), None),
];

/// The keys of `[[listener]]`, all texts.
pub(super) static LISTENER_KEYS: &[&str] = &["name", "bind", "advertised"];

/// All sections of a file.
pub(super) static SECTIONS: &[&str] = &["node", "listener", "topics", "validation", "kafka"];
