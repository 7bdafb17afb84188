//! What is set at run time, for all brokers or for one, upon the static configuration.
//!
//! Invariants:
//! * one broker's value wins over that for all brokers, both over the file, the environment and the command line;
//! * what would result is checked as a whole, in the order and in the words of Kafka;
//! * a name that Kafka does not know is refused: Kafka keeps it for plug-ins, which there are none of here.
//!
//! Called by the controller before it agrees to a change, and by whoever follows the metadata. After Kafka's
//! `DynamicBrokerConfig`.

use super::error::{Error, Place};
use super::names::is_of_one_listener;
use super::setting::{Kind, Setting, Update};
use super::settings::{Assignment, Layer};
use super::{BrokerConfig, broker_table};
use std::collections::BTreeMap;

/// The settings that were set at run time, as texts under Kafka's names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DynamicSettings {
    /// For all brokers.
    pub defaults: BTreeMap<String, String>,
    /// For this broker.
    pub own: BTreeMap<String, String>,
}

impl DynamicSettings {
    /// What counts of them for `name`.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.own.get(name).or_else(|| self.defaults.get(name)).map(String::as_str)
    }

    /// These with one more.
    pub fn with(&self, level: DynamicLevel, name: &str, text: &str) -> DynamicSettings {
        let mut more = self.clone();
        let texts = match level {
            DynamicLevel::Defaults => &mut more.defaults,
            DynamicLevel::Own => &mut more.own,
        };
        texts.insert(name.to_owned(), text.to_owned());
        more
    }
}

/// Whose settings a change at run time is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DynamicLevel {
    /// All brokers'.
    Defaults,
    /// This broker's.
    Own,
}

/// Why a setting cannot be changed at run time: one variant per error of Kafka's, with the text for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DynamicRefusal {
    /// `INVALID_REQUEST`.
    #[error("{0}")]
    InvalidRequest(String),
    /// `INVALID_CONFIG`.
    #[error("{0}")]
    InvalidConfig(String),
}

/// The settings that Kafka changes for single listeners only (`DynamicSecurityConfigs`).
const ONLY_OF_ONE_LISTENER: &[&str] = &[
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// What Kafka changes at run time, and this broker at its start only.
const AT_THE_START_ONLY: &[&str] = &["listener.security.protocol.map", "listeners"];

/// Numbers of threads, which Kafka lets grow to the double and shrink to the half at a time.
const THREADS: &[&str] = &[
    "background.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
];

/// The setting of this name that can be set at run time, though perhaps in vain.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    broker_table::find(name).or_else(|| broker_table::THROTTLES.iter().find(|setting| setting.name == name))
}

/// The list that APPEND and SUBTRACT begin with where nothing is set at run time; Kafka's own default.
///
/// # Errors
/// There is no setting of this name, or it is no list.
pub fn broker_list_default(name: &str, verb: &str) -> Result<String, DynamicRefusal> {
    match find(name) {
        None => Err(DynamicRefusal::InvalidConfig(unknown(name))),
        Some(setting) if setting.kind == Kind::List => Ok(setting.default.unwrap_or_default().to_owned()),
        Some(_) => {
            let verb = verb.to_lowercase();
            let text = format!("Config value {verb} is not allowed for config key: {name}");
            Err(DynamicRefusal::InvalidConfig(text))
        }
    }
}

impl BrokerConfig {
    /// What of it was set at run time.
    pub fn dynamic(&self) -> &DynamicSettings {
        &self.dynamic
    }

    /// This broker's configuration with other settings from run time.
    ///
    /// # Errors
    /// Kafka's sentence about the first that is wrong by itself or does not go together with the others.
    pub fn with_dynamic(&self, dynamic: &DynamicSettings) -> Result<BrokerConfig, String> {
        let mut effective = self.settings.clone();
        for texts in [&dynamic.defaults, &dynamic.own] {
            effective = effective.overlaid(layer(texts)).map_err(Error::into_message)?;
        }
        let mut config = BrokerConfig::resolve(effective, self.native()).map_err(Error::into_message)?;
        config.warnings.clone_from(&self.warnings);
        config.cluster_id.clone_from(&self.cluster_id);
        config.settings.clone_from(&self.settings);
        config.dynamic.clone_from(dynamic);
        Ok(config)
    }

    /// As [`with_dynamic`](BrokerConfig::with_dynamic), for settings that are stored: those that are wrong, by themselves or
    /// beside the others, have no effect and are returned, and all others count. All are shown as they are stored.
    pub fn with_stored(&self, stored: &DynamicSettings) -> (BrokerConfig, Vec<String>) {
        if let Ok(config) = self.with_dynamic(stored) {
            return (config, Vec::new());
        }
        let mut good = DynamicSettings::default();
        let mut pending: Vec<(DynamicLevel, &String, &String)> = Vec::new();
        pending.extend(stored.defaults.iter().map(|(name, text)| (DynamicLevel::Defaults, name, text)));
        pending.extend(stored.own.iter().map(|(name, text)| (DynamicLevel::Own, name, text)));
        // One may need another that comes later.
        loop {
            let before = pending.len();
            pending.retain(|(level, name, text)| {
                let more = good.with(*level, name, text);
                let is_good = self.with_dynamic(&more).is_ok();
                if is_good {
                    good = more;
                }
                !is_good
            });
            if pending.len() == before {
                break;
            }
        }
        let mut config = self.with_dynamic(&good).expect("each was tried upon the others");
        let wrong = pending.into_iter().map(|(level, name, text)| {
            let reason = self.with_dynamic(&good.with(level, name, text)).err();
            format!("{name}={text}: {}", reason.expect("it was tried upon the others"))
        });
        let wrong = wrong.collect();
        config.dynamic.clone_from(stored);
        (config, wrong)
    }

