//! A full disk: produce is refused, nothing dies, fetches go on, and there is room again when a topic is deleted.
//!
//! Needs a small file system of its own, which only root can mount.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::DeleteTopicsRequest;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use tempfile::TempDir;

use super::support::batch::Batch;
use super::support::broker::Broker;
use super::support::process::{print_skipped, works};
use super::support::raw::Client;
use super::support::requests::{Topic, batches, create_request, fetch, new_name, produce};
use super::{refusal, wait_until};

const SETTINGS: [&str; 3] =
    ["log.segment.bytes=4194304", "log.segment.delete.delay.ms=0", "log.retention.check.interval.ms=20"];

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
        assert!(offset < 1000, "the disk never fills");
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

#[test]
fn a_full_disk_refuses_records_until_there_is_room_and_ends_nothing() {
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
    while produce(&mut client, 9, &topic, 0, Batch::of(&[&value(small_end)[..300]]).build()).error_code == 0 {
        small_end += 1;
        assert!(small_end < end + 2000, "the disk never fills");
    }
    assert_readable(&mut client, &topic, end);
    assert_readable(&mut client, &ballast, 160);
    println!("{end} records of 60 KB, {} of 300 B, then the disk is full", small_end - end);
    // The metadata still has room in its last block; the topic's partition has none, and waits.
    let name = new_name();
    let created = client.call(&create_request(&name, 1, &[]), 7).topics.remove(0);
    let late = Topic { name, id: created.topic_id };
    println!("a topic that is created on the full disk: error code {}", created.error_code);
    if created.error_code == 0 {
        let answer = produce(&mut client, 9, &late, 0, Batch::of(&["early"]).build());
        assert_eq!(answer.error_code, ResponseError::KafkaStorageError.code());
    }

    assert_eq!(delete(&mut client, &ballast), 0);
    wait_until("there is room again", || {
        produce(&mut client, 9, &topic, 0, Batch::of(&[&value(0)]).build()).error_code == 0
    });
    if created.error_code == 0 {
        wait_until("the late topic takes records", || {
            produce(&mut client, 9, &late, 0, Batch::of(&["late"]).build()).error_code == 0
        });
    }
    Topic::create(&mut client, 1, &[]);
    let (status, _) = broker.stop();
    assert_eq!(status.code(), Some(0));
    broker.start_again(&SETTINGS);
    assert_readable(&mut Client::connect(broker.address()), &topic, end);
}

#[test]
fn a_start_that_has_no_room_says_so_and_the_next_one_with_room_serves() {
    let Some(small) = Small::mount() else { return };
    let mut broker = Broker::start_in(small.folder(), &SETTINGS);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[]);
    let end = fill(&mut client, &topic, 0);
    broker.kill();
    let rest = small.fill();
    let said = refusal(&broker.data(), &SETTINGS);
    assert!(said.contains("No space left on device"), "{said}");
    std::fs::remove_file(rest).expect("it can be removed");
    broker.start_again(&SETTINGS);
    assert_readable(&mut Client::connect(broker.address()), &topic, end);
}
