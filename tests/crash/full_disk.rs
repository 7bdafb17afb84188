//! A full disk: records leave the reserve alone, nothing dies, all else goes on, and there is room again when something is
//! deleted.
//!
//! Needs a small file system of its own, which only root can mount.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteTopicsRequest};
use tempfile::TempDir;

use super::support::batch::Batch;
use super::support::broker::Broker;
use super::support::process::{print_skipped, works};
use super::support::raw::Client;
use super::support::requests::{Topic, batches, fetch, produce};
use super::{refusal, wait_until};

const SETTINGS: [&str; 3] =
    ["log.segment.bytes=4194304", "log.segment.delete.delay.ms=0", "log.retention.check.interval.ms=20"];

const SMALL_BYTES: u64 = 32 << 20;
/// Of a small file system an eighth.
const RESERVE_BYTES: u64 = SMALL_BYTES / 8;

/// A file system in memory of 32 MiB, unmounted when the value is dropped.
struct Small {
    mounted_on: TempDir,
}

impl Small {
    fn mount() -> Option<Small> {
        let mounted_on = tempfile::tempdir().expect("a temporary directory can be made");
        let path = mounted_on.path().to_string_lossy().into_owned();
        if !works("mount", &["-t", "tmpfs", "-o", "size=32m", "tmpfs", &path]) {
            print_skipped("a full disk: no small file system can be mounted");
            return None;
        }
        Some(Small { mounted_on })
    }

    /// Writes until not a byte more fits, and says into which file.
    fn fill(&self) -> PathBuf {
        let path = self.mounted_on.path().join("rest");
        let mut file = File::create(&path).expect("a file without contents has room");
        while file.write_all(&[1; 512]).is_ok() {}
        path
    }

    fn free_bytes(&self) -> u64 {
        let found = rustix::fs::statvfs(self.mounted_on.path()).expect("a file system says how much is free");
        found.f_bavail * found.f_frsize
    }

    /// A folder within for one broker.
    fn folder(&self) -> TempDir {
        TempDir::new_in(self.mounted_on.path()).expect("a temporary directory can be made")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        unmount(self.mounted_on.path());
    }
}

fn unmount(path: &Path) {
    let _ = Command::new("umount").arg("-l").arg(path).status();
}

fn value(number: i64) -> String {
    format!("{number}.{}", "f".repeat(60_000))
}

/// Produces until it is refused: how many records were taken since `from`.
fn fill(client: &mut Client, topic: &Topic, from: i64) -> i64 {
    for offset in from.. {
        let answer = produce(client, 9, topic, 0, Batch::of(&[&value(offset)]).build());
        if answer.error_code != 0 {
            assert_eq!(answer.error_code, ResponseError::KafkaStorageError.code(), "{answer:?}");
            return offset;
        }
        assert_eq!(answer.base_offset, offset);
        assert!(offset < from + 1000, "the disk never fills");
    }
    unreachable!("offsets do not end")
}

fn assert_readable(client: &mut Client, topic: &Topic, end: i64) {
    let mut next = 0;
    while next < end {
        let found = fetch(client, 12, topic, 0, next);
        assert_eq!(found.error_code, 0);
        for stored in batches(&found).iter().take(usize::try_from(end - next).expect("it is not at the end")) {
            assert_eq!(stored.values, [(next, value(next))]);
            next += 1;
        }
    }
    assert_eq!(next, end);
}

fn delete(client: &mut Client, topic: &Topic) -> i16 {
    let state = DeleteTopicState::default().with_name(Some(topic.name.clone()));
    let request = DeleteTopicsRequest::default().with_timeout_ms(15000).with_topics(vec![state]);
    client.call(&request, 6).responses[0].error_code
}

/// Deletes all records below an offset of a topic's one partition.
fn delete_records(client: &mut Client, topic: &Topic, below: i64) -> i16 {
    let partition = DeleteRecordsPartition::default().with_partition_index(0).with_offset(below);
    let of_topic = DeleteRecordsTopic::default().with_name(topic.name.clone()).with_partitions(vec![partition]);
    let request = DeleteRecordsRequest::default().with_topics(vec![of_topic]).with_timeout_ms(15000);
    client.call(&request, 2).topics[0].partitions[0].error_code
}

fn is_taken(client: &mut Client, topic: &Topic) -> bool {
    produce(client, 9, topic, 0, Batch::of(&["more"]).build()).error_code == 0
}

/// How often the broker said so.
fn count(broker: &Broker, line: &str) -> usize {
    broker.log().matches(line).count()
}

const BEGINS: &str = "records are refused until there is room";
const ENDS: &str = "there is room on the disk again";

