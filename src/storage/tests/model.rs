//! Random appends against a model: a list of batches.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// Batches of so many records and bytes, in one append.
    Append(Vec<(usize, usize)>),
    Stop,
    Kill,
    Flush,
    /// Moves the log start to a share of the log, and lets old segments go.
    Trim(u8),
}

fn sizes() -> impl Strategy<Value = (usize, usize)> {
    prop_oneof![
        6 => (1..4_usize, 1..200_usize),
        3 => (1..4_usize, 200..6_000_usize),
        1 => (1..3_usize, 6_000..100_000_usize),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => prop::collection::vec(sizes(), 1..6).prop_map(Step::Append),
        1 => Just(Step::Stop),
        1 => Just(Step::Kill),
        1 => Just(Step::Flush),
        1 => (0..100_u8).prop_map(Step::Trim),
    ];
    prop::collection::vec(step, 1..60)
}

/// What must be in the log.
#[derive(Default)]
struct Model {
    /// Base offset, next offset, bytes.
    batches: Vec<(i64, i64, usize)>,
    log_start: i64,
}

impl Model {
    fn log_end(&self) -> i64 {
        self.batches.last().map_or(0, |b| b.1)
    }

    /// The base offsets that a read must lend, if no segment ended on the way.
    fn read(&self, from: i64, bytes_max: usize) -> Vec<i64> {
        let first = self.batches.partition_point(|b| b.1 <= from);
        let mut left = bytes_max;
        let mut lent = Vec::new();
        for (base, _, bytes) in &self.batches[first..] {
            if *bytes > left && !lent.is_empty() {
                break;
            }
            left = left.saturating_sub(*bytes);
            lent.push(*base);
        }
        lent
    }
}

fn compare(log: &Log, model: &Model, limits: &[usize]) {
    let positions = log.positions();
    assert_eq!((positions.log_start.0, positions.log_end.0), (model.log_start, model.log_end()));
    for (i, from) in (model.log_start..model.log_end()).enumerate() {
        let bytes_max = limits[i % limits.len()];
        let read = log.read(Offset(from), bytes_max, Bound::LogEnd, Minimum::OneBatch).unwrap();
        let slice = read.slice.expect("there is a batch below the end");
        let found: Vec<i64> = whole_batches(&bytes_of(&slice)).iter().map(|b| b.base_offset.0).collect();
        let expected = model.read(from, bytes_max);
        assert!(found.len() <= expected.len() && found == expected[..found.len()], "{found:?} of {expected:?}");
        if found.len() < expected.len() {
            let next = expected[found.len()];
            let segments = log.segments.load();
            assert!(segments.iter().any(|s| s.base_offset.0 == next), "cut short only at the end of a segment");
        }
        let nothing = log.read(Offset(from), bytes_max, Bound::LogEnd, Minimum::Nothing).unwrap();
        assert_eq!(nothing.slice.is_some(), slice.length() <= bytes_max as u64);
    }
    let end = log.read(Offset(model.log_end()), 1, Bound::LogEnd, Minimum::OneBatch).unwrap();
    assert!(end.slice.is_none());
}

/// Opens the log as its only replica, which leads at once.
fn open_and_lead(disk: &Disk) -> (DataDirectory, Arc<Log>) {
    let opened = disk.open();
    let mut leader = opened.1.lock();
    let log_end = leader.positions().log_end;
    leader.set_high_watermark(log_end).unwrap();
    leader.set_last_stable(log_end).unwrap();
    drop(leader);
    opened
}

fn run(disk: &Disk, steps: &[Step], limits: &[usize]) {
    let mut model = Model::default();
    let mut opened = open_and_lead(disk);
    for step in steps {
        let log = &opened.1;
        match step {
            Step::Append(sizes) => {
                let batches: Vec<Bytes> = sizes.iter().map(|(count, bytes)| batch(*count, bytes / count)).collect();
                let outcomes = append(log, &batches);
                for ((batch, outcome), (count, _)) in batches.iter().zip(outcomes).zip(sizes) {
                    let base = model.log_end();
                    assert_eq!(outcome, appended(base));
                    model.batches.push((base, base + *count as i64, batch.len()));
                }
            }
            Step::Flush => {
                log.flush().unwrap();
            }
            Step::Trim(share) => {
                let to = model.log_start + (model.log_end() - model.log_start) * i64::from(*share) / 100;
                log.advance_log_start(Offset(to)).unwrap();
                log.delete_old_segments(NOW).unwrap();
                opened.0.checkpoint(std::slice::from_ref(log)).unwrap();
                model.log_start = to;
            }
            Step::Stop => {
                opened.0.close(&[opened.1]).unwrap();
                opened = open_and_lead(disk);
                compare(&opened.1, &model, limits);
            }
            Step::Kill => {
                drop(opened);
                opened = open_and_lead(disk);
                compare(&opened.1, &model, limits);
            }
        }
    }
    compare(&opened.1, &model, limits);
    drop(opened);
    opened = open_and_lead(disk);
    compare(&opened.1, &model, limits);
    opened.0.close(&[opened.1]).unwrap();
    compare(&disk.open().1, &model, limits);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_log_agrees_with_its_model(
        steps in steps(),
        limits in prop::collection::vec(0..300_000_usize, 1..8),
        segment_bytes in prop_oneof![Just(120_000_u32), Just(300_000), Just(1 << 20)],
        interval_bytes in prop_oneof![Just(0_u32), Just(1000), Just(4096)],
        map_from_bytes in prop_oneof![Just(0_u64), Just(50_000), Just(u64::MAX)],
        open_segments_max in prop_oneof![Just(1_usize), Just(1000)],
        allocate in any::<bool>(),
    ) {
        let mut disk = if allocate { Disk::new(segment_bytes) } else { Disk::unmapped(segment_bytes) };
        disk.config.index_interval_bytes = interval_bytes;
        disk.config.retention = None;
        disk.tuning.map_from_bytes = map_from_bytes;
        disk.tuning.open_segments_max = open_segments_max;
        run(&disk, &steps, &limits);
    }
}
