//! Produce (key 0), versions 3–13: the request as a view of its bytes, the response written in the request's order.
//!
//! Invariants:
//! * [`Request::parse`] walks the whole body once and checks it to the last byte; nothing is allocated, and what it
//!   accepted is walked again without errors;
//! * a record set is a slice of the frame, never copied;
//! * a request has at most as many partitions as the guard's limit pays for, [`decoded_bytes_max`]: one with a record
//!   for each never reaches it below 64 MiB, one of empty partitions cost the broker thirty times its size;
//! * every partition of the request is answered, in its place.
//!
//! Versions: 5 log start offset · 8 record errors (KIP-467) · 9 flexible · 10 current leader (KIP-951) · 13 topic ids
//! (KIP-516). 4, 6, 7, 11 and 12 change meanings, not bytes: error codes, throttling after the response, zstd,
//! transactions (KIP-890).

use super::guard::decoded_bytes_max;
use super::primitive::{Encoding, Reader, Writer, end_frame};
use super::{CurrentLeader, Malformed, NodeEndpoint, TopicRef};

const VERSION_FLEXIBLE: i16 = 9;
const VERSION_TOPIC_IDS: i16 = 13;
/// In a partition's answer the error code follows the index.
const PARTITION_INDEX_BYTES: usize = 4;

/// What a partition of a request takes while it is handled, besides its records: a place in line, a result, an answer.
const PARTITION_HANDLED_BYTES: usize = 512;

/// Beyond this size a response names errors only by their codes. A frame can hold millions of empty partitions; with a
/// sentence for each, the answer would be many times as large as the question.
const EXPLAINED_BYTES_MAX: usize = 16 << 20;

/// A produce request.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The version that it came in, and in which it is answered.
    pub version: i16,
    /// The transactional producer, or none.
    pub transactional_id: Option<&'a str>,
    /// −1 for all in sync, 0 for no answer, 1 for the leader; other numbers are the client's mistake.
    pub acks: i16,
    /// How long the client wants to wait for `acks`.
    pub timeout_ms: i32,
    partition_count: usize,
    topics: Walk<'a>,
}

/// What a request holds for one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionData<'a> {
    /// Its topic: a name up to version 12, an id from 13.
    pub topic: TopicRef<'a>,
    /// Its index.
    pub index: i32,
    /// The record set; null is the client's mistake.
    pub records: Option<&'a [u8]>,
}

fn encoding(version: i16) -> Encoding {
    if version >= VERSION_FLEXIBLE { Encoding::Flexible } else { Encoding::Classic }
}

impl<'a> Request<'a> {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// Anything that the version does not prescribe, an unknown version, too many partitions. Bytes after the end are skipped, as Kafka does.
    pub fn parse(version: i16, body: &'a [u8]) -> Result<Request<'a>, Malformed> {
        if !(3..=13).contains(&version) {
            return Err(Malformed::new("an unknown version", 0));
        }
        let mut reader = Reader::new(body, encoding(version));
        let transactional_id = reader.nullable_string("the transactional id")?;
        let acks = reader.int16("acks")?;
        let timeout_ms = reader.int32("the timeout")?;
        let topics = Walk::open(reader, version)?;
        let mut walk = topics.clone();
        let partition_count_max = decoded_bytes_max(body.len()) / PARTITION_HANDLED_BYTES;
        let mut partition_count = 0;
        while let Some(step) = walk.step()? {
            partition_count += usize::from(matches!(step, Step::Partition(_)));
            if partition_count > partition_count_max {
                return Err(walk.reader.impossible("the number of partitions"));
            }
        }
        walk.reader.skip_tagged_fields("the request")?;
        Ok(Request { version, transactional_id, acks, timeout_ms, partition_count, topics })
    }

    /// How many partitions the request names; one that is named twice counts twice.
    pub fn partition_count(&self) -> usize {
        self.partition_count
    }

    /// The partitions in the order of the request.
    pub fn partitions(&self) -> Partitions<'a> {
        Partitions { walk: self.topics.clone(), left: self.partition_count }
    }
}

