//! Builds record batches (magic 2) byte by byte and reads them back, independently of the broker's own code.
//!
//! The layout is that of Kafka's `DefaultRecordBatch` and `DefaultRecord`. All codecs are spoken, in both directions.

use std::io::{Read, Write};

use bytes::{Buf, BufMut, Bytes};

/// The attributes of a batch: the codec in its lowest three bits.
pub const GZIP: i16 = 1;
pub const SNAPPY: i16 = 2;
pub const LZ4: i16 = 3;
pub const ZSTD: i16 = 4;
/// The attribute bit of a batch that the broker stamped with its own time.
pub const LOG_APPEND_TIME: i16 = 1 << 3;
/// The attribute bit of a batch that belongs to a transaction.
pub const TRANSACTIONAL: i16 = 1 << 4;
/// The attribute bit of a batch with markers of transactions.
pub const CONTROL: i16 = 1 << 5;

/// One record of a batch to build.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A batch to build; the fields of its header may be set to anything, sense or nonsense.
#[derive(Clone, Debug)]
pub struct Batch {
    pub base_offset: i64,
    pub leader_epoch: i32,
    pub magic: i8,
    pub attributes: i16,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub records: Vec<Record>,
}

impl Batch {
    /// A plain batch with these values and the present time.
    pub fn of(values: &[&str]) -> Batch {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
        Batch::at(values, i64::try_from(now.as_millis()).expect("the time fits"))
    }

    /// A plain batch with these values, the i-th at `timestamp + i`.
    pub fn at(values: &[&str], timestamp: i64) -> Batch {
        let record = |(value, i): (&&str, i64)| Record {
            timestamp: timestamp + i,
            value: Some(value.as_bytes().to_vec()),
            ..Record::default()
        };
        Batch {
            base_offset: 0,
            leader_epoch: -1,
            magic: 2,
            attributes: 0,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            records: values.iter().zip(0..).map(record).collect(),
        }
    }

    /// The same batch as an idempotent producer sends it.
    pub fn by(mut self, producer_id: i64, producer_epoch: i16, base_sequence: i32) -> Batch {
        (self.producer_id, self.producer_epoch, self.base_sequence) = (producer_id, producer_epoch, base_sequence);
        self
    }

    /// The same batch with other attributes.
    pub fn with_attributes(mut self, attributes: i16) -> Batch {
        self.attributes = attributes;
        self
    }

    /// Its records without compression, as the batch holds them.
    pub fn plain_records(&self) -> Vec<u8> {
        let base_timestamp = self.records.first().map_or(-1, |record| record.timestamp);
        let mut records = Vec::new();
        for (record, offset_delta) in self.records.iter().zip(0..) {
            put_record(&mut records, record, record.timestamp - base_timestamp, offset_delta);
        }
        records
    }

    /// Its bytes, compressed as its attributes say; what names no codec stays plain.
    pub fn build(&self) -> Bytes {
        let base_timestamp = self.records.first().map_or(-1, |record| record.timestamp);
        let max_timestamp = self.records.iter().map(|record| record.timestamp).max().unwrap_or(-1);
        let count = i32::try_from(self.records.len()).expect("a batch is small");
        // From the attributes on, which is what the checksum covers.
        let mut covered = Vec::new();
        covered.put_i16(self.attributes);
        covered.put_i32(count - 1);
        covered.put_i64(base_timestamp);
        covered.put_i64(max_timestamp);
        covered.put_i64(self.producer_id);
        covered.put_i16(self.producer_epoch);
        covered.put_i32(self.base_sequence);
        covered.put_i32(count);
        covered.extend_from_slice(&compress(self.attributes & 7, self.plain_records()));
        let mut bytes = Vec::new();
        bytes.put_i64(self.base_offset);
        bytes.put_i32(i32::try_from(covered.len() + 9).expect("a batch is small"));
        bytes.put_i32(self.leader_epoch);
        bytes.put_i8(self.magic);
        bytes.put_u32(crc32c::crc32c(&covered));
        bytes.extend_from_slice(&covered);
        bytes.into()
    }
}

const XERIAL_HEADER: &[u8] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";

fn compress(codec: i16, plain: Vec<u8>) -> Vec<u8> {
    match codec {
        GZIP => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&plain).and_then(|()| encoder.finish()).expect("memory can be compressed")
        }
        SNAPPY => {
            let mut framed = XERIAL_HEADER.to_vec();
            for block in plain.chunks(32 << 10) {
                let block = snap::raw::Encoder::new().compress_vec(block).expect("the block is small");
                framed.put_u32(u32::try_from(block.len()).expect("the block is small"));
                framed.extend_from_slice(&block);
            }
            framed
        }
        LZ4 => {
            // Java's clients read no other blocks.
            let mut builder = lz4::EncoderBuilder::new();
            let encoder = builder.block_mode(lz4::BlockMode::Independent).build(Vec::new());
            let mut encoder = encoder.expect("memory can be compressed");
            encoder.write_all(&plain).expect("memory can be compressed");
            let (compressed, ended) = encoder.finish();
            ended.expect("memory can be compressed");
            compressed
        }
        ZSTD => zstd::encode_all(&plain[..], 1).expect("memory can be compressed"),
        _ => plain,
    }
}

