//! Every version against the kafka-protocol crate, both ways.

use super::*;
use crate::types::TopicId;
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint as CrateEndpoint, PartitionProduceResponse,
    TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TopicName, TransactionalId};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

const VERSIONS: std::ops::RangeInclusive<i16> = 3..=13;

fn text() -> impl Strategy<Value = StrBytes> {
    "[a-z.é]{0,20}".prop_map(StrBytes::from_string)
}

fn any_request() -> impl Strategy<Value = ProduceRequest> {
    let records = option::of(vec(any::<u8>(), 0..200).prop_map(Bytes::from));
    let partition = (any::<i32>(), records, option::of(vec(any::<u8>(), 0..20)));
    let topic = (text(), any::<u128>(), vec(partition, 0..4));
    (option::of(text()), any::<i16>(), any::<i32>(), vec(topic, 0..4)).prop_map(|(id, acks, timeout_ms, topics)| {
        let topics = topics.into_iter().map(|(name, id, partitions)| {
            let partitions = partitions.into_iter().map(|(index, records, unknown)| {
                let data = PartitionProduceData::default().with_index(index).with_records(records);
                match unknown {
                    Some(bytes) => data.with_unknown_tagged_field(77, bytes.into()),
                    None => data,
                }
            });
            TopicProduceData::default()
                .with_name(TopicName(name))
                .with_topic_id(Uuid::from_u128(id))
                .with_partition_data(partitions.collect())
        });
        ProduceRequest::default()
            .with_transactional_id(id.map(TransactionalId))
            .with_acks(acks)
            .with_timeout_ms(timeout_ms)
            .with_topic_data(topics.collect())
    })
}

/// The request as the crate encodes it in a version, without what the version lacks.
fn encoded(request: &ProduceRequest, version: i16) -> Bytes {
    let mut request = request.clone();
    for topic in &mut request.topic_data {
        match version {
            ..VERSION_TOPIC_IDS => topic.topic_id = Uuid::nil(),
            VERSION_TOPIC_IDS.. => topic.name = TopicName::default(),
        }
        for partition in &mut topic.partition_data {
            if version < VERSION_FLEXIBLE {
                partition.unknown_tagged_fields.clear();
            }
        }
    }
    let mut body = BytesMut::new();
    request.encode(&mut body, version).unwrap();
    body.freeze()
}

fn assert_same(ours: &Request<'_>, theirs: &ProduceRequest) {
    assert_eq!(ours.transactional_id, theirs.transactional_id.as_ref().map(|id| id.0.as_str()));
    assert_eq!((ours.acks, ours.timeout_ms), (theirs.acks, theirs.timeout_ms));
    let expected: Vec<_> = theirs
        .topic_data
        .iter()
        .flat_map(|topic| topic.partition_data.iter().map(move |partition| (topic, partition)))
        .map(|(topic, partition)| PartitionData {
            topic: if ours.version >= VERSION_TOPIC_IDS {
                TopicRef::Id(TopicId(topic.topic_id))
            } else {
                TopicRef::Name(topic.name.0.as_str())
            },
            index: partition.index,
            records: partition.records.as_deref(),
        })
        .collect();
    assert_eq!(ours.partition_count(), expected.len());
    assert_eq!(ours.partitions().len(), expected.len());
    assert_eq!(ours.partitions().collect::<Vec<_>>(), expected);
}

#[derive(Clone, Debug)]
struct Answer {
    error_code: i16,
    offsets: [i64; 3],
    record_errors: Vec<(i32, Option<String>)>,
    error_message: Option<String>,
    current_leader: Option<CurrentLeader>,
}

