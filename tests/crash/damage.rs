//! Damaged files, and directories that are not ours to use: a start serves what was acknowledged below the damage, if a lost
//! machine can have done it; otherwise the partition is offline, or the start refused with one sentence and exit code 1.
//!
//! Each case gets a copy of one data directory, which a broker filled and left by a kill or a clean stop.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::DeleteTopicsRequest;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use tempfile::TempDir;

use super::support::batch::Batch;
use super::support::broker::Broker;
use super::support::random::Random;
use super::support::raw::Client;
use super::support::requests::{self, Topic, batches, fetch};
use super::{entries_of, files_in, logical_bytes, lose_machine, refusal, wait_until};

const SETTINGS: [&str; 1] = ["log.segment.bytes=1048576"];
const BATCHES: usize = 40;
const RECORDS: usize = 2;
const PRODUCER: i64 = 77;

/// A data directory with one partition of several segments.
struct Filled {
    directory: TempDir,
    topic: Topic,
}

/// How the broker that filled it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Killed,
    Stopped,
}

fn batch(number: usize) -> Batch {
    let values = [0, 1].map(|i| format!("{number}.{i}.{}", "y".repeat(40_000)));
    Batch::of(&values.each_ref().map(String::as_str)).by(PRODUCER, 0, (number * RECORDS) as i32)
}

impl Filled {
    fn by_a_broker_that_was(end: End) -> Filled {
        let mut broker = Broker::start_with(&SETTINGS);
        let mut client = Client::connect(broker.address());
        let topic = Topic::create(&mut client, 1, &[]);
        for number in 0..BATCHES {
            requests::produce_at(&mut client, &topic, 0, batch(number).build(), (number * RECORDS) as i64);
        }
        match end {
            End::Killed => broker.kill(),
            End::Stopped => assert!(broker.stop().0.success()),
        }
        let directory = copy_of(&broker.data());
        assert!(files_in(&directory.path().join("data"), ".log").len() >= 3, "there are several segments");
        Filled { directory, topic }
    }

    fn copy(&self) -> TempDir {
        copy_of(&self.directory.path().join("data"))
    }

    /// Starts a broker on a damaged copy and expects that it serves `expected` batches or more, as they were produced;
    /// then it takes records, and knows the last batch as a duplicate. Returns how many there were and the log.
    fn expect_served(&self, case: &str, directory: TempDir, expected: usize) -> (usize, String) {
        let broker = Broker::start_in(directory, &SETTINGS);
        let mut client = Client::connect(broker.address());
        let (mut next, mut found) = (0, 0);
        loop {
            let part = fetch(&mut client, 12, &self.topic, 0, next);
            assert_eq!(part.error_code, 0, "{case}: at {next}");
            let stored = batches(&part);
            if stored.is_empty() {
                break;
            }
            for stored in stored {
                assert_eq!(stored.base_offset, (found * RECORDS) as i64, "{case}");
                assert!(stored.values[0].1.starts_with(&format!("{found}.0.")), "{case}: batch {found}");
                (found, next) = (found + 1, next + RECORDS as i64);
            }
        }
        assert!(found >= expected, "{case}: {found} of {expected} batches are there");
        let send = |client: &mut Client, number: usize| {
            let answer = requests::produce(client, 9, &self.topic, 0, batch(number).build());
            assert_eq!(answer.error_code, 0, "{case}: {answer:?}");
            answer.base_offset
        };
        assert_eq!(send(&mut client, found - 1), ((found - 1) * RECORDS) as i64, "{case}: a duplicate is known");
        assert_eq!(send(&mut client, found), next, "{case}: it goes on where it ended");
        (found, broker.log())
    }

