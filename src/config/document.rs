//! The text of `docs/configuration.md`, rendered from the tables.
//!
//! Invariants: nothing in it is written twice: what a setting does stands in its table, and a test compares the committed
//! file with the rendering.

use super::check::Check;
use super::native_table::{KEYS, LISTENER_KEYS};
use super::setting::{Disposition, Kind, Setting, Visibility};
use super::{broker_table, topic_table};
use std::fmt::Write;

const START: &str = "\
# Configuration

Rendered from the tables in `src/config`; a test compares.

`klamm serve` reads, each winning over the one before it: defaults, the file named by `--config`, `KAFKA_*` environment
variables, the command line. [config/klamm.toml](../config/klamm.toml) shows every key of Klamm's own,
[config/minimal.toml](../config/minimal.toml) is the smallest useful file. `klamm config check FILE` says what is wrong in a
file and where; `klamm config import FILE` turns a `server.properties` into a file of Klamm's.

A variable is `KAFKA_` and a name of Kafka's in capitals, with `_` for `.`, `__` for `_` and `___` for `-`, as in Apache
Kafka's image. Variables of other names are warned of, except those that are for a JVM or a script, such as
`KAFKA_HEAP_OPTS`. `CLUSTER_ID` is the cluster that a new data directory is for; one that has a cluster keeps it.

One thing that is set by a key of Klamm's and by Kafka's name to different values is an error, and so is an unknown name.

## Keys of Klamm's own

| key | default | Kafka's name | what it is |
|---|---|---|---|
";

const EXCEPTIONS_START: &str = "
## Where Klamm differs on purpose

| settings | what is different | why |
|---|---|---|
";

/// The deliberate exceptions: names, what is different, and the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "`listeners`",
        "127.0.0.1:9092 instead of all addresses",
        "a broker without authentication that nobody configured serves its own machine",
    ),
    (
        "`log.dir`",
        "`./klamm-data` instead of `/tmp/kafka-logs`",
        "what is in `/tmp` does not survive a restart of the machine",
    ),
    (
        "`node.id`, `broker.id`, `process.roles`, `controller.listener.names`",
        "have defaults",
        "a single node needs no number and no roles to be told",
    ),
    (
        "`queued.max.request.bytes`",
        "256 MiB instead of no bound, and −1 stands for that",
        "memory has a bound, and clients must not be able to exhaust it",
    ),
    ("`listeners`, `listener.security.protocol.map`", "do not change at run time", "listeners are opened at the start"),
    (
        "names that are not Kafka's",
        "refused, also at run time, where Kafka keeps them",
        "there are no plug-ins that could read them, and a typing error would never be found",
    ),
    (
        "`log.flush.scheduler.interval.ms`",
        "where it is not set, records are synced when `flush.ms` says, not never",
        "a topic that sets `flush.ms` means it; with Kafka's default nobody would look",
    ),
    (
        "`socket.send.buffer.bytes`, `socket.receive.buffer.bytes`",
        "have no effect",
        "the system tunes the buffers of each connection by itself, and better than a constant",
    ),
    (
        "`offsets.topic.replication.factor`, `transaction.state.log.replication.factor`, `transaction.state.log.min.isr`, \
         `share.coordinator.state.topic.replication.factor`, `share.coordinator.state.topic.min.isr`",
        "have no effect",
        "the replication of internal topics follows the size of the cluster; with Kafka's own defaults a single node cannot \
         create them",
    ),
];

const BROKER_START: &str = "
## The broker's settings

Under Kafka's names, in `[kafka]`, in the environment and with `--override`. Types and defaults are those of Kafka 4.3 but
for the exceptions above. What *works* takes effect. What has *no effect* harms nobody by that: it is taken, with a warning
unless it says what its default says. What is *refused* would change safety or security: it is taken only where it says what
its default says, or nothing where there is no default. DescribeConfigs shows all of them, with these sentences as
documentation.