impl Answer {
    fn borrowed(&self) -> PartitionAnswer<'_> {
        PartitionAnswer {
            error_code: self.error_code,
            base_offset: self.offsets[0],
            log_append_time_ms: self.offsets[1],
            log_start_offset: self.offsets[2],
            record_errors: &self.record_errors,
            error_message: self.error_message.as_deref(),
            current_leader: self.current_leader,
        }
    }

    /// What the crate should read in a version.
    fn expected(&self, index: i32, version: i16) -> PartitionProduceResponse {
        let answer = PartitionProduceResponse::default()
            .with_index(index)
            .with_error_code(self.error_code)
            .with_base_offset(self.offsets[0])
            .with_log_append_time_ms(self.offsets[1])
            .with_log_start_offset(if version >= 5 { self.offsets[2] } else { -1 });
        if version < 8 {
            return answer;
        }
        let text = |text: &Option<String>| text.clone().map(StrBytes::from_string);
        let errors = self.record_errors.iter().map(|(index, message)| {
            BatchIndexAndErrorMessage::default().with_batch_index(*index).with_batch_index_error_message(text(message))
        });
        let answer = answer.with_record_errors(errors.collect()).with_error_message(text(&self.error_message));
        match self.current_leader {
            Some(leader) if version >= 10 => answer.with_current_leader(
                LeaderIdAndEpoch::default()
                    .with_leader_id(leader.leader_id.into())
                    .with_leader_epoch(leader.leader_epoch),
            ),
            _ => answer,
        }
    }
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let error = (any::<i32>(), option::of("[a-zü ]{0,200}"));
    let leader = option::of((0..i32::MAX, 0..i32::MAX));
    (any::<i16>(), any::<[i64; 3]>(), vec(error, 0..4), option::of("[a-zü ]{0,200}"), leader).prop_map(
        |(error_code, offsets, record_errors, error_message, leader)| Answer {
            error_code,
            offsets,
            record_errors,
            error_message,
            current_leader: leader.map(|(leader_id, leader_epoch)| CurrentLeader { leader_id, leader_epoch }),
        },
    )
}

const ENDPOINTS: [NodeEndpoint<'static>; 2] = [
    NodeEndpoint { node_id: 4, host: "broker-4.example", port: 9092, rack: None },
    NodeEndpoint { node_id: 5, host: "broker-5.example", port: 9093, rack: Some("r1") },
];

fn expected_endpoints() -> Vec<CrateEndpoint> {
    let endpoint = |endpoint: &NodeEndpoint<'static>| {
        CrateEndpoint::default()
            .with_node_id(endpoint.node_id.into())
            .with_host(endpoint.host.into())
            .with_port(endpoint.port)
            .with_rack(endpoint.rack.map(Into::into))
    };
    ENDPOINTS.iter().map(endpoint).collect()
}

