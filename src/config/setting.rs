//! What one setting is: its name, type, default and the values it takes.
//!
//! Invariants:
//! * types, bounds and the texts of refusals are those of `org.apache.kafka.common.config.ConfigDef`;
//! * a value that Kafka knows and this broker does not serve is refused with a sentence, never accepted in silence.
//!
//! Called by the tables, which are lists of settings, and by what resolves and describes them.

use super::check::Check;
use std::fmt;

/// The type of a setting's value (`ConfigDef.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// Any text.
    String,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 16 bits.
    Short,
    /// A whole number of 64 bits.
    Long,
    /// A number with a fraction.
    Double,
    /// Texts, separated by commas.
    List,
    /// The name of a class of Java.
    Class,
    /// A text that is never shown.
    Password,
}

impl Kind {
    /// The number of the type in DescribeConfigs (`DescribeConfigsResponse.ConfigType`).
    pub fn code(self) -> i8 {
        match self {
            Kind::Boolean => 1,
            Kind::String => 2,
            Kind::Int => 3,
            Kind::Short => 4,
            Kind::Long => 5,
            Kind::Double => 6,
            Kind::List => 7,
            Kind::Class => 8,
            Kind::Password => 9,
        }
    }

    fn parse(self, text: &str) -> Result<Value, String> {
        let trimmed = text.trim();
        match self {
            Kind::Boolean if trimmed.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
            Kind::Boolean if trimmed.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
            Kind::Boolean => Err("Expected value to be either true or false".into()),
            Kind::String | Kind::Class | Kind::Password => Ok(Value::Text(trimmed.into())),
            Kind::Short => trimmed
                .parse::<i16>()
                .map(|number| Value::Number(number.into()))
                .map_err(|_| "Not a number of type SHORT".into()),
            Kind::Int => trimmed
                .parse::<i32>()
                .map(|number| Value::Number(number.into()))
                .map_err(|_| "Not a number of type INT".into()),
            Kind::Long => trimmed.parse().map(Value::Number).map_err(|_| "Not a number of type LONG".into()),
            Kind::Double => match trimmed.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Value::Fraction(number)),
                _ => Err("Not a number of type DOUBLE".into()),
            },
            Kind::List if trimmed.is_empty() => Ok(Value::List(Vec::new())),
            Kind::List => Ok(Value::List(trimmed.split(',').map(|item| item.trim().into()).collect())),
        }
    }
}

/// A parsed value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Boolean(bool),
    Number(i64),
    Fraction(f64),
    Text(String),
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Boolean(boolean) => boolean.fmt(f),
            Value::Number(number) => number.fmt(f),
            // As Java prints it, with a point also where it is whole.
            Value::Fraction(number) => fmt::Debug::fmt(number, f),
            Value::Text(text) => f.write_str(text),
            Value::List(items) => f.write_str(&items.join(",")),
        }
    }
}

/// When a setting can be changed (`DynamicBrokerConfig`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Only by a restart.
    ReadOnly,
    /// While running, for one broker.
    PerBroker,
    /// While running, for one broker or for all.
    ClusterWide,
}

/// Which names stand for the same thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// No other name.
    Alone,
    /// No other name; where nothing is said, the value of this one counts.
    OrElse(&'static str),
    /// Numbers in several units: the first name that is set counts. With the factor into the first name's unit.
    Scaled(&'static [(&'static str, i64)]),
    /// Two names of one value: the first name that is set counts.
    Aliases(&'static [&'static str]),
}

impl Family {
    /// All names of the family, `own` among them.
    pub(super) fn names(self, own: &'static str) -> Vec<&'static str> {
        match self {
            Family::Alone | Family::OrElse(_) => vec![own],
            Family::Scaled(members) => members.iter().map(|(name, _)| *name).collect(),
            Family::Aliases(names) => names.to_vec(),
        }
    }

    /// What a number under the name `own` is multiplied by to compare it with the others.
    pub(super) fn factor(self, own: &str) -> i64 {
        match self {
            Family::Scaled(members) => members.iter().find(|(name, _)| *name == own).map_or(1, |(_, factor)| *factor),
            Family::Alone | Family::OrElse(_) | Family::Aliases(_) => 1,
        }
    }
}

/// One setting of the broker or of a topic.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Kafka's name.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// What counts when nobody says anything; `None` where Kafka says `null`. Of a topic's setting that is served the
    /// default is the broker's value.
    pub default: Option<&'static str>,
    /// The values it takes.
    pub check: Check,
    /// When it can be changed.
    pub update: Update,
    /// What becomes of its values.
    pub disposition: Disposition,
    /// One sentence or two that say what it does, or why it does nothing.
    pub documentation: &'static str,
    /// Whether DescribeConfigs shows it.
    pub visibility: Visibility,
    /// Of a topic's setting: the name under which the broker gives its default.
    pub broker_name: Option<&'static str>,
    /// The values out of Kafka's that this broker serves, and the sentence for the others.
    pub(super) served: Option<(&'static [&'static str], &'static str)>,
    pub(super) family: Family,
}

/// What becomes of a value that somebody sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It takes effect.
    Served,
    /// It is taken with a warning and has no effect, which harms nobody: the documentation says why.
    Accepted,
    /// Nothing but Kafka's default is taken, since what was asked for would not happen: the documentation says what to do.
    Refused,
}

/// Whether DescribeConfigs shows a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Shown with its value.
    Shown,
    /// Shown only where somebody set it: Kafka does not know it any more.
    WhenSet,
    /// Not shown: one of Kafka's internal settings.
    Internal,
}

