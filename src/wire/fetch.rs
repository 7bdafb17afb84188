//! Fetch (key 1), versions 4–18: the request as a struct, the response as header bytes between record sets that need
//! not be in memory.
//!
//! Invariants:
//! * a parsed [`Request`] is at most some ten times as large as its body, whatever counts the body claims, and has at
//!   most 131,072 partitions;
//! * topics without partitions vanish, as they do in Kafka's maps;
//! * a record set is never null in a response, only empty (librdkafka and others read null as a broken response);
//! * the bytes after a record set (tagged fields, from version 12) are written by the call that follows it.
//!
//! Versions: 5 log start offset · 7 sessions (KIP-227) · 9 leader epoch (KIP-320) · 11 rack (KIP-392) · 12 flexible,
//! diverging epoch (KIP-595) · 13 topic ids (KIP-516) · 15 replica state (KIP-903) · 16 node endpoints (KIP-951) ·
//! 17 the follower's directory id (KIP-853) · 18 its high watermark (KIP-1166). 6, 8, 10 and 14 change meanings, not
//! bytes: error codes, throttling, zstd, tiered storage.
//!
//! Missing: the snapshot id of the response (tag 2), which only raft logs that are fetched have.

use super::primitive::{Encoding, Reader, Writer, end_frame};
use super::{CurrentLeader, Malformed, NodeEndpoint, TopicRef};
use crate::types::TopicId;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

const VERSION_FLEXIBLE: i16 = 12;
const VERSION_TOPIC_IDS: i16 = 13;

/// The most partitions that one request may name: with half a kilobyte for each while it is handled, 64 MiB, which is
/// what other requests may take when they are decoded.
const PARTITIONS_MAX: usize = 131_072;

/// A fetch request. Fields that a version lacks have Kafka's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The version that it came in, and in which it is answered.
    pub version: i16,
    /// The follower that fetches, or −1 for a consumer.
    pub replica_id: i32,
    /// The follower's broker epoch, or −1; from version 15.
    pub replica_epoch: i64,
    /// The cluster that a raft voter believes to fetch from; from version 12.
    pub cluster_id: Option<Box<str>>,
    /// How long the answer may wait for [`Request::min_bytes`].
    pub max_wait_ms: i32,
    /// How many bytes an answer should have at least.
    pub min_bytes: i32,
    /// How many bytes an answer should have at most, but for a single larger batch.
    pub max_bytes: i32,
    /// 0: all records; 1: those of aborted and open transactions are held back.
    pub isolation_level: i8,
    /// The fetch session, or 0; from version 7.
    pub session_id: i32,
    /// The session's epoch: −1 for no session, 0 for a new one; from version 7.
    pub session_epoch: i32,
    /// What is fetched: all, or in a session what has changed.
    pub topics: Vec<Topic>,
    /// What leaves the session; from version 7.
    pub forgotten_topics: Vec<ForgottenTopic>,
    /// The consumer's rack, or empty; from version 11.
    pub rack_id: Box<str>,
}

/// A topic as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicKey {
    /// By name, up to version 12. Not checked to be a legal one, and shared: a session has it in the key of every
    /// partition, and a name of 32 KiB with a hundred thousand partitions must not become gigabytes.
    Name(Arc<str>),
    /// By id, from version 13.
    Id(TopicId),
}

impl Hash for TopicKey {
    /// Of a name no more than a topic may have: each partition of a request is hashed with it.
    fn hash<H: Hasher>(&self, state: &mut H) {
        const NAME_BYTES_MAX: usize = 249;
        match self {
            TopicKey::Name(name) => name.as_bytes()[..name.len().min(NAME_BYTES_MAX)].hash(state),
            TopicKey::Id(id) => id.hash(state),
        }
    }
}

impl TopicKey {
    /// The same, borrowed, as the response wants it.
    pub fn as_ref(&self) -> TopicRef<'_> {
        match self {
            TopicKey::Name(name) => TopicRef::Name(name),
            TopicKey::Id(id) => TopicRef::Id(*id),
        }
    }
}

/// Partitions of one topic, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// The topic.
    pub topic: TopicKey,
    /// Its partitions.
    pub partitions: Vec<Partition>,
}

/// Partitions of one topic that leave the session, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgottenTopic {
    /// The topic.
    pub topic: TopicKey,
    /// Its partitions' indexes.
    pub partitions: Vec<i32>,
}

