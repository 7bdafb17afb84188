//! Typed broker and topic settings under Kafka's names.

mod log;

pub use log::{LogConfig, TimestampType};
