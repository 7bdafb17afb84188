//! `kill -9` under load: every acknowledged record is there afterwards, at its offset, once, in its producer's order.
//!
//! `KLAMM_TEST_ROUNDS` says how many rounds there are.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::producer::{Producer, acknowledged, check_acknowledged, run_all, settle};
use super::support::broker::Broker;
use super::support::random::Random;
use super::support::raw::Client;
use super::support::requests::Topic;

const PARTITIONS: usize = 4;
const PRODUCERS: usize = 4;
const ROUNDS: usize = 4;
const STRIKES_WITHIN_MS: u64 = 500;

#[test]
fn what_was_acknowledged_survives_kills_at_random_moments() {
    let rounds = std::env::var("KLAMM_TEST_ROUNDS").map_or(ROUNDS, |n| n.parse().expect("rounds are a number"));
    let mut random = Random::seeded();
    let settings = ["log.segment.bytes=1048576", "log.flush.offset.checkpoint.interval.ms=100"];
    let mut broker = Broker::start_with(&settings);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, PARTITIONS as i32, &[]);
    let mut producers: Vec<Producer> = (0..PRODUCERS)
        .map(|i| Producer::new(&mut client, PARTITIONS, if i % 2 == 0 { -1 } else { 1 }, random.next()))
        .collect();
    let mut checked = [0; PARTITIONS];
    let mut slowest = 0;
    for round in 0..rounds {
        let moment = random.milliseconds(STRIKES_WITHIN_MS);
        let address = broker.address().to_owned();
        run_all(&mut producers, &address, &topic, &AtomicBool::new(false), || {
            std::thread::sleep(moment);
            broker.kill();
        });
        let since = Instant::now();
        broker.start_again(&settings);
        slowest = slowest.max(since.elapsed().as_millis());
        check_acknowledged(&producers, broker.address(), &topic, &mut checked);
        let (batches, bytes) = acknowledged(&producers);
        println!("round {round}: killed after {moment:?}; {batches} batches, {bytes} bytes acknowledged so far");
    }
    settle(&mut producers, broker.address(), &topic);
    check_acknowledged(&producers, broker.address(), &topic, &mut [0; PARTITIONS]);
    let (batches, bytes) = acknowledged(&producers);
    assert!(batches > 0, "no round got as far as an acknowledgement");
    println!("{rounds} rounds, {batches} batches, {bytes} bytes; the slowest start took {slowest} ms");
}
