//! What connections cost the broker: idle ones, half-sent frames, answers that nobody reads, long polls that are left.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use kafka_protocol::messages::ProduceResponse;

use crate::support::batch::{Batch, ZSTD};
use crate::support::broker::Broker;
use crate::support::raw::{Client, decode_response};
use crate::support::requests::{Topic, fetch_request, metadata_request, produce_at, produce_request};
use crate::support::vitals::{descriptors, memory, observe};
use crate::{call, connect, take_all_descriptors};

const MIB: i64 = 1 << 20;

#[test]
fn an_idle_connection_costs_less_than_16_kib() {
    const COUNT: i64 = 1000;
    take_all_descriptors();
    let broker = Broker::start_ours(&["socket.listen.backlog.size=1024"]);
    let mut client = Client::connect(broker.address());
    call(&mut client);
    let before = memory(broker.process_id());
    let mut idle: Vec<Client> = (0..COUNT).map(|_| Client::connect(broker.address())).collect();
    idle.iter_mut().for_each(call);
    let after = memory(broker.process_id());
    let each = (after.anonymous - before.anonymous) / COUNT;
    println!("{each} bytes for each of {COUNT} idle connections");
    assert!(each < 16 << 10, "{each}");
    idle.iter_mut().for_each(call);
}

#[test]
fn half_sent_frames_stay_within_the_budget_and_block_nobody_when_they_are_gone() {
    const FRAME_BYTES: usize = 4 << 20;
    const BUDGET_BYTES: i64 = 8 * MIB;
    /// What waits without a charge, 8 KiB for each connection and its own state, and the buffers of the healthy one.
    const BESIDES_BYTES: i64 = 8 * MIB;
    let broker = Broker::start_ours(&[
        "socket.request.max.bytes=4194304",
        "queued.max.request.bytes=8388608",
        "socket.listen.backlog.size=1024",
    ]);
    let process_id = broker.process_id();
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[]);
    let before = memory(process_id);
    let mut half = (FRAME_BYTES as u32).to_be_bytes().to_vec();
    half.resize(FRAME_BYTES / 2, 0);
    // What the broker does not read stays in the sockets: these do not wait.
    let greedy: Vec<TcpStream> = (0..120)
        .map(|_| {
            let mut stream = connect(broker.address());
            stream.set_nonblocking(true).expect("a socket can be made so");
            let _ = stream.write(&half);
            stream
        })
        .collect();
    // Requests that arrive whole are served all the time.
    for offset in 0..50 {
        produce_at(&mut client, &topic, 0, Batch::of(&["x"]).build(), offset);
        for mut stream in &greedy {
            let _ = stream.write(&half[4..32 << 10]);
        }
    }
    let during = memory(process_id);
    println!(
        "{} KiB for 120 half-sent frames of 4 MiB, budget 8 MiB; peak {} KiB",
        (during.anonymous - before.anonymous) >> 10,
        (during.resident_peak - before.resident) >> 10
    );
    assert!(during.anonymous - before.anonymous < BUDGET_BYTES + BESIDES_BYTES, "{before:?} {during:?}");
    // What stands behind a request waits for the budget, the request does not: a part of a question behind a fetch.
    let mut polling = Client::connect(broker.address());
    let part = polling.frame(&metadata_request(&[&topic.name]), 12);
    let mut poll = polling.frame(&fetch_request(12, &topic, &[(0, 50)]).with_max_wait_ms(50).with_min_bytes(1), 12);
    poll.extend_from_slice(&part[..20]);
    polling.send_bytes(&poll);
    assert!(polling.receive_frame().is_some());
    // One that must wait for the budget, as it comes in two parts.
    let mut waiting = Client::connect(broker.address());
    let frame = waiting.frame(&metadata_request(&[&topic.name]), 12);
    waiting.send_bytes(&frame[..20]);
    call(&mut client);
    waiting.send_bytes(&frame[20..]);
    drop(greedy);
    assert!(waiting.receive_frame().is_some());
    // The workers keep some of the buffers that grew: at most four of 4 MiB each.
    let workers = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let kept = 16 * MIB * workers as i64;
    let after = observe(|| memory(process_id), |m| m.anonymous - before.anonymous < kept + BESIDES_BYTES);
    println!("{} KiB when they are gone", (after.anonymous - before.anonymous) >> 10);
    assert!(after.anonymous - before.anonymous < kept + BESIDES_BYTES, "{before:?} {after:?}");
}

