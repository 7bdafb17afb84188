//! From a `server.properties` to a file of ours.
//!
//! Invariants:
//! * what is written is taken by [`BrokerConfig::parse`] and configures what the properties did, or nothing is written;
//! * comments stay where they were; what has no effect becomes a comment with its reason;
//! * everything that is wrong is told, not only the first.

use super::error::{Error, Place, Warning};
use super::names::unknown_kafka_name;
use super::native_table::Native;
use super::properties::{self, Line, Pair};
use super::setting::{Disposition, Setting, Value};
use super::settings::{Assignment, Layer, Settings};
use super::{BrokerConfig, broker_table};
use std::fmt::Write;

/// A file of ours, made from properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The text of the file.
    pub text: String,
    /// What was left out, and why.
    pub warnings: Vec<Warning>,
}

/// What Klamm does otherwise where the properties are silent.
const SILENT: &[(&str, &str)] = &[
    ("listeners", "listeners is not set: Kafka would listen on all addresses, Klamm listens on 127.0.0.1:9092."),
    ("log.dirs", "log.dirs is not set: Kafka would write to /tmp/kafka-logs, Klamm writes to ./klamm-data."),
];

/// Makes a file of ours from the text of a `server.properties`; `file` is its name in messages.
///
/// # Errors
/// Everything that is wrong, each with its place.
pub fn import_properties(file: &str, text: &str) -> Result<Imported, Vec<Error>> {
    let lines = properties::parse(text);
    let known = assignments(file, &lines)?;
    let resolved = Settings::default().overlaid(Layer { verbatim: known.clone(), typed: Vec::new() });
    let config = resolved.and_then(|settings| BrokerConfig::resolve(settings, Native::default()));
    let warnings = config.map_err(|error| vec![error])?.warnings;

    let mut out = String::new();
    for (name, sentence) in SILENT {
        let is_set = |given: &Assignment| given.setting.family.names(given.setting.name).contains(name);
        if !known.iter().any(is_set) {
            writeln!(out, "# {sentence}").expect("a string takes everything");
        }
    }
    out.push_str("[kafka]\n");
    let mut pairs = known.iter();
    for (index, line) in lines.iter().enumerate() {
        match line {
            Line::Blank => out.push('\n'),
            Line::Comment(comment) => writeln!(out, "#{}", printable(comment)).expect("a string takes everything"),
            Line::Pair(pair) => {
                let given = pairs.next().expect("each pair is a setting");
                let is_set_again = lines[index + 1..].iter().any(|later| is_named(later, &pair.name));
                out.push_str(&written(given, is_set_again));
            }
        }
    }
    Ok(Imported { text: out, warnings })
}

/// Each pair as a setting with its value checked.
fn assignments(file: &str, lines: &[Line<'_>]) -> Result<Vec<Assignment>, Vec<Error>> {
    let (mut known, mut wrong) = (Vec::new(), Vec::new());
    for line in lines {
        let Line::Pair(Pair { name, value, line, column }) = line else { continue };
        let place = |key: &str| Place::File { file: file.into(), line: *line, column: *column, key: key.into() };
        match broker_table::find(name) {
            None => wrong.push(Error::At { place: place(""), message: unknown_kafka_name(name) }),
            Some(setting) => match setting.parse(value) {
                Err(error) => wrong.push(Error::At { place: place(name), message: error.to_string() }),
                Ok(_) => known.push(Assignment { setting, text: value.clone(), place: place(name) }),
            },
        }
    }
    if wrong.is_empty() { Ok(known) } else { Err(wrong) }
}

fn is_named(line: &Line<'_>, name: &str) -> bool {
    matches!(line, Line::Pair(pair) if pair.name == name)
}

/// The line for a setting, or the comment in its place.
fn written(given: &Assignment, is_set_again: bool) -> String {
    let Assignment { setting, text, .. } = given;
    let line = format!("\"{}\" = {}\n", setting.name, toml_value(setting, text));
    if is_set_again {
        format!("# Set again below.\n# {line}")
    } else if setting.disposition == Disposition::Accepted && !setting.is_default(text) {
        format!("# No effect: {}\n# {line}", setting.documentation)
    } else {
        line
    }
}

fn toml_value(setting: &Setting, text: &str) -> String {
    match setting.parse(text).expect("values were checked") {
        Value::Number(number) => number.to_string(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Fraction(_) | Value::Text(_) | Value::List(_) => toml::Value::String(text.trim().into()).to_string(),
    }
}

/// A comment without the characters that TOML forbids in one.
fn printable(comment: &str) -> String {
    comment.trim_end().chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect()
}
