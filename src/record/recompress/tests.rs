//! Every codec to every other, levels, limits, and damaged batches.

use super::super::tests::{CODECS, NONE, Plain, RULES, any_record, build, of_every_codec, read_all};
use super::*;
use crate::record::{BatchBuilder, BatchView, Strictness, validate_produced};
use crate::types::{Offset, ProducerEpoch, ProducerId, Sequence};
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;

const TARGETS: [TargetCompression; 5] = [
    TargetCompression::None,
    TargetCompression::Gzip { level: -1 },
    TargetCompression::Snappy,
    TargetCompression::Lz4 { level: 9 },
    TargetCompression::Zstd { level: 3 },
];
/// Room for what does not compress.
const LARGE: Rules = Rules { message_bytes_max: 64 << 20, timestamp_after_max: Duration::MAX, ..RULES };

fn records_of(bytes: &[u8]) -> Vec<Plain> {
    let batch = BatchView::parse(bytes).unwrap();
    assert!(batch.verify_crc());
    read_all(&batch, DECOMPRESSED_BYTES_MAX).unwrap()
}

#[test]
fn a_real_brokers_batch_of_every_codec_keeps_its_records_and_its_producer_in_every_other() {
    for (codec, source) in CODECS.into_iter().zip(of_every_codec()) {
        let sent = BatchInfo::parse_header(source).unwrap();
        for target in TARGETS {
            let (bytes, info) = recompress(source, &RULES, target).unwrap();
            assert_eq!(BatchView::parse(&bytes).unwrap().info(), info);
            assert_eq!(info.attributes.compression(), Ok(target.into()), "{codec:?} to {target:?}");
            let (size_bytes, crc, attributes) = (sent.size_bytes, sent.crc, sent.attributes);
            assert_eq!(BatchInfo { size_bytes, crc, attributes, ..info }, sent, "{codec:?} to {target:?}");
            assert_eq!(records_of(&bytes), records_of(source), "{codec:?} to {target:?}");
            assert_eq!(validate_produced(&bytes, &Rules { strictness: Strictness::Full, ..RULES }), Ok(info));
        }
        // What a real client made comes out as it was.
        let (plain, _) = recompress(source, &RULES, TargetCompression::None).unwrap();
        assert_eq!(plain[HEADER_BYTES..], BatchView::parse(&plain).unwrap().payload()[..]);
        assert_eq!(plain.len(), NONE.len(), "{codec:?}");
    }
}

#[test]
fn only_another_codec_than_the_topics_is_recompressed() {
    for (codec, source) in CODECS.into_iter().zip(of_every_codec()) {
        for target in TARGETS {
            assert_eq!(must_recompress(source, target), Compression::from(target) != codec);
        }
    }
    assert!(!must_recompress(&NONE[..40], TargetCompression::Snappy), "no batch at all");
    let mut unknown = NONE.to_vec();
    unknown[22] = 7;
    assert!(!must_recompress(&unknown, TargetCompression::Snappy));
}

#[test]
fn of_the_attributes_only_the_transaction_stays() {
    let mut source = of_every_codec()[1].to_vec();
    for (sent, kept) in [(0x10, 0x10), (0x70 << 4, 0)] {
        source[21..23].copy_from_slice(&(sent | 1_i16).to_be_bytes());
        let crc = crc32c::crc32c(&source[21..]);
        source[17..21].copy_from_slice(&crc.to_be_bytes());
        let (_, info) = recompress(&source, &RULES, TargetCompression::Lz4 { level: 9 }).unwrap();
        assert_eq!(info.attributes, Attributes(kept | 3));
    }
}

#[test]
fn levels_take_effect() {
    let mut builder = BatchBuilder::new(Offset::ZERO);
    for i in 0..4000_u32 {
        let value =
            format!("{i} {} {}", i.wrapping_mul(2_654_435_761) % 1000, "the words of a sentence that comes again");
        builder.append(TimestampMs(1_795_514_600_000), None, Some(value.as_bytes()), &[]);
    }
    let source = builder.build();
    let size = |target| {
        let (bytes, _) = recompress(&source, &RULES, target).unwrap();
        assert_eq!(records_of(&bytes), records_of(&source));
        bytes.len()
    };
    assert!(size(TargetCompression::Gzip { level: 9 }) < size(TargetCompression::Gzip { level: 1 }));
    assert_eq!(size(TargetCompression::Gzip { level: 6 }), size(TargetCompression::Gzip { level: -1 }));
    assert!(size(TargetCompression::Lz4 { level: 12 }) < size(TargetCompression::Lz4 { level: 1 }));
    assert!(size(TargetCompression::Lz4 { level: 1 }) < size(TargetCompression::Lz4 { level: 9 }), "9 is the fast one");
    assert_eq!(size(TargetCompression::Lz4 { level: 17 }), size(TargetCompression::Lz4 { level: 12 }));
    assert!(size(TargetCompression::Zstd { level: 22 }) < size(TargetCompression::Zstd { level: 1 }));
    assert!(size(TargetCompression::Zstd { level: 1 }) < size(TargetCompression::Zstd { level: -131_072 }));
}

