//! A broker's data with all that a log can hold: every codec, recompressed batches, the broker's own times, idempotent
//! producers, segments rolled by size and by time, headers, nulls, times that go back, deleted records, retention.
//!
//! Each topic has one partition. What is written follows from the offsets, so that tests know what must be there.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kafka_protocol::messages::DeleteRecordsRequest;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};

use crate::support::batch::{Batch, Record};
use crate::support::broker::Broker;
use crate::support::raw::Client;
use crate::support::requests::{Topic, new_producer, produce_at};
use crate::{files_in, wait_until};

/// What the broker is told: retention is looked at often.
pub const SETTINGS: &[&str] = &["log.retention.check.interval.ms=20", "log.retention.ms=-1"];
/// Each batch is so much later than the one before. The first is an hour old: of a producer that was silent for a day nothing
/// is known.
const BATCH_MS: i64 = 10_000;
const AGE: Duration = Duration::from_secs(3600);
/// Seven batches are a minute.
const BY_TIME: (&str, &str) = ("segment.ms", "60000");
/// Some batches are one record, some many.
const BATCH_SIZES: [i64; 5] = [1, 7, 20, 3, 12];

/// One topic, with what was written to it.
pub struct Written {
    pub topic: Topic,
    /// What it is for.
    pub about: &'static str,
    /// The first record that is still there.
    pub log_start: i64,
    /// By offset, those below the log start too.
    pub records: Vec<Record>,
    pub is_rolled_by_time: bool,
    /// The time of the first record.
    begin: i64,
    /// An idempotent producer writes every batch.
    pub producer: Option<Producer>,
    /// The sequence of its first record.
    first_sequence: i32,
    /// Bytes that each value has besides.
    padding: usize,
    batches: usize,
}

/// An idempotent producer, and what it is to send next.
#[derive(Clone, Copy, Debug)]
pub struct Producer {
    pub id: i64,
    pub epoch: i16,
    pub sequence: i32,
}

impl Written {
    fn create(client: &mut Client, about: &'static str, settings: &[(&str, &str)]) -> Written {
        let topic = Topic::create(client, 1, settings);
        let is_rolled_by_time = settings.contains(&BY_TIME);
        let begin = (SystemTime::now() - AGE).duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis();
        Written {
            topic,
            about,
            log_start: 0,
            records: Vec::new(),
            is_rolled_by_time,
            begin: i64::try_from(begin).expect("the time fits"),
            producer: None,
            first_sequence: -1,
            padding: 0,
            batches: 0,
        }
    }

    fn by_a_producer(mut self, client: &mut Client, sequence: i32) -> Written {
        self.producer = Some(Producer { id: new_producer(client), epoch: 0, sequence });
        self.first_sequence = sequence;
        self
    }

    fn padded(mut self, bytes: usize) -> Written {
        self.padding = bytes;
        self
    }

    /// The next batch, in the next codec.
    pub fn next_batch(&self) -> Batch {
        let first = i64::try_from(self.records.len()).expect("there are few");
        let size = if self.padding > 0 { 1 } else { BATCH_SIZES[self.batches % BATCH_SIZES.len()] };
        let time = self.begin + self.batches as i64 * BATCH_MS;
        let records: Vec<_> = (first..first + size).map(|offset| record(offset, time, self.padding)).collect();
        let codec = if self.padding > 0 { 0 } else { (self.batches % 5) as i16 };
        let mut batch = Batch { records, ..Batch::of(&[]) }.with_attributes(codec);
        if let Some(producer) = &self.producer {
            batch = batch.by(producer.id, producer.epoch, producer.sequence);
        }
        batch
    }

    /// It is in the log.
    pub fn note(&mut self, batch: Batch) {
        if let Some(producer) = &mut self.producer {
            producer.sequence = sequence_after(producer.sequence, batch.records.len());
        }
        self.batches += 1;
        self.records.extend(batch.records);
    }

    /// Writes so many batches.
    pub fn write(&mut self, client: &mut Client, batches: usize) {
        for _ in 0..batches {
            let batch = self.next_batch();
            produce_at(client, &self.topic, 0, batch.build(), self.records.len() as i64);
            self.note(batch);
        }
    }

    /// Deletes again what was deleted: as in Kafka, a crash may bring it back.
    pub fn delete_again(&mut self, client: &mut Client) {
        self.delete_below(client, self.log_start);
    }

