//! `kill -9` in the midst of a roll, of retention, of a deletion, of a creation, of a checkpoint: a real process ends itself
//! before or behind the very change, and a broker that starts on its data has what was acknowledged.
//!
//! The test runs its own executable again as the process to be killed.

use std::env;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest};
use klamm::runtime::{Change, Disk, DiskWatcher};
use rustix::process::{Signal, getpid, kill_process};

use super::broker::{InProcess, config};
use super::path_of;
use super::support::batch::Batch;
use super::support::broker::Broker;
use super::support::raw::Client;
use super::support::requests::{
    Topic, batches, create_request, fetch, metadata_request, new_name, new_producer, produce, produce_request,
};

const DATA: &str = "KLAMM_TEST_FAILPOINT_DATA";
const POINT: &str = "KLAMM_TEST_FAILPOINT";
const SETTINGS: [&str; 4] = [
    "log.flush.offset.checkpoint.interval.ms=100",
    "log.retention.check.interval.ms=100",
    "log.segment.delete.delay.ms=0",
    "log.retention.bytes=2000000",
];
const SEGMENT: (&str, &str) = ("segment.bytes", "1048576");
const UNKNOWN_TOPIC: i16 = 3;
/// After so many batches it must have happened.
const BATCHES_MAX: usize = 3_000;

/// The changes at which the process ends: in which work, what in a description of the change tells it, and how many such
/// changes belong to the start.
const POINTS: [(&str, &str, usize); 12] = [
    ("roll: the producers' snapshot", "create .snapshot", 0),
    ("roll: the index", "create .index", 0),
    ("roll: the new segment", "roll .log", 0),
    ("roll: the trim", "length .log", 0),
    ("retention: a file's new name", "rename .log.deleted", 0),
    ("retention: its end", "remove .index.deleted", 0),
    ("deletion: the folder's new name", "rename -delete", 0),
    ("deletion: a file in it", "remove 00000000000000000000.log", 0),
    ("creation: the folder", "folder t-", 3),
    ("creation: the topic's id", "rename partition.metadata", 3),
    ("checkpoint: the file beside", "write recovery-point-offset-checkpoint.tmp", 1),
    ("checkpoint: its name", "rename recovery-point-offset-checkpoint", 1),
];

/// Ends this process at a change.
#[derive(Debug)]
struct Ending {
    point: String,
    /// Before it, or behind it.
    before: bool,
    /// How many such changes go by first.
    skipped: AtomicUsize,
}

impl Ending {
    fn look(&self, change: &Change<'_>) {
        let described = describe(change);
        let (kind, name) = self.point.split_once(' ').expect("a kind and a name");
        if described.as_ref().is_some_and(|(of_kind, path)| *of_kind == kind && path.to_string_lossy().contains(name))
            && self.skipped.fetch_sub(1, Ordering::Relaxed) == 0
        {
            kill_process(getpid(), Signal::KILL).expect("a process may end itself");
        }
    }
}

fn describe(change: &Change<'_>) -> Option<(&'static str, PathBuf)> {
    match change {
        Change::CreateFile(path) if path.extension().is_some_and(|ending| ending == "log") => {
            Some((if path.ends_with("00000000000000000000.log") { "first" } else { "roll" }, path.to_path_buf()))
        }
        Change::CreateFile(path) => Some(("create", path.to_path_buf())),
        Change::CreateFolder(path) => Some(("folder", path.to_path_buf())),
        Change::Write { file, .. } => path_of(file).ok().map(|path| ("write", path)),
        Change::SetLength { file, .. } => path_of(file).ok().map(|path| ("length", path)),
        Change::Rename { to, .. } => Some(("rename", to.to_path_buf())),
        Change::RemoveFile(path) => Some(("remove", path.to_path_buf())),
        Change::Allocate { .. } | Change::Reserve { .. } | Change::SyncFile(_) | Change::SyncFolder(_) => None,
        Change::RemoveFolder(_) => None,
    }
}

impl DiskWatcher for Ending {
    fn before(&self, change: &Change<'_>) -> io::Result<()> {
        if self.before {
            self.look(change);
        }
        Ok(())
    }

    fn after(&self, change: &Change<'_>) {
        if !self.before {
            self.look(change);
        }
    }
}

