//! The settings that one partition's log works by: a topic's configuration, resolved against the broker's.
//!
//! Names, defaults and meanings are Kafka's (`org.apache.kafka.common.config.TopicConfig`).

use super::dynamic::DynamicSettings;
use super::setting::{InvalidConfig, Kind, Value};
use super::settings::Settings;
use super::{BrokerConfig, TargetCompression, topic_table};
use std::collections::BTreeMap;
use std::time::Duration;

/// Who decides a record's timestamp (`message.timestamp.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer: the time in the batch is kept.
    CreateTime,
    /// The broker: each batch is stamped with the time of its append.
    LogAppendTime,
}

/// What a partition's log is configured to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment is rolled before it grows beyond this many bytes.
    pub segment_bytes: u32,
    /// `segment.ms`: a segment that is not empty is rolled at this age.
    pub segment_age_max: Duration,
    /// `segment.jitter.ms`: at most this much is taken off `segment_age_max`, at random, for each segment.
    pub segment_jitter_max: Duration,
    /// `segment.index.bytes`: a segment is rolled when its offset index has this many bytes.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: roughly one index entry for this many bytes of log.
    pub index_interval_bytes: u32,
    /// `retention.ms`: closed segments whose newest record is older are deleted; `None` keeps them for ever.
    pub retention: Option<Duration>,
    /// `retention.bytes`: the oldest segments are deleted while the log stays at least this large without them.
    pub retention_bytes: Option<u64>,
    /// `file.delete.delay.ms`: from renaming a file to `.deleted` to unlinking it.
    pub file_delete_delay: Duration,
    /// `max.message.bytes`: the largest batch that a producer may send, in bytes.
    pub message_bytes_max: u32,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far a record's timestamp may lie in the past.
    pub timestamp_before_max: Duration,
    /// `message.timestamp.after.max.ms`: how far a record's timestamp may lie in the future.
    pub timestamp_after_max: Duration,
    /// `compression.type` with its level: what batches are recompressed to; `None` (`producer`) keeps them as they are.
    pub compression: Option<TargetCompression>,
    /// `min.insync.replicas`: fewer in sync refuse `acks=all`.
    pub insync_replicas_min: u32,
    /// `flush.messages`: at most one less of the records that are acknowledged and read may not be on disk. At least 1.
    pub flush_records: u64,
    /// `flush.ms`: records are synced before they are older; `None` leaves it to the other syncs.
    pub flush_age_max: Option<Duration>,
}

/// The greatest number of milliseconds, by which Kafka says never.
pub(super) const NEVER: Duration = Duration::from_millis(i64::MAX as u64);

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig::of_broker(&Settings::default()).expect("the defaults are within their bounds")
    }
}

impl LogConfig {
    /// What a topic with these overrides works by, on this broker.
    ///
    /// # Errors
    /// The first name that no topic has, or value that is out of bounds.
    pub fn resolve(overrides: &BTreeMap<String, String>, broker: &BrokerConfig) -> Result<LogConfig, InvalidConfig> {
        check(overrides)?;
        LogConfig::of(&Layers { overrides, broker: &broker.effective })
    }

    /// What a topic without overrides works by.
    pub(super) fn of_broker(settings: &Settings) -> Result<LogConfig, InvalidConfig> {
        LogConfig::of(&Layers { overrides: &BTreeMap::new(), broker: settings })
    }