#[test]
fn an_answer_that_waits_for_the_disk_does_not_wait_for_memory_for_what_follows_its_request() {
    const FRAME_BYTES: usize = 4 << 20;
    let broker = Broker::start_ours(&["socket.request.max.bytes=4194304", "queued.max.request.bytes=4194304"]);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[("flush.messages", "1")]);
    produce_at(&mut client, &topic, 0, Batch::of(&["x"]).build(), 0);
    // All of the budget, for as long as a frame may take while others wait for it: five seconds at least.
    let mut greedy = connect(broker.address());
    greedy.write_all(&(FRAME_BYTES as u32).to_be_bytes()).expect("a length is taken");
    for (offset, behind) in [(1, 1 << 20), (2, 1 << 10)] {
        let mut producer = Client::connect(broker.address());
        let mut frames = producer.frame(&produce_request(9, &topic, &[(0, Batch::of(&["x"]).build())]), 9);
        // The beginning of one more: a large one is not read on before there is memory, a small one not waited for.
        frames.extend((behind as u32).to_be_bytes());
        frames.extend([0; 100]);
        call(&mut client);
        let asked = std::time::Instant::now();
        producer.send_bytes(&frames);
        let frame = producer.receive_frame().expect("there is an answer");
        let (_, answer) = decode_response::<ProduceResponse>(frame, 9);
        assert_eq!(answer.responses[0].partition_responses[0].base_offset, offset);
        assert!(asked.elapsed() < Duration::from_secs(3), "it waited {:?}", asked.elapsed());
    }
    drop(greedy);
}

#[test]
fn answers_that_nobody_reads_do_not_pile_up() {
    let broker = Broker::start_ours(&["socket.listen.backlog.size=1024"]);
    let process_id = broker.process_id();
    let mut client = Client::connect(broker.address());
    // An answer of a hundred kilobytes to a question of forty bytes.
    let topic = Topic::create(&mut client, 500, &[]);
    let before = memory(process_id);
    let question = client.frame(&metadata_request(&[&topic.name]), 12);
    let questions = question.repeat(8000);
    let stuck: Vec<TcpStream> = (0..4)
        .map(|_| {
            let mut stream = connect(broker.address());
            stream.set_nonblocking(true).expect("a socket can be made so");
            let _ = stream.write(&questions);
            stream
        })
        .collect();
    for _ in 0..20 {
        call(&mut client);
        std::thread::sleep(Duration::from_millis(20));
    }
    let during = memory(process_id);
    println!("{} KiB for 4 × 8000 unread answers", (during.anonymous - before.anonymous) >> 10);
    assert!(during.resident_peak - before.resident < 24 * MIB, "{before:?} {during:?}");
    drop(stuck);
}

