//! `max.connections.per.ip`, `max.connections`, `connections.max.idle.ms`.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::batch::Batch;
use crate::support::broker::Broker;
use crate::support::raw::Client;
use crate::support::requests::{Topic, fetch_request, produce_at};
use crate::support::vitals::{descriptors, observe};
use crate::{call, connect};

#[test]
fn a_connection_too_many_of_an_address_is_closed_and_the_others_live() {
    let broker = Broker::start_ours(&["max.connections.per.ip=3"]);
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(broker.address())).collect();
    clients.iter_mut().for_each(call);
    for _ in 0..20 {
        Client::connect(broker.address()).expect_close();
    }
    clients.iter_mut().for_each(call);
    clients.pop();
    // The broker learns of the end when it looks at the connection.
    let question = crate::pipelining::API_VERSIONS;
    let is_served = || {
        let mut late = Client::connect(broker.address());
        late.send_bytes_that_may_be_refused(question);
        late.receive_frame().is_some()
    };
    assert!(observe(is_served, |served| *served), "there is room again");
    clients.iter_mut().for_each(call);
}

#[test]
fn at_max_connections_the_next_waits_until_one_closes() {
    let broker = Broker::start_ours(&["max.connections=2"]);
    let mut first = Client::connect(broker.address());
    let mut second = Client::connect(broker.address());
    call(&mut first);
    call(&mut second);
    let mut third = connect(broker.address());
    third.write_all(crate::pipelining::API_VERSIONS).unwrap();
    // It would be answered in less than a millisecond.
    third.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(third.read(&mut [0; 1]).is_err(), "it is not served yet");
    call(&mut first);
    drop(second);
    third.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(third.read(&mut [0; 1]).unwrap(), 1);
    call(&mut first);
}

#[test]
fn idle_connections_are_closed_and_active_ones_kept() {
    const IDLE: Duration = Duration::from_millis(600);
    let broker = Broker::start_ours(&["connections.max.idle.ms=600"]);
    let (mut active, is_closed) = (Client::connect(broker.address()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let began = Instant::now();
        let idle = scope.spawn(|| {
            let mut silent = Client::connect(broker.address());
            let mut once_active = Client::connect(broker.address());
            call(&mut once_active);
            let mut half = connect(broker.address());
            half.write_all(&[0, 0, 0, 50, 0, 18]).unwrap();
            silent.expect_close();
            once_active.expect_close();
            assert_eq!(half.read(&mut [0; 1]).unwrap(), 0);
            is_closed.store(true, Ordering::Relaxed);
        });
        while !is_closed.load(Ordering::Relaxed) && !idle.is_finished() {
            call(&mut active);
            std::thread::sleep(IDLE / 20);
        }
        idle.join().unwrap();
        assert!(began.elapsed() >= IDLE && began.elapsed() < 10 * IDLE, "{:?}", began.elapsed());
    });
    call(&mut active);
}

/// A topic with more than the socket buffers of both sides hold, in batches of a megabyte.
fn large_topic(client: &mut Client, mebibytes: i64) -> Topic {
    let topic = Topic::create(client, 1, &[("max.message.bytes", "2000000")]);
    let value = "v".repeat(1 << 20);
    let batch = Batch::of(&[&value]).build();
    (0..mebibytes).for_each(|offset| produce_at(client, &topic, 0, batch.clone(), offset));
    topic
}

/// A Fetch of all of a topic.
fn fetch_all(client: &mut Client, topic: &Topic) -> Vec<u8> {
    let mut request = fetch_request(12, topic, &[(0, 0)]).with_max_bytes(i32::MAX);
    request.topics[0].partitions[0].partition_max_bytes = i32::MAX;
    client.frame(&request, 12)
}

#[test]
fn a_client_that_does_not_read_is_given_up_and_one_that_reads_slowly_is_not() {
    const MEBIBYTES: usize = 24;
    let broker = Broker::start_ours(&["connections.max.idle.ms=700"]);
    let mut active = Client::connect(broker.address());
    let topic = large_topic(&mut active, MEBIBYTES as i64);
    let question = fetch_all(&mut active, &topic);
    let before = descriptors(broker.process_id());
    let (mut stuck, mut slow) = (connect(broker.address()), connect(broker.address()));
    // Or else the sockets of some systems hold all of it, and nobody is stuck.
    for stream in [&stuck, &slow] {
        rustix::net::sockopt::set_socket_recv_buffer_size(stream, 64 << 10).expect("a socket takes a buffer size");
    }
    stuck.write_all(&question).unwrap();
    slow.write_all(&question).unwrap();
    let began = Instant::now();
    let (mut slowly_read, mut buffer) = (0, vec![0; 256 << 10]);
    // Slower than the limit as a whole, and always faster than it: 24 MiB in about two seconds.
    while slowly_read < MEBIBYTES << 20 {
        let count = slow.read(&mut buffer).unwrap();
        assert!(count > 0, "a client that reads is kept");
        slowly_read += count;
        call(&mut active);
        std::thread::sleep(Duration::from_millis(15));
    }
    assert!(began.elapsed() > Duration::from_millis(1000), "the slow one was slow: {:?}", began.elapsed());
    let closed = observe(
        || {
            call(&mut active);
            descriptors(broker.process_id())
        },
        |open| *open <= before + 1,
    );
    assert!(closed <= before + 1, "the stuck one is closed: {closed} descriptors, {before} before");
    slow.write_all(crate::pipelining::API_VERSIONS).unwrap();
    let mut stuck_read = 0;
    while let Ok(count @ 1..) = stuck.read(&mut buffer) {
        stuck_read += count;
    }
    assert!(stuck_read < MEBIBYTES << 20, "the answer was cut off");
    call(&mut active);
}

#[test]
fn a_stop_waits_for_nobody_who_is_stuck_or_never_ends() {
    let mut broker = Broker::start_ours(&["socket.request.max.bytes=4194304", "queued.max.request.bytes=4194304"]);
    let mut client = Client::connect(broker.address());
    let topic = large_topic(&mut client, 24);
    let question = fetch_all(&mut client, &topic);
    let mut stuck = connect(broker.address());
    rustix::net::sockopt::set_socket_recv_buffer_size(&stuck, 64 << 10).expect("a socket takes a buffer size");
    stuck.write_all(&question).unwrap();
    // One holds the whole budget for requests, one waits for it.
    let half: Vec<_> = (0..2)
        .map(|_| {
            let mut half = connect(broker.address());
            half.write_all(&(4u32 << 20).to_be_bytes()).unwrap();
            half
        })
        .collect();
    let mut polling = Client::connect(broker.address());
    polling.send(&fetch_request(12, &topic, &[(0, 24)]).with_max_wait_ms(60_000).with_min_bytes(1), 12);
    call(&mut client);
    // Never stops to ask, and reads what is answered.
    let mut greedy = connect(broker.address());
    let mut answers = greedy.try_clone().unwrap();
    let questions = crate::pipelining::API_VERSIONS.repeat(5000);
    std::thread::spawn(move || while greedy.write_all(&questions).is_ok() {});
    std::thread::spawn(move || std::io::copy(&mut answers, &mut std::io::sink()));
    call(&mut client);
    let (status, took) = broker.stop();
    println!("stopped after {took:?}");
    assert!(status.success());
    assert!(took < Duration::from_secs(4), "{took:?}");
    drop((stuck, half));
}
