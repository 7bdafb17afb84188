//! Changes of settings: of topics, of brokers, of subscriptions to metrics.
//!
//! Invariants: the changes of one resource are made all or none; what would result is checked as a whole, a topic's as at a
//! creation. Checks and their texts are those of Kafka's `ConfigurationControlManager`, `ControllerApis` and
//! `ConfigAdminManager`.

use super::{ConfigRules, Decision, TopicError};
use crate::config::{DynamicLevel, DynamicRefusal, DynamicSettings, broker_list_default, check_client_metrics};
use crate::metadata::{ClusterImage, ConfigResource, Record};
use crate::types::BrokerId;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

type Configs = BTreeMap<String, String>;

/// What has settings that can be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Configured {
    /// A topic, by its name, unchecked.
    Topic(String),
    /// One broker.
    Broker(BrokerId),
    /// All brokers.
    Brokers,
    /// A subscription to metrics of clients, by its name.
    ClientMetrics(String),
}

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

/// Changes of one resource's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChanges {
    /// Whose.
    pub of: Configured,
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

/// One answer per change, in the order of the request.
pub type Changed = Vec<Result<(), TopicError>>;

/// Decides which settings change.
pub(super) fn decide_changes(
    image: &ClusterImage,
    changes: &[ConfigChanges],
    rules: &ConfigRules,
) -> Decision<Changed> {
    let mut records = Vec::new();
    let mut now = Cow::Borrowed(image);
    let reply = changes.iter().map(|change| {
        let decided = decide_change(&now, change, rules)?;
        if matches!(change.of, Configured::Broker(_) | Configured::Brokers) && !decided.is_empty() {
            // What this broker sets and what all set must go together, also when one request changes both.
            let index = now.index;
            now.to_mut().apply(index, &decided).expect("it was decided on this image");
        }
        records.extend(decided);
        Ok(())
    });
    let reply = reply.collect();
    (records, reply)
}

fn decide_change(image: &ClusterImage, change: &ConfigChanges, rules: &ConfigRules) -> Result<Vec<Record>, TopicError> {
    let mut names = HashSet::new();
    if change.operations.iter().any(|(name, _)| !names.insert(name.as_str())) {
        return Err(TopicError::InvalidRequest("Error due to duplicate config keys".into()));
    }
    let (resource, before) = resource(image, &change.of)?;
    let list_default = |name: &str, verb: &str| match &change.of {
        Configured::Topic(_) => {
            let dynamic = dynamic_settings(image, rules.local);
            (rules.list_default)(name, &dynamic).ok_or_else(|| not_a_list(name, verb))
        }
        Configured::Broker(_) | Configured::Brokers => Ok(broker_list_default(name, verb)?),
        // Apache Kafka's controller does not know that two of them are lists.
        Configured::ClientMetrics(_) => Err(not_a_list(name, verb)),
    };
    let mut configs = match change.others {
        Others::Stay => before.clone(),
        Others::Go => BTreeMap::new(),
    };
    for (name, operation) in &change.operations {
        apply(&mut configs, name, operation, list_default)?;
    }
    check(image, &change.of, &configs, rules)?;
    Ok(difference(&resource, &before, &configs))
}

/// What the settings are recorded under, and what they are now.
fn resource(image: &ClusterImage, of: &Configured) -> Result<(ConfigResource, Configs), TopicError> {
    match of {
        Configured::Topic(name) => match image.topic(name) {
            Some(topic) => Ok((ConfigResource::Topic(topic.id), topic.configs.clone())),
            None => Err(TopicError::UnknownTopic(format!("The topic '{name}' does not exist."))),
        },
        Configured::Broker(id) => {
            Ok((ConfigResource::Broker(*id), image.broker_configs.get(id).cloned().unwrap_or_default()))
        }
        Configured::Brokers => Ok((ConfigResource::Brokers, image.default_broker_configs.clone())),
        Configured::ClientMetrics(name) if name.is_empty() => {
            Err(TopicError::InvalidRequest("Subscription name can't be empty".into()))
        }
        Configured::ClientMetrics(name) => {
            let configs = image.client_metrics.get(name).cloned().unwrap_or_default();
            Ok((ConfigResource::ClientMetrics(name.clone()), configs))
        }
    }
}