/// What is fetched of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its index.
    pub index: i32,
    /// The leader epoch that the client knows, or −1; from version 9.
    pub current_leader_epoch: i32,
    /// Where to read.
    pub fetch_offset: i64,
    /// The leader epoch of the last record that the client has, or −1; from version 12.
    pub last_fetched_epoch: i32,
    /// The follower's log start offset, or −1; from version 5.
    pub log_start_offset: i64,
    /// How many bytes of this partition at most, but for a single larger batch.
    pub max_bytes: i32,
    /// The directory of the follower's replica, or nil; from version 17.
    pub replica_directory_id: uuid::Uuid,
    /// The high watermark that the follower knows, −1 when it knows none, `i64::MAX` when it does not tell; from
    /// version 18.
    pub high_watermark: i64,
}

fn encoding(version: i16) -> Encoding {
    if version >= VERSION_FLEXIBLE { Encoding::Flexible } else { Encoding::Classic }
}

impl Request {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// Anything that the version does not prescribe, an unknown version. Bytes after the end are skipped, as Kafka does.
    pub fn parse(version: i16, body: &[u8]) -> Result<Request, Malformed> {
        if !(4..=18).contains(&version) {
            return Err(Malformed::new("an unknown version", 0));
        }
        let reader = &mut Reader::new(body, encoding(version));
        let mut request = Request {
            version,
            replica_id: if version < 15 { reader.int32("the replica id")? } else { -1 },
            replica_epoch: -1,
            cluster_id: None,
            max_wait_ms: reader.int32("the maximum wait")?,
            min_bytes: reader.int32("the minimum of bytes")?,
            max_bytes: reader.int32("the maximum of bytes")?,
            isolation_level: reader.int8("the isolation level")?,
            session_id: if version >= 7 { reader.int32("the session id")? } else { 0 },
            session_epoch: if version >= 7 { reader.int32("the session epoch")? } else { -1 },
            topics: parse_topics(reader, version)?,
            forgotten_topics: if version >= 7 { parse_forgotten(reader, version)? } else { Vec::new() },
            rack_id: if version >= 11 { reader.string("the rack")?.into() } else { "".into() },
        };
        reader.tagged_fields("the request", |tag, field| {
            match tag {
                0 => request.cluster_id = field.nullable_string("the cluster id")?.map(Into::into),
                1 if version >= 15 => {
                    request.replica_id = field.int32("the replica id")?;
                    request.replica_epoch = field.int64("the replica epoch")?;
                    field.skip_tagged_fields("the replica state")?;
                }
                _ => field.skip_rest(),
            }
            Ok(())
        })?;
        Ok(request)
    }
}

/// Counts are checked against the shortest possible topic, so vectors of topics grow as topics come.
fn topic_bytes_min(version: i16) -> usize {
    match version {
        ..VERSION_FLEXIBLE => 6,
        VERSION_FLEXIBLE..VERSION_TOPIC_IDS => 3,
        VERSION_TOPIC_IDS.. => 18,
    }
}

fn parse_topic(reader: &mut Reader<'_>, version: i16) -> Result<TopicKey, Malformed> {
    Ok(if version >= VERSION_TOPIC_IDS {
        TopicKey::Id(reader.topic_id("a topic id")?)
    } else {
        TopicKey::Name(reader.string("a topic name")?.into())
    })
}

fn parse_topics(reader: &mut Reader<'_>, version: i16) -> Result<Vec<Topic>, Malformed> {
    let partition_bytes_min = match version {
        ..5 => 16,
        5..9 => 24,
        9..VERSION_FLEXIBLE => 28,
        VERSION_FLEXIBLE.. => 33,
    };
    let (mut topics, mut left) = (Vec::new(), PARTITIONS_MAX);
    for _ in 0..reader.count(topic_bytes_min(version), "the topics")? {
        let topic = parse_topic(reader, version)?;
        let count = reader.count(partition_bytes_min, "the partitions")?;
        left = left.checked_sub(count).ok_or_else(|| reader.impossible("the number of partitions"))?;
        let mut partitions = Vec::with_capacity(count);
        for _ in 0..count {
            partitions.push(parse_partition(reader, version)?);
        }
        reader.skip_tagged_fields("a topic")?;
        if !partitions.is_empty() {
            topics.push(Topic { topic, partitions });
        }
    }
    Ok(topics)
}

