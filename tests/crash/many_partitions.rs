//! A thousand partitions: idle ones cost little disk and memory, and starts with them are quick.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use super::entries_of;
use super::support::batch::Batch;
use super::support::broker::Broker;
use super::support::raw::Client;
use super::support::requests::{self, Topic, fetch, values};

const PARTITIONS: i32 = 1000;
const DISK_BYTES_MAX: u64 = 50 << 20;
const MEMORY_KIB_MAX: u64 = 60 << 10;

/// Bytes of disk that a folder takes, as `du` counts them.
fn disk_bytes(folder: &Path) -> u64 {
    let blocks = |path: &Path| path.symlink_metadata().map_or(0, |metadata| metadata.blocks() * 512);
    let within = |path: &Path| if path.is_dir() { disk_bytes(path) } else { blocks(path) };
    blocks(folder) + entries_of(folder).iter().map(|path| within(path)).sum::<u64>()
}

/// The process's memory that no file backs.
fn anonymous_kib(broker: &Broker) -> u64 {
    let path = format!("/proc/{}/status", broker.process_id());
    let status = fs::read_to_string(path).expect("a process has a status");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("it says RssAnon");
    line.trim().trim_end_matches(" kB").parse().expect("it is a number")
}

/// The milliseconds in a ready line.
fn milliseconds(ready: &str) -> u64 {
    let (before, _) = ready.split_once(" ms").expect("the ready line says milliseconds");
    before.rsplit(' ').next().expect("a number stands before").parse().expect("it is a number")
}

#[test]
fn a_thousand_idle_partitions_are_cheap_and_come_back_quickly() {
    let mut broker = Broker::start();
    let mut client = Client::connect(broker.address());
    let since = Instant::now();
    let topic = Topic::create(&mut client, PARTITIONS, &[]);
    println!("created in {} ms", since.elapsed().as_millis());
    assert_idle_is_cheap(&broker, "after their creation");

    broker.kill();
    println!("after a kill: ready in {} ms", milliseconds(&broker.start_again(&[])));
    assert_idle_is_cheap(&broker, "after a kill");
    let (status, took) = broker.stop();
    assert!(status.success());
    println!("stopped in {} ms", took.as_millis());
    println!("after a clean stop: ready in {} ms", milliseconds(&broker.start_again(&[])));
    assert_idle_is_cheap(&broker, "after a clean stop");

    let mut client = Client::connect(broker.address());
    let since = Instant::now();
    let all: Vec<_> = (0..PARTITIONS).map(|partition| (partition, Batch::of(&["one"]).build())).collect();
    let response = client.call(&requests::produce_request(9, &topic, &all), 9);
    let answers = &response.responses[0].partition_responses;
    assert!(
        answers.len() == all.len() && answers.iter().all(|answer| (answer.error_code, answer.base_offset) == (0, 0))
    );
    let disk = disk_bytes(&broker.data()) >> 20;
    let memory = anonymous_kib(&broker);
    println!("a record into each: {} ms; then {disk} MiB of disk, {memory} KiB of memory", since.elapsed().as_millis());

    broker.kill();
    println!("with records, after a kill: ready in {} ms", milliseconds(&broker.start_again(&[])));
    let (status, took) = broker.stop();
    assert!(status.success());
    println!("with records: stopped in {} ms, then {} MiB of disk", took.as_millis(), disk_bytes(&broker.data()) >> 20);
    println!("with records, after a clean stop: ready in {} ms", milliseconds(&broker.start_again(&[])));
    let mut client = Client::connect(broker.address());
    for partition in [0, 1, PARTITIONS / 2, PARTITIONS - 1] {
        assert_eq!(values(&fetch(&mut client, 12, &topic, partition, 0)), ["one"]);
    }
}

fn assert_idle_is_cheap(broker: &Broker, when: &str) {
    let (disk, memory) = (disk_bytes(&broker.data()), anonymous_kib(broker));
    println!("{when}: {} KiB of disk, {memory} KiB of memory", disk >> 10);
    assert!(disk < DISK_BYTES_MAX, "{disk} bytes of disk {when}");
    assert!(memory < MEMORY_KIB_MAX, "{memory} KiB of memory {when}");
}
