//! Clients that are many, slow, or never pause, beside one that wants its answers.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::batch::Batch;
use crate::support::broker::Broker;
use crate::support::raw::Client;
use crate::support::requests::{Topic, produce_at, produce_request};
use crate::{call, connect, take_all_descriptors};

/// Produces this often; the times that the answers took, ascending.
fn latencies(client: &mut Client, topic: &Topic, from: i64, count: i64) -> Vec<Duration> {
    let one = |offset| {
        let began = Instant::now();
        produce_at(client, topic, 0, Batch::of(&["x"]).build(), offset);
        began.elapsed()
    };
    let mut all: Vec<Duration> = (from..from + count).map(one).collect();
    all.sort();
    all
}

fn print(what: &str, sorted: &[Duration]) {
    println!("{what}: median {:?}, slowest {:?}", sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
}

#[test]
fn silent_and_slow_connections_do_not_slow_a_healthy_client() {
    take_all_descriptors();
    let broker = Broker::start_ours(&["socket.listen.backlog.size=1024"]);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[]);
    let alone = latencies(&mut client, &topic, 0, 300);
    print("alone", &alone);
    let silent: Vec<_> = (0..200).map(|_| connect(broker.address())).collect();
    let mut slow: Vec<_> = (0..50).map(|_| connect(broker.address())).collect();
    let frame = client.frame(&crate::support::requests::metadata_request(&[&topic.name]), 12);
    let stop = AtomicBool::new(false);
    let among = std::thread::scope(|scope| {
        scope.spawn(|| {
            for byte in frame.iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                slow.iter_mut().for_each(|stream| stream.write_all(&[*byte]).expect("a byte is taken"));
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let among = latencies(&mut client, &topic, 300, 300);
        stop.store(true, Ordering::Relaxed);
        among
    });
    print("among 250", &among);
    assert!(among[150] < Duration::from_millis(20) && among[299] < Duration::from_secs(1));
    drop(silent);
}

#[test]
fn connections_that_never_pause_leave_room_for_others() {
    let broker = Broker::start_ours(&[]);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[]);
    // More of them than workers, each with a thread that writes and one that reads as fast as they can.
    let greedy: Vec<_> = (0..4)
        .map(|_| {
            let mut questions = connect(broker.address());
            let mut answers = questions.try_clone().expect("a socket can be shared");
            let handle = questions.try_clone().expect("a socket can be shared");
            let many = crate::pipelining::API_VERSIONS.repeat(20_000);
            std::thread::spawn(move || while questions.write_all(&many).is_ok() {});
            std::thread::spawn(move || std::io::copy(&mut answers, &mut std::io::sink()));
            handle
        })
        .collect();
    let among = latencies(&mut client, &topic, 0, 20);
    print("among four that never pause", &among);
    assert!(among[19] < Duration::from_secs(3), "{among:?}");
    let mut late = Client::connect(broker.address());
    call(&mut late);
    greedy.iter().for_each(|stream| stream.shutdown(std::net::Shutdown::Both).expect("a socket can be closed"));
}

#[test]
fn more_connections_that_recompress_slowly_than_there_are_threads_do_not_stop_a_healthy_client() {
    const GREEDY: usize = 12;
    let broker = Broker::start_ours(&[]);
    let mut client = Client::connect(broker.address());
    let topic = Topic::create(&mut client, 1, &[]);
    let slow = Topic::create(&mut client, 1, &[("compression.type", "zstd"), ("compression.zstd.level", "22")]);
    let words: Vec<String> = (0..20_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 9).to_string()).collect();
    let sent = Batch::of(&[words.join(" ").as_str()]).build();
    let began = Instant::now();
    produce_at(&mut client, &slow, 0, sent.clone(), 0);
    let one = began.elapsed();
    println!("one batch takes {one:?}");
    let mut greedy: Vec<Client> = (0..GREEDY).map(|_| Client::connect(broker.address())).collect();
    greedy.iter_mut().for_each(|each| each.send(&produce_request(9, &slow, &[(0, sent.clone())]), 9));
    let among = latencies(&mut client, &topic, 0, 10);
    print("among those that recompress", &among);
    for each in &mut greedy {
        let answer = each.receive::<kafka_protocol::messages::ProduceRequest>(9);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
    assert!(among[9] < one / 2, "{:?} of {one:?}", among[9]);
}
