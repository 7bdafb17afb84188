//! kafka-dump-log reads our segments, indexes and snapshots, and finds nothing wrong with them.
//!
//! It says what is wrong among its output or on standard error, and often ends with 0 all the same: [`complaints`] knows how.
//! A test damages each kind of file to see that it would.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::files_in;
use crate::support::batch::Batch;
use crate::support::broker::Broker;
use crate::support::java::{Session, Tools};
use crate::support::process::Finished;
use crate::support::raw::Client;
use crate::workload::{SETTINGS, Written, fill};

const DUMP_LOG: &str = "org.apache.kafka.tools.DumpLogSegments";
const ALL_RECORDS: &[&str] = &["--deep-iteration", "--print-data-log"];

fn dump(session: &Session, files: &[PathBuf], flags: &[&str]) -> Finished {
    let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    session.run_as_given(DUMP_LOG, &[&["--files", &files.join(",")], flags].concat())
}

/// What it finds wrong. That "−1 is followed by" the first offset it says of every segment that does not begin with 0, of Kafka's
/// own too.
fn complaints(finished: &Finished) -> Vec<String> {
    let is_of_every_segment =
        |line: &&str| line.starts_with("Non-consecutive offsets in ") || line.trim().starts_with("-1 is followed by ");
    let told = finished.errors.lines().filter(|line| !is_of_every_segment(line));
    let is_bad = |line: &&str| line.contains("isvalid: false") || line.contains("invalid bytes at the end of");
    let seen = finished.output.lines().filter(is_bad);
    let failed = (!finished.succeeded).then_some("it failed");
    told.chain(seen).chain(failed).map(str::to_owned).collect()
}

/// Reads these files in all ways, and gives what was printed of the records.
#[track_caller]
fn read_without_complaint(session: &Session, files: &[PathBuf]) -> String {
    let indexes: Vec<_> = files.iter().filter(|file| is(file, "index") || is(file, "timeindex")).cloned().collect();
    let finished = dump(session, &indexes, &["--index-sanity-check"]);
    assert_eq!(complaints(&finished), [""; 0]);
    let is_well = |line: &&str| line.ends_with(" passed sanity check.") || line.ends_with(".index is empty.");
    assert_eq!(finished.output.lines().filter(is_well).count(), indexes.len(), "{}", finished.output);
    let finished = dump(session, files, &["--verify-index-only"]);
    assert_eq!(complaints(&finished), [""; 0]);
    let finished = dump(session, files, ALL_RECORDS);
    assert_eq!(complaints(&finished), [""; 0]);
    assert_eq!(finished.output.matches("Dumping ").count(), files.len());
    finished.output
}

fn is(file: &Path, ending: &str) -> bool {
    file.extension().is_some_and(|found| found == ending)
}

/// The files of all segments of a partition, and its snapshots.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    ["log", "index", "timeindex", "snapshot"].iter().flat_map(|ending| files_in(folder, ending)).collect()
}

/// Those that will not change any more: the active segment is allocated ahead, and its indexes are in memory.
fn closed_files(folder: &Path) -> Vec<PathBuf> {
    let active = files_in(folder, "log").pop().expect("there is an active segment");
    let mut files = all_files(folder);
    files.retain(|file| file.file_stem() != active.file_stem() || is(file, "snapshot"));
    files
}

/// Whether every record of the segments is printed as it was produced.
#[track_caller]
fn assert_printed(written: &Written, folder: &Path, printed: &str) {
    let base = |log: &PathBuf| log.file_stem()?.to_str()?.parse::<i64>().ok();
    let first = files_in(folder, "log").first().and_then(base).expect("there is a segment");
    let is_cut = first > 0 || written.log_start == 0;
    assert!(is_cut && first <= written.log_start, "{}: from {first}", written.about);
    let mut lines = printed.lines().filter(|line| line.starts_with("| "));
    for (offset, record) in (first..).zip(written.records.iter().skip(first as usize)) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let size = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(-1, |bytes| bytes.len() as i64);
        let named = |name: &str, bytes: &Option<Vec<u8>>| {
            bytes.as_ref().map(|bytes| format!(" {name}: {}", text(bytes))).unwrap_or_default()
        };
        let headers: Vec<_> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
        let expected = format!(
            "keySize: {} valueSize: {} sequence: {} headerKeys: [{}]{}{}",
            size(&record.key),
            size(&record.value),
            written.sequence_of(offset),
            headers.join(","),
            named("key", &record.key),
            named("payload", &record.value),
        );
        let line = lines.next().unwrap_or_else(|| panic!("{}: no record {offset}", written.about));
        let (start, rest) = line.split_at(line.find("keySize").expect("it is a record"));
        assert_eq!(rest, expected, "{}", written.about);
        match written.about {
            "the broker's time" => {
                assert!(start.starts_with(&format!("| offset: {offset} LogAppendTime: ")), "{start}")
            }
            _ => assert_eq!(start, format!("| offset: {offset} CreateTime: {} ", record.timestamp)),
        }
    }
    assert_eq!(lines.next(), None, "{}", written.about);
}

