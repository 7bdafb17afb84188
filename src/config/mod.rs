//! Typed broker and topic settings under Kafka's names.
//!
//! Invariants:
//! * each setting is one row of a table ([`BROKER_SETTINGS`], [`TOPIC_SETTINGS`]); parsing and DescribeConfigs follow it;
//! * a name that is not in the table is an error that names the nearest one, never ignored;
//! * command line over file over defaults; within one source nothing is set twice to different values.

mod broker;
mod broker_table;
mod describe;
mod error;
mod file;
mod flags;
mod listener;
mod log;
mod native_table;
mod setting;
mod settings;
#[cfg(test)]
mod tests;
mod topic_table;
mod units;

pub use broker::{AnswersConfig, BrokerConfig, CompressedBatches, NetworkConfig, StorageConfig, TopicsConfig};
pub use broker_table::SETTINGS as BROKER_SETTINGS;
pub use describe::{ConfigEntry, ConfigSource, ConfigSynonym, broker_entries, topic_entries};
pub use error::{Error, Given, Place};
pub use flags::Flags;
pub use listener::{HostPort, Listener};
pub use log::{LogConfig, TimestampType, check_topic_configs, topic_list_default};
pub use setting::{Check, InvalidConfig, Kind, Setting, Update, Visibility};
pub use topic_table::SETTINGS as TOPIC_SETTINGS;
