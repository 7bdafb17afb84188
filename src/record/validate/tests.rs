//! One rule, one test.

use super::super::tests::RULES;
use super::super::{Attributes, BatchBuilder, HEADER_BYTES, corrected};
use super::*;
use crate::types::{ProducerEpoch, ProducerId, Sequence};

const NOW: TimestampMs = RULES.now;

fn three(codec: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Offset::ZERO).compression(codec);
    for age in [30, 10, 20] {
        builder.append(TimestampMs(NOW.0 - age), Some(b"k"), Some(b"v"), &[("h", None)]);
    }
    builder.build().to_vec()
}

/// The batch with its header changed and a CRC that fits.
fn changed(bytes: &[u8], change: impl FnOnce(&mut BatchInfo)) -> Vec<u8> {
    let mut info = BatchInfo::parse_header(bytes).unwrap();
    change(&mut info);
    let payload = &bytes[HEADER_BYTES..];
    info.crc = crc_of(&info.to_header(), payload);
    [&info.to_header()[..], payload].concat()
}

/// The batch with other records and a size and CRC that fit.
fn with_payload(bytes: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut batch = [&bytes[..HEADER_BYTES], payload].concat();
    let length = (batch.len() - 12) as i32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    changed(&batch, |_| {})
}

fn refused(bytes: &[u8]) -> Invalid {
    validate_produced(bytes, &RULES).unwrap_err()
}

fn is_invalid_record(invalid: &Invalid, text: &str) -> bool {
    matches!(invalid, Invalid::InvalidRecord { message, .. } if message.contains(text))
}

#[track_caller]
fn assert_invalid_record(bytes: &[u8], text: &str) {
    let invalid = refused(bytes);
    assert!(is_invalid_record(&invalid, text), "{invalid:?}");
}

#[test]
fn exactly_one_batch_is_accepted() {
    let one = three(Compression::None);
    assert!(validate_produced(&one, &RULES).is_ok());
    assert_invalid_record(&[], "at least one record batch");
    assert_invalid_record(&one[..60], "at least one record batch");
    assert_invalid_record(&one[..one.len() - 1], "at least one record batch");
    assert_invalid_record(&[&one[..], &one[..]].concat(), "exactly one record batch");
    assert_invalid_record(&[&one[..], &[0]].concat(), "exactly one record batch");
}

#[test]
fn a_length_that_no_batch_has_is_corrupt() {
    for length in [-1, 0, 48, i32::MIN] {
        let mut bytes = three(Compression::None);
        bytes[8..12].copy_from_slice(&i32::to_be_bytes(length));
        assert!(matches!(refused(&bytes), Invalid::CorruptMessage(_)), "{length}");
    }
}

#[test]
fn old_formats_are_invalid_and_unknown_ones_corrupt() {
    for (magic, old) in [(0, true), (1, true), (3, false), (0xff, false)] {
        let mut bytes = three(Compression::None);
        bytes[16] = magic;
        let invalid = refused(&bytes);
        assert_eq!(is_invalid_record(&invalid, "magic version 2"), old);
        assert_eq!(matches!(invalid, Invalid::CorruptMessage(_)), !old);
    }
}

#[test]
fn a_flipped_bit_under_the_crc_is_corrupt() {
    let good = three(Compression::None);
    for at in 21..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        assert!(matches!(refused(&bytes), Invalid::CorruptMessage(_)), "byte {at}");
    }
}

#[test]
fn a_batch_larger_than_the_topic_allows_is_too_large() {
    let bytes = three(Compression::None);
    let size_bytes = bytes.len() as u32;
    assert!(validate_produced(&bytes, &Rules { message_bytes_max: size_bytes, ..RULES }).is_ok());
    let rules = Rules { message_bytes_max: size_bytes - 1, ..RULES };
    let expected = Invalid::MessageTooLarge { size_bytes, bytes_max: size_bytes - 1 };
    assert_eq!(validate_produced(&bytes, &rules), Err(expected));
}