/// Leaves half of a batch at the end of the log, over what is allocated ahead.
fn tear(written: &Written, folder: &Path) {
    let active = files_in(folder, "log").pop().expect("there is an active segment");
    let bytes = fs::read(&active).expect("it can be read");
    let mut end = 0;
    while let Some(length) = bytes.get(end + 8..end + 12).and_then(|length| length.first_chunk()).copied()
        && i32::from_be_bytes(length) > 0
    {
        end += 12 + i32::from_be_bytes(length) as usize;
    }
    let batch = Batch { base_offset: written.records.len() as i64, ..written.next_batch() }.build();
    let file = fs::File::options().write(true).open(active).expect("it can be opened");
    file.write_all_at(&batch[..batch.len() / 2], end as u64).expect("it can be written");
}

#[test]
fn kafka_dump_log_reads_all_that_a_broker_closed_before_and_after_crashes() {
    let Some(tools) = Tools::gather("kafka-dump-log") else { return };
    let session = tools.machine();
    let mut broker = Broker::start_ours(SETTINGS);
    let mut all = fill(&broker);
    let closed: Vec<_> = all.iter().flat_map(|written| closed_files(&written.folder(&broker))).collect();
    let segments = closed.iter().filter(|file| is(file, "log")).count();
    assert!(segments > 40, "{segments} segments");
    read_without_complaint(&session, &closed);

    broker.kill_and_restart(SETTINGS);
    let mut client = Client::connect(broker.address());
    all.iter_mut().filter(|written| !written.records.is_empty()).for_each(|written| written.write(&mut client, 9));
    broker.kill();
    all.iter().for_each(|written| tear(written, &written.folder(&broker)));
    broker.start_again(SETTINGS);
    assert!(broker.log().matches("cut an incomplete batch off the log").count() == all.len(), "{}", broker.log());
    let closed: Vec<_> = all.iter().flat_map(|written| closed_files(&written.folder(&broker))).collect();
    read_without_complaint(&session, &closed);

    broker.stop();
    for written in &all {
        let folder = written.folder(&broker);
        let printed = read_without_complaint(&session, &all_files(&folder));
        assert_printed(written, &folder, &printed);
        // The snapshot at the log end.
        let last =
            dump(&session, &files_in(&folder, "snapshot").split_off(files_in(&folder, "snapshot").len() - 1), &[]);
        let state = written.producer.map(|producer| {
            let last = written.sequence_of(written.records.len() as i64 - 1);
            format!("producerId: {} producerEpoch: {} .* lastSequence: {last} ", producer.id, producer.epoch)
        });
        match state {
            None => assert!(!last.output.contains("producerId"), "{}", last.output),
            Some(state) => {
                let (start, end) = state.split_once(".*").expect("it was put there");
                assert!(last.output.contains(start) && last.output.contains(end), "{state} is not in {}", last.output);
            }
        }
    }
}

#[test]
fn kafka_dump_log_would_complain() {
    let Some(tools) = Tools::gather("kafka-dump-log") else { return };
    let session = tools.machine();
    let kafkas = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kafka-directory/segments-0");
    let own = dump(&session, &files_in(&kafkas, "log"), ALL_RECORDS);
    assert!(own.errors.contains("  -1 is followed by 5\n"), "it says so of Kafka's own segments: {}", own.errors);
    assert_eq!(complaints(&own), [""; 0]);

    let mut broker = Broker::start_ours(SETTINGS);
    let mut all = fill(&broker);
    broker.stop();
    let written = all.remove(1);
    let folder = written.folder(&broker);
    let of = |ending: &str| files_in(&folder, ending).remove(0);
    let damaged = |file: PathBuf, flags: &[&str], change: fn(&mut Vec<u8>)| {
        let whole = fs::read(&file).expect("the file can be read");
        let mut bytes = whole.clone();
        change(&mut bytes);
        fs::write(&file, bytes).expect("the file can be written");
        let found = complaints(&dump(&session, std::slice::from_ref(&file), flags)).join("\n");
        fs::write(&file, whole).expect("the file can be written");
        found
    };
    let found = damaged(of("index"), &["--verify-index-only"], |bytes| bytes[3] += 1);
    assert!(found.contains("Mismatches in :") && found.contains("Index offset: "), "{found}");
    let found = damaged(of("index"), &["--index-sanity-check"], |bytes| bytes.truncate(9));
    assert!(found.contains("is corrupt, found 9 bytes"), "{found}");
    let found = damaged(of("timeindex"), &["--verify-index-only"], |bytes| bytes[7] ^= 1);
    assert!(found.contains("Found timestamp mismatch in :"), "{found}");
    let found = damaged(of("snapshot"), &[], |bytes| bytes[20] ^= 1);
    assert!(found.contains("CRC is no longer valid"), "{found}");
    let found = damaged(of("log"), &[], |bytes| *bytes.last_mut().expect("there are records") ^= 1);
    assert!(found.contains("isvalid: false"), "{found}");
    let found = damaged(of("log"), ALL_RECORDS, |bytes| drop(bytes.drain(..80)));
    assert!(!found.is_empty(), "a batch is missing");
    let found = damaged(of("log"), ALL_RECORDS, |bytes| bytes.extend([1; 20]));
    assert!(!found.is_empty(), "bytes at the end");
}
