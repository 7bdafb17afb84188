//! `flush.messages` and `flush.ms` as a client sees them: what is acknowledged is readable, whatever waits for the disk.
//!
//! That an acknowledgement comes after its sync is tested beside the code, where syncs can be held back
//! (`src/broker/tests/flush.rs`).

use kafka_protocol::ResponseError;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, ProduceRequest};

use crate::connect;
use crate::support::batch::Batch;
use crate::support::raw::Client;
use crate::support::requests::{Topic, create_request, fetch, new_name, produce, produce_request, text, values};

const TOPIC: i8 = 2;
const SET: i8 = 0;
const VERSIONS: std::ops::RangeInclusive<i16> = 3..=13;

fn with_acks(acks: i16, version: i16, topic: &Topic, batch: Batch) -> ProduceRequest {
    produce_request(version, topic, &[(0, batch.build())]).with_acks(acks)
}

#[test]
fn what_is_acknowledged_from_the_disk_is_readable_at_every_version_and_acks() {
    let (broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[("flush.messages", "1"), ("segment.bytes", "1048576")]);
    let mut other = Client::connect(broker.address());
    let large = "v".repeat(200_000);
    let mut expected = 0;
    for version in VERSIONS {
        for acks in [1, -1] {
            let answer = client.call(&with_acks(acks, version, &topic, Batch::of(&[&large, "b"])), version);
            let answer = &answer.responses[0].partition_responses[0];
            assert_eq!((answer.error_code, answer.base_offset), (0, expected), "version {version}, acks {acks}");
            let fetched = fetch(&mut other, 12, &topic, 0, expected);
            assert_eq!((values(&fetched).len(), fetched.high_watermark), (2, expected + 2), "{version} {acks}");
            expected += 2;
        }
    }
}

#[test]
fn a_window_of_produces_that_wait_for_the_disk_is_answered_in_order() {
    let (_broker, mut client) = connect();
    for messages in ["1", "7"] {
        let topic = Topic::create(&mut client, 1, &[("flush.messages", messages)]);
        for i in 0..200 {
            let request = with_acks(if i % 2 == 0 { 1 } else { -1 }, 9, &topic, Batch::of(&["a"]));
            client.send(&request, 9);
            if i % 10 == 0 {
                client.send_without_answer(&with_acks(0, 9, &topic, Batch::of(&["silent"])), 9);
            }
        }
        let mut last = -1;
        for i in 0..200 {
            let response = client.receive::<ProduceRequest>(9);
            let answer = &response.responses[0].partition_responses[0];
            assert_eq!(answer.error_code, 0, "{i}: {answer:?}");
            assert!(answer.base_offset > last, "{i}");
            last = answer.base_offset;
        }
        assert_eq!(fetch(&mut client, 12, &topic, 0, 0).high_watermark, 220);
    }
}

#[test]
fn a_retried_batch_has_its_offset_and_is_stored_once() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[("flush.messages", "1")]);
    for _ in 0..3 {
        let answer = produce(&mut client, 9, &topic, 0, Batch::of(&["a"]).by(4711, 0, 0).build());
        assert_eq!((answer.error_code, answer.base_offset), (0, 0));
    }
    assert_eq!(fetch(&mut client, 12, &topic, 0, 0).high_watermark, 1);
}

#[test]
fn the_settings_have_kafkas_bounds() {
    let (_broker, mut client) = connect();
    for (name, value, reason) in [
        ("flush.messages", "0", "Value must be at least 1"),
        ("flush.ms", "-1", "Value must be at least 0"),
        ("flush.messages", "many", "Not a number of type LONG"),
    ] {
        let answer = client.call(&create_request(&new_name(), 1, &[(name, value)]), 7).topics.remove(0);
        assert_eq!(answer.error_code, ResponseError::InvalidConfig.code());
        let sentence = format!("Invalid value {value} for configuration {name}: {reason}");
        assert_eq!(answer.error_message.map(|text| text.to_string()), Some(sentence));
    }
}

#[test]
fn the_settings_change_under_load() {
    let (broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let load = {
        let (topic, mut client) = (topic.clone(), Client::connect(broker.address()));
        std::thread::spawn(move || {
            for i in 0..400 {
                let answer = client.call(&with_acks(1, 9, &topic, Batch::of(&["a"])), 9);
                let answer = &answer.responses[0].partition_responses[0];
                assert_eq!((answer.error_code, answer.base_offset), (0, i));
                assert!(values(&fetch(&mut client, 12, &topic, 0, i)).len() == 1, "{i} was acknowledged");
            }
        })
    };
    while !load.is_finished() {
        for (name, value) in [("flush.messages", "1"), ("flush.ms", "100"), ("flush.messages", "3")] {
            let config = AlterableConfig::default().with_name(text(name)).with_value(Some(text(value)));
            let resource = AlterConfigsResource::default()
                .with_resource_type(TOPIC)
                .with_resource_name(topic.name.0.clone())
                .with_configs(vec![config.with_config_operation(SET)]);
            let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
            assert_eq!(client.call(&request, 1).responses[0].error_code, 0);
        }
    }
    load.join().expect("every produce was acknowledged");
}
