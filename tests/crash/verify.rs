//! `klamm log verify` on what a broker left: a clean stop, a kill, damage; and that it changes nothing.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::support::batch::{Batch, GZIP};
use super::support::broker::Broker;
use super::support::raw::Client;
use super::support::requests::{self, Topic};
use super::{entries_of, files_in, logical_bytes};

const SETTINGS: [&str; 1] = ["log.segment.bytes=1048576"];
const BATCHES: usize = 30;

fn verify(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_klamm")).args(["log", "verify"]).args(arguments).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    (status.code().expect("it exits"), text(stdout), text(stderr))
}

/// What a broker left, however it ended, has no problem.
pub fn expect_no_problem(data: &Path) {
    let (code, output, errors) = verify(&[data.to_str().expect("a path is text")]);
    // Of a large directory it says how far it is.
    let complaints: Vec<&str> = errors.lines().filter(|line| !line.ends_with(" MiB")).collect();
    assert_eq!((code, complaints), (0, vec![]), "{output}");
}

/// A partition of several segments, written by an idempotent producer and by one that compresses; its topic's name.
fn filled() -> (Broker, String) {
    let broker = Broker::start_ours(&SETTINGS);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[]);
    for number in 0..BATCHES {
        let values = [0, 1].map(|i| format!("{number}.{i}.{}", "y".repeat(40_000)));
        let plain = Batch::of(&values.each_ref().map(String::as_str)).by(77, 0, (number * 2) as i32);
        requests::produce_at(&mut client, &topic, 0, plain.build(), (number * 3) as i64);
        let packed = Batch::of(&["z"]).with_attributes(GZIP).build();
        requests::produce_at(&mut client, &topic, 0, packed, (number * 3 + 2) as i64);
    }
    (broker, topic.name.to_string())
}

/// Every file below a folder: its bytes, and when it was changed last.
fn picture(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut all = BTreeMap::new();
    for path in entries_of(folder) {
        if path.is_dir() {
            all.extend(picture(&path));
        } else {
            let changed = path.metadata().and_then(|m| m.modified()).expect("a file has a time");
            all.insert(path.clone(), (fs::read(&path).expect("a file can be read"), changed));
        }
    }
    all
}

/// The row of all topics: partitions, segments, batches, records, bytes, problems.
fn totals(output: &str) -> Vec<u64> {
    let row = output.lines().last().expect("there is a table");
    let mut words = row.split_whitespace();
    assert_eq!(words.next(), Some("all"), "{output}");
    words.map(|word| word.parse().expect("a number")).collect()
}

#[test]
fn verify_finds_nothing_after_a_clean_stop_nor_after_a_kill_and_changes_nothing() {
    let (mut broker, topic) = filled();
    let data = broker.data();
    let directory = data.to_str().expect("a path is text").to_owned();
    let (code, output, errors) = verify(&[&directory]);
    assert_eq!((code, output.as_str()), (2, ""), "a broker uses it");
    assert_eq!(errors, format!("klamm: the data directory {directory} is in use by another process\n"));
    for way in ["killed", "stopped"] {
        if way == "killed" {
            broker.kill();
        } else {
            broker.start_again(&SETTINGS);
            assert!(broker.stop().0.success());
        }
        let before = picture(&data);
        assert_eq!(before.contains_key(&data.join(".kafka_cleanshutdown")), way == "stopped");
        let (code, output, errors) = verify(&["--data-dir", &directory]);
        assert_eq!((code, errors.as_str()), (0, ""), "{way}: {output}");
        assert_eq!(output.lines().count(), 3, "{output}");
        let bytes: u64 = files_in(&data, ".log").iter().map(|path| logical_bytes(path)).sum();
        let segments = files_in(&data, ".log").len() as u64;
        assert!(segments >= 3);
        assert_eq!(totals(&output), [1, segments, 2 * BATCHES as u64, 3 * BATCHES as u64, bytes, 0]);
        for name in [topic.clone(), format!("{topic}-0")] {
            assert_eq!(verify(&[&directory, &name]).1, output, "one topic is all of it");
        }
        assert!(before == picture(&data), "{way}: a file was changed");
    }
    let told = broker.log().len();
    broker.start_again(&SETTINGS);
    assert!(!broker.log()[told..].contains("unclean"), "the marker was left where it was");
}

