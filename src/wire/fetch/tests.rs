//! Every version against the kafka-protocol crate, both ways.

use super::*;
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic as Forgotten, ReplicaState};
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint as CrateEndpoint,
    PartitionData,
};
use kafka_protocol::messages::{FetchRequest, FetchResponse, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

const VERSIONS: std::ops::RangeInclusive<i16> = 4..=18;

fn text() -> impl Strategy<Value = StrBytes> {
    "[a-z.é]{0,20}".prop_map(StrBytes::from_string)
}

fn any_partition() -> impl Strategy<Value = FetchPartition> {
    let numbers = (any::<[i32; 4]>(), any::<[i64; 2]>());
    (numbers, any::<u128>(), any::<i64>(), option::of(vec(any::<u8>(), 0..20))).prop_map(
        |(([index, epoch, fetched, bytes], [offset, start]), directory, watermark, unknown)| {
            let partition = FetchPartition::default()
                .with_partition(index)
                .with_current_leader_epoch(epoch)
                .with_fetch_offset(offset)
                .with_last_fetched_epoch(fetched)
                .with_log_start_offset(start)
                .with_partition_max_bytes(bytes)
                .with_replica_directory_id(Uuid::from_u128(directory))
                .with_high_watermark(watermark);
            match unknown {
                Some(bytes) => partition.with_unknown_tagged_field(77, bytes.into()),
                None => partition,
            }
        },
    )
}

fn any_request() -> impl Strategy<Value = FetchRequest> {
    let topic = (text(), any::<u128>(), vec(any_partition(), 0..4));
    let forgotten = (text(), any::<u128>(), vec(any::<i32>(), 0..4));
    let replica = (any::<i32>(), any::<i64>());
    (any::<[i32; 5]>(), any::<i8>(), vec(topic, 0..4), vec(forgotten, 0..3), text(), option::of(text()), replica)
        .prop_map(|([wait, min, max, session, epoch], isolation, topics, forgotten, rack, cluster, replica)| {
            let topics = topics.into_iter().map(|(name, id, partitions)| {
                FetchTopic::default()
                    .with_topic(TopicName(name))
                    .with_topic_id(Uuid::from_u128(id))
                    .with_partitions(partitions)
            });
            let forgotten = forgotten.into_iter().map(|(name, id, partitions)| {
                Forgotten::default()
                    .with_topic(TopicName(name))
                    .with_topic_id(Uuid::from_u128(id))
                    .with_partitions(partitions)
            });
            FetchRequest::default()
                .with_max_wait_ms(wait)
                .with_min_bytes(min)
                .with_max_bytes(max)
                .with_isolation_level(isolation)
                .with_session_id(session)
                .with_session_epoch(epoch)
                .with_topics(topics.collect())
                .with_forgotten_topics_data(forgotten.collect())
                .with_rack_id(rack)
                .with_cluster_id(cluster)
                .with_replica_id(replica.0.into())
                .with_replica_state(
                    ReplicaState::default().with_replica_id(replica.0.into()).with_replica_epoch(replica.1),
                )
        })
}

/// The request without what a version lacks.
fn reduced(request: &FetchRequest, version: i16) -> FetchRequest {
    let mut request = request.clone();
    if version < 15 {
        request.replica_state = ReplicaState::default();
    } else {
        request.replica_id = (-1).into();
    }
    if version < 12 {
        request.cluster_id = None;
    }
    if version < 11 {
        request.rack_id = StrBytes::default();
    }
    if version < 7 {
        (request.session_id, request.session_epoch) = (0, -1);
        request.forgotten_topics_data.clear();
    }
    let (keep_names, keep_ids) = (version < VERSION_TOPIC_IDS, version >= VERSION_TOPIC_IDS);
    for topic in &mut request.topics {
        topic.topic = if keep_names { topic.topic.clone() } else { TopicName::default() };
        topic.topic_id = if keep_ids { topic.topic_id } else { Uuid::nil() };
        for partition in &mut topic.partitions {
            let defaults = FetchPartition::default();
            if version < 18 {
                partition.high_watermark = defaults.high_watermark;
            }
            if version < 17 {
                partition.replica_directory_id = defaults.replica_directory_id;
            }
            if version < 12 {
                partition.last_fetched_epoch = defaults.last_fetched_epoch;
                partition.unknown_tagged_fields.clear();
            }
            if version < 9 {
                partition.current_leader_epoch = defaults.current_leader_epoch;
            }
            if version < 5 {
                partition.log_start_offset = defaults.log_start_offset;
            }
        }
    }
    for topic in &mut request.forgotten_topics_data {
        topic.topic = if keep_names { topic.topic.clone() } else { TopicName::default() };
        topic.topic_id = if keep_ids { topic.topic_id } else { Uuid::nil() };
    }
    request
}

fn encoded(request: &FetchRequest, version: i16) -> Bytes {
    let mut body = BytesMut::new();
    request.encode(&mut body, version).unwrap();
    body.freeze()
}

fn key(name: &TopicName, id: Uuid, version: i16) -> TopicKey {
    if version >= VERSION_TOPIC_IDS { TopicKey::Id(TopicId(id)) } else { TopicKey::Name(name.0.as_str().into()) }
}

fn expected(request: &FetchRequest, version: i16) -> Request {
    let topics = request.topics.iter().filter(|topic| !topic.partitions.is_empty()).map(|topic| Topic {
        topic: key(&topic.topic, topic.topic_id, version),
        partitions: topic
            .partitions
            .iter()
            .map(|partition| Partition {
                index: partition.partition,
                current_leader_epoch: partition.current_leader_epoch,
                fetch_offset: partition.fetch_offset,
                last_fetched_epoch: partition.last_fetched_epoch,
                log_start_offset: partition.log_start_offset,
                max_bytes: partition.partition_max_bytes,
                replica_directory_id: partition.replica_directory_id,
                high_watermark: partition.high_watermark,
            })
            .collect(),
    });
    let forgotten = request.forgotten_topics_data.iter().filter(|topic| !topic.partitions.is_empty());
    let replica = if version >= 15 { request.replica_state.replica_id } else { request.replica_id };
    Request {
        version,
        replica_id: replica.0,
        replica_epoch: request.replica_state.replica_epoch,
        cluster_id: request.cluster_id.as_ref().map(|id| id.as_str().into()),
        max_wait_ms: request.max_wait_ms,
        min_bytes: request.min_bytes,
        max_bytes: request.max_bytes,
        isolation_level: request.isolation_level,
        session_id: request.session_id,
        session_epoch: request.session_epoch,
        topics: topics.collect(),
        forgotten_topics: forgotten
            .map(|topic| ForgottenTopic {
                topic: key(&topic.topic, topic.topic_id, version),
                partitions: topic.partitions.clone(),
            })
            .collect(),
        rack_id: request.rack_id.as_str().into(),
    }
}

#[derive(Clone, Debug)]
struct Answer {
    numbers: ([i64; 3], i32, i16),
    diverging_epoch: Option<(i32, i64)>,
    current_leader: Option<CurrentLeader>,
    aborted: Option<Vec<(i64, i64)>>,
    replica: i32,
    records: Vec<u8>,
}

impl Answer {
    fn borrowed(&self) -> PartitionAnswer<'_> {
        PartitionAnswer {
            index: self.numbers.1,
            error_code: self.numbers.2,
            high_watermark: self.numbers.0[0],
            last_stable_offset: self.numbers.0[1],
            log_start_offset: self.numbers.0[2],
            diverging_epoch: self.diverging_epoch,
            current_leader: self.current_leader,
            aborted_transactions: self.aborted.as_deref(),
            preferred_read_replica: self.replica,
        }
    }

    /// What the crate should read in a version.
    fn expected(&self, version: i16) -> PartitionData {
        let aborted = self.aborted.as_ref().map(|aborted| {
            let transaction = |(id, offset): &(i64, i64)| {
                AbortedTransaction::default().with_producer_id((*id).into()).with_first_offset(*offset)
            };
            aborted.iter().map(transaction).collect()
        });
        let data = PartitionData::default()
            .with_partition_index(self.numbers.1)
            .with_error_code(self.numbers.2)
            .with_high_watermark(self.numbers.0[0])
            .with_last_stable_offset(self.numbers.0[1])
            .with_log_start_offset(if version >= 5 { self.numbers.0[2] } else { -1 })
            .with_aborted_transactions(aborted)
            .with_preferred_read_replica(if version >= 11 { self.replica } else { -1 }.into())
            .with_records(Some(self.records.clone().into()));
        let (diverging, leader) =
            if version >= 12 { (self.diverging_epoch, self.current_leader) } else { (None, None) };
        let (epoch, end_offset) = diverging.unwrap_or((-1, -1));
        let leader = leader.unwrap_or(CurrentLeader { leader_id: -1, leader_epoch: -1 });
        data.with_diverging_epoch(EpochEndOffset::default().with_epoch(epoch).with_end_offset(end_offset))
            .with_current_leader(
                LeaderIdAndEpoch::default()
                    .with_leader_id(leader.leader_id.into())
                    .with_leader_epoch(leader.leader_epoch),
            )
    }
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let numbers = (any::<[i64; 3]>(), any::<i32>(), any::<i16>());
    let diverging = option::of((0..i32::MAX, 0..i64::MAX));
    let leader = option::of((0..i32::MAX, 0..i32::MAX));
    let aborted = option::of(vec(any::<(i64, i64)>(), 0..3));
    (numbers, diverging, leader, aborted, any::<i32>(), vec(any::<u8>(), 0..200)).prop_map(
        |(numbers, diverging_epoch, leader, aborted, replica, records)| Answer {
            numbers,
            diverging_epoch,
            current_leader: leader.map(|(leader_id, leader_epoch)| CurrentLeader { leader_id, leader_epoch }),
            aborted,
            replica,
            records,
        },
    )
}

