//! Order on a connection, and bytes that are no request: they cost the sender its connection and nobody else anything.

use std::time::{Duration, Instant};

use kafka_protocol::messages::{ApiVersionsRequest, FetchRequest, MetadataRequest, ProduceRequest};

use crate::connect;
use crate::support::batch::Batch;
use crate::support::raw::{Client, with_length};
use crate::support::requests::{Topic, fetch, fetch_request, metadata_request, produce_request, the_partition, values};

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for offset in 0..20 {
        client.send(&produce_request(9, &topic, &[(0, Batch::of(&["x"]).build())]), 9);
        client.send(&metadata_request(&[&topic.name]), 12);
        client.send(&fetch_request(12, &topic, &[(0, offset)]), 12);
    }
    for offset in 0..20 {
        let produced = client.receive::<ProduceRequest>(9);
        assert_eq!(produced.responses[0].partition_responses[0].base_offset, offset);
        assert_eq!(client.receive::<MetadataRequest>(12).topics.len(), 1);
        // A fetch that was sent after a produce sees what that produce stored.
        assert_eq!(values(&the_partition(client.receive::<FetchRequest>(12), 12, &topic)).len(), 1);
    }
}

#[test]
fn requests_behind_a_waiting_fetch_are_answered_after_it() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let began = Instant::now();
    client.send(&fetch_request(12, &topic, &[(0, 0)]).with_max_wait_ms(300).with_min_bytes(1), 12);
    client.send(&ApiVersionsRequest::default(), 0);
    client.receive::<FetchRequest>(12);
    assert_eq!(client.receive::<ApiVersionsRequest>(0).error_code, 0);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn kafka_python_2_0_2_sends_api_versions_and_metadata_at_once() {
    let (_broker, mut client) = connect();
    client.send(&ApiVersionsRequest::default(), 0);
    client.send(&MetadataRequest::default().with_topics(Some(Vec::new())), 0);
    assert_eq!(client.receive::<ApiVersionsRequest>(0).error_code, 0);
    assert_eq!(client.receive::<MetadataRequest>(0).brokers.len(), 1);
}

#[test]
fn a_request_may_arrive_byte_by_byte() {
    let (_broker, mut client) = connect();
    let frame = client.frame(&ApiVersionsRequest::default(), 0);
    for byte in &frame {
        client.send_bytes(&[*byte]);
    }
    assert!(client.receive_frame().is_some());
}

#[test]
fn a_request_without_a_client_id_is_served() {
    let (_broker, mut client) = connect();
    // ApiVersions version 0, correlation id 7, client id null.
    client.send_bytes(&with_length(&[0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]));
    assert_eq!(client.receive_frame().expect("it is answered")[..4], [0, 0, 0, 7]);
}

#[test]
fn malformed_bytes_close_their_connection_and_no_other() {
    let (broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let good = client.frame(&metadata_request(&[&topic.name]), 12);
    let mut truncated = good[4..good.len() - 2].to_vec();
    truncated = with_length(&truncated);
    let mut huge_array = with_length(&[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    huge_array.truncate(18);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a negative length", vec![0xff, 0xff, 0xff, 0xff, 0, 0]),
        ("a length of two gigabytes", vec![0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 1]),
        ("an http request", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("a TLS hello", vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]),
        ("an empty frame", with_length(&[])),
        ("a frame of one byte", with_length(&[0])),
        ("an api that does not exist", with_length(&[0x12, 0x34, 0, 0, 0, 0, 0, 1, 0xff, 0xff])),
        ("a version that does not exist", with_length(&[0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff])),
        ("a negative version", with_length(&[0, 3, 0xff, 0xff, 0, 0, 0, 1, 0xff, 0xff])),
        ("a body that ends too early", truncated),
        ("an array of two billion topics", huge_array),
    ];
    for (what, bytes) in cases {
        let mut bad = Client::connect(broker.address());
        bad.send_bytes_that_may_be_refused(&bytes);
        println!("{what}");
        bad.expect_close();
        assert_eq!(fetch(&mut client, 12, &topic, 0, 0).error_code, 0, "{what}: others go on");
    }
}

#[test]
fn a_connection_that_ends_in_the_middle_of_a_frame_leaves_nothing_behind() {
    let (broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let mut half = Client::connect(broker.address());
    let frame = half.frame(&produce_request(9, &topic, &[(0, Batch::of(&["x"]).build())]), 9);
    half.send_bytes(&frame[..frame.len() - 1]);
    half.finish_sending();
    half.expect_close();
    assert!(values(&fetch(&mut client, 12, &topic, 0, 0)).is_empty());
}
