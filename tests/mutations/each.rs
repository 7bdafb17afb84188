//! Damaged frames of each API, one after the other: each is met by the broker, whatever became of the one before it.
//!
//! A few hundred of each API in every run, or as many as `KLAMM_TEST_FRAMES` says.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use klamm::wire::ApiKey;
use klamm::wire::api::APIS;
use rustix::net::sockopt::set_socket_linger;

use super::{GROWTH_MAX_BYTES, expect_no_panic, frames, mutate};
use crate::support::broker::Broker;
use crate::support::random::{Random, seed};
use crate::support::raw::Client;
use crate::support::requests::{Topic, metadata_request};
use crate::support::vitals::{memory, observe};

const SENDERS: u64 = 2;
/// A frame that announces more than it brings, a long poll and one that wants no answer get none: not longer than this.
const PATIENCE: Duration = Duration::from_millis(4);

/// What became of the frames.
#[derive(Clone, Copy, Debug, Default)]
struct Fates {
    answered: usize,
    closed: usize,
    silent: usize,
}

#[test]
fn thousands_of_damaged_frames_of_each_api_end_nothing_but_their_connections() {
    let count = std::env::var("KLAMM_TEST_FRAMES").map_or(200, |count| count.parse().expect("KLAMM_TEST_FRAMES"));
    let seed = seed();
    for api in APIS {
        let (began, mut broker) = (Instant::now(), Broker::start_ours(&["auto.create.topics.enable=false"]));
        let mut client = Client::connect(broker.address());
        let (victim, own) = (Topic::create(&mut client, 3, &[]), Topic::create(&mut client, 1, &[]));
        let before = memory(broker.process_id());
        let fates = std::thread::scope(|scope| {
            let senders: Vec<_> = (0..SENDERS)
                .map(|sender| {
                    let (random, address) = (Random::new(seed, 100 + sender), broker.address());
                    let (victim, frames) = (&victim, count / SENDERS as usize);
                    scope.spawn(move || send_damaged(random, address, victim, api.key, frames))
                })
                .collect();
            senders.into_iter().map(|sender| sender.join().expect("a sender gets through")).collect::<Vec<_>>()
        });
        assert!(broker.is_running(), "{}", api.key);
        assert_eq!(client.call(&metadata_request(&[&own.name]), 12).topics[0].error_code, 0, "{}", api.key);
        let grown = |m: &crate::support::vitals::Memory| m.anonymous - before.anonymous;
        let after = observe(|| memory(broker.process_id()), |m| grown(m) < GROWTH_MAX_BYTES);
        let sum = |of: fn(&Fates) -> usize| fates.iter().map(of).sum::<usize>();
        println!(
            "{}: {} answered, {} closed, {} silent in {:?}; {} KiB more",
            api.key,
            sum(|f| f.answered),
            sum(|f| f.closed),
            sum(|f| f.silent),
            began.elapsed(),
            grown(&after) >> 10,
        );
        assert!(grown(&after) < GROWTH_MAX_BYTES, "{}: {before:?} {after:?}", api.key);
        expect_no_panic(&broker);
    }
}

fn send_damaged(mut random: Random, address: &str, victim: &Topic, api: ApiKey, frames: usize) -> Fates {
    let versions = &APIS.iter().find(|served| served.key == api).expect("it is served").versions;
    let versions: Vec<i16> = versions.clone().collect();
    let (mut fates, mut open) = (Fates::default(), None);
    for _ in 0..frames {
        let frame = damaged(&mut random, victim, api, &versions);
        let mut stream = open.take().unwrap_or_else(|| connect(address));
        match stream.write_all(&frame).and_then(|()| read_answer(&mut stream)) {
            Ok(()) => {
                fates.answered += 1;
                open = Some(stream);
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => fates.silent += 1,
            Err(_) => fates.closed += 1,
        }
    }
    fates
}

/// A frame that differs from the good one.
fn damaged(random: &mut Random, victim: &Topic, api: ApiKey, versions: &[i16]) -> Vec<u8> {
    loop {
        let version = *random.pick(versions);
        let good = frames::frame_of(random, victim, api, version);
        let other = frames::frame_of(random, victim, api, version);
        let bad = mutate::mutate(random, &good, &other);
        if bad != good {
            return bad;
        }
    }
}

/// Goes without a trace when it is dropped, as ports are few.
fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the broker takes connections");
    set_socket_linger(&stream, Some(Duration::ZERO)).expect("a socket takes a linger time");
    stream.set_nodelay(true).expect("a socket takes TCP_NODELAY");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
    stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a socket takes a timeout");
    stream
}

fn read_answer(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer)?;
    stream.set_read_timeout(Some(PATIENCE))
}
