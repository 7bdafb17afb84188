//! Typed broker and topic settings under Kafka's names.
//!
//! Invariants:
//! * each setting is one row of a table ([`broker_settings`], [`TOPIC_SETTINGS`]); parsing and DescribeConfigs follow it;
//! * a name that is not in the table is an error that names the nearest one, never ignored;
//! * every name of Kafka's is in the table: served, taken with a warning where neglect harms nobody, or refused unless it says
//!   what happens anyway;
//! * command line over environment over file over defaults; within one source nothing is set twice to different values.

mod broker;
mod broker_table;
mod check;
mod client_metrics;
mod compression;
mod describe;
mod document;
mod dynamic;
mod environment;
mod error;
mod file;
mod flags;
mod import;
mod java_pattern;
mod listener;
mod log;
mod names;
mod native_table;
mod properties;
mod roles;
mod setting;
mod settings;
#[cfg(test)]
mod tests;
mod topic_table;
mod units;

pub use broker::{
    AnswersConfig, BrokerConfig, CompressedBatches, NetworkConfig, QuotasConfig, StorageConfig, TopicsConfig,
};
pub use broker_table::all as broker_settings;
pub use check::Check;
pub use client_metrics::{check as check_client_metrics, entries as client_metrics_entries};
pub use compression::TargetCompression;
pub use describe::{ConfigEntry, ConfigSource, ConfigSynonym, broker_entries, default_broker_entries, topic_entries};
pub use document::configuration_document;
pub use dynamic::{DynamicLevel, DynamicRefusal, DynamicSettings, broker_list_default};
pub use environment::Environment;
pub use error::{Error, Given, Place, Warning};
pub use flags::Flags;
pub use import::{Imported, import_properties};
pub use listener::{HostPort, Listener};
pub use log::{LogConfig, TimestampType, check_topic_configs, topic_list_default};
pub use setting::{Disposition, InvalidConfig, Kind, Setting, Update, Visibility};
pub use topic_table::SETTINGS as TOPIC_SETTINGS;