#[test]
fn records_leave_the_reserve_alone_until_there_is_room_and_all_else_goes_on() {
    let Some(small) = Small::mount() else { return };
    let mut broker = Broker::start_in(small.folder(), &SETTINGS);
    let mut client = Client::connect(broker.address());
    let ballast = Topic::create(&mut client, 1, &[]);
    for offset in 0..160 {
        let answer = produce(&mut client, 9, &ballast, 0, Batch::of(&[&value(offset)]).build());
        assert_eq!(answer.error_code, 0, "{answer:?}");
    }
    let topic = Topic::create(&mut client, 1, &[]);
    let end = fill(&mut client, &topic, 0);
    assert!(end > 100, "{end} records fitted");
    // Small ones, which go through the map, are refused as well, once the last allocated block is full.
    let mut small_end = end;
    while is_taken(&mut client, &topic) {
        small_end += 1;
        assert!(small_end < end + 5000, "the disk never fills");
    }
    println!("{end} records of 60 KB, {} small ones, then {} bytes are free", small_end - end, small.free_bytes());
    assert!(small.free_bytes() > RESERVE_BYTES - (64 << 10), "the reserve is there");
    (0..50).for_each(|_| assert!(!is_taken(&mut client, &topic)));
    assert_eq!((count(&broker, BEGINS), count(&broker, ENDS)), (1, 0), "{}", broker.log());
    assert_readable(&mut client, &topic, end);
    assert_readable(&mut client, &ballast, 160);
    // The reserve is for this.
    let late = Topic::create(&mut client, 1, &[]);
    assert!(!is_taken(&mut client, &late));

    // Whole segments, which retention takes away.
    assert_eq!(delete_records(&mut client, &ballast, 100), 0);
    wait_until("there is room again", || is_taken(&mut client, &late));
    assert!(is_taken(&mut client, &topic));
    assert_eq!((count(&broker, BEGINS), count(&broker, ENDS)), (1, 1), "{}", broker.log());
    let end = fill(&mut client, &topic, small_end + 1) - 1;
    assert_eq!(delete(&mut client, &ballast), 0);
    wait_until("there is room again", || is_taken(&mut client, &topic));
    let (status, _) = broker.stop();
    assert_eq!(status.code(), Some(0));
    broker.start_again(&SETTINGS);
    let mut client = Client::connect(broker.address());
    assert_eq!(fetch(&mut client, 12, &topic, 0, 0).high_watermark, end + 2);
}

#[test]
fn on_a_disk_that_others_filled_to_the_last_byte_nothing_ends_and_a_start_serves() {
    let Some(small) = Small::mount() else { return };
    let mut broker = Broker::start_in(small.folder(), &SETTINGS);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[]);
    for offset in 0..160 {
        assert_eq!(produce(&mut client, 9, &topic, 0, Batch::of(&[&value(offset)]).build()).error_code, 0);
    }
    let doomed = Topic::create(&mut client, 1, &[]);
    assert!(is_taken(&mut client, &doomed));
    let mut rest = small.fill();
    assert_eq!(small.free_bytes(), 0);
    // What was allocated before may be filled, and takes nothing from anybody.
    let end = fill(&mut client, &topic, 160);
    assert_readable(&mut client, &topic, end);

    for round in 0..2 {
        broker.kill();
        std::fs::remove_file(&rest).expect("it can be removed");
        rest = small.fill();
        broker.start_again(&SETTINGS);
        client = Client::connect(broker.address());
        assert_readable(&mut client, &topic, end);
        assert!(!is_taken(&mut client, &topic), "round {round}");
    }
    assert_eq!(delete_records(&mut client, &topic, 2), 0);
    assert_eq!(fetch(&mut client, 12, &topic, 0, 2).log_start_offset, 2);

    std::fs::remove_file(rest).expect("it can be removed");
    wait_until("there is room again", || is_taken(&mut client, &topic));
    assert_eq!(delete(&mut client, &doomed), 0);
    assert_eq!(broker.stop().0.code(), Some(0));
    broker.start_again(&SETTINGS);
    let mut client = Client::connect(broker.address());
    let found = fetch(&mut client, 12, &topic, 0, 2);
    assert_eq!((found.error_code, found.log_start_offset, found.high_watermark), (0, 2, end + 1));
}

#[test]
fn a_new_directory_on_a_full_disk_is_refused_with_what_to_do() {
    let Some(small) = Small::mount() else { return };
    let folder = small.folder();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("an empty folder has room");
    small.fill();
    let said = refusal(&data, &SETTINGS);
    assert!(said.contains("No space left on device"), "{said}");
    assert!(said.contains("make room on its file system"), "{said}");
}
