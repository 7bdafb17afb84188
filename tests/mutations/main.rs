//! Damaged requests against the real binary: it stays up, serves others, keeps its memory, loses nothing.
//!
//! * Every API in every version served, made by the `kafka-protocol` crate and then damaged by a seed that is printed and
//!   can be given (`KLAMM_TEST_SEED`); one run lasts a few seconds, or as many as `KLAMM_TEST_SECONDS` says.
//! * A panic in a connection's task is survived by the broker and fails the test.

#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod each;
mod frames;
mod healthy;
mod mutate;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use klamm::wire::api::APIS;

use support::broker::Broker;
use support::random::{Random, seed};
use support::raw::Client;
use support::requests::{Topic, metadata_request};
use support::vitals::{Memory, memory, observe};

/// How much the broker's own memory may grow while it is abused: read buffers at rest on the workers (at most 4 × 4 MiB
/// each), fetch sessions (a thousand), topics that damaged requests created, and what the allocator keeps.
const GROWTH_MAX_BYTES: i64 = 64 << 20;
/// Connections that send at the same time.
const SENDERS: u64 = 4;

fn duration() -> Duration {
    let seconds = std::env::var("KLAMM_TEST_SECONDS").map_or(4, |text| text.parse().expect("KLAMM_TEST_SECONDS"));
    Duration::from_secs(seconds)
}

/// What was sent.
#[derive(Default)]
struct Sent {
    frames: AtomicU64,
    connections: AtomicU64,
    answered_bytes: AtomicU64,
}

/// How a connection is used before it is left.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// One frame, then an orderly end.
    Single,
    /// Some frames at once, then an orderly end.
    Pipelined,
    /// Frames and answers until the broker closes it.
    Stream,
    /// Some frames and part of one more, then gone without a word.
    Vanishing,
}

#[test]
fn damaged_requests_end_nothing_but_their_connections() {
    let seed = seed();
    let mut broker = Broker::start_ours(&["auto.create.topics.enable=false"]);
    let address = broker.address().to_owned();
    let mut client = Client::connect(&address);
    let victim = Topic::create(&mut client, 3, &[]);
    let own = Topic::create(&mut client, 1, &[]);
    let (stop, sent) = (AtomicBool::new(false), Sent::default());
    let process_id = broker.process_id();

    let (acknowledged, before, after) = std::thread::scope(|scope| {
        let stops = StopsWhenDropped(&stop);
        let healthy = scope.spawn(|| healthy::produce_until(&stop, &address, &own));
        for sender in 0..SENDERS {
            let (mut random, address, victim, stop, sent) =
                (Random::new(seed, sender), &address, &victim, &stop, &sent);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    abuse(&mut random, address, victim, sent);
                }
            });
        }
        // What a broker takes once and keeps is taken in the first moments.
        std::thread::sleep(duration() / 4);
        let before = memory(process_id);
        let end = Instant::now() + duration() * 3 / 4;
        while Instant::now() < end && !healthy.is_finished() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let after = memory(process_id);
        drop(stops);
        (healthy.join().expect("a healthy client is served all the time"), before, after)
    });

    let (frames, connections) = (sent.frames.load(Ordering::Relaxed), sent.connections.load(Ordering::Relaxed));
    println!(
        "{frames} damaged frames on {connections} connections, {} bytes of answers; healthy: {} records, slowest {:?}",
        sent.answered_bytes.load(Ordering::Relaxed),
        acknowledged.values.len(),
        acknowledged.slowest,
    );
    print_growth(&before, &after);
    assert!(broker.is_running(), "the broker is up");
    assert!(frames > 1000 && acknowledged.values.len() > 50, "something was tested");
    assert!(acknowledged.slowest < Duration::from_secs(5));
    expect_no_growth(&before, &after);
    healthy::expect_all(&acknowledged, &address, &own);
    expect_no_panic(&broker);
    // What it made of the damage can be started from again, and stopped.
    broker.kill_and_restart(&[]);
    healthy::expect_all(&acknowledged, broker.address(), &own);
    assert!(broker.stop().0.success());
}

struct StopsWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopsWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn print_growth(before: &Memory, after: &Memory) {
    let kib = |bytes: i64| bytes >> 10;
    println!(
        "KiB before and after: RSS {} {}, anonymous {} {}, peak {} {}",
        kib(before.resident),
        kib(after.resident),
        kib(before.anonymous),
        kib(after.anonymous),
        kib(before.resident_peak),
        kib(after.resident_peak),
    );
}

fn expect_no_growth(before: &Memory, after: &Memory) {
    assert!(after.anonymous - before.anonymous < GROWTH_MAX_BYTES, "before {before:?}, after {after:?}");
    // Mapped segments are counted here too, those of the few records that got through.
    assert!(after.resident - before.resident < GROWTH_MAX_BYTES + (16 << 20), "before {before:?}, after {after:?}");
}