fn check(image: &ClusterImage, of: &Configured, configs: &Configs, rules: &ConfigRules) -> Result<(), TopicError> {
    match of {
        Configured::Topic(_) => (rules.topic)(configs).map_err(TopicError::InvalidConfig),
        Configured::Broker(id) => {
            let before = dynamic_settings(image, *id);
            let after = DynamicSettings { own: configs.clone(), ..before.clone() };
            Ok((rules.broker)(DynamicLevel::Own, &before, &after)?)
        }
        Configured::Brokers => {
            let before = dynamic_settings(image, rules.local);
            let after = DynamicSettings { defaults: configs.clone(), ..before.clone() };
            Ok((rules.broker)(DynamicLevel::Defaults, &before, &after)?)
        }
        Configured::ClientMetrics(_) => Ok(check_client_metrics(configs)?),
    }
}

/// The settings from run time of one broker.
fn dynamic_settings(image: &ClusterImage, broker: BrokerId) -> DynamicSettings {
    DynamicSettings {
        defaults: image.default_broker_configs.clone(),
        own: image.broker_configs.get(&broker).cloned().unwrap_or_default(),
    }
}

fn not_a_list(name: &str, verb: &str) -> TopicError {
    TopicError::InvalidConfig(format!("Can't {verb} to key {name} because its type is not LIST."))
}

impl From<DynamicRefusal> for TopicError {
    fn from(refusal: DynamicRefusal) -> TopicError {
        match refusal {
            DynamicRefusal::InvalidRequest(text) => TopicError::InvalidRequest(text),
            DynamicRefusal::InvalidConfig(text) => TopicError::InvalidConfig(text),
        }
    }
}

fn apply(
    configs: &mut Configs,
    name: &str,
    operation: &ConfigOperation,
    list_default: impl Fn(&str, &str) -> Result<String, TopicError>,
) -> Result<(), TopicError> {
    let given = |value: &Option<String>| {
        let missing = || TopicError::InvalidRequest(format!("Null value not supported for : {name}"));
        value.clone().ok_or_else(missing)
    };
    let list = |configs: &Configs, verb: &str| {
        let default = list_default(name, verb)?;
        let text = configs.get(name).cloned().unwrap_or(default);
        Ok::<_, TopicError>(text.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect::<Vec<_>>())
    };
    match operation {
        ConfigOperation::Set(value) => {
            configs.insert(name.to_owned(), given(value)?);
        }
        ConfigOperation::Delete => {
            configs.remove(name);
        }
        ConfigOperation::Append(value) => {
            let value = given(value)?;
            let mut items = list(configs, "APPEND")?;
            for item in value.split(',') {
                if !items.iter().any(|present| present == item) {
                    items.push(item.to_owned());
                }
            }
            configs.insert(name.to_owned(), items.join(","));
        }
        ConfigOperation::Subtract(value) => {
            let value = given(value)?;
            let mut items = list(configs, "SUBTRACT")?;
            for item in value.split(',') {
                items.retain(|present| present != item);
            }
            configs.insert(name.to_owned(), items.join(","));
        }
    }
    Ok(())
}

fn difference(resource: &ConfigResource, before: &Configs, after: &Configs) -> Vec<Record> {
    let record = |name: &String, value: Option<&String>| Record::Config {
        resource: resource.clone(),
        name: name.clone(),
        value: value.cloned(),
    };
    let gone = before.keys().filter(|name| !after.contains_key(*name)).map(|name| record(name, None));
    let set = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
    gone.chain(set.map(|(name, value)| record(name, Some(value)))).collect()
}