fn decompress(codec: i16, payload: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match codec {
        0 => plain.extend_from_slice(payload),
        GZIP => drop(flate2::read::GzDecoder::new(payload).read_to_end(&mut plain).expect("the batch is gzip")),
        SNAPPY => {
            let mut blocks = payload.strip_prefix(XERIAL_HEADER).expect("the batch has Java's framing");
            while !blocks.is_empty() {
                let length = blocks.get_u32() as usize;
                let block = snap::raw::Decoder::new().decompress_vec(&blocks[..length]);
                plain.extend_from_slice(&block.expect("the batch is snappy"));
                blocks.advance(length);
            }
        }
        LZ4 => {
            let mut decoder = lz4::Decoder::new(payload).expect("the batch is lz4");
            decoder.read_to_end(&mut plain).expect("the batch is lz4");
        }
        ZSTD => plain = zstd::decode_all(payload).expect("the batch is zstd"),
        other => panic!("no codec has the number {other}"),
    }
    plain
}

fn put_record(to: &mut Vec<u8>, record: &Record, timestamp_delta: i64, offset_delta: i64) {
    let mut body = vec![0];
    put_varint(&mut body, timestamp_delta);
    put_varint(&mut body, offset_delta);
    put_nullable(&mut body, record.key.as_deref());
    put_nullable(&mut body, record.value.as_deref());
    put_varint(&mut body, i64::try_from(record.headers.len()).expect("headers are few"));
    for (key, value) in &record.headers {
        put_nullable(&mut body, Some(key.as_bytes()));
        put_nullable(&mut body, value.as_deref());
    }
    put_varint(to, i64::try_from(body.len()).expect("a record is small"));
    to.extend_from_slice(&body);
}

fn put_nullable(to: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_varint(to, bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).expect("a field is small")));
    to.extend_from_slice(bytes.unwrap_or_default());
}

fn put_varint(to: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        to.put_u8((rest as u8 & 0x7f) | 0x80);
        rest >>= 7;
    }
    to.put_u8(rest as u8);
}

/// A batch as it was read: its header and the bytes of all of it.
#[derive(Clone, Debug)]
pub struct Stored {
    pub base_offset: i64,
    pub leader_epoch: i32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    /// All of it, as it was read.
    pub bytes: Vec<u8>,
    /// Its records, decompressed.
    pub plain_records: Vec<u8>,
    /// Offset and value of each record.
    pub values: Vec<(i64, String)>,
}

/// The whole batches in a record set, each with its checksum verified; a partial one at the end is left out, as clients do.
pub fn read(records: &[u8]) -> Vec<Stored> {
    let (mut rest, mut batches) = (records, Vec::new());
    while rest.len() >= 12 {
        let size = 12 + usize::try_from((&rest[8..12]).get_i32()).expect("the length of a batch is positive");
        if rest.len() < size {
            break;
        }
        batches.push(read_one(&rest[..size]));
        rest = &rest[size..];
    }
    batches
}

fn read_one(mut batch: &[u8]) -> Stored {
    let bytes = batch.to_vec();
    let base_offset = batch.get_i64();
    batch.advance(4);
    let leader_epoch = batch.get_i32();
    assert_eq!(batch.get_i8(), 2, "magic");
    assert_eq!(batch.get_u32(), crc32c::crc32c(batch), "checksum");
    let attributes = batch.get_i16();
    let last_offset_delta = batch.get_i32();
    let base_timestamp = batch.get_i64();
    let max_timestamp = batch.get_i64();
    let (producer_id, producer_epoch, base_sequence) = (batch.get_i64(), batch.get_i16(), batch.get_i32());
    let count = batch.get_i32();
    let plain_records = decompress(attributes & 7, batch);
    let mut rest = &plain_records[..];
    let values = (0..count).map(|_| read_record(&mut rest, base_offset)).collect();
    assert!(rest.is_empty(), "bytes after the last record");
    Stored {
        base_offset,
        leader_epoch,
        attributes,
        last_offset_delta,
        base_timestamp,
        max_timestamp,
        producer_id,
        producer_epoch,
        base_sequence,
        bytes,
        plain_records,
        values,
    }
}

fn read_record(from: &mut &[u8], base_offset: i64) -> (i64, String) {
    let size = usize::try_from(get_varint(from)).expect("the length of a record is positive");
    let mut record = &from[..size];
    from.advance(size);
    record.advance(1);
    let _timestamp_delta = get_varint(&mut record);
    let offset = base_offset + get_varint(&mut record);
    let key = usize::try_from(get_varint(&mut record)).unwrap_or(0);
    record.advance(key);
    let value = usize::try_from(get_varint(&mut record)).unwrap_or(0);
    (offset, String::from_utf8_lossy(&record[..value]).into_owned())
}

fn get_varint(from: &mut &[u8]) -> i64 {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let byte = from.get_u8();
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return ((value >> 1) as i64) ^ -((value & 1) as i64);
        }
        shift += 7;
    }
}