fn expect_no_panic(broker: &Broker) {
    let log = broker.log();
    let panics: Vec<&str> = log.lines().filter(|line| line.contains("panicked")).collect();
    assert!(panics.is_empty(), "{panics:#?}");
}

/// One connection, from its beginning to its end.
fn abuse(random: &mut Random, address: &str, victim: &Topic, sent: &Sent) {
    let manner = *random.pick(&[Manner::Single, Manner::Pipelined, Manner::Stream, Manner::Vanishing]);
    let mut stream = TcpStream::connect(address).expect("the broker takes connections");
    stream.set_nodelay(true).expect("a socket takes TCP_NODELAY");
    stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a socket takes a timeout");
    sent.connections.fetch_add(1, Ordering::Relaxed);
    let rounds = if matches!(manner, Manner::Stream) { 1 + random.below(100) } else { 1 };
    for _ in 0..rounds {
        let frames = if matches!(manner, Manner::Single) { 1 } else { 1 + random.below(30) };
        let mut bytes = Vec::new();
        for _ in 0..frames {
            let (good, other) = (frames::frame(random, victim), frames::frame(random, victim));
            // Good ones in between, so that the bad ones are met in the middle of work.
            bytes.extend(if random.one_in(3) { good } else { mutate::mutate(random, &good, &other) });
        }
        if matches!(manner, Manner::Vanishing) {
            bytes.truncate(bytes.len() - random.below(bytes.len()));
        }
        sent.frames.fetch_add(frames as u64, Ordering::Relaxed);
        if stream.write_all(&bytes).is_err() {
            return;
        }
        if matches!(manner, Manner::Stream) && !drain(&mut stream, Duration::from_millis(1), sent) {
            return;
        }
    }
    match manner {
        Manner::Vanishing => {}
        // A damaged fetch may wait for days, and a damaged length announce a megabyte: not longer than this.
        Manner::Single | Manner::Pipelined | Manner::Stream => {
            let _ = stream.shutdown(Shutdown::Write);
            drain(&mut stream, Duration::from_millis(100), sent);
        }
    }
}

/// Reads what comes until the broker closes the connection (`false`) or nothing comes for `patience`.
fn drain(stream: &mut TcpStream, patience: Duration, sent: &Sent) -> bool {
    stream.set_read_timeout(Some(patience)).expect("a socket takes a timeout");
    let mut buffer = [0; 16 << 10];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => drop(sent.answered_bytes.fetch_add(count as u64, Ordering::Relaxed)),
            Err(e) => return matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}

#[test]
fn a_good_frame_of_every_api_and_version_is_answered_so_that_damage_is_done_to_good_ones() {
    let mut random = Random::new(seed(), 0);
    let broker = Broker::start_ours(&[]);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 3, &[]);
    for api in APIS {
        for version in api.versions.clone() {
            // A Produce may want no answer: one that does follows.
            let frame = frames::frame_of(&mut random, &topic, api.key, version);
            let mut sender = Client::connect(broker.address());
            sender.send_bytes(&frame);
            sender.send_bytes(&sender_question());
            let answered = sender.receive_frame();
            assert!(answered.is_some() || api.key == klamm::wire::ApiKey::Produce, "{} {version}", api.key);
        }
    }
    expect_no_panic(&broker);
}

/// ApiVersions 0 without a client id.
fn sender_question() -> Vec<u8> {
    support::raw::with_length(&[0, 18, 0, 0, 0, 0, 0, 9, 0xff, 0xff])
}

#[test]
fn every_single_byte_of_every_request_may_be_wrong() {
    let mut random = Random::new(seed(), 1);
    let broker = Broker::start_ours(&["auto.create.topics.enable=false"]);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 3, &[]);
    let sent = Sent::default();
    for api in APIS {
        for version in [*api.versions.start(), *api.versions.end()] {
            let good = frames::frame_of(&mut random, &topic, api.key, version);
            // Behind the length and the header, a few of the bodies' bytes: the rest is the other test's.
            let step = 1 + good.len() / 60;
            for at in (4..good.len()).step_by(step) {
                let mut frame = good.clone();
                frame[at] = *random.pick(&[0, 0x7f, 0x80, 0xff]);
                let mut stream = TcpStream::connect(broker.address()).expect("the broker takes connections");
                stream.write_all(&frame).expect("a frame is taken");
                stream.write_all(&sender_question()).ok();
                stream.shutdown(Shutdown::Write).ok();
                drain(&mut stream, Duration::from_millis(20), &sent);
            }
        }
        assert_eq!(client.call(&metadata_request(&[&topic.name]), 12).topics[0].error_code, 0, "{}", api.key);
    }
    expect_no_panic(&broker);
}

