//! A clean stop (SIGTERM): quick, exit code 0, and the next start has nothing to recover.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::process::Signal;

use super::producer::{Producer, acknowledged, check_acknowledged, run_all, settle};
use super::support::broker::Broker;
use super::support::random::Random;
use super::support::raw::Client;
use super::support::requests::Topic;
use super::verify::expect_no_problem;
use super::{files_in, logical_bytes, rounds};

const SETTINGS: [&str; 1] = ["log.segment.bytes=1048576"];
const PARTITIONS: usize = 4;

/// As a clean stop leaves them: marked, and no file longer than what is in it.
fn assert_settled(data: &Path) {
    assert!(data.join(".kafka_cleanshutdown").exists(), "the marker of a clean stop is there");
    let logs = files_in(data, ".log");
    assert!(!logs.is_empty());
    for log in logs {
        let length = log.metadata().expect("the file is there").len();
        assert_eq!(logical_bytes(&log), length, "{} is trimmed", log.display());
    }
}

/// Nothing of what the process says at its start is about recovery.
fn assert_nothing_recovered(log: &str) {
    for telltale in ["not clean", "cut an", "made anew", "passed over", "removed the", "checking it", "WARN", "ERROR"] {
        assert!(!log.contains(telltale), "'{telltale}' in the log of a start after a clean stop:\n{log}");
    }
}

#[test]
fn an_idle_broker_stops_within_a_second_and_leaves_nothing_to_recover() {
    let mut broker = Broker::start_with(&SETTINGS);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, PARTITIONS as i32, &[]);
    let mut producers = [Producer::new(&mut client, PARTITIONS, -1, 1)];
    settle(&mut producers, broker.address(), &topic);
    produce_for_a_while(&mut producers, &broker, &topic, Duration::from_millis(100));
    for _ in 0..3 {
        let (status, took) = broker.stop();
        println!("an idle broker stopped in {} ms", took.as_millis());
        assert_eq!(status.code(), Some(0));
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_settled(&broker.data());
        let before = broker.log().len();
        broker.start_again(&SETTINGS);
        assert!(!broker.data().join(".kafka_cleanshutdown").exists(), "the marker is gone while the broker runs");
        check_acknowledged(&producers, broker.address(), &topic, &mut [0; PARTITIONS]);
        assert_nothing_recovered(&broker.log()[before..]);
    }
}

/// Lets the producers work, and waits until all is answered.
fn produce_for_a_while(producers: &mut [Producer], broker: &Broker, topic: &Topic, moment: Duration) {
    let finish = AtomicBool::new(false);
    run_all(producers, broker.address(), topic, &finish, || {
        std::thread::sleep(moment);
        finish.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    settle(producers, broker.address(), topic);
}

#[test]
fn a_stop_under_load_loses_nothing_and_answers_what_it_took() {
    let mut random = Random::seeded();
    let mut broker = Broker::start_with(&SETTINGS);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, PARTITIONS as i32, &[]);
    let mut producers: Vec<Producer> = (0..3)
        .map(|i| Producer::new(&mut client, PARTITIONS, if i % 2 == 0 { -1 } else { 1 }, random.next()))
        .collect();
    let mut checked = [0; PARTITIONS];
    for round in 0..rounds(3) {
        let moment = random.milliseconds(300);
        let address = broker.address().to_owned();
        let mut stopped = None;
        run_all(&mut producers, &address, &topic, &AtomicBool::new(false), || {
            std::thread::sleep(moment);
            stopped = Some(broker.stop());
        });
        let (status, took) = stopped.expect("it was stopped");
        assert_eq!(status.code(), Some(0), "{}", broker.log());
        assert_settled(&broker.data());
        expect_no_problem(&broker.data());
        let before = broker.log().len();
        broker.start_again(&SETTINGS);
        check_acknowledged(&producers, broker.address(), &topic, &mut checked);
        assert_nothing_recovered(&broker.log()[before..]);
        let (batches, bytes) = acknowledged(&producers);
        println!(
            "round {round}: stopped after {moment:?} in {} ms; {batches} batches, {bytes} bytes",
            took.as_millis()
        );
    }
    settle(&mut producers, broker.address(), &topic);
    check_acknowledged(&producers, broker.address(), &topic, &mut [0; PARTITIONS]);
}

#[test]
fn a_stop_that_is_killed_halfway_loses_nothing() {
    let mut random = Random::seeded();
    let mut broker = Broker::start_with(&SETTINGS);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, PARTITIONS as i32, &[]);
    let mut producers = [-1, 1].map(|acks| Producer::new(&mut client, PARTITIONS, acks, random.next()));
    let mut checked = [0; PARTITIONS];
    let mut clean = 0;
    let rounds = rounds(6);
    for _ in 0..rounds {
        let (moment, then) = (random.milliseconds(150), random.milliseconds(60));
        let address = broker.address().to_owned();
        run_all(&mut producers, &address, &topic, &AtomicBool::new(false), || {
            std::thread::sleep(moment);
            broker.signal(Signal::TERM);
            std::thread::sleep(then);
            broker.kill();
        });
        expect_no_problem(&broker.data());
        clean += usize::from(broker.data().join(".kafka_cleanshutdown").exists());
        broker.start_again(&SETTINGS);
        check_acknowledged(&producers, broker.address(), &topic, &mut checked);
    }
    settle(&mut producers, broker.address(), &topic);
    check_acknowledged(&producers, broker.address(), &topic, &mut [0; PARTITIONS]);
    println!("{rounds} rounds, {clean} of which had stopped before the kill");
}

#[test]
fn a_second_signal_ends_a_broker_at_once_or_finds_it_stopped() {
    let broker = Broker::start_with(&SETTINGS);
    let mut client = Client::connect(broker.address());
    Topic::create(&mut client, 50, &[]);
    broker.signal(Signal::TERM);
    let mut broker = broker;
    let (status, _) = broker.stop();
    assert!(matches!(status.code(), Some(0 | 1)), "{status:?}");
    // Whichever it was, the next start serves.
    broker.start_again(&SETTINGS);
    Client::connect(broker.address());
}