/// Iterates over the partitions of a [`Request`].
#[derive(Clone, Debug)]
pub struct Partitions<'a> {
    walk: Walk<'a>,
    left: usize,
}

impl<'a> Iterator for Partitions<'a> {
    type Item = PartitionData<'a>;

    fn next(&mut self) -> Option<PartitionData<'a>> {
        loop {
            if let Step::Partition(data) = self.walk.step().expect(PARSED)? {
                self.left -= 1;
                return Some(data);
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Partitions<'_> {}

const PARSED: &str = "the body was walked when it was parsed";

/// Goes through topics and partitions of a body.
#[derive(Clone, Debug)]
struct Walk<'a> {
    reader: Reader<'a>,
    version: i16,
    topics_left: usize,
    topic: Option<(TopicRef<'a>, usize)>,
}

enum Step<'a> {
    Topic { topic: TopicRef<'a>, partition_count: usize },
    Partition(PartitionData<'a>),
    TopicEnd,
}

impl<'a> Walk<'a> {
    fn open(mut reader: Reader<'a>, version: i16) -> Result<Walk<'a>, Malformed> {
        let topic_bytes_min = match version {
            ..VERSION_FLEXIBLE => 6,
            VERSION_FLEXIBLE..VERSION_TOPIC_IDS => 3,
            VERSION_TOPIC_IDS.. => 18,
        };
        let topics_left = reader.count(topic_bytes_min, "the topics")?;
        Ok(Walk { reader, version, topics_left, topic: None })
    }

    fn step(&mut self) -> Result<Option<Step<'a>>, Malformed> {
        match &mut self.topic {
            None if self.topics_left == 0 => Ok(None),
            None => {
                self.topics_left -= 1;
                let topic = if self.version >= VERSION_TOPIC_IDS {
                    TopicRef::Id(self.reader.topic_id("a topic id")?)
                } else {
                    TopicRef::Name(self.reader.string("a topic name")?)
                };
                let partition_bytes_min = if self.version >= VERSION_FLEXIBLE { 6 } else { 8 };
                let partition_count = self.reader.count(partition_bytes_min, "the partitions")?;
                self.topic = Some((topic, partition_count));
                Ok(Some(Step::Topic { topic, partition_count }))
            }
            Some((_, 0)) => {
                self.reader.skip_tagged_fields("a topic")?;
                self.topic = None;
                Ok(Some(Step::TopicEnd))
            }
            Some((topic, partitions_left)) => {
                *partitions_left -= 1;
                let index = self.reader.int32("a partition index")?;
                let records = self.reader.nullable_bytes("a record set")?;
                self.reader.skip_tagged_fields("a partition")?;
                Ok(Some(Step::Partition(PartitionData { topic: *topic, index, records })))
            }
        }
    }
}

/// The answer for one partition. What a version lacks is left out.
#[derive(Clone, Copy, Debug)]
pub struct PartitionAnswer<'a> {
    /// Kafka's error code.
    pub error_code: i16,
    /// The offset of the first record, or −1.
    pub base_offset: i64,
    /// The time of the append, or −1 where the topic keeps the producer's time.
    pub log_append_time_ms: i64,
    /// The log start offset, or −1; from version 5.
    pub log_start_offset: i64,
    /// The records that made the broker refuse the batch: place in it, and why; from version 8.
    pub record_errors: &'a [(i32, Option<String>)],
    /// A sentence about the error; from version 8.
    pub error_message: Option<&'a str>,
    /// Who leads the partition, with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH; from version 10.
    pub current_leader: Option<CurrentLeader>,
}

impl<'a> PartitionAnswer<'a> {
    /// The answer to a batch that was not appended.
    pub fn error(error_code: i16, error_message: Option<&'a str>) -> PartitionAnswer<'a> {
        PartitionAnswer {
            error_code,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: &[],
            error_message,
            current_leader: None,
        }
    }
}

/// The answer to a whole request, but for its partitions.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The request's.
    pub correlation_id: i32,
    /// For how long the client's quota mutes it.
    pub throttle_ms: i32,
    /// Where the leaders listen that partitions' answers name; from version 10.
    pub node_endpoints: &'a [NodeEndpoint<'a>],
}

/// Appends the response to `request` as a whole frame, with its length. `answers` are in the order of
/// [`Request::partitions`]. Beyond 16 MiB, record errors and error messages are left out.
///
/// # Panics
/// When there are fewer answers than partitions, or more.
pub fn encode<'a>(
    out: &mut Vec<u8>,
    head: &Head<'_>,
    request: &Request<'_>,
    answers: impl IntoIterator<Item = PartitionAnswer<'a>>,
) {
    encode_each(out, head, request, answers, |_| {});
}

/// As [`encode`]; returns where in `out` each partition's error code stands, two bytes that may be changed until the
/// frame is sent.
///
/// # Panics
/// As [`encode`].
pub fn encode_noting<'a>(
    out: &mut Vec<u8>,
    head: &Head<'_>,
    request: &Request<'_>,
    answers: impl IntoIterator<Item = PartitionAnswer<'a>>,
) -> Vec<usize> {
    let mut places = Vec::with_capacity(request.partition_count());
    encode_each(out, head, request, answers, |place| places.push(place));
    places
}