#[test]
fn serves_until_it_ends_itself() {
    let (Ok(data), Ok(point)) = (env::var(DATA), env::var(POINT)) else { return };
    let mut words = point.splitn(3, '|');
    let mut word = || words.next().expect("three words").to_owned();
    let (before, skipped, point) = (word() == "before", word().parse().expect("a number"), word());
    let ending = Ending { point, before, skipped: AtomicUsize::new(skipped) };
    let broker = InProcess::start(config(Path::new(&data), &SETTINGS), Disk::watched(Arc::new(ending)));
    println!("listening on {}", broker.address());
    std::thread::sleep(std::time::Duration::from_secs(60));
}

/// What the killed process had acknowledged.
struct Acknowledged {
    topic: Topic,
    producer: i64,
    batches: usize,
    /// Created besides, and not deleted.
    kept: Vec<Topic>,
    deleted: Vec<Topic>,
}

fn value(number: usize) -> String {
    format!("{number}/{}", "x".repeat(90_000))
}

fn batch(producer: i64, number: usize) -> bytes::Bytes {
    Batch::of(&[&value(number)]).by(producer, 0, number as i32).build()
}

/// Produces, creates and deletes until the process is gone.
fn use_until_it_ends(address: &str) -> Acknowledged {
    let mut client = Client::connect(address);
    let producer = new_producer(&mut client);
    let topic = Topic::create(&mut client, 1, &[SEGMENT]);
    let mut told = Acknowledged { topic, producer, batches: 0, kept: Vec::new(), deleted: Vec::new() };
    let mut go_on = || {
        let request = produce_request(9, &told.topic, &[(0, batch(producer, told.batches))]);
        let answer = client.call_unless_killed(&request, 9)?;
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
        told.batches += 1;
        if told.batches.is_multiple_of(5) {
            let name = new_name();
            let request: CreateTopicsRequest = create_request(&name, 1, &[]);
            let answer = client.call_unless_killed(&request, 7)?;
            told.kept.push(Topic { name, id: answer.topics[0].topic_id });
        }
        if told.batches.is_multiple_of(10) {
            let topic = told.kept.pop().expect("it was just created");
            let state = DeleteTopicState::default().with_name(Some(topic.name.clone()));
            let request = DeleteTopicsRequest::default().with_topics(vec![state]).with_timeout_ms(10_000);
            client.call_unless_killed(&request, 6)?;
            told.deleted.push(topic);
        }
        (told.batches < BATCHES_MAX).then_some(())
    };
    while go_on().is_some() {}
    assert!(told.batches < BATCHES_MAX, "the process did not end");
    told
}

fn check(told: &Acknowledged, broker: &Broker) {
    let mut client = Client::connect(broker.address());
    for (topics, code) in [(&told.kept, 0), (&told.deleted, UNKNOWN_TOPIC)] {
        for topic in topics {
            let found = client.call(&metadata_request(&[&topic.name]), 12).topics.remove(0);
            assert_eq!(found.error_code, code, "{}", topic.name.as_str());
        }
    }
    let mut next = fetch(&mut client, 12, &told.topic, 0, 0).log_start_offset;
    loop {
        let read = batches(&fetch(&mut client, 12, &told.topic, 0, next));
        let Some(last) = read.last() else { break };
        for stored in &read {
            assert_eq!((stored.base_offset, stored.base_sequence), (next, next as i32));
            assert_eq!(stored.values, [(next, value(next as usize))]);
            next += 1;
        }
        assert_eq!(next, last.base_offset + 1);
    }
    assert!(next as usize >= told.batches, "{next} of {} batches", told.batches);
    for number in [told.batches - 1, told.batches, told.batches + 1] {
        let answer = produce(&mut client, 9, &told.topic, 0, batch(told.producer, number));
        assert_eq!((answer.error_code, answer.base_offset), (0, number as i64), "{:?}", answer.error_message);
    }
}

#[test]
fn kills_in_the_midst_of_files_work_lose_nothing() {
    for (work, point, first) in POINTS {
        for (place, skipped) in [("before", first), ("behind", first + 1)] {
            let directory = tempfile::tempdir_in(super::fast_room()).expect("there is room");
            let mut child = Command::new(env::current_exe().expect("it runs"))
                .args(["--exact", "failpoints::serves_until_it_ends_itself", "--nocapture"])
                .env(DATA, directory.path().join("data"))
                .env(POINT, format!("{place}|{skipped}|{point}"))
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("it can be run again");
            let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
            let mut lines = lines.map(|line| line.expect("it is text"));
            let address = lines.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
            let told = use_until_it_ends(&address.expect("it listens"));
            let status = child.wait().expect("it can be awaited");
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{work}: {status}");
            println!("{work}: killed {place} it, {} batches acknowledged", told.batches);
            let broker = Broker::start_in(directory, &SETTINGS);
            check(&told, &broker);
        }
    }
}
