//! What DescribeConfigs tells about the broker and its topics.
//!
//! Invariants: values, sources and synonyms are those of `ConfigHelper` and `DynamicBrokerConfig.brokerConfigSynonyms`: a
//! synonym that is set comes before defaults, and a list begins with the name that was asked for, or is empty.

use super::setting::{Family, Kind, Setting, Update, Visibility};
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

/// All settings of the broker, sorted by name.
pub fn broker_entries(broker: &BrokerConfig) -> Vec<ConfigEntry> {
    let shown = broker_table::SETTINGS.iter().filter(|setting| setting.visibility == Visibility::Shown);
    shown.map(|setting| entry(setting, broker.settings.text(setting.name), broker_synonyms(setting, broker))).collect()
}

/// All settings of a topic with these overrides, sorted by name.
pub fn topic_entries(overrides: &BTreeMap<String, String>, broker: &BrokerConfig) -> Vec<ConfigEntry> {
    let shown = topic_table::SETTINGS.iter().filter(|setting| setting.visibility == Visibility::Shown);
    shown
        .map(|topic| {
            let broker_name = topic.broker_name.expect("a topic's setting names the broker's");
            let mut synonyms = broker_synonyms(setting(broker_name), broker);
            let inherited = broker.settings.effective_text(broker_name);
            let value = overrides.get(topic.name).cloned();
            if value.is_some() {
                let source = ConfigSource::DynamicTopic;
                synonyms.insert(0, ConfigSynonym { name: topic.name, value: value.clone(), source });
            }
            entry(topic, value.or(inherited).as_deref(), synonyms)
        })
        .collect()
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
        Family::Alone | Family::Aliases(_) => vec![asked.name],
    };
    let assigned = names.iter().filter_map(|name| broker.settings.assigned(name)).map(|given| {
        let value = Some(given.text.trim().to_owned());
        ConfigSynonym { name: given.setting.name, value, source: ConfigSource::StaticBroker }
    });
    let defaults = names.iter().filter_map(|name| {
        let value = setting(name).default?;
        Some(ConfigSynonym { name, value: Some(value.into()), source: ConfigSource::Default })
    });
    assigned.chain(defaults).skip_while(|synonym| synonym.name != asked.name).collect()
}
