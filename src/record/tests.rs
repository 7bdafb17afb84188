//! Batches from a real broker, and random ones.

use super::*;
use crate::config::TimestampType;
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::time::Duration;

pub(super) const RULES: Rules = Rules {
    message_bytes_max: 1 << 20,
    timestamp_type: TimestampType::CreateTime,
    timestamp_before_max: Duration::from_millis(i64::MAX as u64),
    timestamp_after_max: Duration::from_secs(3600),
    now: TimestampMs(1_795_514_600_000),
    strictness: Strictness::Full,
};

const INPUT: &str = include_str!("../../tests/data/batches/input.txt");
pub(super) const NONE: &[u8] = include_bytes!("../../tests/data/batches/none.log");
const GZIP: &[u8] = include_bytes!("../../tests/data/batches/gzip.log");
const SNAPPY: &[u8] = include_bytes!("../../tests/data/batches/snappy.log");
const LZ4: &[u8] = include_bytes!("../../tests/data/batches/lz4.log");
const ZSTD: &[u8] = include_bytes!("../../tests/data/batches/zstd.log");
const APPEND_TIME: &[u8] = include_bytes!("../../tests/data/batches/append-time.log");
const TRANSACTION: &[u8] = include_bytes!("../../tests/data/batches/transaction.log");

pub(super) const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

/// A batch of each of [`CODECS`], with the same records.
pub(super) fn of_every_codec() -> [&'static [u8]; 5] {
    [NONE, GZIP, SNAPPY, LZ4, ZSTD]
}