Those of which Kafka says so change at run time, with AlterConfigs and IncrementalAlterConfigs, for one broker or for all:
that wins over the file, the environment and the command line, one broker over all, and holds over restarts. The same
values are taken and refused as here.

| name | type | default | values | | what it is, or why not |
|---|---|---|---|---|---|
";

const TOPIC_START: &str = "
## A topic's settings

When it is created, and while it exists with AlterConfigs and IncrementalAlterConfigs. Where a topic sets nothing, the
broker's setting counts.

| name | type | the broker's | values | | what it is, or why not |
|---|---|---|---|---|---|
";

/// The text of `docs/configuration.md`.
#[must_use]
pub fn configuration_document() -> String {
    let mut document = String::from(START);
    let mut row = |cells: &[&str]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        writeln!(document, "| {} |", cells.join(" | ")).expect("a string takes all that is written");
    };
    for key in KEYS {
        let kafkas = key.setting().map_or_else(|| "–".into(), |setting| code(setting.name));
        row(&[&format!("`[{}]` `{}`", key.section, key.key), &code(key.default), &kafkas, key.sentence]);
    }
    for key in LISTENER_KEYS {
        row(&[&format!("`[[listener]]` `{}`", key.key), &code(key.default), &code(key.name), key.sentence]);
    }
    document.push_str(EXCEPTIONS_START);
    for (names, difference, reason) in EXCEPTIONS {
        writeln!(document, "| {names} | {difference} | {reason} |").expect("a string takes all that is written");
    }
    document.push_str(BROKER_START);
    for setting in broker_table::all().iter().filter(|setting| setting.visibility != Visibility::Internal) {
        document.push_str(&setting_row(setting, setting.default.map_or_else(|| "–".into(), code)));
    }
    document.push_str(TOPIC_START);
    for setting in topic_table::SETTINGS {
        document.push_str(&setting_row(setting, setting.broker_name.map_or_else(|| "–".into(), code)));
    }
    document
}

fn setting_row(setting: &Setting, third: String) -> String {
    let only = setting.served.map_or_else(String::new, |(_, sentence)| format!(" {sentence}."));
    format!(
        "| `{}` | {} | {third} | {} | {} | {}{only} |\n",
        setting.name,
        kind(setting.kind),
        values(setting.check),
        disposition(setting.disposition),
        setting.documentation,
    )
}

/// A value as code; the empty one cannot be.
fn code(text: &str) -> String {
    if text.is_empty() { "empty".into() } else { format!("`{text}`") }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "boolean",
        Kind::String => "string",
        Kind::Int => "int",
        Kind::Short => "short",
        Kind::Long => "long",
        Kind::Double => "double",
        Kind::List => "list",
        Kind::Class => "class",
        Kind::Password => "password",
    }
}

fn disposition(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Served => "works",
        Disposition::Accepted => "no effect",
        Disposition::Refused => "refused",
    }
}

fn values(check: Check) -> String {
    match check {
        Check::Any => String::new(),
        Check::AtLeast(least) => format!("{least} …"),
        Check::Between(least, most) => format!("{least} … {most}"),
        Check::BetweenOrUnset(least, most) => format!("{least} … {most}, -1"),
        Check::PositiveOrUnlimited => "1 …, -1".into(),
        Check::OneOf(texts) | Check::OneOfAnyCase(texts) => texts.join(", "),
        Check::NotEmpty => "not empty".into(),
        Check::ThrottledReplicas => "PARTITION:BROKER, or *".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_our_keys_are_those_of_the_shown_file() {
        let shown: toml::Table = include_str!("../../config/klamm.toml").parse().unwrap();
        let text = |value: &toml::Value| value.to_string().trim_matches('"').to_owned();
        for key in KEYS {
            assert_eq!(text(&shown[key.section][key.key]), key.default, "{}.{}", key.section, key.key);
        }
        for key in LISTENER_KEYS {
            assert_eq!(text(&shown["listener"][0][key.key]), key.default, "listener.{}", key.key);
        }
    }
}
