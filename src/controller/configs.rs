//! Changes of topics' settings.
//!
//! Invariants: the changes of one topic are made all or none; what would result is checked as at a creation.
//! Checks and their texts are those of Kafka's `ConfigurationControlManager`, `ControllerApis` and `ConfigAdminManager`.

use super::{ConfigCheck, Decision, TopicError};
use crate::metadata::{ClusterImage, ConfigResource, Record, Topic};
use std::collections::{BTreeMap, HashSet};

/// What happens to one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigOperation {
    /// It gets this value.
    Set(Option<String>),
    /// It is no longer overridden.
    Delete,
    /// These are added to its list.
    Append(Option<String>),
    /// These are taken from its list.
    Subtract(Option<String>),
}

/// Changes of one topic's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChanges {
    /// The topic.
    pub topic: String,
    /// Setting by setting, in the order of the request.
    pub operations: Vec<(String, ConfigOperation)>,
    /// What becomes of the settings that are not named.
    pub others: Others,
}

/// What becomes of overrides that a change does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// They stay (IncrementalAlterConfigs, KIP-339).
    Stay,
    /// They go (AlterConfigs).
    Go,
}

/// What the decision asks about settings: whether a topic may have them, what a list is by default.
pub(super) struct Rules<'a> {
    pub(super) check: &'a ConfigCheck,
    pub(super) list_default: &'a ListDefault,
}

/// The default of a setting that is a list; `None` for one that is not.
pub type ListDefault = dyn Fn(&str) -> Option<String> + Send + Sync;

/// One answer per topic, in the order of the request.
pub type Changed = Vec<(String, Result<(), TopicError>)>;

/// Decides which settings change.
pub(super) fn decide_changes(image: &ClusterImage, changes: &[ConfigChanges], rules: &Rules<'_>) -> Decision<Changed> {
    let mut records = Vec::new();
    let reply = changes.iter().map(|change| {
        let decided = decide_topic(image, change, rules);
        (change.topic.clone(), decided.map(|decided| records.extend(decided)))
    });
    let reply = reply.collect();
    (records, reply)
}

fn decide_topic(image: &ClusterImage, change: &ConfigChanges, rules: &Rules<'_>) -> Result<Vec<Record>, TopicError> {
    let mut names = HashSet::new();
    if change.operations.iter().any(|(name, _)| !names.insert(name.as_str())) {
        return Err(TopicError::InvalidRequest("Error due to duplicate config keys".into()));
    }
    let topic = image
        .topic(&change.topic)
        .ok_or_else(|| TopicError::UnknownTopic(format!("The topic '{}' does not exist.", change.topic)))?;
    let mut configs = match change.others {
        Others::Stay => topic.configs.clone(),
        Others::Go => BTreeMap::new(),
    };
    for (name, operation) in &change.operations {
        apply(&mut configs, name, operation, rules)?;
    }
    (rules.check)(&configs).map_err(TopicError::InvalidConfig)?;
    Ok(difference(topic, &configs))
}

fn apply(
    configs: &mut BTreeMap<String, String>,
    name: &str,
    operation: &ConfigOperation,
    rules: &Rules<'_>,
) -> Result<(), TopicError> {
    let given = |value: &Option<String>| {
        let missing = || TopicError::InvalidRequest(format!("Null value not supported for : {name}"));
        value.clone().ok_or_else(missing)
    };
    let list = |configs: &BTreeMap<String, String>, verb: &str| {
        let default = (rules.list_default)(name).ok_or_else(|| {
            TopicError::InvalidConfig(format!("Can't {verb} to key {name} because its type is not LIST."))
        })?;
        let text = configs.get(name).cloned().unwrap_or(default);
        Ok(text.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect::<Vec<_>>())
    };
    match operation {
        ConfigOperation::Set(value) => {
            configs.insert(name.to_owned(), given(value)?);
        }
        ConfigOperation::Delete => {
            configs.remove(name);
        }
        ConfigOperation::Append(value) => {
            let mut items = list(configs, "APPEND")?;
            for item in given(value)?.split(',') {
                if !items.iter().any(|present| present == item) {
                    items.push(item.to_owned());
                }
            }
            configs.insert(name.to_owned(), items.join(","));
        }
        ConfigOperation::Subtract(value) => {
            let mut items = list(configs, "SUBTRACT")?;
            for item in given(value)?.split(',') {
                items.retain(|present| present != item);
            }
            configs.insert(name.to_owned(), items.join(","));
        }
    }
    Ok(())
}

fn difference(topic: &Topic, configs: &BTreeMap<String, String>) -> Vec<Record> {
    let record = |name: &String, value: Option<&String>| Record::Config {
        resource: ConfigResource::Topic(topic.id),
        name: name.clone(),
        value: value.cloned(),
    };
    let gone = topic.configs.keys().filter(|name| !configs.contains_key(*name)).map(|name| record(name, None));
    let set = configs.iter().filter(|(name, value)| topic.configs.get(*name) != Some(value));
    gone.chain(set.map(|(name, value)| record(name, Some(value)))).collect()
}
