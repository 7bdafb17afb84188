//! `kill -9` under load: every acknowledged record is there afterwards, at its offset, once, in its producer's order.
//!
//! `KLAMM_TEST_ROUNDS` says how many rounds there are.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::producer::{Producer, acknowledged, check_acknowledged, run_all, settle};
use super::support::batch::Batch;
use super::support::broker::Broker;
use super::support::random::Random;
use super::support::raw::Client;
use super::support::requests::{Topic, fetch, produce, produce_request};
use super::verify::expect_no_problem;
use super::{kill_while_starting, lose_machine, rounds, wait_until};

const PARTITIONS: usize = 4;
const PRODUCERS: usize = 4;
const ROUNDS: usize = 4;
const STRIKES_WITHIN_MS: u64 = 500;

#[test]
fn what_was_acknowledged_survives_kills_at_random_moments() {
    kill_again_and_again(&[("segment.bytes", "1048576")], |producer| producer);
}

#[test]
fn what_was_stored_through_a_map_survives_kills_at_random_moments() {
    kill_again_and_again(&[("segment.bytes", "16777216")], Producer::of_small_batches);
}

/// The page cache survives a kill: this shows that syncs, and kills in the midst of them, harm nothing, not that they help.
#[test]
fn what_was_acknowledged_from_the_disk_survives_kills_at_random_moments() {
    let configs = [("segment.bytes", "1048576"), ("flush.messages", "1")];
    kill_again_and_again(&configs, Producer::of_small_batches);
}

fn kill_again_and_again(configs: &[(&str, &str)], kind: fn(Producer) -> Producer) {
    let rounds = rounds(ROUNDS);
    let mut random = Random::seeded();
    let settings = ["log.flush.offset.checkpoint.interval.ms=100"];
    let mut broker = Broker::start_with(&settings);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, PARTITIONS as i32, configs);
    let mut producers: Vec<Producer> = (0..PRODUCERS)
        .map(|i| kind(Producer::new(&mut client, PARTITIONS, if i % 2 == 0 { -1 } else { 1 }, random.next())))
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
        // Recovery is struck, too.
        for _ in 0..random.below(3) {
            kill_while_starting(&broker, &settings, random.milliseconds(60));
        }
        expect_no_problem(&broker.data());
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

/// The recovery point of the only partition of this topic, as it was last written down.
fn recovery_point(broker: &Broker, topic: &Topic) -> i64 {
    let path = broker.data().join("recovery-point-offset-checkpoint");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{} 0 ", topic.name.as_str())));
    line.map_or(0, |offset| offset.parse().expect("an offset is a number"))
}

#[test]
fn five_batches_whose_answers_were_lost_are_known_after_a_kill_a_power_cut_and_a_stop() {
    let settings = ["log.segment.bytes=1048576", "log.flush.offset.checkpoint.interval.ms=100"];
    for ended in ["killed", "killed with its machine", "stopped"] {
        let mut broker = Broker::start_with(&settings);
        let mut client = Client::connect(broker.address());
        let topic = Topic::create(&mut client, 1, &[]);
        // A segment is full after the third, and what is before the fifth needs no recovery.
        let value = "w".repeat(300_000);
        let batch = |i: i32| Batch::of(&[&value]).by(4711, 3, i).build();
        for i in 0..5 {
            client.send(&produce_request(9, &topic, &[(0, batch(i))]), 9);
        }
        let mut other = Client::connect(broker.address());
        wait_until("all is stored", || fetch(&mut other, 12, &topic, 0, 0).high_watermark == 5);
        wait_until("all is synced", || recovery_point(&broker, &topic) == 5);
        drop(client);
        match ended {
            "stopped" => drop(broker.stop()),
            _ => broker.kill(),
        }
        if ended == "killed with its machine" {
            lose_machine(&broker.data());
        }
        broker.start_again(&settings);
        let mut client = Client::connect(broker.address());
        for i in 0..5 {
            let answer = produce(&mut client, 9, &topic, 0, batch(i));
            assert_eq!((answer.error_code, answer.base_offset), (0, i64::from(i)), "{answer:?}, {ended}");
        }
        assert_eq!(produce(&mut client, 9, &topic, 0, batch(5)).base_offset, 5);
    }
}