    /// Starts a broker on a damaged copy and expects that it keeps the partition offline, says why, and changes nothing of it.
    fn expect_offline(&self, case: &str, directory: TempDir) -> TempDir {
        let logs = |directory: &TempDir| -> Vec<(PathBuf, Vec<u8>)> {
            let files = files_in(&data_in(directory), ".log").into_iter();
            files
                .map(|path| {
                    (
                        path.strip_prefix(directory.path()).expect("it is in there").to_owned(),
                        fs::read(path).expect("it can be read"),
                    )
                })
                .collect()
        };
        let before = logs(&directory);
        let mut broker = Broker::start_in(directory, &SETTINGS);
        let mut client = Client::connect(broker.address());
        let answer = requests::produce(&mut client, 9, &self.topic, 0, batch(BATCHES).build());
        assert_eq!(answer.error_code, ResponseError::KafkaStorageError.code(), "{case}: {answer:?}");
        let said = broker.log();
        assert_eq!(said.matches("is damaged at byte").count(), 1, "{case}:\n{said}");
        assert!(said.contains("docs/operations.md"), "{case}:\n{said}");
        assert!(broker.stop().0.success(), "{case}");
        let left = copy_of(&broker.data());
        assert!(logs(&left) == before, "{case}: the files were changed");
        assert!(!data_in(&left).join(".kafka_cleanshutdown").exists(), "{case}: the next start must look again");
        left
    }
}

fn copy_of(data: &Path) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    copy(data, &directory.path().join("data"));
    directory
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder can be made");
    for entry in entries_of(from) {
        let target = to.join(entry.file_name().expect("an entry has a name"));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).expect("a file can be copied");
        }
    }
}

fn data_in(directory: &TempDir) -> PathBuf {
    directory.path().join("data")
}

/// The active segment, where its last batch begins, and where that ends.
fn last_batch(directory: &TempDir) -> (PathBuf, u64, u64) {
    let log = files_in(&data_in(directory), ".log").pop().expect("there is a segment");
    let end = logical_bytes(&log);
    let size = batch(BATCHES - 1).build().len() as u64;
    (log, end - size, end)
}

fn open(path: &Path) -> File {
    File::options().read(true).write(true).open(path).expect("the file can be opened")
}

#[test]
fn a_torn_end_costs_only_the_batch_that_it_tore() {
    let mut random = Random::seeded();
    let filled = Filled::by_a_broker_that_was(End::Killed);
    for _ in 0..3 {
        let directory = filled.copy();
        let (log, start, whole) = last_batch(&directory);
        let cut = start + 1 + random.below(whole - start - 1);
        open(&log).set_len(cut).expect("the segment can be cut");
        let case = format!("cut {} bytes into the last batch", cut - start);
        let (found, said) = filled.expect_served(&case, directory, BATCHES - 1);
        assert_eq!(found, BATCHES - 1, "{case}");
        assert_eq!(said.matches("cut an incomplete batch off the log").count(), 1, "{case}:\n{said}");

        let directory = filled.copy();
        let (log, start, whole) = last_batch(&directory);
        let cut = start + 1 + random.below(whole - start - 1);
        open(&log).set_len(cut).expect("the segment can be cut");
        open(&log).set_len(whole + 50_000).expect("the segment can be extended");
        let case = format!("zeros {} bytes into the last batch", cut - start);
        let (found, _) = filled.expect_served(&case, directory, BATCHES - 1);
        assert_eq!(found, BATCHES - 1, "{case}");

        let directory = filled.copy();
        let (log, _, whole) = last_batch(&directory);
        let garbage: Vec<u8> = (0..100 + random.below(5000)).map(|_| 1 + random.below(255) as u8).collect();
        open(&log).write_all_at(&garbage, whole).expect("the segment can be written");
        lose_machine(&data_in(&directory));
        let case = format!("{} bytes of garbage at the end", garbage.len());
        let (found, _) = filled.expect_served(&case, directory, BATCHES);
        assert_eq!(found, BATCHES, "{case}");
    }
}

#[test]
fn what_was_stopped_in_order_and_is_shorter_is_not_served() {
    let mut random = Random::seeded();
    let filled = Filled::by_a_broker_that_was(End::Stopped);
    let directory = filled.copy();
    let (log, start, whole) = last_batch(&directory);
    let cut = start + random.below(whole - start);
    open(&log).set_len(cut).expect("the segment can be cut");
    let left = filled.expect_offline("cut after a stop", directory);
    // Put back as it was, it is served.
    let intact = filled.copy();
    let last = |directory: &TempDir| files_in(&data_in(directory), ".log").pop().expect("there is a segment");
    fs::copy(last(&intact), last(&left)).expect("a file can be copied");
    let (found, _) = filled.expect_served("put back", left, BATCHES);
    assert_eq!(found, BATCHES);
}