impl Setting {
    pub(super) const fn new(
        name: &'static str,
        kind: Kind,
        default: Option<&'static str>,
        documentation: &'static str,
    ) -> Setting {
        Setting {
            name,
            kind,
            default,
            check: Check::Any,
            update: Update::ReadOnly,
            disposition: Disposition::Served,
            documentation,
            visibility: Visibility::Shown,
            broker_name: None,
            served: None,
            family: Family::Alone,
        }
    }

    /// A setting that is taken without effect.
    pub(super) const fn accepted(
        name: &'static str,
        kind: Kind,
        default: Option<&'static str>,
        reason: &'static str,
    ) -> Setting {
        let mut setting = Setting::new(name, kind, default, reason);
        setting.disposition = Disposition::Accepted;
        setting
    }

    /// A setting of which only Kafka's default is taken.
    pub(super) const fn refused(
        name: &'static str,
        kind: Kind,
        default: Option<&'static str>,
        advice: &'static str,
    ) -> Setting {
        let mut setting = Setting::new(name, kind, default, advice);
        setting.disposition = Disposition::Refused;
        setting
    }

    /// A topic's setting, whose default is the value of the broker's setting `broker_name`.
    pub(super) const fn topic(
        name: &'static str,
        broker_name: &'static str,
        kind: Kind,
        documentation: &'static str,
    ) -> Setting {
        let mut setting = Setting::new(name, kind, None, documentation);
        setting.broker_name = Some(broker_name);
        setting.update = Update::ClusterWide;
        setting
    }

    /// This setting as a topic's, with the broker's setting that stands behind it if there is one.
    pub(super) const fn of_topic(mut self, broker_name: Option<&'static str>) -> Setting {
        self.broker_name = broker_name;
        self.update = Update::ClusterWide;
        self
    }

    pub(super) const fn checked(mut self, check: Check) -> Setting {
        self.check = check;
        self
    }

    pub(super) const fn at_least(self, least: i64) -> Setting {
        self.checked(Check::AtLeast(least))
    }

    pub(super) const fn updated(mut self, update: Update) -> Setting {
        self.update = update;
        self
    }

    /// A setting that Kafka has no longer.
    pub(super) const fn removed(name: &'static str, reason: &'static str) -> Setting {
        let mut setting = Setting::accepted(name, Kind::String, None, reason);
        setting.visibility = Visibility::WhenSet;
        setting
    }

    pub(super) const fn internal(mut self) -> Setting {
        self.visibility = Visibility::Internal;
        self
    }

    pub(super) const fn served(mut self, values: &'static [&'static str], sentence: &'static str) -> Setting {
        self.served = Some((values, sentence));
        self
    }

    pub(super) const fn in_family(mut self, family: Family) -> Setting {
        self.family = family;
        self
    }

    /// Whether the value must not be shown.
    pub fn is_sensitive(&self) -> bool {
        self.kind == Kind::Password
    }

    /// Whether `text` says what counts anyway; nothing at all is Kafka's `null`.
    pub(super) fn is_default(&self, text: &str) -> bool {
        match self.default {
            Some(default) => self.kind.parse(text).is_ok_and(|value| self.kind.parse(default) == Ok(value)),
            None => text.trim().is_empty(),
        }
    }

    /// A text as Kafka shows it once it is parsed: numbers without a sign that says nothing, lists without blanks. What
    /// does not parse stays as it is.
    pub(super) fn normalized(&self, text: &str) -> String {
        match self.kind.parse(text) {
            Ok(Value::Boolean(value)) => value.to_string(),
            Ok(Value::Number(number)) => number.to_string(),
            Ok(Value::List(items)) => items.join(","),
            // Java and Rust write large and small fractions differently.
            Ok(Value::Fraction(_) | Value::Text(_)) | Err(_) => text.trim().to_owned(),
        }
    }

    /// Parses and checks a value.
    ///
    /// # Errors
    /// Kafka's sentence: the value, the name, what is allowed.
    pub(super) fn parse(&self, text: &str) -> Result<Value, InvalidConfig> {
        let refuse = |value: &str, reason: &str| InvalidConfig::Value {
            name: self.name,
            value: value.into(),
            reason: reason.into(),
        };
        // Kafka's null cannot be written, but a line with nothing behind the name comes from templates.
        if self.disposition == Disposition::Refused && self.is_default(text) {
            return Ok(self.kind.parse(self.default.unwrap_or_default()).unwrap_or(Value::Text(String::new())));
        }
        let value = self.kind.parse(text).map_err(|reason| refuse(text, &reason))?;
        self.check.test(self.name, &value).map_err(|(part, reason)| refuse(&part, &reason))?;
        let items: &[String] = match &value {
            Value::Boolean(_) | Value::Number(_) | Value::Fraction(_) => &[],
            Value::Text(text) => std::slice::from_ref(text),
            Value::List(items) => items,
        };
        if let Some((served, sentence)) = self.served
            && let Some(item) = items.iter().find(|item| !served.contains(&item.as_str()))
        {
            return Err(refuse(item, sentence));
        }
        if self.disposition == Disposition::Refused {
            let shown = if self.is_sensitive() { "[hidden]" } else { text.trim() };
            return Err(refuse(shown, self.documentation));
        }
        Ok(value)
    }
}

/// A setting that is not taken. Prints as Kafka's exceptions do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// No topic has a setting of this name.
    #[error("Unknown topic config name: {0}")]
    Unknown(String),
    /// The setting does not take this value.
    #[error("Invalid value {value} for configuration {name}: {reason}")]
    Value {
        /// The setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        reason: String,
    },
}
