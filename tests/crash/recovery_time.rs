//! How long a start takes after `kill -9`, with 10 GB in a thousand partitions. By hand, as it takes minutes and 10 GB of disk:
//!
//! ```sh
//! cargo test --release --test crash -- --ignored --nocapture ten_gigabytes
//! ```
//!
//! The page cache is dropped where that is allowed. For another broker's figure, `fills_a_named_broker` fills the one that
//! `KLAMM_TEST_BOOTSTRAP` names; it is then killed and started anew by hand.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

use super::support::batch::Batch;
use super::support::broker::{self, Broker};
use super::support::raw::Client;
use super::support::requests::{self, Topic};
use super::wait_until;

const PARTITIONS: i32 = 1000;
const PARTITIONS_PER_REQUEST: usize = 50;
/// 100 KB each.
const BATCHES_PER_PARTITION: usize = 100;
const RECORDS: usize = 100;

fn batch() -> Vec<u8> {
    let values: Vec<String> = (0..RECORDS).map(|i| format!("{i:03}{}", "y".repeat(1000))).collect();
    Batch::of(&values.iter().map(String::as_str).collect::<Vec<_>>()).build().to_vec()
}

fn fill(client: &mut Client) -> Topic {
    let topic = Topic::create(client, PARTITIONS, &[]);
    let since = Instant::now();
    for _ in 0..BATCHES_PER_PARTITION {
        append_to_all(client, &topic, &batch());
    }
    let bytes = batch().len() * BATCHES_PER_PARTITION * PARTITIONS as usize;
    println!("filled with {bytes} bytes in {:.1} s", since.elapsed().as_secs_f64());
    topic
}

fn append_to_all(client: &mut Client, topic: &Topic, records: &[u8]) {
    let all: Vec<i32> = (0..PARTITIONS).collect();
    for some in all.chunks(PARTITIONS_PER_REQUEST) {
        let batches: Vec<_> = some.iter().map(|partition| (*partition, records.to_vec().into())).collect();
        let response = client.call(&requests::produce_request(9, topic, &batches), 9);
        assert!(response.responses[0].partition_responses.iter().all(|answer| answer.error_code == 0));
    }
}

/// Starts a broker on what a killed one left, kills it when it is ready, and tells how long that took.
fn start(broker: &Broker, case: &str) {
    let mut command = broker::command(&broker.data(), &[]);
    let log = broker.data().with_extension("log-of-recovery");
    let file = fs::File::create(&log).expect("it can be made");
    let mut process =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file).spawn().expect("it can be started");
    let mut ready = String::new();
    let output = process.stdout.take().expect("it is piped");
    BufReader::new(output).read_line(&mut ready).expect("it says that it is ready");
    process.kill().expect("it can be killed");
    process.wait().expect("it can be awaited");
    let said = fs::read_to_string(&log).expect("it can be read");
    println!("{case}: {}", ready.split(": node").next().unwrap_or_default());
    said.lines()
        .filter(|line| line.contains("opening partitions") || line.contains("recovered after"))
        .for_each(|line| println!("  {line}"));
    assert!(ready.contains("ready in"), "{said}");
}

/// Whether the page cache could be emptied: what is on disk only is read from there then.
fn drop_caches() -> bool {
    rustix::fs::sync();
    fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

#[test]
#[ignore = "takes minutes and 10 GB"]
fn ten_gigabytes_in_a_thousand_partitions_are_ready_again_in_seconds() {
    let mut broker = Broker::start_with(&[]);
    let mut client = Client::connect(broker.address());
    let topic = fill(&mut client);
    broker.kill();
    for _ in 0..2 {
        start(&broker, "killed while it was filled, in the page cache");
    }
    if drop_caches() {
        start(&broker, "killed while it was filled, from the disk");
    }
    // Once all recovery points have followed.
    broker.start_again(&["log.flush.offset.checkpoint.interval.ms=1000"]);
    let path = broker.data().join("recovery-point-offset-checkpoint");
    let end = format!(" {}", BATCHES_PER_PARTITION * RECORDS);
    let followed = || fs::read_to_string(&path).unwrap_or_default().lines().filter(|line| line.ends_with(&end)).count();
    let since = Instant::now();
    while followed() < PARTITIONS as usize && since.elapsed().as_secs() < 300 {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    wait_until("the recovery points follow", || followed() == PARTITIONS as usize);
    broker.kill();
    broker.start_again(&[]);
    let mut client = Client::connect(broker.address());
    append_to_all(&mut client, &topic, &batch());
    broker.kill();
    for _ in 0..2 {
        start(&broker, "killed behind its recovery points, in the page cache");
    }
    if drop_caches() {
        start(&broker, "killed behind its recovery points, from the disk");
    }
}

#[test]
#[ignore = "fills the broker that KLAMM_TEST_BOOTSTRAP names"]
fn fills_a_named_broker() {
    let address = std::env::var("KLAMM_TEST_BOOTSTRAP").expect("a broker is named");
    fill(&mut Client::connect(&address));
}
