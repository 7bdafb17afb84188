//! The threads of a process as Linux shows them from outside: whether all wait, and how often they began to.
//!
//! Source: `proc(5)`, `/proc/PID/task/TID/status`.

use std::time::{Duration, Instant};

/// A moment in which every thread of a process waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// How often its threads began to wait: every one of these waits but those of now was ended by a wake-up.
    pub waits: u64,
}

/// The ids of its threads, but for the one that asks.
pub fn ids(process_id: u32) -> Vec<i32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{process_id}/task")) else { return Vec::new() };
    let ids = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| *id != nix::unistd::gettid().as_raw()).collect()
}

/// Waits until all threads wait, seen twice with nothing in between: one that is woken by another is not overlooked.
pub fn rest(process_id: u32) -> Rest {
    let deadline = Instant::now() + Duration::from_secs(15);
    let mut before = None;
    loop {
        let now = look(process_id);
        if let Some(rest) = now.filter(|_| now == before) {
            return rest;
        }
        assert!(Instant::now() < deadline, "the broker does not come to rest");
        if now.is_none() {
            std::thread::yield_now();
        }
        before = now;
    }
}

/// `None` when one of them runs.
fn look(process_id: u32) -> Option<Rest> {
    let mut waits = 0;
    for id in ids(process_id) {
        let status = std::fs::read_to_string(format!("/proc/{process_id}/task/{id}/status")).ok()?;
        let field = |name: &str| Some(status.lines().find_map(|line| line.strip_prefix(name))?.trim());
        if !field("State:")?.starts_with('S') {
            return None;
        }
        waits += field("voluntary_ctxt_switches:")?.parse::<u64>().ok()?;
    }
    Some(Rest { waits })
}
