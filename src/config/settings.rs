//! The broker's settings that somebody set, each with its text and its place, under Kafka's names.
//!
//! Invariants:
//! * every text parses under its setting's type and bounds;
//! * a later source (file, environment, command line) wins over an earlier one, and that by the thing, not by the name: `log.retention.hours` on the command line
//!   also silences a `log.retention.ms` in the file;
//! * within one source, a typed key (or flag) and Kafka's name never say different things.

use super::broker_table;
use super::error::{Error, Given, Place, Warning};
use super::setting::{Disposition, Family, InvalidConfig, Setting, Value};
use std::collections::BTreeMap;

/// One value that was given for one of the table's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) setting: &'static Setting,
    pub(super) text: String,
    pub(super) place: Place,
}

impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Setting {}

/// What one source (the file, the command line) says: by typed keys of ours, and by Kafka's names.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    pub(super) typed: Vec<Assignment>,
    pub(super) verbatim: Vec<Assignment>,
}

/// The settings that are set, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings(BTreeMap<&'static str, Assignment>);

impl Settings {
    /// These settings under a layer that wins over them.
    ///
    /// # Errors
    /// A value that its setting does not take; two values for one thing within the layer.
    pub(super) fn overlaid(mut self, layer: Layer) -> Result<Settings, Error> {
        let upper = Settings::of_layer(layer)?;
        self.0.retain(|name, _| upper.0.values().all(|set| !set.setting.family.names(set.setting.name).contains(name)));
        self.0.extend(upper.0);
        Ok(self)
    }

    fn of_layer(layer: Layer) -> Result<Settings, Error> {
        let mut settings = Settings::default();
        for assignment in layer.verbatim {
            check(&assignment)?;
            settings.0.insert(assignment.setting.name, assignment);
        }
        for assignment in layer.typed {
            let value = check(&assignment)?;
            let own = assignment.setting;
            // The member that counts, when the family is set verbatim.
            let names = own.family.names(own.name);
            let verbatim = names.iter().find_map(|name| settings.0.get(name));
            if let Some(other) = verbatim
                && scaled(own, value) != scaled(other.setting, check(other)?)
            {
                return Err(conflict(&assignment, other));
            }
            if verbatim.is_none() {
                settings.0.insert(own.name, assignment);
            }
        }
        Ok(settings)
    }

    /// `node.id` and `broker.id` are one number under two names, as `KafkaConfig.populateSynonyms` makes them.
    ///
    /// # Errors
    /// Both are given, and differ.
    pub(super) fn with_node_id_under_both_names(mut self) -> Result<Settings, Error> {
        let (node, broker) = (self.0.get("node.id"), self.0.get("broker.id"));
        if let (Some(node), Some(broker)) = (node, broker)
            && node.text.trim() != broker.text.trim()
        {
            return Err(conflict(node, broker));
        }
        if let Some(given) = node.or(broker).cloned() {
            for name in ["node.id", "broker.id"] {
                let filled = Assignment { setting: setting(name), ..given.clone() };
                self.0.entry(filled.setting.name).or_insert(filled);
            }
        }
        Ok(self)
    }

    /// A warning for each value that has no effect, in the order of the names. What says no more than the default has none.
    pub(super) fn neglected(&self) -> Vec<Warning> {
        let accepted = self.0.values().filter(|given| given.setting.disposition == Disposition::Accepted);
        let changed = accepted.filter(|given| !given.setting.is_default(&given.text));
        changed
            .map(|given| Warning {
                place: given.place.clone(),
                message: format!("no effect: {}", given.setting.documentation),
            })
            .collect()
    }

    /// What was given for `name`, if anything.
    pub(super) fn assigned(&self, name: &str) -> Option<&Assignment> {
        self.0.get(name)
    }

    /// The text that counts for `name`: given, or the default; `None` for Kafka's `null`.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let assigned = self.0.get(name).map(|assignment| assignment.text.as_str());
        assigned.or(setting(name).default)
    }

    /// The text that counts for the thing that `name` stands for, whichever of its names gave it, in the unit of the family's
    /// first name.
    pub(super) fn effective_text(&self, name: &str) -> Option<String> {
        let members = match setting(name).family {
            Family::Scaled(members) => members,
            Family::OrElse(other) => return self.text(name).or_else(|| self.text(other)).map(str::to_owned),
            Family::Alone | Family::Aliases(_) => return self.text(name).map(str::to_owned),
        };
        // A line with nothing behind the name, where nothing may be asked for, is no number.
        let number_of = |member: &str| match self.text(member).map(|_| self.value(member)) {
            Some(Value::Number(number)) => Some(number),
            Some(Value::Boolean(_) | Value::Fraction(_) | Value::Text(_) | Value::List(_)) | None => None,
        };
        let (number, factor) = members.iter().find_map(|(member, factor)| Some((number_of(member)?, factor)))?;
        // Kafka reads every negative retention as "without limit".
        Some(if number < 0 { -1 } else { number.saturating_mul(*factor) }.to_string())
    }

    fn value(&self, name: &str) -> Value {
        let text = self.text(name).unwrap_or_default();
        setting(name).parse(text).expect("texts are checked when they are merged, and defaults by a test")
    }

    pub(super) fn number(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Number(number) => number,
            other => panic!("{name} is not a number but {other:?}"),
        }
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Value::List(items) => items,
            other => panic!("{name} is not a list but {other:?}"),
        }
    }

    pub(super) fn boolean(&self, name: &str) -> bool {
        match self.value(name) {
            Value::Boolean(boolean) => boolean,
            other => panic!("{name} is not a truth value but {other:?}"),
        }
    }

    /// An error about `name`, at the place where it was given.
    pub(super) fn refuse(&self, name: &'static str, message: impl Into<String>) -> Error {
        let message = message.into();
        match self.0.get(name) {
            Some(assignment) => Error::At { place: assignment.place.clone(), message },
            None => Error::Together(message),
        }
    }
}

/// The setting of a name that this code knows to be in the table.
pub(super) fn setting(name: &str) -> &'static Setting {
    broker_table::find(name).expect("the name is in the table")
}

/// The value of an assignment.
///
/// # Errors
/// It is not one that the setting takes.
pub(super) fn check(assignment: &Assignment) -> Result<Value, Error> {
    let refused = |error: InvalidConfig| Error::At { place: assignment.place.clone(), message: error.to_string() };
    assignment.setting.parse(&assignment.text).map_err(refused)
}

fn scaled(setting: &Setting, value: Value) -> Value {
    match value {
        Value::Number(number) if number < 0 => Value::Number(-1),
        Value::Number(number) => Value::Number(number.saturating_mul(setting.family.factor(setting.name))),
        Value::Boolean(_) | Value::Fraction(_) | Value::Text(_) | Value::List(_) => value,
    }
}

fn conflict(first: &Assignment, second: &Assignment) -> Error {
    let given = |assignment: &Assignment| {
        Box::new(Given {
            place: assignment.place.clone(),
            name: assignment.setting.name,
            value: assignment.text.clone(),
        })
    };
    Error::Conflict { first: given(first), second: given(second) }
}