type Header = (String, Option<Vec<u8>>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plain {
    pub(super) timestamp: TimestampMs,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<Header>,
}

pub(super) fn read_all(batch: &BatchView<'_>, bytes_max: usize) -> Result<Vec<Plain>, Malformed> {
    let mut records = batch.records(bytes_max)?;
    let mut all = Vec::new();
    while let Some(record) = records.next_record() {
        let record = record?;
        assert_eq!(record.offset_delta as usize, all.len());
        all.push(Plain {
            timestamp: record.timestamp(&batch.info()),
            key: record.key.map(Into::into),
            value: record.value.map(Into::into),
            headers: record
                .headers
                .map(|(key, value)| (String::from_utf8_lossy(key).into_owned(), value.map(Into::into)))
                .collect(),
        });
    }
    Ok(all)
}

fn expected(line: &str) -> (Option<Vec<u8>>, Option<Vec<u8>>, Vec<Header>) {
    let nullable = |text: &str| (text != "NULL").then(|| text.as_bytes().to_vec());
    let mut fields = line.split('\t');
    let headers = fields.next().unwrap().split(',').map(|header| {
        let (key, value) = header.split_once(':').unwrap();
        (key.to_owned(), nullable(value))
    });
    let headers = headers.collect();
    (nullable(fields.next().unwrap()), nullable(fields.next().unwrap()), headers)
}

fn assert_holds_the_input(batch: &BatchView<'_>) {
    let records = read_all(batch, DECOMPRESSED_BYTES_MAX).unwrap();
    assert_eq!(records.len(), INPUT.lines().count());
    for (record, line) in records.into_iter().zip(INPUT.lines()) {
        assert_eq!((record.key, record.value, record.headers), expected(line));
    }
}

#[test]
fn a_real_brokers_batches_are_valid_and_hold_what_was_produced() {
    for (codec, bytes) in CODECS.into_iter().zip([NONE, GZIP, SNAPPY, LZ4, ZSTD]) {
        for strictness in [Strictness::Header, Strictness::Full] {
            let info = validate_produced(bytes, &Rules { strictness, ..RULES }).unwrap();
            assert_eq!(info, BatchView::parse(bytes).unwrap().info());
            assert_eq!(corrected(bytes, &info), bytes);
        }
        let batch = BatchView::parse(bytes).unwrap();
        assert_eq!(batch.info().attributes.compression(), Ok(codec));
        assert_holds_the_input(&batch);
    }
}

#[test]
fn the_fields_of_a_real_brokers_batch_are_those_that_its_dump_tool_prints() {
    // baseOffset: 0 lastOffset: 11 count: 12 baseSequence: 0 lastSequence: 11 producerId: 2 producerEpoch: 0
    // partitionLeaderEpoch: 0 CreateTime: 1795514470740 size: 537 magic: 2 compresscodec: snappy crc: 1631463639
    let info = BatchInfo::parse_header(&SNAPPY[..HEADER_BYTES]).unwrap();
    assert_eq!(info.base_offset, Offset(0));
    assert_eq!(info.last_offset(), Offset(11));
    assert_eq!(info.next_offset(), Offset(12));
    assert_eq!(info.record_count, 12);
    assert_eq!(info.base_sequence, Sequence(0));
    assert_eq!(info.last_sequence(), Sequence(11));
    assert_eq!((info.producer_id, info.producer_epoch), (ProducerId(2), ProducerEpoch(0)));
    assert_eq!(info.leader_epoch, LeaderEpoch(0));
    assert_eq!(info.max_timestamp, TimestampMs(1_795_514_470_740));
    assert_eq!((info.size_bytes, info.crc), (537, 1_631_463_639));
    assert!(info.is_idempotent() && !info.attributes.is_control() && !info.attributes.is_transactional());
}

#[test]
fn a_batch_is_stamped_with_the_append_time_as_a_real_broker_stamps_it() {
    let first = BatchView::parse(APPEND_TIME).unwrap();
    let second = BatchView::parse(&APPEND_TIME[first.bytes().len()..]).unwrap();
    for stamped in [first, second] {
        let info = stamped.info();
        assert!(stamped.verify_crc());
        assert_eq!(info.attributes.timestamp_type(), TimestampType::LogAppendTime);
        assert_holds_the_input(&stamped);

        // As the producer sent it, as far as the stored batch tells.
        let mut produced = stamped.bytes().to_vec();
        produced[..8].fill(0);
        produced[12..16].copy_from_slice(&(-1_i32).to_be_bytes());
        produced[17..21].fill(0);
        produced[22] &= !(1 << 3);
        produced[35..43].copy_from_slice(&info.base_timestamp.0.to_be_bytes());
        let header = stamp(&produced, info.base_offset, info.leader_epoch, Some(info.max_timestamp));
        assert_eq!(header, stamped.bytes()[..HEADER_BYTES]);
    }
}

#[test]
fn a_real_brokers_transaction_and_its_marker_are_told_by_their_attributes() {
    let mut rest = TRANSACTION;
    let mut offset = 0;
    let mut last = None;
    while !rest.is_empty() {
        let batch = BatchView::parse(rest).unwrap();
        assert!(batch.verify_crc() && batch.info().attributes.is_transactional());
        assert_eq!(batch.info().base_offset, Offset(offset));
        offset = batch.info().next_offset().0;
        rest = &rest[batch.bytes().len()..];
        last = Some(batch);
    }
    let marker = last.unwrap();
    assert!(marker.info().attributes.is_control());
    assert_eq!(marker.info().last_sequence(), Sequence::NONE);
    let records = read_all(&marker, 1000).unwrap();
    assert_eq!(records[0].key.as_deref(), Some(&[0, 0, 0, 1][..])); // version 0, commit
}

#[test]
fn a_stamp_without_a_time_leaves_the_crc_right() {
    let header = stamp(NONE, Offset(77), LeaderEpoch(5), None);
    let stored = [&header[..], &NONE[HEADER_BYTES..]].concat();
    let batch = BatchView::parse(&stored).unwrap();
    assert!(batch.verify_crc());
    assert_eq!((batch.info().base_offset, batch.info().leader_epoch), (Offset(77), LeaderEpoch(5)));
}

#[test]
fn a_bare_snappy_block_is_read_as_well_as_javas_framing() {
    let batch = BatchView::parse(NONE).unwrap();
    let block = snap::raw::Encoder::new().compress_vec(batch.payload()).unwrap();
    let bare = recompressed(&batch, &block, 2);
    assert_holds_the_input(&BatchView::parse(&bare).unwrap());
    assert!(validate_produced(&bare, &RULES).is_ok());
}

#[test]
fn a_gzip_payload_of_several_members_and_xerial_streams_in_a_row_are_read() {
    let batch = BatchView::parse(NONE).unwrap();
    let (one, two) = batch.payload().split_at(1000);
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Zstd] {
        let payload = [codec.compress(one), codec.compress(two)].concat();
        let bytes = recompressed(&batch, &payload, codec.id());
        assert_holds_the_input(&BatchView::parse(&bytes).unwrap());
    }
}

/// `batch` with another payload.
fn recompressed(batch: &BatchView<'_>, payload: &[u8], codec: i16) -> Vec<u8> {
    let mut info = batch.info();
    info.attributes = Attributes((info.attributes.0 & !0b111) | codec);
    info.size_bytes = (HEADER_BYTES + payload.len()) as u32;
    info.crc = batch::crc_of(&info.to_header(), payload);
    [&info.to_header()[..], payload].concat()
}

