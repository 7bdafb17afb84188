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
    /// What counts without the key, as `config/klamm.toml` writes it.
    pub(super) default: &'static str,
    pub(super) sentence: &'static str,
}

impl NativeKey {
    /// Kafka's setting that the key stands for, if Kafka has one.
    pub(super) fn setting(&self) -> Option<&'static Setting> {
        self.name.map(setting)
    }
}

/// One key of `[[listener]]`, a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListenerKey {
    pub(super) key: &'static str,
    pub(super) default: &'static str,
    pub(super) name: &'static str,
    pub(super) sentence: &'static str,
}

/// The keys outside `[[listener]]` and `[kafka]`.
pub(super) static KEYS: &[NativeKey] = &[
    NativeKey {
        section: "node",
        key: "id",
        form: Form::Number,
        name: Some("node.id"),
        default: "1",
        sentence: "The number of this node in its cluster.",
    },
    NativeKey {
        section: "node",
        key: "data_dir",
        form: Form::Text,
        name: Some("log.dirs"),
        default: "./klamm-data",
        sentence: "The directory that holds the data, from the working directory if it is not absolute.",
    },
    NativeKey {
        section: "node",
        key: "rack",
        form: Form::Text,
        name: Some("broker.rack"),
        default: "",
        sentence: "The rack or zone of this node; empty means none.",
    },
    NativeKey {
        section: "topics",
        key: "partitions",
        form: Form::Number,
        name: Some("num.partitions"),
        default: "1",
        sentence: "How many partitions a topic gets whose creator says nothing else.",
    },
    NativeKey {
        section: "topics",
        key: "replication",
        form: Form::Number,
        name: Some("default.replication.factor"),
        default: "1",
        sentence: "How many replicas each of them gets.",
    },
    NativeKey {
        section: "topics",
        key: "retention",
        form: Form::Duration,
        name: Some("log.retention.ms"),
        default: "7d",
        sentence: "How long records are kept, with a unit (ms, s, m, h, d); -1 for ever.",
    },
    NativeKey {
        section: "topics",
        key: "retention_bytes",
        form: Form::Size,
        name: Some("log.retention.bytes"),
        default: "-1",
        sentence: "How large a partition may grow before its oldest segments go, with a unit (KiB, MiB, GiB); -1 without limit.",
    },
    NativeKey {
        section: "topics",
        key: "segment",
        form: Form::Size,
        name: Some("log.segment.bytes"),
        default: "1GiB",
        sentence: "The size at which a segment is rolled.",
    },
    NativeKey {
        section: "validation",
        key: "compressed_batches",
        form: Form::Word(&["header", "strict"]),
        name: None,
        default: "header",
        sentence: "How batches that were compressed by their producer are checked: header by length, checksum, counts and times; strict also record by record.",
    },
];

/// The keys of `[[listener]]`.
pub(super) static LISTENER_KEYS: &[ListenerKey] = &[
    ListenerKey { key: "name", default: "PLAINTEXT", name: "listeners", sentence: "The name of the listener." },
    ListenerKey {
        key: "bind",
        default: "127.0.0.1:9092",
        name: "listeners",
        sentence: "Host and port; :9092 is all addresses of the machine, port 0 a free port.",
    },
    ListenerKey {
        key: "advertised",
        default: "",
        name: "advertised.listeners",
        sentence: "What clients are told to connect to, as HOST or HOST:PORT; empty means the address in bind.",
    },
];

/// All sections of a file.
pub(super) static SECTIONS: &[&str] = &["node", "listener", "topics", "validation", "kafka"];