    fn of(layers: &Layers<'_>) -> Result<LogConfig, InvalidConfig> {
        // An empty policy is neither deletion nor compaction: everything stays.
        let deletes = layers.value("cleanup.policy")? != Value::List(Vec::new());
        let limit = |name| Ok(u64::try_from(layers.number(name)?).ok().filter(|_| deletes));
        Ok(LogConfig {
            segment_bytes: layers.count("segment.bytes")?,
            segment_age_max: layers.duration("segment.ms")?,
            segment_jitter_max: layers.duration("segment.jitter.ms")?,
            segment_index_bytes: layers.count("segment.index.bytes")?,
            index_interval_bytes: layers.count("index.interval.bytes")?,
            retention: limit("retention.ms")?.map(Duration::from_millis),
            retention_bytes: limit("retention.bytes")?,
            file_delete_delay: layers.duration("file.delete.delay.ms")?,
            message_bytes_max: layers.count("max.message.bytes")?,
            timestamp_type: match layers.value("message.timestamp.type")? {
                Value::Text(text) if text == "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_before_max: layers.duration("message.timestamp.before.max.ms")?,
            timestamp_after_max: layers.duration("message.timestamp.after.max.ms")?,
            compression: layers.compression()?,
            insync_replicas_min: layers.count("min.insync.replicas")?,
            flush_records: u64::try_from(layers.number("flush.messages")?).expect("bounded by the table"),
            flush_age_max: Some(layers.duration("flush.ms")?).filter(|age| *age < NEVER),
        })
    }
}

/// Checks the overrides of a topic: every name first, then every value.
///
/// # Errors
/// Kafka's sentence about the first that is wrong (`LogConfig.validate`).
pub fn check_topic_configs(overrides: &BTreeMap<String, String>) -> Result<(), String> {
    check(overrides).map_err(|error| error.to_string())
}

/// What a topic's setting is without an override, on a broker with these settings from run time, if it is a list: APPEND and SUBTRACT begin with it.
pub fn topic_list_default(name: &str, dynamic: &DynamicSettings, broker: &BrokerConfig) -> Option<String> {
    let setting = topic_table::find(name).filter(|setting| setting.kind == Kind::List)?;
    match setting.broker_name {
        Some(broker_name) => match dynamic.text(broker_name) {
            Some(text) => Some(text.to_owned()),
            None => broker.settings.effective_text(broker_name),
        },
        None => setting.default.map(str::to_owned),
    }
}

fn check(overrides: &BTreeMap<String, String>) -> Result<(), InvalidConfig> {
    if let Some(name) = overrides.keys().find(|name| topic_table::find(name).is_none()) {
        return Err(InvalidConfig::Unknown(name.clone()));
    }
    overrides.iter().try_for_each(|(name, value)| {
        let setting = topic_table::find(name).expect("names were checked");
        setting.parse(value).map(|_| ())
    })
}

/// A topic's overrides upon the broker's settings.
struct Layers<'a> {
    overrides: &'a BTreeMap<String, String>,
    broker: &'a Settings,
}

impl Layers<'_> {
    fn value(&self, name: &'static str) -> Result<Value, InvalidConfig> {
        let setting = topic_table::find(name).expect("the name is in the table");
        let broker_name = setting.broker_name.expect("a topic's setting names the broker's");
        let inherited = || self.broker.effective_text(broker_name).expect("each has a default");
        let text = self.overrides.get(name).cloned().unwrap_or_else(inherited);
        setting.parse(&text)
    }

    fn number(&self, name: &'static str) -> Result<i64, InvalidConfig> {
        match self.value(name)? {
            Value::Number(number) => Ok(number),
            other => panic!("{name} is not a number but {other:?}"),
        }
    }

    fn count(&self, name: &'static str) -> Result<u32, InvalidConfig> {
        Ok(u32::try_from(self.number(name)?).expect("bounded by the table"))
    }

    fn compression(&self) -> Result<Option<TargetCompression>, InvalidConfig> {
        let level = |name| Ok(i32::try_from(self.number(name)?).expect("bounded by the table"));
        let Value::Text(name) = self.value("compression.type")? else { panic!("compression.type is a text") };
        Ok(Some(match name.as_str() {
            "producer" => return Ok(None),
            "uncompressed" => TargetCompression::None,
            "gzip" => TargetCompression::Gzip { level: level("compression.gzip.level")? },
            "snappy" => TargetCompression::Snappy,
            "lz4" => TargetCompression::Lz4 { level: level("compression.lz4.level")? },
            "zstd" => TargetCompression::Zstd { level: level("compression.zstd.level")? },
            other => panic!("the table knows no compression.type {other}"),
        }))
    }

    fn duration(&self, name: &'static str) -> Result<Duration, InvalidConfig> {
        Ok(Duration::from_millis(u64::try_from(self.number(name)?).expect("bounded by the table")))
    }
}
