//! The values that a setting takes: Kafka's validators as data.
//!
//! Invariants: bounds and the texts of refusals are those of `org.apache.kafka.common.config.ConfigDef`.

use super::setting::Value;

/// The values that a setting takes (`ConfigDef.Validator`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// All values of its type.
    Any,
    /// Numbers from this one up.
    AtLeast(i64),
    /// Numbers between these two, both included.
    Between(i64, i64),
    /// −1, or a number between these two, both included.
    BetweenOrUnset(i64, i64),
    /// A number from 1 up, or a negative one, which means "without limit".
    PositiveOrUnlimited,
    /// One of these texts; every item of a list is one of them.
    OneOf(&'static [&'static str]),
    /// One of these texts, in capitals or not.
    OneOfAnyCase(&'static [&'static str]),
    /// Any text but the empty one.
    NotEmpty,
    /// `*`, or a list of PARTITION:BROKER.
    ThrottledReplicas,
}

impl Check {
    /// Whether the setting `name` takes `value`.
    ///
    /// # Errors
    /// The part of the value that is wrong, and what is allowed instead.
    pub(super) fn test(self, name: &str, value: &Value) -> Result<(), (String, String)> {
        match value {
            Value::Boolean(_) => Ok(()),
            Value::Number(number) => self.test_number(*number).map_err(|reason| (number.to_string(), reason)),
            Value::Fraction(number) => self.test_fraction(*number).map_err(|reason| (format!("{number:?}"), reason)),
            Value::Text(text) => self.test_text(text).map_err(|reason| (text.clone(), reason)),
            Value::List(items) if self == Check::ThrottledReplicas => test_replicas(name, items),
            Value::List(items) => {
                items.iter().try_for_each(|item| self.test_text(item).map_err(|reason| (item.clone(), reason)))
            }
        }
    }

    fn test_number(self, number: i64) -> Result<(), String> {
        match self {
            Check::AtLeast(least) | Check::Between(least, _) if number < least => {
                Err(format!("Value must be at least {least}"))
            }
            Check::Between(_, most) if number > most => Err(format!("Value must be no more than {most}")),
            Check::BetweenOrUnset(least, most) if number != -1 && !(least..=most).contains(&number) => {
                Err(format!("Value must be between {least} and {most} or equal to -1"))
            }
            Check::PositiveOrUnlimited if number == 0 => Err("Value must be unlimited (-1) or at least 1".into()),
            Check::Any
            | Check::AtLeast(_)
            | Check::Between(..)
            | Check::BetweenOrUnset(..)
            | Check::PositiveOrUnlimited
            | Check::OneOf(_)
            | Check::OneOfAnyCase(_)
            | Check::NotEmpty
            | Check::ThrottledReplicas => Ok(()),
        }
    }

    /// The bounds of fractions in the tables are small whole numbers, which an `f64` holds exactly.
    fn test_fraction(self, number: f64) -> Result<(), String> {
        match self {
            Check::AtLeast(least) | Check::Between(least, _) if number < least as f64 => {
                Err(format!("Value must be at least {least}"))
            }
            Check::Between(_, most) if number > most as f64 => Err(format!("Value must be no more than {most}")),
            Check::Any
            | Check::AtLeast(_)
            | Check::Between(..)
            | Check::BetweenOrUnset(..)
            | Check::PositiveOrUnlimited
            | Check::OneOf(_)
            | Check::OneOfAnyCase(_)
            | Check::NotEmpty
            | Check::ThrottledReplicas => Ok(()),
        }
    }

    fn test_text(self, text: &str) -> Result<(), String> {
        match self {
            Check::OneOf(allowed) if !allowed.contains(&text) => {
                Err(format!("String must be one of: {}", allowed.join(", ")))
            }
            Check::OneOfAnyCase(allowed) if !allowed.iter().any(|one| one.eq_ignore_ascii_case(text)) => {
                Err(format!("String must be one of (case insensitive): {}", allowed.join(", ")))
            }
            Check::NotEmpty if text.is_empty() => Err("String must be non-empty".into()),
            Check::Any
            | Check::AtLeast(_)
            | Check::Between(..)
            | Check::BetweenOrUnset(..)
            | Check::PositiveOrUnlimited
            | Check::OneOf(_)
            | Check::OneOfAnyCase(_)
            | Check::NotEmpty
            | Check::ThrottledReplicas => Ok(()),
        }
    }
}

/// `ThrottledReplicaListValidator`: `*` alone, or replicas.
fn test_replicas(name: &str, items: &[String]) -> Result<(), (String, String)> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_replica = |item: &String| {
        item.is_empty()
            || item.split_once(':').is_some_and(|(partition, broker)| is_number(partition) && is_number(broker))
    };
    if items == ["*"] || items.iter().all(is_replica) {
        return Ok(());
    }
    let reason = format!(
        "{name} must be the literal '*' or a list of replicas in the following format: \
         [partitionId]:[brokerId],[partitionId]:[brokerId],..."
    );
    Err((format!("[{}]", items.join(", ")), reason))
}
