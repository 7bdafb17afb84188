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
        match self {
            Check::Any => Ok(()),
            Check::AtLeast(least) => at_least(least, value),
            Check::Between(least, most) => at_least(least, value).and_then(|()| at_most(most, value)),
            Check::BetweenOrUnset(least, most) => each_number(value, |number| {
                let reason = || format!("Value must be between {least} and {most} or equal to -1");
                if number == -1 || (least..=most).contains(&number) { Ok(()) } else { Err(reason()) }
            }),
            Check::PositiveOrUnlimited => each_number(value, |number| {
                if number != 0 { Ok(()) } else { Err("Value must be unlimited (-1) or at least 1".into()) }
            }),
            Check::OneOf(allowed) => each_text(value, |text| {
                let reason = || format!("String must be one of: {}", allowed.join(", "));
                if allowed.contains(&text) { Ok(()) } else { Err(reason()) }
            }),
            Check::OneOfAnyCase(allowed) => each_text(value, |text| {
                let reason = || format!("String must be one of (case insensitive): {}", allowed.join(", "));
                if allowed.iter().any(|one| one.eq_ignore_ascii_case(text)) { Ok(()) } else { Err(reason()) }
            }),
            Check::NotEmpty => {
                each_text(value, |text| if text.is_empty() { Err("String must be non-empty".into()) } else { Ok(()) })
            }
            Check::ThrottledReplicas => match value {
                Value::List(items) => test_replicas(name, items),
                Value::Boolean(_) | Value::Number(_) | Value::Fraction(_) | Value::Text(_) => Ok(()),
            },
        }
    }
}

/// The bounds of fractions in the tables are small whole numbers, which an `f64` holds exactly.
fn at_least(least: i64, value: &Value) -> Result<(), (String, String)> {
    let is_less = match value {
        Value::Number(number) => *number < least,
        Value::Fraction(number) => *number < least as f64,
        Value::Boolean(_) | Value::Text(_) | Value::List(_) => false,
    };
    if is_less { Err((value.to_string(), format!("Value must be at least {least}"))) } else { Ok(()) }
}

fn at_most(most: i64, value: &Value) -> Result<(), (String, String)> {
    let is_more = match value {
        Value::Number(number) => *number > most,
        Value::Fraction(number) => *number > most as f64,
        Value::Boolean(_) | Value::Text(_) | Value::List(_) => false,
    };
    if is_more { Err((value.to_string(), format!("Value must be no more than {most}"))) } else { Ok(()) }
}

fn each_number(value: &Value, test: impl Fn(i64) -> Result<(), String>) -> Result<(), (String, String)> {
    match value {
        Value::Number(number) => test(*number).map_err(|reason| (value.to_string(), reason)),
        Value::Boolean(_) | Value::Fraction(_) | Value::Text(_) | Value::List(_) => Ok(()),
    }
}

fn each_text(value: &Value, test: impl Fn(&str) -> Result<(), String>) -> Result<(), (String, String)> {
    let texts = match value {
        Value::Text(text) => std::slice::from_ref(text),
        Value::List(items) => items,
        Value::Boolean(_) | Value::Number(_) | Value::Fraction(_) => &[],
    };
    texts.iter().try_for_each(|text| test(text).map_err(|reason| (text.clone(), reason)))
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