#[test]
fn a_batch_larger_than_what_zstd_holds_back_is_streamed_at_every_kind_of_level() {
    let mut builder = BatchBuilder::new(Offset::ZERO).compression(Compression::Lz4);
    let noise: Vec<u8> = (0..300_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for _ in 0..10 {
        builder.append(TimestampMs(1_795_514_600_000), None, Some(&noise), &[]);
    }
    let source = builder.build();
    for level in [-5, 3, 20] {
        let (bytes, _) = recompress(&source, &LARGE, TargetCompression::Zstd { level }).unwrap();
        assert_eq!(records_of(&bytes), records_of(&source));
        // The window descriptor: present, since no size is, and at most 8 MiB.
        let frame = &bytes[HEADER_BYTES..];
        assert_eq!(frame[4] >> 5, 0, "neither a size nor a single segment");
        assert!(10 + (frame[5] >> 3) <= 23, "level {level}: {}", frame[5]);
    }
}

#[test]
fn the_base_timestamp_becomes_that_of_the_first_record() {
    let mut builder = BatchBuilder::new(Offset::ZERO).compression(Compression::Gzip);
    builder.append(TimestampMs(5000), None, Some(b"a"), &[]).append(TimestampMs(2000), None, Some(b"b"), &[]);
    let built = builder.build();
    // The same with a header that is 7 ms earlier, which makes every record so.
    let mut info = BatchInfo::parse_header(&built).unwrap();
    (info.base_timestamp, info.max_timestamp) = (TimestampMs(4993), TimestampMs(9999));
    info.crc = crc_of(&info.to_header(), &built[HEADER_BYTES..]);
    let source = [&info.to_header()[..], &built[HEADER_BYTES..]].concat();
    let (bytes, stored) = recompress(&source, &RULES, TargetCompression::Snappy).unwrap();
    assert_eq!((stored.base_timestamp, stored.max_timestamp), (TimestampMs(4993), TimestampMs(4993)));
    assert_eq!(records_of(&bytes), records_of(&source));
}

#[test]
fn all_records_out_of_time_are_named_though_the_result_is_given_up() {
    let mut builder = BatchBuilder::new(Offset::ZERO).compression(Compression::Zstd);
    for late in [0, 1, 0, 1, 0] {
        builder.append(TimestampMs(RULES.now.0 + late * 7_200_000), None, Some(&[7; 100]), &[]);
    }
    let error = recompress(&builder.build(), &RULES, TargetCompression::Gzip { level: 1 }).unwrap_err();
    assert!(matches!(error, Invalid::InvalidTimestamp { .. }), "{error:?}");
    assert_eq!(error.records().iter().map(|record| record.index).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_result_above_max_message_bytes_is_refused_with_its_size() {
    let mut builder = BatchBuilder::new(Offset::ZERO).compression(Compression::Zstd);
    builder.append(TimestampMs(0), None, Some(&[7; 100_000]), &[]);
    let source = builder.build();
    let (plain, _) = recompress(&source, &RULES, TargetCompression::None).unwrap();
    let bytes_max = plain.len() as u32;
    let at = |message_bytes_max| recompress(&source, &Rules { message_bytes_max, ..RULES }, TargetCompression::None);
    assert!(at(bytes_max).is_ok());
    let size_bytes = u64::from(bytes_max);
    assert_eq!(at(bytes_max - 1), Err(Invalid::RecompressedTooLarge { size_bytes, bytes_max: bytes_max - 1 }));
    let error = at(source.len() as u32 - 1).unwrap_err();
    assert!(matches!(error, Invalid::MessageTooLarge { .. }), "what comes is looked at first: {error:?}");
}

#[test]
fn a_batch_that_decompresses_beyond_the_cap_is_too_large() {
    let mut builder = BatchBuilder::new(Offset::ZERO).compression(Compression::Zstd);
    builder.append(TimestampMs(0), None, Some(&vec![0; DECOMPRESSED_BYTES_MAX]), &[]);
    let error = recompress(&builder.build(), &LARGE, TargetCompression::Gzip { level: 1 }).unwrap_err();
    assert!(matches!(error, Invalid::DecompressedTooLarge(_)), "{error:?}");
}

fn any_target() -> impl Strategy<Value = TargetCompression> {
    prop_oneof![
        Just(TargetCompression::None),
        prop_oneof![Just(-1), 1..=9].prop_map(|level| TargetCompression::Gzip { level }),
        Just(TargetCompression::Snappy),
        (1..=17).prop_map(|level| TargetCompression::Lz4 { level }),
        prop_oneof![-131_072..0, 0..=9, 19..=22].prop_map(|level| TargetCompression::Zstd { level }),
    ]
}

proptest! {
    #[test]
    fn records_are_equal_before_and_after(records in vec(any_record(), 1..40), from in 0..5_usize, target in any_target()) {
        let source = build(CODECS[from], &records);
        let (bytes, info) = recompress(&source, &LARGE, target).unwrap();
        prop_assert_eq!(info.attributes.compression(), Ok(target.into()));
        prop_assert_eq!(info.max_timestamp, records.iter().map(|record| record.timestamp).max().unwrap());
        prop_assert_eq!((info.producer_id, info.producer_epoch), (ProducerId(9), ProducerEpoch(1)));
        prop_assert_eq!(info.base_sequence, Sequence(i32::MAX - 1));
        prop_assert_eq!(records_of(&bytes), records);
    }

    #[test]
    fn a_damaged_batch_is_refused_or_recompressed_into_a_good_one(
        which in 0..5_usize,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        target in any_target(),
    ) {
        let mut bytes = of_every_codec()[which].to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        if let Ok((stored, info)) = recompress(&bytes, &RULES, target) {
            prop_assert_eq!(info.size_bytes as usize, stored.len());
            prop_assert_eq!(validate_produced(&stored, &RULES), Ok(info));
            prop_assert_eq!(records_of(&stored), records_of(&bytes));
        }
    }
}
