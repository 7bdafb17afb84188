//! What requests cost in numbers that are the same on every machine: system calls and wake-ups of the broker's process,
//! allocations of a broker in this one. A factor that gets lost shows here, where times would hide it.
//!
//! * A *window* is what a client sends with one write, and the answers that it takes before the next. Between two windows the
//!   broker comes to rest, so that what one costs does not depend on who was faster.
//! * The files lie in memory where there is some: a slow disk makes the broker append aside, which costs more of everything.
//! * What disturbs a count only adds to it: a scenario is tried until its mean is within the limit, or for some seconds.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

#[path = "../support/mod.rs"]
mod support;

mod allocations;
mod limits;
mod scenarios;
mod threads;
mod tracer;

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use allocations::Counted;
use limits::{Limit, SCENARIOS, Scenario};
use scenarios::{Target, Window};
use support::broker::Broker;
use support::process::print_skipped;
use tracer::Tracer;

/// Without flushes in the background, whose number depends on the time.
const SETTINGS: &str = "[storage]\nflush_delay = \"0ms\"\n";
/// How long a scenario is tried: longer than the broker remembers that its disk was slow.
const PATIENCE: Duration = Duration::from_secs(4);

/// One test at a time: others would slow the broker down.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|failed| failed.into_inner())
}

fn start(directory: tempfile::TempDir) -> (Broker, Target) {
    let broker = Broker::start_by_file(directory, SETTINGS);
    let target = Target { address: broker.address().to_owned(), process_id: broker.process_id() };
    (broker, target)
}

/// What one window of the scenario adds to each of the counts, in the mean of the best try.
fn cost(
    scenario: &Scenario,
    limit: Limit,
    process_id: u32,
    window: &mut Window,
    counts: impl Fn() -> Vec<u64>,
) -> Cost {
    let deadline = Instant::now() + PATIENCE;
    let mut best: Option<Cost> = None;
    while best.as_ref().is_none_or(|best| best.total() > limit.most && Instant::now() < deadline) {
        threads::rest(process_id);
        let before = counts();
        for _ in 0..scenario.windows {
            window();
            threads::rest(process_id);
        }
        let mean = |(after, before): (u64, u64)| (after - before) as f64 / f64::from(scenario.windows);
        let cost = Cost(counts().into_iter().zip(before).map(mean).collect());
        best = best.filter(|best| best.total() <= cost.total()).or(Some(cost));
    }
    best.expect("it was tried")
}

/// What a window costs, of each kind.
struct Cost(Vec<f64>);

impl Cost {
    fn total(&self) -> f64 {
        self.0.iter().sum()
    }

    fn calls(&self) -> String {
        let made = self.0.iter().enumerate().filter(|(_, count)| **count > 0.0);
        made.map(|(number, count)| format!("\n  {count:8.2} {}", tracer::name(number))).collect()
    }
}

/// Says what was counted, and notes it when it is too much.
fn judge(failures: &mut Vec<String>, scenario: &Scenario, what: &str, limit: Limit, cost: &Cost, details: &str) {
    let line = format!("{}: {:.2} {what}, {:.2} when the limit was set", scenario.name, cost.total(), limit.measured);
    println!("{line}{details}");
    if cost.total() > limit.most {
        failures.push(format!("{line}, at most {}{details}", limit.most));
    }
}

#[test]
fn requests_cost_no_more_system_calls_and_wake_ups_than_when_the_limits_were_set() {
    let _alone = alone();
    let mut failures = Vec::new();
    let mut refused = None;
    for scenario in SCENARIOS {
        let (broker, target) = start(support::memory_directory::make());
        let process_id = target.process_id;
        let mut window = (scenario.prepare)(&target);
        (0..scenario.windows).for_each(|_| window());
        let waits = || vec![threads::rest(process_id).waits];
        let woken = cost(scenario, scenario.wake_ups, process_id, &mut window, waits);
        judge(&mut failures, scenario, "wake-ups", scenario.wake_ups, &woken, "");
        match Tracer::follow(process_id) {
            Ok(tracer) => {
                window();
                let made = cost(scenario, scenario.calls, process_id, &mut window, || tracer.calls());
                judge(&mut failures, scenario, "system calls", scenario.calls, &made, &made.calls());
            }
            Err(error) => refused = Some(error),
        }
        drop(broker);
    }
    if let Some(error) = refused {
        print_skipped(&format!("the system calls of requests, because ptrace is not permitted: {error}"));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn requests_cost_no_more_allocations_than_when_the_limits_were_set() {
    let _alone = alone();
    let mut failures = Vec::new();
    for scenario in SCENARIOS {
        let broker = Counted::start(SETTINGS);
        let process_id = broker.target.process_id;
        let mut window = (scenario.prepare)(&broker.target);
        (0..scenario.windows).for_each(|_| window());
        let made = cost(scenario, scenario.allocations, process_id, &mut window, || vec![broker.allocations()]);
        judge(&mut failures, scenario, "allocations", scenario.allocations, &made, "");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn an_idle_broker_makes_no_system_calls() {
    const TIME: Duration = Duration::from_millis(1500);
    let _alone = alone();
    let (broker, target) = start(support::memory_directory::make());
    let poll = scenarios::waiting_poll(&target);
    let silent = support::raw::Client::connect(&target.address);
    let waits = threads::rest(target.process_id).waits;
    std::thread::sleep(TIME);
    let woken = threads::rest(target.process_id).waits - waits;
    let tracer = match Tracer::follow(target.process_id) {
        Ok(tracer) => tracer,
        Err(error) => return print_skipped(&format!("an idle broker, because ptrace is not permitted: {error}")),
    };
    threads::rest(target.process_id);
    let before = tracer.calls();
    std::thread::sleep(TIME);
    let made = Cost(tracer.calls().into_iter().zip(before).map(|(after, before)| (after - before) as f64).collect());
    println!("idle for {TIME:?}: {woken} wake-ups, {} system calls{}", made.total(), made.calls());
    assert!(woken <= limits::IDLE_WAKE_UPS_MAX && made.total() <= limits::IDLE_CALLS_MAX, "{woken}{}", made.calls());
    drop((poll, silent, broker));
}
