//! The keys of our own in a configuration file, as data. `config/klamm.toml` shows each with its default.
//!
//! Invariants: each key is there once; all but those without a `name` in Kafka become Kafka's setting of that name.

use super::broker::CompressedBatches;
use super::setting::Setting;
use super::settings::setting;
use std::time::Duration;

/// What the keys say that are no setting of Kafka's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Native {
    pub(super) compressed_batches: CompressedBatches,
    pub(super) reserve_bytes: u64,
    pub(super) flush_delay: Option<Duration>,
}

impl Default for Native {
    fn default() -> Self {
        Native {
            compressed_batches: CompressedBatches::default(),
            reserve_bytes: 64 << 20,
            flush_delay: Some(Duration::from_millis(100)),
        }
    }
}

impl Native {
    /// Takes over the text of a key, as its form has it.
    ///
    /// # Errors
    /// What else to write.
    pub(super) fn set(&mut self, section: &str, key: &str, text: &str) -> Result<(), String> {
        match (section, key) {
            ("storage", "reserve") => {
                self.reserve_bytes = text.parse().map_err(|_| "write a size, 0 for no reserve".to_owned())?;
            }
            ("storage", "flush_delay") => {
                let milliseconds: u64 = text.parse().map_err(|_| "write a time, 0 to leave it to the system")?;
                self.flush_delay = (milliseconds > 0).then(|| Duration::from_millis(milliseconds));
            }
            ("validation", "compressed_batches") => {
                self.compressed_batches = match text {
                    "strict" => CompressedBatches::Strict,
                    _ => CompressedBatches::Header,
                };
            }
            _ => unreachable!("every key without a name in Kafka is above"),
        }
        Ok(())
    }
}

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
        section: "storage",
        key: "reserve",
        form: Form::Size,
        name: None,
        default: "64MiB",
        sentence: "The room on the disk that records of users leave free, for the broker's own files; at most an eighth of the file system. 0 lets them fill it.",
    },
    NativeKey {
        section: "storage",
        key: "flush_delay",
        form: Form::Duration,
        name: None,
        default: "100ms",
        sentence: "How long after a record was stored a flush begins that nobody waits for, or after the flush before it; 0 leaves it to the system and to flush.messages and flush.ms.",
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
pub(super) static SECTIONS: &[&str] = &["node", "listener", "topics", "storage", "validation", "kafka"];
