//! What Linux says of a process from outside: memory, processor time, descriptors. Source: `proc(5)`.

use std::time::{Duration, Instant};

/// A process as `/proc/PID/status` shows it, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// VmRSS: all of its pages that are in memory, those of mapped files too.
    pub resident: i64,
    /// RssAnon: those that belong to it alone, which is what it allocated and touched.
    pub anonymous: i64,
    /// VmHWM: the most that was ever resident.
    pub resident_peak: i64,
}

pub fn memory(process_id: u32) -> Memory {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).expect("the process runs");
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("the field is there");
        let kilobytes = line.split_whitespace().nth(1).expect("the field has a value");
        kilobytes.parse::<i64>().expect("the value is a number") << 10
    };
    Memory { resident: field("VmRSS:"), anonymous: field("RssAnon:"), resident_peak: field("VmHWM:") }
}

/// The processor time that it used, in user and system mode; Linux counts it in hundredths of a second.
pub fn processor_time(process_id: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process_id}/stat")).expect("the process runs");
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th fields behind it.
    let (_, fields) = stat.rsplit_once(") ").expect("the name is in parentheses");
    let ticks = |at: usize| fields.split(' ').nth(at).expect("the field is there").parse::<u64>().expect("a number");
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// How many descriptors it has open.
pub fn descriptors(process_id: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process_id}/fd")).expect("the process runs").count()
}

/// Looks again and again, at most 15 seconds, until what is seen is as it should be; returns what was seen last.
pub fn observe<T>(mut look: impl FnMut() -> T, is_right: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let seen = look();
        if is_right(&seen) || Instant::now() >= deadline {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