#[test]
fn verify_tells_file_position_and_offset_of_damage_and_exits_with_1() {
    let (mut broker, topic) = filled();
    let data = broker.data();
    let directory = data.to_str().expect("a path is text").to_owned();
    assert!(broker.stop().0.success());
    let logs = files_in(&data, ".log");
    let whole = fs::read(&logs[0]).expect("a segment can be read");
    let second = 12 + u32::from_be_bytes(whole[8..12].try_into().expect("four bytes")) as u64;
    let file = File::options().write(true).open(&logs[0]).expect("a segment can be opened");
    file.write_all_at(&[whole[second as usize + 30] ^ 4], second + 30).expect("a segment can be written");
    let (code, output, errors) = verify(&[&directory]);
    assert_eq!((code, errors.as_str()), (1, ""), "{output}");
    let said =
        format!("{topic}-0/00000000000000000000.log: position {second}, offset 2: the checksum of the batch is wrong");
    assert!(output.starts_with(&said), "{output}");
    assert_eq!(totals(&output)[5], 1);
    assert_eq!(verify(&[&directory]).0, 1, "it is still there");
}

#[test]
fn a_fetch_of_a_broken_structure_gets_corrupt_message_and_a_flipped_payload_is_handed_out() {
    const CORRUPT_MESSAGE: i16 = 2;
    let (mut broker, name) = filled();
    assert!(broker.stop().0.success());
    let log = files_in(&broker.data(), ".log").remove(0);
    let whole = fs::read(&log).expect("a segment can be read");
    let size =
        |at: u64| 12 + u64::from(u32::from_be_bytes(whole[at as usize + 8..][..4].try_into().expect("four bytes")));
    let second = size(0);
    let third = second + size(second);
    let file = File::options().write(true).open(&log).expect("a segment can be opened");
    file.write_all_at(&[whole[80] ^ 1], 80).expect("a segment can be written");
    file.write_all_at(&[0; 4], third + 8).expect("a segment can be written");
    broker.start_again(&SETTINGS);
    let mut client = Client::connect(broker.address());
    let name = requests::topic_name(&name);
    let id = requests::wait_until_led(&mut client, &name).topic_id;
    let topic = Topic { name, id };
    let mut fetch = |offset: i64, bytes: i32| {
        let mut request = requests::fetch_request(12, &topic, &[(0, offset)]);
        request.topics[0].partitions[0].partition_max_bytes = bytes;
        client.call(&request, 12).responses.remove(0).partitions.remove(0)
    };
    let first = fetch(0, 1);
    assert_eq!(first.error_code, 0);
    assert_eq!(first.records.expect("a batch is handed out")[80], whole[80] ^ 1, "as it lies there");
    assert_eq!(fetch(2, 1).error_code, 0);
    let broken = fetch(3, 1);
    assert_eq!((broken.error_code, broken.high_watermark), (CORRUPT_MESSAGE, -1));
    let last = fetch(3 * BATCHES as i64 - 1, 1);
    assert_eq!(last.error_code, 0, "another segment is as it was");
    assert!(broker.log().contains("a read failed"), "somebody is told");
}

#[test]
fn verify_says_what_the_next_start_will_cut() {
    let (mut broker, topic) = filled();
    let data = broker.data();
    broker.kill();
    let log = files_in(&data, ".log").pop().expect("there is a segment");
    let end = logical_bytes(&log);
    // The beginning of a batch, as a process leaves it that is killed while it writes.
    let begun = fs::read(&log).expect("a segment can be read")[..100].to_vec();
    let file = File::options().write(true).open(&log).expect("a segment can be opened");
    file.write_all_at(&begun, end).expect("a segment can be written");
    let (code, output, _) = verify(&[data.to_str().expect("a path is text")]);
    assert_eq!(code, 0, "{output}");
    let name = log.file_name().expect("a file has a name").to_str().expect("it is text");
    let said = format!("note: {topic}-0/{name}: position {end}, offset {}: ", 3 * BATCHES);
    assert!(
        output.starts_with(&said) && output.contains("an incomplete batch will be cut at the next start"),
        "{output}"
    );
}

#[test]
fn verify_refuses_what_it_cannot_look_at_with_a_sentence() {
    let (mut broker, _) = filled();
    broker.kill();
    let data = broker.data();
    let directory = data.to_str().expect("a path is text").to_owned();
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let empty = folder.path().to_str().expect("a path is text").to_owned();
    for (arguments, sentence) in [
        (
            vec![directory.as_str(), "none"],
            "klamm: the data directory has no topic and no partition 'none'\n".to_owned(),
        ),
        (
            vec![&empty],
            format!("klamm: {empty}/meta.properties is corrupt: there is no such file: this is no data directory\n"),
        ),
    ] {
        let (code, output, errors) = verify(&arguments);
        assert_eq!((code, output, errors), (2, String::new(), sentence));
    }
    assert_eq!(verify(&["--nonsense"]).0, 2);
    assert_eq!(fs::read_dir(folder.path()).expect("it can be listed").count(), 0);
}