fn parse_partition(reader: &mut Reader<'_>, version: i16) -> Result<Partition, Malformed> {
    let mut partition = Partition {
        index: reader.int32("a partition index")?,
        current_leader_epoch: if version >= 9 { reader.int32("a leader epoch")? } else { -1 },
        fetch_offset: reader.int64("a fetch offset")?,
        last_fetched_epoch: if version >= 12 { reader.int32("a last fetched epoch")? } else { -1 },
        log_start_offset: if version >= 5 { reader.int64("a log start offset")? } else { -1 },
        max_bytes: reader.int32("a partition's maximum of bytes")?,
        replica_directory_id: uuid::Uuid::nil(),
        high_watermark: i64::MAX,
    };
    reader.tagged_fields("a partition", |tag, field| {
        match tag {
            0 if version >= 17 => partition.replica_directory_id = field.topic_id("a directory id")?.0,
            1 if version >= 18 => partition.high_watermark = field.int64("a high watermark")?,
            _ => field.skip_rest(),
        }
        Ok(())
    })?;
    Ok(partition)
}

fn parse_forgotten(reader: &mut Reader<'_>, version: i16) -> Result<Vec<ForgottenTopic>, Malformed> {
    let (mut topics, mut left) = (Vec::new(), PARTITIONS_MAX);
    for _ in 0..reader.count(topic_bytes_min(version), "the forgotten topics")? {
        let topic = parse_topic(reader, version)?;
        let count = reader.count(4, "the forgotten partitions")?;
        left = left.checked_sub(count).ok_or_else(|| reader.impossible("the number of forgotten partitions"))?;
        let mut partitions = Vec::with_capacity(count);
        for _ in 0..count {
            partitions.push(reader.int32("a forgotten partition")?);
        }
        reader.skip_tagged_fields("a forgotten topic")?;
        if !partitions.is_empty() {
            topics.push(ForgottenTopic { topic, partitions });
        }
    }
    Ok(topics)
}

/// The answer to a whole request, but for its topics.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// The request's.
    pub correlation_id: i32,
    /// The request's.
    pub version: i16,
    /// For how long the client's quota mutes it.
    pub throttle_ms: i32,
    /// An error of the whole request; from version 7.
    pub error_code: i16,
    /// The fetch session, or 0; from version 7.
    pub session_id: i32,
    /// How many topics will be written.
    pub topic_count: usize,
}

/// The answer for one partition. What a version lacks is left out.
#[derive(Clone, Copy, Debug)]
pub struct PartitionAnswer<'a> {
    /// Its index.
    pub index: i32,
    /// Kafka's error code.
    pub error_code: i16,
    /// The high watermark, or −1.
    pub high_watermark: i64,
    /// The last stable offset, or −1.
    pub last_stable_offset: i64,
    /// The log start offset, or −1; from version 5.
    pub log_start_offset: i64,
    /// Where the client's log and ours part: epoch and end offset; from version 12.
    pub diverging_epoch: Option<(i32, i64)>,
    /// Who leads the partition; from version 12.
    pub current_leader: Option<CurrentLeader>,
    /// Producer id and first offset of the aborted transactions among the records. Kafka sends none (null) to those
    /// who read uncommitted records.
    pub aborted_transactions: Option<&'a [(i64, i64)]>,
    /// A replica nearer to the consumer, or −1; from version 11.
    pub preferred_read_replica: i32,
}

impl PartitionAnswer<'_> {
    /// The answer for a partition that could not be read.
    pub fn error(index: i32, error_code: i16) -> PartitionAnswer<'static> {
        PartitionAnswer {
            index,
            error_code,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging_epoch: None,
            current_leader: None,
            aborted_transactions: None,
            preferred_read_replica: -1,
        }
    }
}

/// Writes a response as a frame whose record sets the caller puts between: after [`ResponseWriter::partition`] the
/// announced bytes are either appended to [`ResponseWriter::out`], or they will be sent from elsewhere at the present
/// end of that buffer, which the caller notes.
#[derive(Debug)]
pub struct ResponseWriter<'a> {
    writer: Writer<'a>,
    version: i16,
    start: usize,
    topics_left: usize,
    topic_open: bool,
    partitions_left: usize,
    /// The tagged fields of a partition whose record set comes before them.
    trailer: Option<Trailer>,
}

#[derive(Clone, Copy, Debug)]
struct Trailer {
    diverging_epoch: Option<(i32, i64)>,
    current_leader: Option<CurrentLeader>,
}

