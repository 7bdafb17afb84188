//! A process that appends is killed, and everything that it said was appended is there.
//!
//! The test runs its own executable again as the process to be killed.

use super::*;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

const DIRECTORY: &str = "KLAMM_TEST_KILL_DIRECTORY";

fn open(path: &Path) -> (DataDirectory, Log) {
    let tuning = Tuning { map_from_bytes: 0, ..Tuning::default() };
    let directory = DataDirectory::open_tuned(path, BrokerId(1), tuning).unwrap();
    let id = "v9iXAYD5RqGCDoGkbPpmzg".parse().unwrap();
    let config = LogConfig { segment_bytes: 200_000, ..LogConfig::default() };
    let log = directory.open_log(&partition(), id, config, &Clock::system()).unwrap();
    (directory, log)
}

/// Batches whose sizes tell their place, so that both paths are taken and segments roll.
fn nth(log_end: i64) -> Bytes {
    produced_sized(5, 0, (log_end % i64::from(i32::MAX)) as i32, 1 + (log_end as usize * 7919) % 9000)
}

#[test]
fn appends_until_it_is_killed() {
    let Ok(path) = env::var(DIRECTORY) else { return };
    let (_directory, log) = open(Path::new(&path));
    let mut out = std::io::stdout().lock();
    loop {
        let next = log.positions().log_end.0;
        assert_eq!(append(&log, &[nth(next)]), [appended(next)]);
        if next % 50 == 0 {
            log.flush_and_move_recovery_point().unwrap();
        }
        writeln!(out, "appended {next}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_once() {
    let root = tempfile::tempdir().unwrap();
    let mut acknowledged = -1;
    for round in 0..8 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "storage::tests::kills::appends_until_it_is_killed", "--nocapture"])
            .env(DIRECTORY, root.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let wanted = acknowledged + 100 + 37 * round;
        while acknowledged < wanted {
            let line = lines.next().expect("it appends until it is killed").unwrap();
            if let Some(offset) = line.strip_prefix("appended ") {
                acknowledged = offset.parse().unwrap();
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            acknowledged = line.strip_prefix("appended ").and_then(|o| o.parse().ok()).unwrap_or(acknowledged);
        }
        let (_directory, log) = open(root.path());
        let found = contents(&log);
        assert!(found.len() as i64 > acknowledged, "round {round}");
        assert_eq!(found, (0..found.len() as i64).map(|i| (i, i)).collect::<Vec<_>>());
        let retried = append(&log, &[nth(acknowledged)]);
        assert!(matches!(retried[0], Outcome::Duplicate { base_offset, .. } if base_offset.0 == acknowledged));
    }
}