fn encode_each<'a>(
    out: &mut Vec<u8>,
    head: &Head<'_>,
    request: &Request<'_>,
    answers: impl IntoIterator<Item = PartitionAnswer<'a>>,
    mut error_code_at: impl FnMut(usize),
) {
    let version = request.version;
    let mut answers = answers.into_iter();
    let start = out.len();
    let mut writer = Writer::begin_frame(out, head.correlation_id, encoding(version));
    let mut walk = request.topics.clone();
    writer.length(walk.topics_left);
    while let Some(step) = walk.step().expect(PARSED) {
        match step {
            Step::Topic { topic, partition_count } => {
                writer.topic(topic);
                writer.length(partition_count);
            }
            Step::Partition(data) => {
                let mut answer = answers.next().expect("every partition has an answer");
                if writer.out().len() - start > EXPLAINED_BYTES_MAX {
                    answer = PartitionAnswer { record_errors: &[], error_message: None, ..answer };
                }
                error_code_at(writer.out().len() + PARTITION_INDEX_BYTES);
                write_partition(&mut writer, version, data.index, &answer);
            }
            Step::TopicEnd => writer.no_tagged_fields(),
        }
    }
    assert!(answers.next().is_none(), "every answer has a partition");
    writer.int32(head.throttle_ms);
    writer.node_endpoints(if version >= 10 { head.node_endpoints } else { &[] });
    end_frame(out, start, 0);
}

fn write_partition(writer: &mut Writer<'_>, version: i16, index: i32, answer: &PartitionAnswer<'_>) {
    writer.int32(index);
    writer.int16(answer.error_code);
    writer.int64(answer.base_offset);
    writer.int64(answer.log_append_time_ms);
    if version >= 5 {
        writer.int64(answer.log_start_offset);
    }
    if version >= 8 {
        writer.length(answer.record_errors.len());
        for (index, message) in answer.record_errors {
            writer.int32(*index);
            writer.nullable_string(message.as_deref());
            writer.no_tagged_fields();
        }
        writer.nullable_string(answer.error_message);
    }
    match answer.current_leader {
        Some(leader) if version >= 10 => {
            writer.tagged_fields(1);
            writer.current_leader(0, leader);
        }
        _ => writer.no_tagged_fields(),
    }
}

#[cfg(test)]
mod tests;