impl<'a> ResponseWriter<'a> {
    /// Begins a frame at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>, head: &Head) -> ResponseWriter<'a> {
        let start = out.len();
        let mut writer = Writer::begin_frame(out, head.correlation_id, encoding(head.version));
        writer.int32(head.throttle_ms);
        if head.version >= 7 {
            writer.int16(head.error_code);
            writer.int32(head.session_id);
        }
        writer.length(head.topic_count);
        ResponseWriter {
            writer,
            version: head.version,
            start,
            topics_left: head.topic_count,
            topic_open: false,
            partitions_left: 0,
            trailer: None,
        }
    }

    /// Begins a topic: by name up to version 12, by id from 13.
    ///
    /// # Panics
    /// When the former topic lacks partitions, or all topics were written.
    pub fn topic(&mut self, topic: TopicRef<'_>, partition_count: usize) {
        self.end_topic();
        self.topics_left = self.topics_left.checked_sub(1).expect("no more topics than announced are written");
        debug_assert_eq!(matches!(topic, TopicRef::Id(_)), self.version >= VERSION_TOPIC_IDS);
        self.writer.topic(topic);
        self.writer.length(partition_count);
        self.topic_open = true;
        self.partitions_left = partition_count;
    }

    /// Writes a partition's answer up to the length of its record set, whose `records_bytes` follow.
    ///
    /// # Panics
    /// When the topic has all its partitions.
    pub fn partition(&mut self, answer: &PartitionAnswer<'_>, records_bytes: usize) {
        self.end_partition();
        self.partitions_left =
            self.partitions_left.checked_sub(1).expect("no more partitions than announced are written");
        let writer = &mut self.writer;
        writer.int32(answer.index);
        writer.int16(answer.error_code);
        writer.int64(answer.high_watermark);
        writer.int64(answer.last_stable_offset);
        if self.version >= 5 {
            writer.int64(answer.log_start_offset);
        }
        writer.nullable_length(answer.aborted_transactions.map(<[_]>::len));
        for (producer_id, first_offset) in answer.aborted_transactions.unwrap_or_default() {
            writer.int64(*producer_id);
            writer.int64(*first_offset);
            writer.no_tagged_fields();
        }
        if self.version >= 11 {
            writer.int32(answer.preferred_read_replica);
        }
        writer.length(records_bytes);
        let PartitionAnswer { diverging_epoch, current_leader, .. } = *answer;
        self.trailer = Some(Trailer { diverging_epoch, current_leader });
    }

    /// What has been written; record sets may be appended after [`ResponseWriter::partition`].
    pub fn out(&mut self) -> &mut Vec<u8> {
        self.writer.out()
    }

    /// Ends the frame, of which `outside_bytes` of record sets are not in the buffer. `node_endpoints`, from version
    /// 16, say where the leaders listen that partitions' answers name.
    ///
    /// # Panics
    /// When topics or partitions are missing, or the frame has 2 GiB or more: the caller's limit on a response is less.
    pub fn finish(mut self, outside_bytes: usize, node_endpoints: &[NodeEndpoint<'_>]) {
        self.end_topic();
        assert_eq!(self.topics_left, 0, "all announced topics are written");
        self.writer.node_endpoints(if self.version >= 16 { node_endpoints } else { &[] });
        end_frame(self.writer.out(), self.start, outside_bytes);
    }

    fn end_topic(&mut self) {
        self.end_partition();
        assert_eq!(self.partitions_left, 0, "all announced partitions are written");
        if std::mem::take(&mut self.topic_open) {
            self.writer.no_tagged_fields();
        }
    }

    fn end_partition(&mut self) {
        let Some(trailer) = self.trailer.take() else {
            return;
        };
        if encoding(self.version) == Encoding::Classic {
            return;
        }
        let count = u32::from(trailer.diverging_epoch.is_some()) + u32::from(trailer.current_leader.is_some());
        self.writer.tagged_fields(count);
        if let Some((epoch, end_offset)) = trailer.diverging_epoch {
            self.writer.unsigned_varint(0);
            self.writer.unsigned_varint(13);
            self.writer.int32(epoch);
            self.writer.int64(end_offset);
            self.writer.no_tagged_fields();
        }
        if let Some(leader) = trailer.current_leader {
            self.writer.current_leader(1, leader);
        }
    }
}

#[cfg(test)]
mod tests;