#[test]
fn a_topic_whose_log_is_damaged_can_be_deleted_and_leaves_nothing_to_look_at_again() {
    let filled = Filled::by_a_broker_that_was(End::Stopped);
    let directory = filled.copy();
    let (log, start, _) = last_batch(&directory);
    open(&log).set_len(start).expect("the segment can be cut");
    let mut broker = Broker::start_in(directory, &SETTINGS);
    let mut client = Client::connect(broker.address());
    let named = DeleteTopicState::default().with_name(Some(filled.topic.name.clone()));
    let request = DeleteTopicsRequest::default().with_timeout_ms(15_000).with_topics(vec![named]);
    assert_eq!(client.call(&request, 6).responses[0].error_code, 0);
    wait_until("the folder goes", || files_in(&broker.data(), ".log").iter().all(|log| is_deleted(log)));
    assert!(broker.stop().0.success());
    assert!(broker.data().join(".kafka_cleanshutdown").exists(), "{}", broker.log());
}

fn is_deleted(file: &Path) -> bool {
    file.parent().is_some_and(|folder| folder.to_string_lossy().ends_with("-delete"))
}

#[test]
fn a_flipped_bit_is_refused_after_a_kill_and_costs_nothing_below_it_where_the_machine_was_lost() {
    let mut random = Random::seeded();
    let filled = Filled::by_a_broker_that_was(End::Killed);
    for _ in 0..3 {
        let directory = filled.copy();
        let logs = files_in(&data_in(&directory), ".log");
        // Not in the last segment: something follows.
        let place = random.below(logs.len() as u64 - 1) as usize;
        let size = batch(BATCHES - 1).build().len() as u64;
        // Behind the first batch, so that something is left, and in the records.
        let number = random.below(logical_bytes(&logs[place]) / size - 1) + u64::from(place == 0);
        let position = number * batch(1).build().len() as u64 + 100 + random.below(1000);
        let mut byte = [0];
        let file = open(&logs[place]);
        file.read_exact_at(&mut byte, position).expect("the segment can be read");
        byte[0] ^= 1 << random.below(8);
        file.write_all_at(&byte, position).expect("the segment can be written");
        let per_segment = (1 << 20) / size;
        let below = place as u64 * per_segment + position / (size + 64);
        let case = format!("a bit at {position} of segment {place}");
        let directory = filled.expect_offline(&case, directory);
        // A new boot explains nothing of what was known before; the remedy does what docs/operations.md says.
        lose_machine(&data_in(&directory));
        let directory = filled.expect_offline(&case, directory);
        fs::remove_file(data_in(&directory).join("klamm.boot")).expect("it can be removed");
        let expected = (below.saturating_sub(1) as usize).max(1);
        let (found, said) = filled.expect_served(&case, directory, expected);
        assert!(found < BATCHES, "{case}");
        assert_eq!(said.matches("the log was cut").count(), 1, "{case}:\n{said}");
    }
}

#[test]
fn whatever_is_not_a_log_can_be_missing_or_garbage() {
    let checkpoints = [
        "klamm.boot",
        "recovery-point-offset-checkpoint",
        "replication-offset-checkpoint",
        "log-start-offset-checkpoint",
    ];
    let endings = [".index", ".timeindex", ".snapshot", "leader-epoch-checkpoint", "partition.metadata"];
    let remove: fn(&Path) = |path| fs::remove_file(path).expect("it can be removed");
    let scribble: fn(&Path) = |path| fs::write(path, b"\xff\xfegarbage\n\n7").expect("it can be written");
    let empty: fn(&Path) = |path| fs::write(path, b"").expect("it can be written");
    for end in [End::Killed, End::Stopped] {
        let filled = Filled::by_a_broker_that_was(end);
        for (how, damage) in [("missing", remove), ("garbage", scribble), ("empty", empty)] {
            for name in endings {
                // A partition whose name tag says nonsense is refused: see below.
                if (name, how) == ("partition.metadata", "garbage") {
                    continue;
                }
                let directory = filled.copy();
                files_in(&data_in(&directory), name).iter().for_each(|path| damage(path));
                filled.expect_served(&format!("{end:?}, {name} {how}"), directory, BATCHES);
            }
            let directory = filled.copy();
            for name in checkpoints {
                let path = data_in(&directory).join(name);
                if how != "missing" || path.exists() {
                    damage(&path);
                }
            }
            filled.expect_served(&format!("{end:?}, checkpoints {how}"), directory, BATCHES);
            let directory = filled.copy();
            for name in endings.iter().filter(|name| **name != "partition.metadata") {
                files_in(&data_in(&directory), name).iter().for_each(|path| damage(path));
            }
            filled.expect_served(&format!("{end:?}, all {how}"), directory, BATCHES);
        }
    }
}