#[test]
fn a_client_that_does_not_read_is_not_read_from_and_loses_nothing() {
    /// What the sockets of both sides hold, for questions and for answers.
    const TAKEN_BYTES_MAX: usize = 32 << 20;
    let broker = Broker::start_ours(&[]);
    let process_id = broker.process_id();
    let mut client = Client::connect(broker.address());
    call(&mut client);
    let before = memory(process_id);
    let mut stuck = connect(broker.address());
    stuck.set_nonblocking(true).expect("a socket can be made so");
    let questions = crate::pipelining::API_VERSIONS.repeat(1000);
    let (mut taken, mut refused) = (0, 0);
    // Nothing is taken any more when it was refused for so long; in between, others are served.
    while refused < 100 && taken < 2 * TAKEN_BYTES_MAX {
        match stuck.write(&questions[taken % questions.len()..]) {
            Ok(count) => (taken, refused) = (taken + count, 0),
            Err(_) => {
                refused += 1;
                call(&mut client);
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
    let during = memory(process_id);
    println!("{} KiB of questions taken, {} KiB more memory", taken >> 10, (during.anonymous - before.anonymous) >> 10);
    assert!(taken < TAKEN_BYTES_MAX, "{taken} bytes are read from a client that does not read");
    assert!(during.anonymous - before.anonymous < 4 * MIB, "{before:?} {during:?}");
    // Once it reads, it gets all answers, in order.
    stuck.set_nonblocking(false).expect("a socket can be made so");
    let size = crate::pipelining::API_VERSIONS.len();
    let rest = (size - taken % size) % size;
    let mut writer = stuck.try_clone().expect("a socket can be cloned");
    let ending = std::thread::spawn(move || {
        writer.write_all(&crate::pipelining::API_VERSIONS[size - rest..]).expect("the rest is taken");
    });
    for _ in 0..(taken + rest) / size {
        crate::many::read_answer(&mut stuck);
    }
    ending.join().expect("the rest is taken");
}

#[test]
fn a_long_poll_ends_with_its_connection() {
    const ROUNDS: usize = 50;
    const EACH: usize = 100;
    let broker = Broker::start_ours(&["socket.listen.backlog.size=1024"]);
    let process_id = broker.process_id();
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 3, &[]);
    let poll = fetch_request(12, &topic, &[(0, 0), (1, 0), (2, 0)]).with_max_wait_ms(600_000).with_min_bytes(1);
    let frame = client.frame(&poll, 12);
    let open = descriptors(process_id);
    let round = || {
        let polls: Vec<_> = (0..EACH)
            .map(|_| {
                let mut stream = connect(broker.address());
                stream.write_all(&frame).expect("a frame is taken");
                stream
            })
            .collect();
        observe(|| descriptors(process_id), |seen| *seen >= open + EACH);
        drop(polls);
        assert!(observe(|| descriptors(process_id), |seen| *seen <= open) <= open, "all are gone");
    };
    (0..5).for_each(|_| round());
    let before = memory(process_id);
    (5..ROUNDS).for_each(|_| round());
    let after = memory(process_id);
    println!("{} KiB more after {} long polls", (after.anonymous - before.anonymous) >> 10, (ROUNDS - 5) * EACH);
    assert!(after.anonymous - before.anonymous < MIB, "{before:?} {after:?}");
    produce_at(&mut client, &topic, 0, Batch::of(&["x"]).build(), 0);
}

#[test]
fn a_long_poll_with_more_requests_behind_it_ends_with_its_connection_too() {
    let broker = Broker::start_ours(&["connections.max.idle.ms=500"]);
    let process_id = broker.process_id();
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[]);
    let frame = client.frame(&fetch_request(12, &topic, &[(0, 0)]).with_max_wait_ms(i32::MAX).with_min_bytes(1), 12);
    let open = descriptors(process_id);
    let mut polls: Vec<_> = (0..50).map(|_| connect(broker.address())).collect();
    polls.iter_mut().for_each(|stream| stream.write_all(&frame).expect("a frame is taken"));
    observe(|| descriptors(process_id), |seen| *seen >= open + 50);
    call(&mut client);
    // Behind the fetch, in the socket: the end of the connection stands behind it and is not seen.
    polls.iter_mut().for_each(|stream| stream.write_all(crate::pipelining::API_VERSIONS).expect("a frame is taken"));
    drop(polls);
    // The client that watches is idle by then, too.
    assert!(observe(|| descriptors(process_id), |seen| *seen <= open) <= open, "all are gone");
}

#[test]
fn a_small_frame_whose_batches_grow_when_they_are_recompressed_costs_a_few_of_them_at_a_time() {
    const BATCHES: i32 = 100;
    /// 8 MiB of results and one more, each of which may have grown to the double, and the file's blocks in the map.
    const BESIDES_BYTES: i64 = 32 * MIB;
    let broker = Broker::start_ours(&["compression.type=uncompressed"]);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, BATCHES, &[]);
    let sent = Batch::of(&["x".repeat(1_000_000).as_str()]).with_attributes(ZSTD).build();
    assert!(sent.len() < 1000);
    let before = memory(broker.process_id());
    let parts: Vec<_> = (0..BATCHES).map(|partition| (partition, sent.clone())).collect();
    client.send(&produce_request(9, &topic, &parts), 9);
    let mut most = 0;
    let answered = std::thread::scope(|scope| {
        let answer = scope.spawn(|| client.receive::<kafka_protocol::messages::ProduceRequest>(9));
        while !answer.is_finished() {
            most = most.max(memory(broker.process_id()).anonymous - before.anonymous);
        }
        answer.join().expect("there is an answer")
    });
    let codes = answered.responses[0].partition_responses.iter().map(|each| each.error_code);
    assert_eq!(codes.filter(|code| *code == 0).count(), BATCHES as usize);
    println!("{most} bytes at most");
    assert!(most < BESIDES_BYTES, "{most}");
}