#[test]
fn decompression_stops_at_the_cap() {
    let mut builder = BatchBuilder::new(Offset::ZERO);
    builder.append(TimestampMs(0), None, Some(&vec![0; 1 << 20]), &[]);
    let plain_bytes = builder.records_bytes();
    for codec in &CODECS[1..] {
        let bytes = builder.clone().compression(*codec).build();
        let batch = BatchView::parse(&bytes).unwrap();
        assert_eq!(read_all(&batch, plain_bytes).map(|records| records.len()), Ok(1), "{codec:?}");
        for cap in [0, 1, 5, 1000, plain_bytes - 1] {
            let error = read_all(&batch, cap).unwrap_err();
            assert_eq!(error, Malformed::DecompressedTooLarge(cap), "{codec:?}");
        }
    }
}

#[test]
fn a_snappy_block_that_claims_more_than_it_can_hold_is_refused_before_memory_is_taken() {
    let batch = BatchView::parse(NONE).unwrap();
    let claims_512_mib = [0x80, 0x80, 0x80, 0x80, 0x02, 0, 0, 0];
    let bytes = recompressed(&batch, &claims_512_mib, 2);
    let batch = BatchView::parse(&bytes).unwrap();
    assert_eq!(read_all(&batch, usize::MAX), Err(Malformed::Compressed(Compression::Snappy)));
}

#[test]
fn a_compressed_batch_with_bytes_after_its_records_is_malformed() {
    for codec in CODECS {
        let mut builder = BatchBuilder::new(Offset::ZERO).compression(codec);
        let bytes = builder.append(TimestampMs(0), None, None, &[]).append(TimestampMs(0), None, None, &[]).build();
        let mut info = BatchInfo::parse_header(&bytes).unwrap();
        info.record_count = 1;
        let bytes = [&info.to_header()[..], &bytes[HEADER_BYTES..]].concat();
        let error = read_all(&BatchView::parse(&bytes).unwrap(), 1000);
        assert_eq!(error, Err(Malformed::TrailingBytes(1)), "{codec:?}");
    }
}

pub(super) fn any_record() -> impl Strategy<Value = Plain> {
    let bytes = || option::of(vec(any::<u8>(), 0..300));
    let header = ("[a-c]{0,2}", option::of(vec(any::<u8>(), 0..20)));
    (0..2_000_000_000_000_i64, bytes(), bytes(), vec(header, 0..5)).prop_map(|(timestamp, key, value, headers)| Plain {
        timestamp: TimestampMs(timestamp),
        key,
        value,
        headers,
    })
}

pub(super) fn build(codec: Compression, records: &[Plain]) -> bytes::Bytes {
    let mut builder = BatchBuilder::new(Offset::ZERO).compression(codec).producer(
        ProducerId(9),
        ProducerEpoch(1),
        Sequence(i32::MAX - 1),
    );
    for record in records {
        let headers: Vec<_> = record.headers.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
        builder.append(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
    }
    builder.build()
}

proptest! {
    #[test]
    fn what_is_built_is_valid_and_comes_back(records in vec(any_record(), 1..40)) {
        let rules = Rules { timestamp_after_max: Duration::MAX, ..RULES };
        for codec in CODECS {
            let bytes = build(codec, &records);
            let info = validate_produced(&bytes, &rules).unwrap();
            let batch = BatchView::parse(&bytes).unwrap();
            prop_assert_eq!(batch.info(), info);
            prop_assert_eq!(info.max_timestamp, records.iter().map(|record| record.timestamp).max().unwrap());
            prop_assert_eq!(info.last_sequence(), Sequence(i32::MAX - 1).plus(records.len() as i32 - 1));
            prop_assert_eq!(read_all(&batch, DECOMPRESSED_BYTES_MAX), Ok(records.clone()));
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = validate_produced(&bytes, &RULES);
        let _ = BatchInfo::parse_header(&bytes);
    }

    /// With the CRC made right again, so that what lies behind it is reached.
    #[test]
    fn mutated_batches_never_panic(
        which in 0..5_usize,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = [NONE, GZIP, SNAPPY, LZ4, ZSTD][which].to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()).max(HEADER_BYTES));
            let length = (bytes.len() - 12) as i32;
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
        }
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        let _ = validate_produced(&bytes, &RULES);
        if let Ok(batch) = BatchView::parse(&bytes) {
            let info = batch.info();
            let _ = (info.last_offset(), info.next_offset(), info.last_sequence());
            if let Ok(mut records) = batch.records(100_000) {
                while let Some(Ok(record)) = records.next_record() {
                    let _ = (record.headers.count(), record.timestamp(&info));
                }
            }
        }
    }
}
