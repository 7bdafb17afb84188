//! InitProducerId (key 22), versions 0–5, and idempotent producing (KIP-98).

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId, TransactionalId};

use crate::connect;
use crate::support::batch::Batch;
use crate::support::raw::Client;
use crate::support::requests::{
    Topic, batches, fetch, init_producer_request, produce, produce_at, produce_request, text, values,
};

fn init(client: &mut Client, version: i16) -> InitProducerIdResponse {
    let response = client.call(&init_producer_request(), version);
    assert_eq!((response.error_code, response.producer_epoch), (0, 0), "version {version}");
    response
}

#[test]
fn init_producer_id_gives_a_new_id_with_epoch_0_at_every_version() {
    let (_broker, mut client) = connect();
    let ids: Vec<i64> = (0..=5).map(|version| init(&mut client, version).producer_id.0).collect();
    assert!(ids.iter().all(|id| *id >= 0));
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "each is new: {ids:?}");
}

#[test]
fn a_transactional_id_is_refused_until_there_are_transactions() {
    let (broker, mut client) = connect();
    if !broker.is_klamm() {
        return; // Apache Kafka has transactions.
    }
    for version in 0..=5 {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(text("tx"))))
            .with_transaction_timeout_ms(60000)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let response = client.call(&request, version);
        assert_ne!(response.error_code, 0, "version {version}");
        let error = ResponseError::try_from_code(response.error_code).expect("it is an error");
        assert!(!error.is_retriable(), "version {version}: {error:?} would make clients try again for ever");
        assert_eq!(response.producer_id.0, -1);
    }
}

#[test]
fn kip_98_a_batch_sent_again_is_answered_with_its_old_offset_and_stored_once() {
    let (_broker, mut client) = connect();
    for version in 3..=13 {
        let topic = Topic::create(&mut client, 1, &[]);
        let id = init(&mut client, 4).producer_id.0;
        produce_at(&mut client, &topic, 0, Batch::of(&["plain"]).build(), 0);
        let first = Batch::of(&["a", "b"]).by(id, 0, 0).build();
        let second = Batch::of(&["c"]).by(id, 0, 2).build();
        for (batch, offset) in [(&first, 1), (&second, 3), (&first, 1), (&second, 3)] {
            let answer = produce(&mut client, version, &topic, 0, batch.clone());
            assert_eq!((answer.error_code, answer.base_offset), (0, offset), "version {version}");
        }
        let fetched = fetch(&mut client, 12, &topic, 0, 0);
        assert_eq!(values(&fetched), ["plain", "a", "b", "c"], "version {version}");
        let stored = &batches(&fetched)[1];
        assert_eq!((stored.producer_id, stored.producer_epoch, stored.base_sequence), (id, 0, 0), "bytes stay bytes");
    }
}

#[test]
fn kip_98_a_gap_in_the_sequence_is_refused() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let id = init(&mut client, 4).producer_id.0;
    produce_at(&mut client, &topic, 0, Batch::of(&["a", "b"]).by(id, 0, 0).build(), 0);
    let out_of_order = ResponseError::OutOfOrderSequenceNumber.code();
    for version in 3..=13 {
        assert_eq!(
            produce(&mut client, version, &topic, 0, Batch::of(&["x"]).by(id, 0, 3).build()).error_code,
            out_of_order
        );
        assert_eq!(
            produce(&mut client, version, &topic, 0, Batch::of(&["x"]).by(id, 0, 1).build()).error_code,
            out_of_order
        );
    }
    produce_at(&mut client, &topic, 0, Batch::of(&["c"]).by(id, 0, 2).build(), 2);
}

#[test]
fn kip_98_sequences_are_counted_for_each_partition_separately() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 2, &[]);
    let id = init(&mut client, 4).producer_id.0;
    produce_at(&mut client, &topic, 0, Batch::of(&["a"]).by(id, 0, 0).build(), 0);
    produce_at(&mut client, &topic, 1, Batch::of(&["a"]).by(id, 0, 0).build(), 0);
    let parts = [(0, Batch::of(&["b"]).by(id, 0, 1).build()), (1, Batch::of(&["x"]).by(id, 0, 9).build())];
    let response = client.call(&produce_request(9, &topic, &parts), 9);
    let mut codes: Vec<_> =
        response.responses[0].partition_responses.iter().map(|each| (each.index, each.error_code)).collect();
    codes.sort_unstable();
    assert_eq!(codes, [(0, 0), (1, ResponseError::OutOfOrderSequenceNumber.code())]);
}

#[test]
fn kip_98_an_older_epoch_is_fenced_and_a_newer_one_starts_at_sequence_0() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let id = init(&mut client, 4).producer_id.0;
    produce_at(&mut client, &topic, 0, Batch::of(&["a"]).by(id, 0, 0).build(), 0);
    let out_of_order = ResponseError::OutOfOrderSequenceNumber.code();
    assert_eq!(produce(&mut client, 9, &topic, 0, Batch::of(&["x"]).by(id, 1, 1).build()).error_code, out_of_order);
    produce_at(&mut client, &topic, 0, Batch::of(&["b"]).by(id, 1, 0).build(), 1);
    let fenced = produce(&mut client, 9, &topic, 0, Batch::of(&["x"]).by(id, 0, 1).build());
    assert_eq!(fenced.error_code, ResponseError::InvalidProducerEpoch.code());
}

#[test]
fn kip_98_the_last_five_batches_of_a_producer_are_remembered() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let id = init(&mut client, 4).producer_id.0;
    let all: Vec<_> = (0..7).map(|sequence| Batch::of(&["x"]).by(id, 0, sequence).build()).collect();
    // Five in flight, as clients have them, answered in order.
    for batch in &all {
        client.send(&produce_request(9, &topic, &[(0, batch.clone())]), 9);
    }
    for offset in 0..7 {
        let response = client.receive::<kafka_protocol::messages::ProduceRequest>(9);
        assert_eq!(response.responses[0].partition_responses[0].base_offset, offset);
    }
    for (batch, offset) in all[2..].iter().zip(2..) {
        produce_at(&mut client, &topic, 0, batch.clone(), offset);
    }
    // What is older is known to be a duplicate no more; its sequence is behind the last one.
    let forgotten = produce(&mut client, 9, &topic, 0, all[1].clone());
    assert_eq!(forgotten.error_code, ResponseError::OutOfOrderSequenceNumber.code());
    assert_eq!(values(&fetch(&mut client, 12, &topic, 0, 0)).len(), 7);
}

#[test]
fn kip_360_a_producer_that_the_partition_does_not_know_may_start_anywhere() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let id = init(&mut client, 4).producer_id.0;
    // Its state may have expired or been deleted with its records, which is no fault of the producer.
    produce_at(&mut client, &topic, 0, Batch::of(&["a"]).by(id, 0, 42).build(), 0);
    produce_at(&mut client, &topic, 0, Batch::of(&["b"]).by(id, 0, 43).build(), 1);
}

#[test]
fn a_sequence_wraps_from_the_largest_number_to_0() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    let id = init(&mut client, 4).producer_id.0;
    produce_at(&mut client, &topic, 0, Batch::of(&["a"]).by(id, 0, i32::MAX).build(), 0);
    produce_at(&mut client, &topic, 0, Batch::of(&["b"]).by(id, 0, 0).build(), 1);
}