/// Where the record sets of a response are until it is sent.
#[derive(Clone, Copy, Debug)]
enum RecordsLie {
    InTheBuffer,
    Elsewhere,
}

/// Writes a response, and puts it together as a sender would.
fn written(head: &Head, topics: &[(TopicKey, Vec<Answer>)], endpoints: &[NodeEndpoint<'_>], lie: RecordsLie) -> Bytes {
    let mut out = Vec::new();
    let mut elsewhere = Vec::new();
    let mut writer = ResponseWriter::new(&mut out, head);
    for (topic, answers) in topics {
        writer.topic(topic.as_ref(), answers.len());
        for answer in answers {
            writer.partition(&answer.borrowed(), answer.records.len());
            match lie {
                RecordsLie::InTheBuffer => writer.out().extend_from_slice(&answer.records),
                RecordsLie::Elsewhere => elsewhere.push((writer.out().len(), &answer.records)),
            }
        }
    }
    writer.finish(elsewhere.iter().map(|(_, records)| records.len()).sum(), endpoints);
    let mut sent = BytesMut::new();
    let mut from = 0;
    for (at, records) in elsewhere {
        sent.extend_from_slice(&out[from..at]);
        sent.extend_from_slice(records);
        from = at;
    }
    sent.extend_from_slice(&out[from..]);
    sent.freeze()
}

proptest! {
    #[test]
    fn every_version_of_a_request_is_read_as_the_crate_writes_it(request in any_request()) {
        for version in VERSIONS {
            let request = reduced(&request, version);
            let body = encoded(&request, version);
            prop_assert_eq!(Request::parse(version, &body), Ok(expected(&request, version)));
        }
    }

    #[test]
    fn every_version_of_a_response_is_written_as_the_crate_reads_it(
        topics in vec((text(), any::<u128>(), vec(any_answer(), 0..4)), 0..4),
        numbers in any::<(i32, i16, i32)>(),
        with_endpoint in any::<bool>(),
    ) {
        let endpoint = NodeEndpoint { node_id: 3, host: "broker-3", port: 9092, rack: Some("a") };
        let endpoints = if with_endpoint { &[endpoint][..] } else { &[] };
        for version in VERSIONS {
            let head = Head {
                correlation_id: 99,
                version,
                throttle_ms: numbers.0,
                error_code: numbers.1,
                session_id: numbers.2,
                topic_count: topics.len(),
            };
            let ours: Vec<_> = topics
                .iter()
                .map(|(name, id, answers)| {
                    (key(&TopicName(name.clone()), Uuid::from_u128(*id), version), answers.clone())
                })
                .collect();
            let mut frame = written(&head, &ours, endpoints, RecordsLie::InTheBuffer);
            prop_assert_eq!(&frame, &written(&head, &ours, endpoints, RecordsLie::Elsewhere));
            prop_assert_eq!(frame.get_i32() as usize, frame.len());
            prop_assert_eq!(frame.get_i32(), 99);
            if version >= VERSION_FLEXIBLE {
                prop_assert_eq!(frame.get_u8(), 0);
            }
            let response = FetchResponse::decode(&mut frame, version).unwrap();
            prop_assert!(frame.is_empty());

            let topics = topics.iter().map(|(name, id, answers)| {
                let answers = answers.iter().map(|answer| answer.expected(version)).collect();
                let topic = FetchableTopicResponse::default().with_partitions(answers);
                match version {
                    ..VERSION_TOPIC_IDS => topic.with_topic(TopicName(name.clone())),
                    VERSION_TOPIC_IDS.. => topic.with_topic_id(Uuid::from_u128(*id)),
                }
            });
            let mut expected =
                FetchResponse::default().with_responses(topics.collect()).with_throttle_time_ms(numbers.0);
            if version >= 7 {
                expected = expected.with_error_code(numbers.1).with_session_id(numbers.2);
            }
            if version >= 16 && with_endpoint {
                let endpoint = CrateEndpoint::default()
                    .with_node_id(3.into())
                    .with_host("broker-3".into())
                    .with_port(9092)
                    .with_rack(Some("a".into()));
                expected = expected.with_node_endpoints(vec![endpoint]);
            }
            prop_assert_eq!(response, expected);
        }
    }

    #[test]
    fn truncated_requests_are_refused_and_mutated_ones_never_panic(
        request in any_request(),
        cut in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        for version in VERSIONS {
            let body = encoded(&reduced(&request, version), version);
            prop_assert!(Request::parse(version, &body[..cut.index(body.len())]).is_err());
            let longer = [&body[..], &[0]].concat();
            prop_assert!(Request::parse(version, &longer).is_ok());
            let mut mutated = body.to_vec();
            for (at, byte) in &changes {
                let at = at.index(mutated.len());
                mutated[at] = *byte;
            }
            let _ = Request::parse(version, &mutated);
        }
    }

    #[test]
    fn random_bytes_never_panic(version in VERSIONS, body in vec(any::<u8>(), 0..200)) {
        let _ = Request::parse(version, &body);
    }
}

#[test]
fn an_unknown_version_is_refused() {
    assert_eq!(Request::parse(3, &[]).err().map(Malformed::into_reason), Some("an unknown version".into()));
    assert_eq!(Request::parse(19, &[]).err().map(Malformed::into_reason), Some("an unknown version".into()));
}

#[test]
fn an_empty_record_set_is_empty_and_not_null() {
    for version in VERSIONS {
        let head = Head { correlation_id: 1, version, throttle_ms: 0, error_code: 0, session_id: 0, topic_count: 1 };
        let mut out = Vec::new();
        let mut writer = ResponseWriter::new(&mut out, &head);
        let topic = if version >= 13 { TopicRef::Id(TopicId::NONE) } else { TopicRef::Name("t") };
        writer.topic(topic, 1);
        writer.partition(&PartitionAnswer::error(0, 6), 0);
        writer.finish(0, &[]);
        let skip = if version >= VERSION_FLEXIBLE { 9 } else { 8 };
        let response = FetchResponse::decode(&mut Bytes::from(out).slice(skip..), version).unwrap();
        assert_eq!(response.responses[0].partitions[0].records, Some(Bytes::new()));
    }
}

#[test]
#[should_panic(expected = "all announced partitions are written")]
fn a_response_that_lacks_partitions_is_a_bug() {
    let head = Head { correlation_id: 1, version: 4, throttle_ms: 0, error_code: 0, session_id: 0, topic_count: 1 };
    let mut out = Vec::new();
    let mut writer = ResponseWriter::new(&mut out, &head);
    writer.topic(TopicRef::Name("t"), 1);
    writer.finish(0, &[]);
}

#[test]
fn a_request_names_no_more_partitions_than_it_may() {
    let body = |name_bytes: usize, partitions: usize| {
        let mut body = Vec::new();
        body.extend_from_slice(&[0; 4 + 4 + 4 + 4 + 1]);
        body.extend_from_slice(&1u32.to_be_bytes());
        body.extend_from_slice(&u16::try_from(name_bytes).unwrap().to_be_bytes());
        body.resize(body.len() + name_bytes, b'n');
        body.extend_from_slice(&u32::try_from(partitions).unwrap().to_be_bytes());
        body.resize(body.len() + partitions * 16, 0);
        body
    };
    assert!(Request::parse(4, &body(5, PARTITIONS_MAX)).is_ok());
    assert!(Request::parse(4, &body(5, PARTITIONS_MAX + 1)).is_err());
}
