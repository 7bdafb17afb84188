//! What DescribeConfigs tells about the broker and its topics.
//!
//! Invariants:
//! * every name of Kafka's that is not internal is shown, also where it has no effect: the documentation says so;
//! * values, sources and synonyms are those of `ConfigHelper` and `DynamicBrokerConfig.brokerConfigSynonyms`: a synonym that is
//!   set comes before defaults, the narrower before the wider, and a list begins with the name that was asked for, or is
//!   empty;
//! * a value is shown as it was parsed, a synonym of the broker as it was set.

use super::setting::{Family, Kind, Setting, Update, Visibility};
use super::settings::setting;
use super::{BrokerConfig, broker_table, dynamic, topic_table};
use std::collections::BTreeMap;

/// Where a value comes from (`DescribeConfigsResponse.ConfigSource`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// An override of the topic.
    DynamicTopic,
    /// What was set for this broker at run time.
    DynamicBroker,
    /// What was set for all brokers at run time.
    DynamicDefaultBroker,
    /// The file or the command line.
    StaticBroker,
    /// Nobody set it.
    Default,
    /// A subscription to metrics of clients.
    ClientMetrics,
}

impl ConfigSource {
    /// The number of the source on the wire.
    pub fn code(self) -> i8 {
        match self {
            ConfigSource::DynamicTopic => 1,
            ConfigSource::DynamicBroker => 2,
            ConfigSource::DynamicDefaultBroker => 3,
            ConfigSource::StaticBroker => 4,
            ConfigSource::Default => 5,
            ConfigSource::ClientMetrics => 7,
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

/// The settings of the broker, sorted by name: those of a file, and of the others those that were set at run time.
pub fn broker_entries(broker: &BrokerConfig) -> Vec<ConfigEntry> {
    let shown = broker_table::all().iter().copied().filter(|setting| match setting.visibility {
        Visibility::Shown => true,
        Visibility::WhenSet => broker.settings.assigned(setting.name).is_some(),
        Visibility::Internal => false,
    });
    let throttles = broker_table::THROTTLES.iter().filter(|setting| broker.dynamic.text(setting.name).is_some());
    // What is set at run time also silences the other units of its thing in the file: as in Kafka, their defaults are shown.
    let value = |setting: &Setting| match broker_table::find(setting.name) {
        Some(_) => broker.effective.text(setting.name),
        None => broker.dynamic.text(setting.name),
    };
    let mut entries: Vec<ConfigEntry> = shown
        .chain(throttles)
        .map(|setting| entry(setting, value(setting), broker_synonyms(setting, broker)))
        .collect();
    entries.sort_by_key(|entry| entry.name);
    entries
}

/// What was set for all brokers at run time, sorted by name.
pub fn default_broker_entries(broker: &BrokerConfig) -> Vec<ConfigEntry> {
    let set = broker.dynamic.defaults.iter().filter_map(|(name, text)| Some((dynamic::find(name)?, text)));
    set.map(|(setting, text)| {
        let synonym = synonym(setting, text, ConfigSource::DynamicDefaultBroker);
        entry(setting, Some(text), vec![synonym])
    })
    .collect()
}

/// The settings of a topic with these overrides, sorted by name.
pub fn topic_entries(overrides: &BTreeMap<String, String>, broker: &BrokerConfig) -> Vec<ConfigEntry> {
    let shown = topic_table::SETTINGS.iter().filter(|topic| topic.visibility == Visibility::Shown);
    shown
        .map(|topic| {
            let mut synonyms = topic.broker_name.map_or_else(Vec::new, |name| broker_synonyms(setting(name), broker));
            let inherited = topic.broker_name.and_then(|name| broker.effective.effective_text(name));
            let value = overrides.get(topic.name).map(|text| topic.normalized(text));
            if let Some(value) = &value {
                synonyms.insert(0, synonym(topic, value, ConfigSource::DynamicTopic));
            }
            let counts = value.or(inherited).or_else(|| topic.default.map(str::to_owned));
            entry(topic, counts.as_deref(), synonyms)
        })
        .collect()
}

fn entry(setting: &'static Setting, value: Option<&str>, synonyms: Vec<ConfigSynonym>) -> ConfigEntry {
    let sensitive = setting.is_sensitive();
    ConfigEntry {
        name: setting.name,
        value: value.filter(|_| !sensitive).map(|text| setting.normalized(text)),
        read_only: setting.update == Update::ReadOnly,
        source: synonyms.first().map_or(ConfigSource::Default, |first| first.source),
        sensitive,
        synonyms,
        kind: setting.kind,
        documentation: setting.documentation,
    }
}

fn synonym(setting: &'static Setting, text: &str, source: ConfigSource) -> ConfigSynonym {
    let value = Some(text.to_owned()).filter(|_| !setting.is_sensitive());
    ConfigSynonym { name: setting.name, value, source }
}

fn broker_synonyms(asked: &'static Setting, broker: &BrokerConfig) -> Vec<ConfigSynonym> {
    // Aliases are not synonyms in Kafka's answers; units of one time are.
    let settings: Vec<&'static Setting> = match asked.family {
        Family::Scaled(_) => asked.family.names(asked.name).into_iter().map(setting).collect(),
        Family::OrElse(other) => vec![asked, setting(other)],
        Family::Alone | Family::Aliases(_) => vec![asked],
    };
    let mut synonyms = Vec::new();
    let dynamic = [
        (ConfigSource::DynamicBroker, &broker.dynamic.own),
        (ConfigSource::DynamicDefaultBroker, &broker.dynamic.defaults),
    ];
    for (source, texts) in dynamic {
        let set = settings.iter().filter_map(|setting| Some(synonym(setting, texts.get(setting.name)?, source)));
        synonyms.extend(set);
    }
    let assigned = |name: &str| broker.settings.assigned(name).map(|given| given.text.trim());
    let given = settings.iter().filter_map(|one| Some(synonym(one, assigned(one.name)?, ConfigSource::StaticBroker)));
    synonyms.extend(given);
    let defaults = settings.iter().filter_map(|one| Some(synonym(one, one.default?, ConfigSource::Default)));
    synonyms.extend(defaults);
    synonyms.into_iter().skip_while(|synonym| synonym.name != asked.name).collect()
}
