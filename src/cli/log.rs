//! `klamm log`: looks at the logs of a data directory, without a broker.
//!
//! Invariants:
//! * nothing is changed, and a directory that a broker uses is refused;
//! * exit code 0 when there was no problem, 1 when there was one, 2 when the directory cannot be looked at;
//! * standard output gets a line for each finding and the table at the end, standard error how far it came.

use super::{FAILED, USAGE};
use crate::config::{BrokerConfig, Environment, Flags};
use crate::storage::{News, Tally, Verifier};
use crate::types::TopicPartition;
use clap::{Args, Subcommand};
use std::fmt::{Display, Write as _};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often is told how far it came.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Clone, Debug, PartialEq, Eq)]
enum Verb {
    /// Check every batch, index, snapshot and checkpoint of a data directory that no broker uses. Nothing is changed.
    Verify(Verify),
}

#[derive(Args, Clone, Debug, PartialEq, Eq)]
struct Verify {
    /// The data directory; without one, the first of the others is it, or else the one that `klamm serve` would use.
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
    /// The data directory, unless --data-dir names it, then topics or partitions (orders, orders-0); all without any.
    #[arg(value_name = "DIRECTORY|TOPIC[-PARTITION]")]
    names: Vec<String>,
}

/// Does what was asked for.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let outcome = match &arguments.verb {
        Verb::Verify(arguments) => verify(arguments),
    };
    outcome.unwrap_or_else(|refusal| {
        eprintln!("klamm: {refusal}");
        ExitCode::from(USAGE)
    })
}

fn verify(arguments: &Verify) -> Result<ExitCode, String> {
    let (directory, names) = directory_and_names(arguments)?;
    let verifier = Verifier::open(&directory).map_err(|error| error.to_string())?;
    let chosen = choose(&verifier, names)?;
    let (mut out, mut progress) = (Output::default(), Progress::new(chosen.len()));
    let mut rows: Vec<(String, Tally)> = Vec::new();
    let mut total = Tally::default();
    if names.is_empty() {
        total += verifier.verify_directory(&mut |news| out.take(news));
    }
    for topic_partition in chosen {
        let tally = verifier.verify(topic_partition, &mut |news| {
            out.take(news);
            progress.take(news);
        });
        progress.partitions_done += 1;
        total += tally;
        match rows.last_mut() {
            Some((topic, sum)) if topic == topic_partition.topic.as_str() => *sum += tally,
            Some(_) | None => rows.push((topic_partition.topic.to_string(), tally)),
        }
    }
    out.print(&table(&rows, &total));
    out.finish()?;
    Ok(if total.problems == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn directory_and_names(arguments: &Verify) -> Result<(PathBuf, &[String]), String> {
    match (&arguments.data_dir, arguments.names.split_first()) {
        (Some(directory), _) => Ok((directory.clone(), &arguments.names)),
        (None, Some((directory, names))) => Ok((directory.into(), names)),
        (None, None) => {
            let config = BrokerConfig::load_in(&Environment::of_process(), None, &Flags::default());
            Ok((config.map_err(|error| error.to_string())?.data_dir, &[]))
        }
    }
}

/// The partitions that are meant by names of topics or of partitions.
fn choose<'a>(verifier: &'a Verifier, names: &[String]) -> Result<Vec<&'a TopicPartition>, String> {
    let is_meant = |name: &String, p: &TopicPartition| p.topic.as_str() == name || p.to_string() == *name;
    if let Some(unknown) = names.iter().find(|name| !verifier.partitions().any(|p| is_meant(name, p))) {
        return Err(format!("the data directory has no topic and no partition '{unknown}'"));
    }
    let is_chosen = |p: &&TopicPartition| names.is_empty() || names.iter().any(|name| is_meant(name, p));
    Ok(verifier.partitions().filter(is_chosen).collect())
}

/// Findings go out as they come; a closed pipe is told at the end.
#[derive(Default)]
struct Output {
    failure: Option<io::Error>,
}

impl Output {
    fn take(&mut self, news: News<'_>) {
        match news {
            News::Found(finding) => self.print(&format!("{finding}\n")),
            News::Segment { .. } => {}
        }
    }

    fn print(&mut self, text: &str) {
        if self.failure.is_none() {
            self.failure = io::stdout().write_all(text.as_bytes()).err();
        }
    }

    fn finish(self) -> Result<(), String> {
        self.failure.map_or(Ok(()), |error| Err(format!("standard output: {error}")))
    }
}

struct Progress {
    partitions: usize,
    partitions_done: usize,
    bytes: u64,
    told: Instant,
}

impl Progress {
    fn new(partitions: usize) -> Progress {
        Progress { partitions, partitions_done: 0, bytes: 0, told: Instant::now() }
    }

    fn take(&mut self, news: News<'_>) {
        match news {
            News::Found(_) => {}
            News::Segment { bytes } => self.bytes += bytes,
        }
        if self.told.elapsed() >= PROGRESS_INTERVAL {
            self.told = Instant::now();
            let megabytes = self.bytes >> 20;
            eprintln!("{} of {} partitions, {megabytes} MiB", self.partitions_done, self.partitions);
        }
    }
}

/// A row for each topic, and one for all.
fn table(rows: &[(String, Tally)], total: &Tally) -> String {
    let width = rows.iter().map(|(topic, _)| topic.len()).chain([5]).max().unwrap_or_default();
    let mut text = String::new();
    let mut line = |name: &str, cells: [&dyn Display; 6]| {
        let [partitions, segments, batches, records, bytes, problems] = cells;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{name:width$} {partitions:>10} {segments:>10} {batches:>12} {records:>14} {bytes:>16} {problems:>9}"
        );
    };
    line("topic", [&"partitions", &"segments", &"batches", &"records", &"bytes", &"problems"]);
    let all = ("all".to_owned(), *total);
    for (name, tally) in rows.iter().chain([&all]) {
        let Tally { partitions, segments, batches, records, bytes, problems } = tally;
        line(name, [partitions, segments, batches, records, bytes, problems]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_named_by_its_flag_or_by_the_first_name() {
        let named = |data_dir: Option<&str>, names: &[&str]| {
            let arguments = Verify {
                data_dir: data_dir.map(PathBuf::from),
                names: names.iter().map(|name| (*name).to_owned()).collect(),
            };
            let (directory, names) = directory_and_names(&arguments).unwrap();
            (directory, names.to_vec())
        };
        assert_eq!(named(Some("d"), &["orders"]), ("d".into(), vec!["orders".to_owned()]));
        assert_eq!(named(None, &["d", "orders-0"]), ("d".into(), vec!["orders-0".to_owned()]));
        assert_eq!(named(None, &["d"]), ("d".into(), vec![]));
        assert!(named(None, &[]).1.is_empty());
    }

    #[test]
    fn the_table_has_a_row_for_each_topic_and_one_for_all() {
        let orders = Tally { partitions: 2, segments: 3, batches: 4, records: 5, bytes: 6, problems: 1 };
        let text = table(&[("orders".into(), orders)], &orders);
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["topic", "partitions", "segments", "batches", "records", "bytes", "problems"]);
        assert_eq!(rows[1], ["orders", "2", "3", "4", "5", "6", "1"]);
        assert_eq!(rows[2], ["all", "2", "3", "4", "5", "6", "1"]);
    }
}
