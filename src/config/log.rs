//! The settings that one partition's log works by: a topic's configuration, resolved against the broker's.
//!
//! Names, defaults and meanings are Kafka's (`org.apache.kafka.common.config.TopicConfig`).

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
    /// `min.insync.replicas`: fewer in sync refuse `acks=all`.
    pub insync_replicas_min: u32,
}

impl Default for LogConfig {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        LogConfig {
            segment_bytes: 1 << 30,
            segment_age_max: 7 * DAY,
            segment_jitter_max: Duration::ZERO,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention: Some(7 * DAY),
            retention_bytes: None,
            file_delete_delay: Duration::from_secs(60),
            message_bytes_max: 1_048_588,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max: Duration::from_millis(i64::MAX as u64),
            timestamp_after_max: Duration::from_secs(60 * 60),
            insync_replicas_min: 1,
        }
    }
}
