//! What DescribeConfigs tells about the broker and its topics.
//!
//! Invariants: values, sources and synonyms are those of `ConfigHelper` and `DynamicBrokerConfig.brokerConfigSynonyms`: a
//! synonym that is set comes before defaults, and a list begins with the name that was asked for, or is empty.

use super::setting::{Disposition, Family, Kind, Setting, Update, Visibility};
use super::settings::setting;
use super::{BrokerConfig, broker_table, topic_table};
use std::collections::BTreeMap;

/// Where a value comes from (`DescribeConfigsResponse.ConfigSource`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// An override of the topic.
    DynamicTopic,
    /// The file or the command line.
    StaticBroker,
    /// Nobody set it.
    Default,
}

impl ConfigSource {
    /// The number of the source on the wire.
    pub fn code(self) -> i8 {
        match self {
            ConfigSource::DynamicTopic => 1,
            ConfigSource::StaticBroker => 4,
            ConfigSource::Default => 5,
        }
    }
}

/// One of the values that were candidates for a setting, under the name that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The name.
    pub name: &'static str,
    /// The value.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: ConfigSource,
}

/// One setting as DescribeConfigs shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Kafka's name.
    pub name: &'static str,
    /// The value; `None` for Kafka's `null` and for what must not be shown.
    pub value: Option<String>,
    /// Whether only a restart changes it.
    pub read_only: bool,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether the value must not be shown.
    pub sensitive: bool,
    /// The candidates, the one that counts first.
    pub synonyms: Vec<ConfigSynonym>,
    /// The type.
    pub kind: Kind,
    /// What it does.
    pub documentation: &'static str,
}

/// The settings of the broker, sorted by name: those that take effect, and those without effect that somebody set.
pub fn broker_entries(broker: &BrokerConfig) -> Vec<ConfigEntry> {
    let is_set = |setting: &Setting| broker.settings.assigned(setting.name).is_some();
    let shown = broker_table::all().iter().filter(|setting| is_shown(setting, is_set(setting)));
    shown.map(|setting| entry(setting, broker.settings.text(setting.name), broker_synonyms(setting, broker))).collect()
}

/// The settings of a topic with these overrides, sorted by name: those that take effect, and those without effect that
/// somebody set, for the topic or for all.
pub fn topic_entries(overrides: &BTreeMap<String, String>, broker: &BrokerConfig) -> Vec<ConfigEntry> {
    let is_set = |topic: &Setting| {
        let inherited = topic.broker_name.is_some_and(|name| broker.settings.assigned(name).is_some());
        inherited || overrides.contains_key(topic.name)
    };
    let shown = topic_table::SETTINGS.iter().filter(|topic| is_shown(topic, is_set(topic)));
    shown
        .map(|topic| {
            let mut synonyms = topic.broker_name.map_or_else(Vec::new, |name| broker_synonyms(setting(name), broker));
            let inherited = topic.broker_name.and_then(|name| broker.settings.effective_text(name));
            let value = overrides.get(topic.name).cloned();
            if value.is_some() {
                let source = ConfigSource::DynamicTopic;
                synonyms.insert(0, ConfigSynonym { name: topic.name, value: value.clone(), source });
            }
            let counts = value.or(inherited).or_else(|| topic.default.map(str::to_owned));
            entry(topic, counts.as_deref(), synonyms)
        })
        .collect()
}

fn is_shown(setting: &Setting, is_set: bool) -> bool {
    match (setting.visibility, setting.disposition) {
        (Visibility::Internal, _) => false,
        (Visibility::Shown, Disposition::Served) => true,
        (Visibility::Shown, Disposition::Accepted | Disposition::Refused) => is_set,
    }
}

fn entry(setting: &Setting, value: Option<&str>, synonyms: Vec<ConfigSynonym>) -> ConfigEntry {
    let sensitive = setting.is_sensitive();
    ConfigEntry {
        name: setting.name,
        value: value.filter(|_| !sensitive).map(|text| text.trim().to_owned()),
        read_only: setting.update == Update::ReadOnly,
        source: synonyms.first().map_or(ConfigSource::Default, |first| first.source),
        sensitive,
        synonyms,
        kind: setting.kind,
        documentation: setting.documentation,
    }
}

fn broker_synonyms(asked: &Setting, broker: &BrokerConfig) -> Vec<ConfigSynonym> {
    // Aliases are not synonyms in Kafka's answers; units of one time are.
    let names = match asked.family {
        Family::Scaled(_) => asked.family.names(asked.name),
        Family::OrElse(other) => vec![asked.name, other],
        Family::Alone | Family::Aliases(_) => vec![asked.name],
    };
    let assigned = names.iter().filter_map(|name| broker.settings.assigned(name)).map(|given| {
        let value = Some(given.text.trim().to_owned()).filter(|_| !given.setting.is_sensitive());
        ConfigSynonym { name: given.setting.name, value, source: ConfigSource::StaticBroker }
    });
    let defaults = names.iter().filter_map(|name| {
        let value = setting(name).default?;
        Some(ConfigSynonym { name, value: Some(value.into()), source: ConfigSource::Default })
    });
    assigned.chain(defaults).skip_while(|synonym| synonym.name != asked.name).collect()
}