proptest! {
    #[test]
    fn every_version_of_a_request_is_read_as_the_crate_writes_it(request in any_request()) {
        for version in VERSIONS {
            let body = encoded(&request, version);
            assert_same(&Request::parse(version, &body).unwrap(), &request);
        }
    }

    #[test]
    fn every_version_of_a_response_is_written_as_the_crate_reads_it(
        request in any_request(),
        answers in vec(any_answer(), 16),
        node_endpoints in any::<bool>(),
    ) {
        for version in VERSIONS {
            let body = encoded(&request, version);
            let parsed = Request::parse(version, &body).unwrap();
            let mut out = b"before".to_vec();
            let head = Head {
                correlation_id: 99,
                throttle_ms: 12,
                node_endpoints: if node_endpoints { &ENDPOINTS } else { &[] },
            };
            encode(&mut out, &head, &parsed, answers.iter().take(parsed.partition_count()).map(Answer::borrowed));

            let mut frame = Bytes::from(out).slice(6..);
            prop_assert_eq!(frame.get_i32() as usize, frame.len());
            prop_assert_eq!(frame.get_i32(), 99);
            if version >= VERSION_FLEXIBLE {
                prop_assert_eq!(frame.get_u8(), 0);
            }
            let response = ProduceResponse::decode(&mut frame, version).unwrap();
            prop_assert!(frame.is_empty());

            let mut answers = answers.iter();
            let topics = request.topic_data.iter().map(|topic| {
                let partitions = topic.partition_data.iter().map(|partition| {
                    answers.next().unwrap().expected(partition.index, version)
                });
                let partitions = partitions.collect();
                let answer = TopicProduceResponse::default().with_partition_responses(partitions);
                match version {
                    ..VERSION_TOPIC_IDS => answer.with_name(topic.name.clone()),
                    VERSION_TOPIC_IDS.. => answer.with_topic_id(topic.topic_id),
                }
            });
            let expected = ProduceResponse::default().with_responses(topics.collect()).with_throttle_time_ms(12);
            let endpoints = if node_endpoints && version >= 10 { expected_endpoints() } else { Vec::new() };
            prop_assert_eq!(response, expected.with_node_endpoints(endpoints));
        }
    }

    #[test]
    fn truncated_requests_are_refused_and_mutated_ones_never_panic(
        request in any_request(),
        cut in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        for version in VERSIONS {
            let body = encoded(&request, version);
            prop_assert!(Request::parse(version, &body[..cut.index(body.len())]).is_err());
            let longer = [&body[..], &[0]].concat();
            prop_assert!(Request::parse(version, &longer).is_ok());
            let mut mutated = body.to_vec();
            for (at, byte) in &changes {
                let at = at.index(mutated.len());
                mutated[at] = *byte;
            }
            if let Ok(parsed) = Request::parse(version, &mutated) {
                let answers = parsed.partitions().map(|_| PartitionAnswer::error(1, None));
                let head = Head { correlation_id: 1, throttle_ms: 0, node_endpoints: &[] };
                encode(&mut Vec::new(), &head, &parsed, answers);
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(version in VERSIONS, body in vec(any::<u8>(), 0..200)) {
        let _ = Request::parse(version, &body);
    }
}

#[test]
fn an_unknown_version_is_refused() {
    assert_eq!(Request::parse(2, &[]).err().map(Malformed::into_reason), Some("an unknown version".into()));
    assert_eq!(Request::parse(14, &[]).err().map(Malformed::into_reason), Some("an unknown version".into()));
}

#[test]
fn a_count_that_the_body_cannot_hold_is_refused_at_once() {
    let body = [&[0xff, 0xff][..], &[0; 6], &i32::MAX.to_be_bytes(), &[0; 50]].concat();
    assert_eq!(
        Request::parse(3, &body).err().map(Malformed::into_reason),
        Some("an impossible length in the topics".into())
    );
}

#[test]
fn the_records_are_slices_of_the_body() {
    let topic = TopicProduceData::default()
        .with_partition_data(vec![PartitionProduceData::default().with_records(Some(Bytes::from_static(b"records")))]);
    let body = encoded(&ProduceRequest::default().with_topic_data(vec![topic]), 9);
    let request = Request::parse(9, &body).unwrap();
    let records = request.partitions().next().unwrap().records.unwrap();
    assert!(body.as_ptr_range().contains(&records.as_ptr()));
}

#[test]
fn a_message_too_long_for_a_string_is_cut_between_characters() {
    let topic = TopicProduceData::default().with_partition_data(vec![PartitionProduceData::default()]);
    let body = encoded(&ProduceRequest::default().with_topic_data(vec![topic]), 8);
    let request = Request::parse(8, &body).unwrap();
    let message = "ü".repeat(20_000);
    let mut out = Vec::new();
    let head = Head { correlation_id: 1, throttle_ms: 0, node_endpoints: &[] };
    encode(&mut out, &head, &request, [PartitionAnswer::error(87, Some(&message))]);
    let response = ProduceResponse::decode(&mut Bytes::from(out).slice(8..), 8).unwrap();
    assert_eq!(response.responses[0].partition_responses[0].error_message.as_ref().unwrap().len(), 32_766);
}

#[test]
fn a_response_to_very_many_partitions_stops_explaining() {
    let partitions = vec![PartitionProduceData::default().with_records(Some(Bytes::from_static(&[0; 68]))); 10_000];
    let topic = TopicProduceData::default().with_partition_data(partitions);
    let body = encoded(&ProduceRequest::default().with_topic_data(vec![topic]), 9);
    let request = Request::parse(9, &body).unwrap();
    let message = "e".repeat(30_000);
    let mut out = Vec::new();
    let head = Head { correlation_id: 1, throttle_ms: 0, node_endpoints: &[] };
    encode(&mut out, &head, &request, request.partitions().map(|_| PartitionAnswer::error(87, Some(&message))));
    assert!(out.len() < EXPLAINED_BYTES_MAX + 1_000_000, "{}", out.len());
    let response = ProduceResponse::decode(&mut Bytes::from(out).slice(9..), 9).unwrap();
    let partitions = &response.responses[0].partition_responses;
    assert!(partitions[0].error_message.is_some());
    assert!(partitions[9_999].error_message.is_none() && partitions[9_999].error_code == 87);
}

#[test]
fn more_empty_partitions_than_a_frame_may_hold_are_refused_and_as_many_full_ones_are_not() {
    let body = |count: usize, records: &[u8]| {
        let mut body = vec![0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, b't'];
        body.extend((count as u32).to_be_bytes());
        for _ in 0..count {
            body.extend([0; 4]);
            body.extend((records.len() as u32).to_be_bytes());
            body.extend(records);
        }
        body
    };
    assert!(Request::parse(3, &body(2_000, &[])).is_ok());
    assert!(Request::parse(3, &body(20_000, &[])).is_err());
    // The smallest batch with a record has 68 bytes.
    assert!(Request::parse(3, &body(100_000, &[0; 68])).is_ok());
}
