//! A whole broker struck by power cuts and kills: what it acknowledged with `flush.messages=1`, and what it let a consumer
//! read, is there afterwards; so are its topics, and what was deleted stays deleted.
//!
//! The broker lives once, with its metadata log, on a recorded disk; others start on what was left of it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use kafka_protocol::messages::DeleteTopicsRequest;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;

use super::broker::{InProcess, config};
use super::image::{self, Crash};
use super::recorder::{Event, Recorder};
use super::support::batch::Batch;
use super::support::random::{Random, seed};
use super::support::raw::Client;
use super::support::requests::{Topic, batches, fetch, metadata_request, new_producer, produce, wait_until_led};
use super::{fast_room, rounds};

/// How many of the points are struck in each round.
const POINTS: usize = 200;
const STEPS: usize = 120;
/// Checkpoints are written often, and one partition is small.
const SETTINGS: [&str; 1] = ["log.flush.offset.checkpoint.interval.ms=100"];
const UNKNOWN_TOPIC: i16 = 3;

/// A topic of one partition, and what clients were told of it.
struct Told {
    topic: Topic,
    /// The event behind which its creation was answered.
    created: usize,
    /// The events at which its deletion was asked for, and behind which it was answered.
    deletion: Option<(usize, usize)>,
    /// The value of each record, one to a batch, and the event behind which it was acknowledged.
    acknowledged: Vec<(String, usize)>,
    /// Up to where somebody could read, behind an event.
    readable: Vec<(usize, i64)>,
}

impl Told {
    fn promised_at(&self, at: usize) -> i64 {
        let acknowledged = self.acknowledged.iter().take_while(|(_, since)| *since <= at).count() as i64;
        let read = self.readable.iter().filter(|(since, _)| *since <= at).map(|(_, end)| *end).max();
        acknowledged.max(read.unwrap_or(0))
    }
}

fn batch(value: &str, producer: i64, sequence: usize) -> bytes::Bytes {
    Batch::of(&[value]).by(producer, 0, sequence as i32).build()
}

/// A broker's life: topics come and go, records are produced and read, once it is stopped and started again.
fn live(recorder: &std::sync::Arc<Recorder>, root: &std::path::Path, random: &mut Random) -> (Vec<Told>, i64) {
    let mut all: Vec<Told> = Vec::new();
    let mut broker = InProcess::start(config(root, &SETTINGS), recorder.disk());
    let mut client = Client::connect(broker.address());
    let producer = new_producer(&mut client);
    for step in 0..STEPS {
        let living: Vec<usize> = (0..all.len()).filter(|i| all[*i].deletion.is_none()).collect();
        if step == STEPS / 2 {
            broker.stop();
            broker = InProcess::start(config(root, &SETTINGS), recorder.disk());
            client = Client::connect(broker.address());
        }
        if living.is_empty() || (living.len() < 4 && random.one_in(15)) {
            let topic = Topic::create(&mut client, 1, &[("flush.messages", "1")]);
            let (acknowledged, readable) = (Vec::new(), Vec::new());
            all.push(Told { topic, created: recorder.count(), deletion: None, acknowledged, readable });
            continue;
        }
        let told = &mut all[*random.pick(&living)];
        if living.len() > 2 && random.one_in(20) {
            let began = recorder.count();
            let state = DeleteTopicState::default().with_name(Some(told.topic.name.clone()));
            let request = DeleteTopicsRequest::default().with_topics(vec![state]).with_timeout_ms(10_000);
            assert_eq!(client.call(&request, 6).responses[0].error_code, 0);
            told.deletion = Some((began, recorder.count()));
            continue;
        }
        // A consumer beside it: what it was given must stay.
        let (is_over, seen) = (AtomicBool::new(false), AtomicI64::new(0));
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut reader = Client::connect(broker.address());
                let mut readable = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let end = fetch(&mut reader, 12, &told.topic, 0, 0).high_watermark;
                    if seen.swap(end, Ordering::Relaxed) != end {
                        readable.push((recorder.count(), end));
                    }
                }
                readable
            });
            for _ in 0..3 {
                let offset = told.acknowledged.len();
                let value = format!("{}/{offset}/{}", told.topic.id, "x".repeat(random.below(3000)));
                let answer = produce(&mut client, 9, &told.topic, 0, batch(&value, producer, offset));
                assert_eq!((answer.error_code, answer.base_offset), (0, offset as i64));
                told.acknowledged.push((value, recorder.count()));
            }
            is_over.store(true, Ordering::Relaxed);
            told.readable.extend(reader.join().expect("it can read"));
        });
    }
    broker.stop();
    (all, producer)
}

