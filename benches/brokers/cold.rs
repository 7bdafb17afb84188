//! The requests around a measurement: topics made and deleted, log ends, producer ids. One at a time, by the structs of the
//! `kafka-protocol` crate, at versions that every broker since Kafka 2.1 has.

use crate::Result;
use crate::frames::CLIENT_ID;
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, InitProducerIdRequest, ListOffsetsRequest,
    MetadataRequest, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const ANSWERS_WITHIN: Duration = Duration::from_secs(60);
const LEADERS_WITHIN: Duration = Duration::from_secs(60);
/// ListOffsets' name for the log end.
const LATEST: i64 = -1;

/// A connection for requests that are not measured.
pub struct Admin {
    stream: TcpStream,
}

impl Admin {
    /// Connects, and is answered.
    pub fn connect(address: SocketAddr) -> Result<Admin> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
        let mut admin = Admin { stream };
        admin.call(&ApiVersionsRequest::default(), 2)?;
        Ok(admin)
    }

    /// Makes a topic and waits until all of its partitions have a leader.
    pub fn create_topic(&mut self, name: &str, partitions: usize, settings: &[(&str, &str)]) -> Result<()> {
        let text = |text: &str| StrBytes::from_string(text.into());
        let setting = |(name, value): &(&str, &str)| {
            CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
        };
        let topic = CreatableTopic::default()
            .with_name(TopicName(text(name)))
            .with_num_partitions(i32::try_from(partitions)?)
            .with_replication_factor(1)
            .with_configs(settings.iter().map(setting).collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
        let answer = self.call(&request, 4)?;
        check("CreateTopics", answer.topics.first().ok_or("no topic in the answer")?.error_code)?;
        let deadline = Instant::now() + LEADERS_WITHIN;
        // A broker may hear later than it tells that it leads.
        while self.leaders(name)? < partitions || self.log_ends(name, partitions).is_err() {
            if Instant::now() > deadline {
                return Err(format!("the partitions of {name} have no leader").into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn leaders(&mut self, name: &str) -> Result<usize> {
        let topic = MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_string(name.into()))));
        let request = MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(false);
        let answer = self.call(&request, 8)?;
        let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
        Ok(partitions.filter(|partition| partition.error_code == 0 && partition.leader_id.0 >= 0).count())
    }

    pub fn delete_topic(&mut self, name: &str) -> Result<()> {
        let name = TopicName(StrBytes::from_string(name.into()));
        let request = DeleteTopicsRequest::default().with_topic_names(vec![name]).with_timeout_ms(30_000);
        let answer = self.call(&request, 3)?;
        check("DeleteTopics", answer.responses.first().ok_or("no topic in the answer")?.error_code)
    }

    /// The sum of the log ends of a topic's partitions.
    pub fn log_ends(&mut self, name: &str, partitions: usize) -> Result<u64> {
        let partition =
            |index: usize| ListOffsetsPartition::default().with_partition_index(index as i32).with_timestamp(LATEST);
        let topic = ListOffsetsTopic::default()
            .with_name(TopicName(StrBytes::from_string(name.into())))
            .with_partitions((0..partitions).map(partition).collect());
        let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
        let answer = self.call(&request, 5)?;
        let mut sum = 0;
        for partition in answer.topics.iter().flat_map(|topic| &topic.partitions) {
            check("ListOffsets", partition.error_code)?;
            sum += u64::try_from(partition.offset)?;
        }
        Ok(sum)
    }

    /// A producer's id, for idempotent batches at epoch 0.
    pub fn new_producer(&mut self) -> Result<i64> {
        let answer = self.call(
            &InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000),
            1,
        )?;
        check("InitProducerId", answer.error_code)?;
        Ok(answer.producer_id.0)
    }

    fn call<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response> {
        let mut frame = BytesMut::from(&[0; 4][..]);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_client_id(Some(StrBytes::from_static_str(CLIENT_ID)));
        header.encode(&mut frame, R::header_version(version))?;
        request.encode(&mut frame, version)?;
        let length = u32::try_from(frame.len() - 4)?;
        (&mut frame[..4]).put_u32(length);
        self.stream.write_all(&frame)?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut answer)?;
        let mut answer = Bytes::from(answer);
        ResponseHeader::decode(&mut answer, R::Response::header_version(version))?;
        Ok(R::Response::decode(&mut answer, version)?)
    }
}

fn check(api: &str, code: i16) -> Result<()> {
    match code {
        0 => Ok(()),
        _ => Err(format!("{api} was answered with error {code}").into()),
    }
}
