//! What a window of each scenario may cost, beside what it cost when the limit was set.
//!
//! A limit lies so little above that one more call, wake-up or allocation in each window exceeds it. What a scenario does once
//! in many windows (files grow, the runtime looks at its sockets between tasks) is in the fractions.

use crate::scenarios::{self, Target, Window};

/// How often something may happen in a window.
#[derive(Clone, Copy)]
pub struct Limit {
    /// What was counted when the limit was set.
    pub measured: f64,
    /// What is let pass.
    pub most: f64,
}

/// What is done again and again, and what it may cost.
pub struct Scenario {
    pub name: &'static str,
    pub prepare: fn(&Target) -> Window,
    /// How many windows are one try.
    pub windows: u32,
    pub calls: Limit,
    pub wake_ups: Limit,
    pub allocations: Limit,
}

/// What a broker may do in a second and a half in which nobody asks for anything.
pub const IDLE_WAKE_UPS_MAX: u64 = 2;
pub const IDLE_CALLS_MAX: f64 = 4.0;

const fn scenario(
    name: &'static str,
    prepare: fn(&Target) -> Window,
    windows: u32,
    calls: (f64, f64),
    wake_ups: (f64, f64),
    allocations: (f64, f64),
) -> Scenario {
    const fn limit((measured, most): (f64, f64)) -> Limit {
        Limit { measured, most }
    }
    let (calls, wake_ups, allocations) = (limit(calls), limit(wake_ups), limit(allocations));
    Scenario { name, prepare, windows, calls, wake_ups, allocations }
}

// In each row, as (measured, at most): system calls, wake-ups, allocations.
//
// Of a window of Produce requests the three calls are the wait, the receipt, the answer.
#[rustfmt::skip]
pub const SCENARIOS: &[Scenario] = &[
    scenario("produce a record", |b| scenarios::produce(b, 1, 100), 100, (3.03, 3.5), (1.0, 1.4), (6.0, 6.5)),
    scenario("produce a record, 8 in flight", |b| scenarios::produce(b, 8, 100), 100, (3.03, 3.5), (1.0, 1.4), (6.0, 6.5)),
    scenario("produce a record, 64 in flight", |b| scenarios::produce(b, 64, 100), 100, (4.03, 4.5), (1.0, 1.4), (7.0, 7.5)),
    scenario("produce a record to a young log", scenarios::produce_to_a_young_log, 100, (4.03, 4.5), (1.0, 1.4), (7.0, 7.5)),
    scenario("produce 16 KiB, 5 in flight", |b| scenarios::produce(b, 5, 16 << 10), 50, (4.04, 4.8), (1.0, 1.4), (7.0, 7.5)),
    scenario("produce 64 KiB, 8 in flight", |b| scenarios::produce(b, 8, 64 << 10), 20, (8.02, 9.5), (1.0, 2.0), (13.0, 15.0)),
    scenario("produce to 16 partitions", |b| scenarios::produce_to_partitions(b, 16), 100, (3.03, 3.5), (1.0, 1.4), (7.0, 7.5)),
    scenario("produce idempotently, 5 in flight", scenarios::produce_idempotently, 100, (3.03, 3.5), (1.0, 1.4), (7.0, 7.5)),
    scenario("produce durably", scenarios::produce_durably, 100, (12.6, 15.5), (4.7, 6.5), (21.0, 22.5)),
    scenario("fetch 1 MiB", scenarios::fetch, 50, (6.03, 6.5), (1.0, 1.4), (6.0, 6.5)),
    scenario("fetch in a session of 100 partitions", scenarios::fetch_in_session, 100, (4.03, 4.5), (1.0, 1.4), (3.0, 3.5)),
    scenario("a long poll that a record ends", scenarios::long_poll, 100, (10.04, 10.5), (2.0, 2.4), (18.0, 18.5)),
    scenario("a long poll that its time ends", scenarios::empty_poll, 20, (7.1, 7.6), (2.1, 2.5), (11.0, 11.5)),
];