#[test]
fn a_header_that_contradicts_itself_is_invalid() {
    type Change = fn(&mut BatchInfo);
    let cases: [(Change, &str); 12] = [
        (|info| info.base_offset = Offset(1), "baseOffset"),
        (|info| info.last_offset_delta = -1, "offset range"),
        (|info| info.last_offset_delta = 3, "Inconsistent batch offset range"),
        (|info| info.record_count = 0, "reported count"),
        (|info| info.record_count = i32::MIN, "reported count"),
        (|info| info.record_count = i32::MAX, "Inconsistent batch offset range"),
        (|info| info.attributes.0 |= Attributes::CONTROL, "control"),
        (|info| info.attributes.0 |= Attributes::DELETE_HORIZON, "delete horizon"),
        (|info| info.attributes.0 |= Attributes::TRANSACTIONAL, "without a producerId"),
        (|info| info.producer_id = ProducerId(0), "Invalid sequence number -1"),
        (
            |info| {
                info.producer_id = ProducerId(0);
                info.base_sequence = Sequence(0);
            },
            "Invalid epoch -1",
        ),
        (
            |info| {
                info.record_count = i32::MAX;
                info.last_offset_delta = i32::MAX - 1;
            },
            "record 3: its length does not fit",
        ),
    ];
    for (change, text) in cases {
        assert_invalid_record(&changed(&three(Compression::None), change), text);
    }
}

#[test]
fn a_producers_batch_and_a_transactions_are_accepted_and_can_be_told() {
    let bytes = changed(&three(Compression::Zstd), |info| {
        info.producer_id = ProducerId(4);
        info.producer_epoch = ProducerEpoch(0);
        info.base_sequence = Sequence(0);
        info.attributes.0 |= Attributes::TRANSACTIONAL;
    });
    let info = validate_produced(&bytes, &RULES).unwrap();
    assert!(info.is_idempotent() && info.attributes.is_transactional());
}

#[test]
fn sequence_and_epoch_of_no_producer_do_not_matter() {
    // As kafkajs sends them.
    let bytes = changed(&three(Compression::None), |info| {
        info.producer_epoch = ProducerEpoch(0);
        info.base_sequence = Sequence(0);
    });
    assert!(validate_produced(&bytes, &RULES).is_ok_and(|info| !info.is_idempotent()));
}

#[test]
fn an_unknown_codec_is_unsupported_and_an_attribute_without_meaning_is_let_pass() {
    for codec in 5..8 {
        let bytes = changed(&three(Compression::None), |info| info.attributes.0 |= codec);
        assert_eq!(refused(&bytes), Invalid::UnsupportedCompressionType(codec as u8));
    }
    let bytes = changed(&three(Compression::None), |info| info.attributes.0 |= 1 << 9);
    assert!(validate_produced(&bytes, &RULES).is_ok());
}

#[test]
fn a_producer_that_claims_the_append_time_is_refused() {
    let bytes = changed(&three(Compression::None), |info| info.attributes.0 |= Attributes::LOG_APPEND_TIME);
    for timestamp_type in [TimestampType::CreateTime, TimestampType::LogAppendTime] {
        let invalid = validate_produced(&bytes, &Rules { timestamp_type, ..RULES });
        assert!(matches!(invalid, Err(Invalid::InvalidTimestamp { .. })));
    }
}

#[test]
fn a_record_that_breaks_the_format_is_named_by_its_index() {
    let good = three(Compression::None);
    let payload = &good[HEADER_BYTES..];
    let record_bytes = 1 + payload[0] as usize / 2;
    // From the second record's length on: length, attributes, timestamp delta, offset delta, key length, key, value
    // length, value, number of headers, header key length, header key, header value length.
    let cases = [
        (0, 0x7e, "its length does not fit"),
        (0, 0x01, "its length does not fit"),
        (3, 0x04, "its offset delta is not its place"),
        (4, 0x40, "the key is longer than the record"),
        (6, 0x40, "the value is longer than the record"),
        (8, 0x01, "more headers than the record has bytes"),
        (8, 0x00, "bytes remain after the headers"),
        (8, 0x40, "more headers than the record has bytes"),
        (9, 0x01, "a header is longer than the record"),
        (11, 0x40, "a header is longer than the record"),
    ];
    for (at, byte, text) in cases {
        let mut payload = payload.to_vec();
        payload[record_bytes + at] = byte;
        for codec in [Compression::None, Compression::Zstd] {
            let stored = codec.compress(&payload);
            let base = changed(&good, |info| info.attributes.0 |= codec.id());
            let invalid = refused(&with_payload(&base, &stored));
            let Invalid::InvalidRecord { records, .. } = &invalid else { panic!("{invalid:?}") };
            assert!(is_invalid_record(&invalid, text), "{at} {invalid:?}");
            assert_eq!(records[0].index, 1);
        }
    }
}