    fn delete_below(&mut self, client: &mut Client, offset: i64) {
        let wanted = DeleteRecordsPartition::default().with_partition_index(0).with_offset(offset);
        let of_topic = DeleteRecordsTopic::default().with_name(self.topic.name.clone()).with_partitions(vec![wanted]);
        let request = DeleteRecordsRequest::default().with_topics(vec![of_topic]).with_timeout_ms(15000);
        let answer = client.call(&request, 2).topics.remove(0).partitions.remove(0);
        assert_eq!((answer.error_code, answer.low_watermark), (0, offset));
        self.log_start = offset;
    }

    /// Where it lies.
    pub fn folder(&self, broker: &Broker) -> PathBuf {
        broker.data().join(format!("{}-0", self.topic.name.as_str()))
    }

    /// The sequence of the record at an offset; −1 where no idempotent producer wrote it.
    pub fn sequence_of(&self, offset: i64) -> i32 {
        self.producer.map_or(-1, |_| sequence_after(self.first_sequence, offset as usize))
    }
}

/// Sequences wrap.
fn sequence_after(sequence: i32, records: usize) -> i32 {
    ((i64::from(sequence) + records as i64) % (1 << 31)) as i32
}

/// Keys and values that are null or empty, headers without value or whose key repeats, times that go back.
fn record(offset: i64, time: i64, padding: usize) -> Record {
    let bytes = |text: String| Some(text.into_bytes());
    Record {
        timestamp: time + [0, 900, -40_000, 7, 3000][offset as usize % 5],
        key: if offset % 5 == 1 { None } else { bytes(["", "k"][offset as usize % 2].repeat(offset as usize % 4)) },
        value: match offset % 11 {
            3 if padding == 0 => None,
            4 if padding == 0 => bytes(String::new()),
            _ => bytes(format!("v{offset}.{}", "z".repeat(padding))),
        },
        headers: (0..offset % 4).map(|h| (format!("h{}", h % 2), (h != 1).then(|| vec![b'0' + h as u8]))).collect(),
    }
}

/// The lowest offset in the name of a file that is part of the log.
fn first_base(folder: &Path) -> i64 {
    let endings = ["log", "index", "timeindex", "snapshot"].iter();
    let files = endings.flat_map(|ending| files_in(folder, ending));
    let bases = files.filter_map(|file| file.file_stem()?.to_str()?.parse().ok());
    bases.min().expect("there is a segment")
}

/// Fills a new broker, until nothing goes any more.
pub fn fill(broker: &Broker) -> Vec<Written> {
    let client = &mut Client::connect(broker.address());
    let by_size = ("segment.bytes", "1048576");
    let indexed = ("index.interval.bytes", "100");
    let mut all = vec![
        Written::create(client, "codecs", &[BY_TIME, indexed]),
        Written::create(client, "codecs of one producer", &[BY_TIME, indexed]).by_a_producer(client, 0),
        Written::create(client, "sequences that wrap", &[BY_TIME]).by_a_producer(client, i32::MAX - 50),
        Written::create(client, "the broker's time", &[("message.timestamp.type", "LogAppendTime"), indexed]),
        Written::create(client, "sizes", &[by_size]).padded(60_000),
        Written::create(client, "one entry in the index", &[("index.interval.bytes", "1000000")]).padded(10),
    ];
    for codec in ["uncompressed", "gzip", "snappy", "lz4", "zstd"] {
        let recompressed = Written::create(client, codec, &[("compression.type", codec), BY_TIME, indexed]);
        all.push(recompressed.by_a_producer(client, 0));
    }
    all.iter_mut().for_each(|each| each.write(client, 40));

    let mut trimmed = Written::create(client, "deleted records", &[BY_TIME, indexed]).by_a_producer(client, 0);
    trimmed.write(client, 30);
    trimmed.delete_below(client, 45);
    let mut emptied = Written::create(client, "all records deleted", &[BY_TIME]).by_a_producer(client, 0);
    emptied.write(client, 8);
    emptied.delete_below(client, emptied.records.len() as i64);
    let mut aged = Written::create(client, "retention", &[by_size, ("retention.bytes", "1500000")]).padded(60_000);
    aged.write(client, 60);
    // Seventeen records are a segment here, seven batches with 44 records there.
    aged.log_start = 34;
    for (written, first_kept) in [(&trimmed, 44), (&emptied, 44), (&aged, 34)] {
        let folder = written.folder(broker);
        wait_until("what nobody can read goes", || first_base(&folder) == first_kept);
    }
    all.extend([trimmed, emptied, aged, Written::create(client, "never written", &[])]);
    all
}
