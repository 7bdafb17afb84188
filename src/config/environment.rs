//! What `KAFKA_*` environment variables say about the configuration, as the image of Apache Kafka reads them.
//!
//! Invariants:
//! * `KAFKA_` and a name of server.properties in capitals, with `_` for `.`, `__` for `_` and `___` for `-`;
//! * a variable of another name is a warning, unless it is one of those that Kafka's scripts read: nothing of ours is set by
//!   them;
//! * `CLUSTER_ID` names the cluster that a new data directory is for;
//! * a variable that would set something for one listener alone is an error, as it asks for a security that is not there.
//!
//! Source: `kafka.docker.KafkaDockerWrapper`.

use super::broker_table;
use super::error::{Error, Place, Warning};
use super::names::{is_of_one_listener, unknown_kafka_name};
use super::settings::{Assignment, Layer};
use crate::types::ClusterId;

const PREFIX: &str = "KAFKA_";
const CLUSTER_ID: &str = "CLUSTER_ID";

/// Variables of Kafka's scripts and images, which are for a JVM or for a shell.
const OF_SCRIPTS: &[&str] = &[
    "KAFKA_CLUSTER_ID",
    "KAFKA_DEBUG",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_HEAP_OPTS",
    "KAFKA_HOME",
    "KAFKA_JMX_HOSTNAME",
    "KAFKA_JMX_OPTS",
    "KAFKA_JMX_PORT",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_MODE",
    "KAFKA_OPTS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_VERSION",
];

/// What an environment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The `KAFKA_*` variables, sorted by name.
    settings: Vec<(String, String)>,
    cluster_id: Option<String>,
}

impl Environment {
    /// Those of this process; what is not text is left out with its variable.
    pub fn of_process() -> Environment {
        let texts =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        texts.collect()
    }

    /// The variables as settings, and those that are none.
    ///
    /// # Errors
    /// A variable that sets something for one listener alone.
    pub(super) fn layer(&self) -> Result<(Layer, Vec<Warning>), Error> {
        let (mut layer, mut warnings) = (Layer::default(), Vec::new());
        for (variable, value) in &self.settings {
            let name = setting_name(&variable[PREFIX.len()..]);
            match broker_table::find(&name) {
                Some(setting) => {
                    let shown = if setting.is_sensitive() { "[hidden]" } else { value };
                    let place = Place::Variable(format!("{variable}={shown}"));
                    layer.verbatim.push(Assignment { setting, text: value.clone(), place });
                }
                None => {
                    let (place, message) = (Place::Variable(variable.clone()), unknown_kafka_name(&name));
                    if is_of_one_listener(&name) {
                        return Err(Error::At { place, message });
                    }
                    warnings.push(Warning { place, message: format!("{message} It is ignored") });
                }
            }
        }
        Ok((layer, warnings))
    }

    /// The cluster that a new data directory is for, if somebody says so.
    ///
    /// # Errors
    /// A text that `meta.properties` could not hold.
    pub(super) fn cluster_id(&self) -> Result<Option<ClusterId>, Error> {
        let Some(text) = self.cluster_id.as_deref().map(str::trim).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        if text.chars().all(|c| c.is_ascii_graphic() && c != '\\') {
            return Ok(Some(ClusterId(text.into())));
        }
        let place = Place::Variable(CLUSTER_ID.into());
        Err(Error::At {
            place,
            message: "write 22 characters of URL-safe base64, or another word without blanks".into(),
        })
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Environment {
        let ours = |name: &str| name.starts_with(PREFIX) && !OF_SCRIPTS.contains(&name);
        let mut environment = Environment::default();
        for (name, value) in variables {
            if name == CLUSTER_ID {
                environment.cluster_id = Some(value);
            } else if ours(&name) {
                environment.settings.push((name, value));
            }
        }
        environment.settings.sort();
        environment
    }
}

/// The name that the rest of a variable's name stands for.
fn setting_name(rest: &str) -> String {
    let lower = rest.to_ascii_lowercase();
    let mut name = String::with_capacity(lower.len());
    let mut underscores = 0;
    for character in lower.chars().chain(['\0']) {
        if character == '_' {
            underscores += 1;
            continue;
        }
        match underscores {
            0 => {}
            1 => name.push('.'),
            2 => name.push('_'),
            3 => name.push('-'),
            more => name.extend(std::iter::repeat_n('_', more)),
        }
        underscores = 0;
        if character != '\0' {
            name.push(character);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn underscores_stand_for_dots_underscores_and_hyphens() {
        assert_eq!(setting_name("LOG_DIRS"), "log.dirs");
        assert_eq!(setting_name("A__B___C_D"), "a_b-c.d");
        assert_eq!(setting_name(""), "");
        assert_eq!(setting_name("A____B_"), "a____b.");
    }
}
