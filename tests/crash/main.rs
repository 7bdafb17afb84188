//! What is left after a broker was killed, stopped, damaged or ran out of disk: real processes, a raw client.
//!
//! * One file per way to end or to be hurt; each test has brokers of its own.
//! * Random moments and places come from a seed that is printed and taken from `KLAMM_TEST_SEED`.
//! * A sleep is a random moment to strike at, never a wait for a condition: those are asked for again until a deadline.

#[path = "../support/mod.rs"]
mod support;

mod damage;
mod epochs;
mod full_disk;
mod kills;
mod many_partitions;
mod producer;
mod recovery_time;
mod retention;
mod stops;
mod topics;
mod verify;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use support::broker::{self, Broker};

/// How many rounds to go: these, or `KLAMM_TEST_ROUNDS`.
fn rounds(unless_told: usize) -> usize {
    std::env::var("KLAMM_TEST_ROUNDS").map_or(unless_told, |rounds| rounds.parse().expect("rounds are a number"))
}

/// Asks again until the answer is yes.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Expects that a broker does not start on this data: exit code 1, and one sentence.
fn refusal(data: &Path, settings: &[&str]) -> String {
    let mut command = broker::command(data, settings);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("the broker can be started");
    wait_until("the broker refuses", || process.try_wait().expect("it can be awaited").is_some());
    let status = process.wait().expect("it can be awaited");
    let (mut output, mut errors) = (String::new(), String::new());
    process.stdout.take().expect("it is piped").read_to_string(&mut output).expect("it is text");
    process.stderr.take().expect("it is piped").read_to_string(&mut errors).expect("it is text");
    assert_eq!(status.code(), Some(1), "{errors}");
    assert_eq!(output, "", "nothing is ready");
    let sentences: Vec<&str> = errors.lines().filter(|line| line.starts_with("klamm: ")).collect();
    assert!(sentences.len() == 1 && !errors.contains("panicked"), "{errors}");
    assert_eq!(errors.lines().last(), Some(sentences[0]));
    println!("{}", sentences[0]);
    sentences[0].to_owned()
}

/// The files with this ending in the partitions' folders of a data directory, in the order of their names.
fn files_in(data: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in entries_of(data).into_iter().filter(|path| path.is_dir()) {
        let is_partition = !folder.ends_with("__cluster_metadata-0");
        let wanted = |path: &PathBuf| is_partition && path.to_string_lossy().ends_with(ending);
        files.extend(entries_of(&folder).into_iter().filter(wanted));
    }
    files.sort();
    files
}

/// What is in a folder now.
fn entries_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder can be listed");
    entries.map(|entry| entry.expect("the folder can be listed").path()).collect()
}

/// The bytes of all whole batches that a segment begins with: what follows is allocated ahead, or damage.
fn logical_bytes(log: &Path) -> u64 {
    let bytes = fs::read(log).expect("a segment can be read");
    let mut end = 0;
    while let Some(length) = bytes.get(end + 8..end + 12) {
        let size = 12 + i32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
        if size <= 61 || end + size > bytes.len() {
            break;
        }
        end += size;
    }
    end as u64
}

/// Lets what was left in this data directory count as left by a machine that was lost, with all that was not synced.
fn lose_machine(data: &Path) {
    let path = data.join("klamm.boot");
    let text = fs::read_to_string(&path).expect("a broker that served has written it");
    let mut lines: Vec<&str> = text.lines().collect();
    lines[2] = "00000000-0000-4000-8000-000000000000";
    fs::write(&path, lines.join("\n") + "\n").expect("it can be written");
}

/// Strikes a start on the same data before it is ready, or a little later.
fn kill_while_starting(broker: &Broker, settings: &[&str], moment: Duration) {
    let mut command = broker::command(&broker.data(), settings);
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut process = started.expect("the broker can be started");
    std::thread::sleep(moment);
    process.kill().expect("the broker can be killed");
    process.wait().expect("the broker can be awaited");
}