/// A broker that starts on what was left, and what it answers.
fn check(all: &[Told], producer: i64, at: usize, image: &std::path::Path) {
    let broker = InProcess::start(config(image, &SETTINGS), klamm::runtime::Disk::system());
    let mut client = Client::connect(broker.address());
    for told in all {
        let (is_created, name) = (told.created <= at, &told.topic.name);
        let found = client.call(&metadata_request(&[name]), 12).topics.remove(0);
        match told.deletion {
            Some((_, answered)) if answered <= at => assert_eq!(found.error_code, UNKNOWN_TOPIC, "it was deleted"),
            Some((began, _)) if began <= at => {}
            _ if is_created => assert_eq!(found.error_code, 0, "{} was created", name.as_str()),
            _ => {}
        }
        if found.error_code != 0 {
            continue;
        }
        assert!(!is_created || found.topic_id == told.topic.id, "another topic");
        let found = wait_until_led(&mut client, name);
        let topic = Topic { name: name.clone(), id: found.topic_id };
        let mut values = Vec::new();
        loop {
            let read = batches(&fetch(&mut client, 12, &topic, 0, values.len() as i64));
            if read.is_empty() {
                break;
            }
            values.extend(read.into_iter().flat_map(|batch| batch.values).map(|(_, value)| value));
        }
        assert!(values.len() as i64 >= told.promised_at(at), "{} of {}", values.len(), told.promised_at(at));
        let known: Vec<&String> = told.acknowledged.iter().map(|(value, _)| value).collect();
        assert!(values.len() <= known.len() && values.iter().zip(&known).all(|(a, b)| a == *b), "what was produced");
        // The producer sends its last batch again, as one does whose answer was lost, and goes on.
        for (again, value) in known.iter().enumerate().skip(values.len().saturating_sub(1)).take(2) {
            let answer = produce(&mut client, 9, &topic, 0, batch(value, producer, again));
            assert_eq!((answer.error_code, answer.base_offset), (0, again as i64), "{:?}", answer.error_message);
        }
    }
    broker.stop();
}

#[test]
fn a_broker_keeps_what_it_acknowledged_through_power_cuts() {
    let seed = seed();
    let root = tempfile::tempdir_in(fast_room()).expect("there is room");
    let recorder = Recorder::new(root.path());
    let (all, producer) = live(&recorder, root.path(), &mut Random::new(seed, 0));
    let events = recorder.take();
    let count = rounds(1) * POINTS;
    for strike in 0..count {
        let random = &mut Random::new(seed, 1 + strike as u64);
        let at = random.below(events.len() + 1);
        let crash = if random.one_in(4) { Crash::Kill } else { Crash::PowerCut };
        let image = tempfile::tempdir_in(fast_room()).expect("there is room");
        image::make(&events[..at], events.get(at), crash, random, image.path());
        let checked = std::panic::catch_unwind(|| check(&all, producer, at, image.path()));
        if let Err(panic) = checked {
            println!("strike {strike}, {crash:?} behind event {at}; left in {}", image.keep().display());
            std::panic::resume_unwind(panic);
        }
    }
    let records: usize = all.iter().map(|told| told.acknowledged.len()).sum();
    let syncs = events.iter().filter(|event| matches!(event, Event::Sync { .. })).count();
    println!(
        "{} events, {syncs} of them syncs; {} topics, {records} records; {count} crashes",
        events.len(),
        all.len()
    );
}