#[test]
fn bytes_after_the_last_record_and_missing_records_are_invalid() {
    let good = three(Compression::None);
    let payload = &good[HEADER_BYTES..];
    assert_invalid_record(&with_payload(&good, &[payload, &[0]].concat()), "bytes remain after the last");
    assert_invalid_record(&with_payload(&good, &payload[..payload.len() / 3]), "record 1");
    assert_invalid_record(&with_payload(&good, &[]), "premature EOF");
}

#[test]
fn a_compressed_batch_is_opened_only_when_asked() {
    let good = three(Compression::Lz4);
    let bytes = with_payload(&good, b"nothing that lz4 knows");
    assert!(validate_produced(&bytes, &Rules { strictness: Strictness::Header, ..RULES }).is_ok());
    assert_invalid_record(&bytes, "does not decompress as Lz4");
}

#[test]
fn kip_467_records_with_a_time_out_of_range_are_named() {
    let hour = Duration::from_secs(3600);
    let rules = Rules { timestamp_before_max: hour, ..RULES };
    let mut builder = BatchBuilder::new(Offset::ZERO);
    for distance in [0, -3_600_000, -3_600_001, 3_600_000, 3_600_001] {
        builder.append(TimestampMs(NOW.0 + distance), None, None, &[]);
    }
    builder.append(TimestampMs::NONE, None, None, &[]);
    for codec in [Compression::None, Compression::Gzip] {
        let bytes = builder.clone().compression(codec).build();
        let Err(invalid @ Invalid::InvalidTimestamp { .. }) = validate_produced(&bytes, &rules) else { panic!() };
        let indexes: Vec<_> = invalid.records().iter().map(|record| record.index).collect();
        assert_eq!(indexes, [2, 4]);
        assert!(invalid.records()[0].message.contains("should be within"));
        // By its header, a compressed batch is judged by its largest time, and no record is to blame.
        let header = validate_produced(&bytes, &Rules { strictness: Strictness::Header, ..rules });
        let blamed = header.unwrap_err().records().len();
        assert_eq!(blamed, if codec == Compression::None { 2 } else { 0 });
    }
}

#[test]
fn not_more_than_a_hundred_records_are_named() {
    let mut builder = BatchBuilder::new(Offset::ZERO);
    for _ in 0..1000 {
        builder.append(TimestampMs(i64::MAX), None, None, &[]);
    }
    assert_eq!(refused(&builder.build()).records().len(), RECORD_ERRORS_MAX);
}

#[test]
fn times_at_the_ends_of_the_range_do_not_overflow() {
    let limits = [Duration::ZERO, Duration::from_millis(i64::MAX as u64), Duration::MAX];
    for timestamp in [i64::MIN, i64::MIN + 1, -2, 0, i64::MAX - 1, i64::MAX] {
        let mut builder = BatchBuilder::new(Offset::ZERO);
        builder.append(TimestampMs(timestamp), None, None, &[]);
        let bytes = builder.append(TimestampMs(timestamp.wrapping_neg()), None, None, &[]).build();
        for before in limits {
            for after in limits {
                let rules = Rules { timestamp_before_max: before, timestamp_after_max: after, ..RULES };
                let _ = validate_produced(&bytes, &rules);
            }
        }
    }
    // With no limit, what Go's zero time makes is accepted, as by Kafka.
    let mut builder = BatchBuilder::new(Offset::ZERO);
    let bytes = builder.append(TimestampMs(-62_135_596_800_000), None, None, &[]).build();
    assert!(validate_produced(&bytes, &RULES).is_ok());
}

#[test]
fn the_brokers_time_makes_the_producers_irrelevant() {
    let mut builder = BatchBuilder::new(Offset::ZERO);
    let bytes = builder.append(TimestampMs(i64::MAX), None, None, &[]).build();
    assert!(validate_produced(&bytes, &RULES).is_err());
    let rules = Rules { timestamp_type: TimestampType::LogAppendTime, ..RULES };
    assert!(validate_produced(&bytes, &rules).is_ok());
}

#[test]
fn a_wrong_max_timestamp_is_corrected_as_kafka_does() {
    for codec in [Compression::None, Compression::Snappy] {
        let good = three(codec);
        let bytes = changed(&good, |info| info.max_timestamp = TimestampMs::NONE);
        let info = validate_produced(&bytes, &RULES).unwrap();
        assert_eq!(info.max_timestamp, TimestampMs(NOW.0 - 10));
        assert_eq!(corrected(&bytes, &info), good);
        let batch = corrected(&bytes, &info);
        let batch = BatchView::parse(&batch).unwrap();
        assert!(batch.verify_crc());
        assert_eq!(batch.info(), info);
    }
}