#[test]
fn leftovers_of_a_crash_are_no_hindrance() {
    let filled = Filled::by_a_broker_that_was(End::Killed);
    let directory = filled.copy();
    let data = data_in(&directory);
    fs::write(data.join(".lock"), b"4711").expect("a stale lock file can be written");
    fs::write(data.join("recovery-point-offset-checkpoint.tmp"), b"0\n9").expect("a leftover can be written");
    let folder = files_in(&data, ".log")[0].parent().expect("a segment lies in a folder").to_owned();
    fs::write(folder.join("00000000000000000000.log.deleted"), b"x").expect("a leftover can be written");
    fs::write(folder.join("00000000000000000007.index"), b"x").expect("a leftover can be written");
    let deleted = data.join("gone-0.0123456789abcdef0123456789abcdef-delete");
    fs::create_dir(&deleted).expect("a leftover can be made");
    fs::write(deleted.join("00000000000000000000.log"), b"x").expect("a leftover can be written");
    let stray = data.join("never-heard-of-3");
    fs::create_dir(&stray).expect("a leftover can be made");
    filled.expect_served("leftovers", directory, BATCHES);
}

#[test]
fn a_directory_in_use_is_refused_and_its_user_goes_on() {
    let broker = Broker::start();
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[]);
    let said = refusal(&broker.data(), &[]);
    assert!(said.contains("is in use by another process"), "{said}");
    requests::produce_at(&mut client, &topic, 0, Batch::of(&["still here"]).build(), 0);
}

#[test]
fn a_directory_of_another_node_or_a_newer_format_is_refused_and_left_as_it_was() {
    let filled = Filled::by_a_broker_that_was(End::Stopped);
    let directory = filled.copy();
    let data = data_in(&directory);
    let said = refusal(&data, &["node.id=7"]);
    assert!(said.contains("belongs to node 1, and this is node 7"), "{said}");

    let meta = data.join("meta.properties");
    let text = fs::read_to_string(&meta).expect("it can be read");
    for (from, to) in [("klamm.format.version=1", "klamm.format.version=2"), ("\nversion=1", "\nversion=2")] {
        fs::write(&meta, text.replace(from, to)).expect("it can be written");
        let said = refusal(&data, &[]);
        assert!(said.contains("has format version 2, and this version knows formats up to 1"), "{said}");
    }
    fs::write(&meta, "").expect("it can be written");
    let said = refusal(&data, &[]);
    assert!(said.contains("meta.properties is corrupt"), "{said}");
    fs::write(&meta, &text).expect("it can be written");
    assert!(data.join(".kafka_cleanshutdown").exists(), "a refused start leaves the marker of the last stop");

    let tag = files_in(&data, "partition.metadata").remove(0);
    let tag_text = fs::read_to_string(&tag).expect("it can be read");
    fs::write(&tag, tag_text.replace("version: 0", "version: 1")).expect("it can be written");
    let said = refusal(&data, &[]);
    assert!(said.contains("partition.metadata has format version 1"), "{said}");
    fs::write(&tag, "garbage").expect("it can be written");
    let said = refusal(&data, &[]);
    assert!(said.contains("partition.metadata is corrupt"), "{said}");
    fs::write(&tag, &tag_text).expect("it can be written");

    let metadata = data.join("__cluster_metadata-0");
    fs::rename(&metadata, directory.path().join("aside")).expect("it can be moved");
    let said = refusal(&data, &[]);
    assert!(said.contains("holds partitions but not this broker's metadata log"), "{said}");
    fs::rename(directory.path().join("aside"), &metadata).expect("it can be moved");
    filled.expect_served("after all refusals", directory, BATCHES);
}