#[test]
fn frames_that_announce_much_and_bring_little_take_no_memory() {
    let broker = Broker::start_ours(&[]);
    let process_id = broker.process_id();
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[]);
    let before = memory(process_id);
    // As many as the budget for requests takes, and as many again that wait for it.
    let hundred_mib = (100u32 << 20).to_be_bytes();
    let announcing: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(broker.address()).expect("the broker takes connections");
            stream.write_all(&hundred_mib).expect("four bytes are taken");
            stream
        })
        .collect();
    for length in [0i32, -1, i32::MIN, (100 << 20) + 1, i32::MAX] {
        let mut bad = Client::connect(broker.address());
        bad.send_bytes(&length.to_be_bytes());
        bad.expect_close();
    }
    assert_eq!(client.call(&metadata_request(&[&topic.name]), 12).topics[0].error_code, 0);
    let during = memory(process_id);
    print_growth(&before, &during);
    assert!(during.anonymous - before.anonymous < 4 << 20, "before {before:?}, during {during:?}");
    drop(announcing);
    expect_no_panic(&broker);
}

#[test]
fn a_frame_full_of_the_smallest_partitions_costs_a_small_multiple_of_itself() {
    const FRAME_BYTES: usize = 16 << 20;
    /// A frame in its buffer of up to twice its size, what it is decoded into, and the answer.
    const COST_MAX: i64 = 16;
    let broker = Broker::start_ours(&[]);
    let process_id = broker.process_id();
    for (what, frame) in [
        ("Produce 3", crowded(0, 3, &[&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0][..]], 8, FRAME_BYTES)),
        ("Produce 3, unanswered", crowded(0, 3, &[&[0xff, 0xff, 0, 0, 0, 0, 0, 0][..]], 8, FRAME_BYTES)),
        ("Fetch 4", crowded(1, 4, &[&[0xff; 4][..], &[0; 13]], 16, FRAME_BYTES)),
        ("Metadata 1", crowded(3, 1, &[], 0, FRAME_BYTES)),
        ("Fetch 4 of a long name", long_name(100_000)),
        ("Fetch 4 of very many", long_name(1_000_000)),
        ("ListOffsets 1", crowded(2, 1, &[&[0xff; 4][..]], 12, FRAME_BYTES)),
    ] {
        let before = memory(process_id);
        let mut sender = Client::connect(broker.address());
        sender.send_bytes_that_may_be_refused(&frame);
        let answer = sender.receive_frame();
        drop(sender);
        let peak = memory(process_id).resident_peak;
        println!(
            "{what}: {} MiB of answer, peak {} MiB above the {} MiB before",
            answer.as_ref().map_or(0, |answer| answer.len()) >> 20,
            (peak - before.resident) >> 20,
            before.resident >> 20
        );
        assert!(peak - before.resident < COST_MAX * FRAME_BYTES as i64, "{what}");
    }
    expect_no_panic(&broker);
    let settled = observe(|| memory(process_id), |memory| memory.anonymous < GROWTH_MAX_BYTES);
    assert!(settled.anonymous < GROWTH_MAX_BYTES, "{settled:?}");
}

/// Fetch 4 of so many partitions, each another, of a topic whose name has 32 KiB.
fn long_name(partitions: u32) -> Vec<u8> {
    let mut body = vec![0, 1, 0, 4, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    body.extend([0; 13]);
    body.extend([0, 0, 0, 1, 0x7f, 0xff]);
    body.resize(body.len() + 0x7fff, b't');
    body.extend(partitions.to_be_bytes());
    for index in 0..partitions {
        body.extend(index.to_be_bytes());
        body.extend([0; 12]);
    }
    support::raw::with_length(&body)
}

/// A frame of about `frame_bytes`: a header, a body that begins with `parts`, one topic, and in it as many empty
/// partitions of `partition_bytes` as fit; or topics without a name, for 0.
fn crowded(api: u8, version: u8, parts: &[&[u8]], partition_bytes: usize, frame_bytes: usize) -> Vec<u8> {
    let mut body = vec![0, api, 0, version, 0, 0, 0, 1, 0xff, 0xff];
    parts.iter().for_each(|part| body.extend_from_slice(part));
    let unit = if partition_bytes == 0 {
        2
    } else {
        body.extend([0, 0, 0, 1, 0, 1, b't']);
        partition_bytes
    };
    let count = (frame_bytes - body.len() - 4) / unit;
    body.extend((count as u32).to_be_bytes());
    body.resize(body.len() + count * unit, 0);
    support::raw::with_length(&body)
}