    /// Whether the settings of `level` from run time may change so.
    ///
    /// # Errors
    /// Kafka's error about the first that may not.
    pub fn check_dynamic(
        &self,
        level: DynamicLevel,
        before: &DynamicSettings,
        after: &DynamicSettings,
    ) -> Result<(), DynamicRefusal> {
        let changed = match level {
            DynamicLevel::Defaults => &after.defaults,
            DynamicLevel::Own => &after.own,
        };
        check_names(changed)?;
        let invalid = |text: String| DynamicRefusal::InvalidRequest(text);
        for (name, text) in changed {
            let setting = find(name).expect("names were checked");
            setting.parse(text).map_err(|error| invalid(error.to_string()))?;
        }
        if level == DynamicLevel::Defaults {
            let text = "Cannot update these configs at default cluster level, broker id must be specified";
            refuse_all(changed, text, |setting| setting.update == Update::PerBroker)?;
        }
        for name in THREADS.iter().chain(AT_THE_START_ONLY) {
            let at_start = self.settings.text(name).unwrap_or_default();
            let (now, then) = (before.text(name).unwrap_or(at_start), after.text(name).unwrap_or(at_start));
            check_at_run_time(name, now.trim(), then).map_err(invalid)?;
        }
        let Err(text) = self.with_dynamic(after) else { return Ok(()) };
        // What is wrong already does not keep others from being changed.
        let (wrong_before, wrong_after) = (self.with_stored(before).1, self.with_stored(after).1);
        let is_worse =
            wrong_after.len() > wrong_before.len() || wrong_after.iter().any(|one| !wrong_before.contains(one));
        if is_worse { Err(invalid(text)) } else { Ok(()) }
    }
}

/// What is allowed at a start, and not on the way from `now`.
fn check_at_run_time(name: &str, now: &str, text: &str) -> Result<(), String> {
    if AT_THE_START_ONLY.contains(&name) && text.trim() != now {
        return Err(format!(
            "Invalid value {text} for configuration {name}: Listeners are opened at the start only: change the file and \
             restart"
        ));
    }
    let numbers = text.trim().parse::<i64>().ok().zip(now.parse::<i64>().ok());
    let Some((new, current)) = numbers.filter(|_| THREADS.contains(&name)) else { return Ok(()) };
    let bound = match new {
        _ if new > current * 2 => "should not be greater than double",
        _ if new < current / 2 => "should be at least half",
        _ => return Ok(()),
    };
    Err(format!(
        "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for \
         {name}={new}, value {bound} the current value {current} for configuration Invalid dynamic configuration"
    ))
}

fn check_names(changed: &BTreeMap<String, String>) -> Result<(), DynamicRefusal> {
    refuse_all(changed, "Cannot update these configs dynamically", |setting| setting.update == Update::ReadOnly)?;
    let text = "These security configs can be dynamically updated only per-listener using the listener prefix";
    refuse_all(changed, text, |setting| ONLY_OF_ONE_LISTENER.contains(&setting.name))?;
    match changed.keys().find(|name| find(name).is_none()) {
        Some(name) => Err(DynamicRefusal::InvalidConfig(unknown(name))),
        None => Ok(()),
    }
}

fn unknown(name: &str) -> String {
    match is_of_one_listener(name) {
        true => format!("'{name}' is for one listener alone, which is not served yet: leave it out"),
        false => format!("Unknown config name: {name}"),
    }
}

fn refuse_all(
    changed: &BTreeMap<String, String>,
    text: &str,
    is_refused: impl Fn(&Setting) -> bool,
) -> Result<(), DynamicRefusal> {
    let refused: Vec<&str> =
        changed.keys().filter_map(|name| find(name)).filter(|s| is_refused(s)).map(|s| s.name).collect();
    match refused.is_empty() {
        true => Ok(()),
        false => Err(DynamicRefusal::InvalidRequest(format!("{text}: [{}]", refused.join(", ")))),
    }
}

/// A layer of what the broker's table knows; throttles resolve to nothing.
fn layer(texts: &BTreeMap<String, String>) -> Layer {
    let assigned = texts.iter().filter_map(|(name, text)| {
        Some(Assignment { setting: broker_table::find(name)?, text: text.clone(), place: Place::RunTime })
    });
    Layer { typed: Vec::new(), verbatim: assigned.collect() }
}
