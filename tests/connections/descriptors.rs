//! A process without a descriptor left: it waits, it does not spin, and it goes on when there are some again.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::batch::Batch;
use crate::support::broker::Broker;
use crate::support::raw::Client;
use crate::support::requests::{Topic, create_request, new_name, produce, produce_at};
use crate::support::vitals::{descriptors, observe, processor_time};
use crate::{call, connect};

const DESCRIPTORS: u32 = 128;

#[test]
fn a_broker_without_descriptors_waits_serves_its_clients_and_takes_new_ones_again() {
    let mut broker = Broker::start_with_descriptors(DESCRIPTORS, &["socket.listen.backlog.size=1024"]);
    let mut client = Client::connect(broker.address());
    // A segment is full after two of these, so that new files are needed while there are no descriptors.
    let topic = Topic::create(&mut client, 1, &[("segment.bytes", "1048576")]);
    let value = "v".repeat(600 << 10);
    let batch = Batch::of(&[&value]).build();
    let mut offset = 0;
    produce_at(&mut client, &topic, 0, batch.clone(), offset);

    let silent: Vec<TcpStream> = (0..2 * DESCRIPTORS).map(|_| connect(broker.address())).collect();
    let process_id = broker.process_id();
    let complaint = "no descriptor left";
    assert!(observe(|| broker.log().contains(complaint), |said| *said), "it runs out");

    let began = (Instant::now(), processor_time(process_id));
    std::thread::sleep(Duration::from_millis(1000));
    let used = processor_time(process_id) - began.1;
    println!("{} descriptors open; {used:?} of processor time in {:?}", descriptors(process_id), began.0.elapsed());
    assert!(used < Duration::from_millis(200), "it spins: {used:?}");
    assert!(broker.is_running());

    // Those who are connected are served, and what they need of the disk is there.
    call(&mut client);
    for _ in 0..10 {
        offset += 1;
        let answer = produce(&mut client, 9, &topic, 0, batch.clone());
        assert_eq!((answer.error_code, answer.base_offset), (0, offset), "{:?}", answer.error_message);
    }
    let created = client.call(&create_request(&new_name(), 1, &[]), 7);
    assert_eq!(created.topics[0].error_code, 0, "{:?}", created.topics[0].error_message);

    drop(silent);
    let mut late = Client::connect(broker.address());
    call(&mut late);
    offset += 1;
    produce_at(&mut late, &topic, 0, batch, offset);
    call(&mut client);
    assert!(broker.is_running());
    let log = broker.log();
    assert!(log.matches(complaint).count() < 5, "said when it begins, not again and again");
    assert!(!log.contains("panicked"));
}
