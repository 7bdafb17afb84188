//! One segment: every batch to its last record, and its indexes beside them.
//!
//! Invariants:
//! * nothing of a batch is believed before its CRC was right; behind damage the next batch is looked for byte by byte;
//! * bytes behind the last batch are no problem where an unclean stop may leave them: zeros, which were allocated ahead, and
//!   a torn end above the recovery point.

use super::entries::{Entries, Kind, Tail, exists};
use super::partition::{Course, Known};
use super::{Finding, Reports, Weight};
use crate::config::TimestampType;
use crate::record::{BatchInfo, BatchView, DECOMPRESSED_BYTES_MAX, HEADER_BYTES, Malformed};
use crate::storage::headers::{Fault, Headers};
use crate::storage::index;
use crate::storage::recovery::{LastStop, Tail as End, inspect_tail};
use crate::storage::scan::{Bytes, CRC_COVERS};
use crate::storage::segment::{self, is_possible};
use crate::types::{Offset, TimestampMs};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Judges whether offsets go on without a gap.
#[derive(Debug)]
pub(super) struct Sequence {
    /// The offset that comes next; `None` behind damage.
    next: Option<Offset>,
    /// The one that comes next if the last batch, which did not fit, only bears a wrong offset.
    other: Option<Offset>,
    end: Offset,
}

impl Sequence {
    pub(super) fn new(first: Offset) -> Sequence {
        Sequence { next: Some(first), other: None, end: first }
    }

    /// The offset behind the last batch.
    pub(super) fn end(&self) -> Offset {
        self.end
    }

    /// No batch that is still to come begins below.
    fn least(&self) -> Offset {
        self.other.map_or(self.end, |other| other.min(self.end))
    }

    /// What lies between is damaged.
    fn lose(&mut self) {
        (self.next, self.other) = (None, None);
    }

    /// A segment begins: what is wrong about that.
    fn begin_segment(&mut self, base: Offset, cleaned_below: Offset) -> Option<String> {
        let fault = self
            .fault(base, cleaned_below)
            .map(|fault| format!("the segment does not go on where the log ended: {fault}"));
        (self.next, self.other) = (Some(base), None);
        self.end = self.end.max(base);
        fault
    }

    /// A batch follows: what is wrong about its offset.
    fn take(&mut self, batch: &BatchInfo, cleaned_below: Offset) -> Option<String> {
        let fault = self.fault(batch.base_offset, cleaned_below);
        let count = i64::from(batch.last_offset_delta) + 1;
        self.other = self.next.filter(|_| fault.is_some()).map(|next| next.plus(count));
        self.next = Some(batch.next_offset());
        self.end = batch.next_offset();
        fault
    }

    fn fault(&self, base: Offset, cleaned_below: Offset) -> Option<String> {
        let next = self.next?;
        if base == next || self.other == Some(base) {
            return None;
        }
        if base < next {
            return Some(format!("offset {base} where {next} should follow"));
        }
        (base > cleaned_below).then(|| format!("the offsets from {next} to below {base} are missing"))
    }
}

/// A stretch of bytes that are no whole batches.
#[derive(Debug)]
struct Damage {
    start: u64,
    /// The offset that was to come.
    offset: Offset,
    what: String,
}

struct Check<'a, 'b, 'c> {
    known: &'a Known<'a>,
    course: &'a mut Course,
    reports: &'a mut Reports<'c>,
    base: Offset,
    next_base: Option<Offset>,
    path: PathBuf,
    file: &'b File,
    length: u64,
    bytes: Bytes<'b>,
    batch: Vec<u8>,
    offsets: Option<Entries>,
    times: Option<Entries>,
    largest: TimestampMs,
    damage: Option<Damage>,
}

/// Looks at the segment that begins at `base`; the one after it begins at `next_base`.
pub(super) fn verify(
    known: &Known<'_>,
    course: &mut Course,
    base: Offset,
    next_base: Option<Offset>,
    reports: &mut Reports<'_>,
) {
    let path = segment::file_path(known.folder, base, segment::LOG);
    course.tally.segments += 1;
    let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (length, file) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            reports.tell(Finding::problem(&path, format!("cannot be read: {error}")));
            course.sequence.lose();
            return;
        }
    };
    if let Some(fault) = course.sequence.begin_segment(base, known.cleaned_below) {
        reports.tell(Finding::problem(&path, fault).at(0).offset(base));
    }
    let mut check = Check {
        known,
        course,
        reports,
        base,
        next_base,
        file: &file,
        length,
        bytes: Bytes::new(&file, length),
        batch: Vec::new(),
        offsets: None,
        times: None,
        largest: TimestampMs::NONE,
        damage: None,
        path,
    };
    check.offsets = check.open_index(segment::INDEX, Kind::Offsets);
    check.times = check.open_index(segment::TIME_INDEX, Kind::Times);
    if let Err(error) = check.walk() {
        check.reports.tell(Finding::problem(&check.path, format!("cannot be read: {error}")));
        check.course.sequence.lose();
    }
    check.tell_indexes();
    check.tell_transactions();
    check.reports.segment_done(length);
}

impl Check<'_, '_, '_> {
    fn walk(&mut self) -> io::Result<()> {
        let mut headers = Headers::new(self.file, None, 0, self.length);
        loop {
            let (start, what) = match headers.next() {
                Ok(None) => break,
                Ok(Some((position, batch))) => match self.checksum_fault(position, &batch)? {
                    None => {
                        self.whole_batch(position, &batch)?;
                        continue;
                    }
                    Some(fault) => (position, fault),
                },
                Err(Fault::Io(error)) => return Err(error),
                Err(Fault::Broken { position, what }) => {
                    // Once more without the memory of offsets before, which are judged here.
                    headers = Headers::new(self.file, None, position, self.length);
                    match headers.next() {
                        Ok(Some((position, batch))) => match self.checksum_fault(position, &batch)? {
                            None => {
                                self.whole_batch(position, &batch)?;
                                continue;
                            }
                            Some(fault) => (position, fault),
                        },
                        Ok(None) | Err(Fault::Broken { .. }) => (position, what),
                        Err(Fault::Io(error)) => return Err(error),
                    }
                }
            };
            let offset = self.course.sequence.end();
            self.damage.get_or_insert(Damage { start, offset, what });
            match self.next_batch(start + 1)? {
                Some(position) => headers = Headers::new(self.file, None, position, self.length),
                None => break,
            }
        }
        match self.damage.take() {
            Some(damage) => self.end_in(&damage),
            None => Ok(()),
        }
    }

    fn checksum_fault(&mut self, position: u64, batch: &BatchInfo) -> io::Result<Option<String>> {
        let crc = self.bytes.crc(position + CRC_COVERS, position + u64::from(batch.size_bytes))?;
        Ok((crc != batch.crc).then(|| "the checksum of the batch is wrong".into()))
    }

    /// Where the next whole batch begins, at `from` or behind it.
    fn next_batch(&mut self, from: u64) -> io::Result<Option<u64>> {
        let least = self.course.sequence.least();
        let mut block = vec![0; SEARCH_BYTES];
        let mut start = from;
        while start + HEADER_BYTES as u64 <= self.length {
            let filled = block.len().min((self.length - start) as usize);
            self.file.read_exact_at(&mut block[..filled], start)?;
            for at in 0..=filled - HEADER_BYTES {
                let header = &block[at..at + HEADER_BYTES];
                if header[16] != 2 {
                    continue;
                }
                let Ok(batch) = BatchInfo::parse_header(header) else { continue };
                let position = start + at as u64;
                let is_likely = is_possible(batch.base_offset)
                    && batch.base_offset >= least
                    && batch.base_offset.0 - least.0 <= i64::from(i32::MAX)
                    && batch.last_offset_delta >= 0
                    && u64::from(batch.size_bytes) <= self.length - position;
                if is_likely && self.checksum_fault(position, &batch)?.is_none() {
                    return Ok(Some(position));
                }
            }
            start += (filled - HEADER_BYTES + 1) as u64;
        }
        Ok(None)
    }

    fn whole_batch(&mut self, position: u64, batch: &BatchInfo) -> io::Result<()> {
        if let Some(damage) = self.damage.take() {
            let bytes = position - damage.start;
            let what = format!("{}: {bytes} bytes are no whole batches", damage.what);
            self.reports.tell(Finding::problem(&self.path, what).at(damage.start).offset(damage.offset));
            self.course.sequence.lose();
            self.pass_over(position, batch.base_offset);
        }
        if let Some(fault) = self.course.sequence.take(batch, self.known.cleaned_below) {
            self.reports.tell(Finding::problem(&self.path, fault).at(position).offset(batch.base_offset));
        }
        if let Some(finding) = self.course.epochs.observe(&self.path, position, batch) {
            self.reports.tell(finding);
        }
        if let Some(fault) = self.records_fault(position, batch)? {
            self.reports.tell(Finding::problem(&self.path, fault).at(position).offset(batch.base_offset));
        }
        self.observe_in_indexes(position, batch);
        let tally = &mut self.course.tally;
        tally.batches += 1;
        tally.records += u64::try_from(batch.record_count).unwrap_or(0);
        tally.bytes += u64::from(batch.size_bytes);
        Ok(())
    }

    /// Entries that name what lies between cannot be judged.
    fn pass_over(&mut self, position: u64, offset: Offset) {
        if let Some(entries) = &mut self.offsets {
            entries.pass_over(position);
        }
        if let Some(entries) = &mut self.times {
            entries.pass_over(u64::try_from(offset.0.saturating_sub(self.base.0)).unwrap_or(0));
        }
    }

    fn observe_in_indexes(&mut self, position: u64, batch: &BatchInfo) {
        self.largest = self.largest.max(batch.max_timestamp);
        let relative = index::relative(self.base, batch.last_offset());
        if let (Some(entries), Ok(position)) = (&mut self.offsets, u32::try_from(position)) {
            entries.observe(position, relative.map(i64::from));
        }
        if let (Some(entries), Some(relative)) = (&mut self.times, relative) {
            entries.observe(relative, Some(self.largest.0).filter(|largest| *largest == batch.max_timestamp.0));
        }
    }

    /// What is wrong with the records of a batch whose CRC is right.
    fn records_fault(&mut self, position: u64, batch: &BatchInfo) -> io::Result<Option<String>> {
        self.batch.resize(batch.size_bytes as usize, 0);
        self.file.read_exact_at(&mut self.batch, position)?;
        let is_cleaned = batch.base_offset < self.known.cleaned_below;
        Ok(match records_fault(&self.batch, is_cleaned) {
            Err(Malformed::DecompressedTooLarge(bytes)) => {
                let what = format!("the batch decompresses to more than {bytes} bytes, its records were not looked at");
                let finding = Finding::new(Weight::Note, &self.path, what);
                self.reports.tell(finding.at(position).offset(batch.base_offset));
                None
            }
            Err(malformed) => Some(format!("the records cannot be read: {malformed}")),
            Ok(fault) => fault,
        })
    }

    /// The segment ends in bytes that are no batch.
    fn end_in(&mut self, damage: &Damage) -> io::Result<()> {
        let (start, bytes) = (damage.start, self.length - damage.start);
        let end = self.course.sequence.end();
        let found = inspect_tail(self.file, start, self.length)?;
        let is_recovered = self.known.is_recovered(end);
        let (weight, what) = match (self.next_base, found) {
            (None, End::Zeros) if self.known.last_stop != LastStop::Clean => return Ok(()),
            (None, End::Incomplete) if is_recovered => {
                (Weight::Note, format!("{bytes} bytes of an incomplete batch will be cut at the next start"))
            }
            // A killed process leaves nothing like that: its next start leaves the partition offline.
            (None, End::Damaged { .. }) if is_recovered && self.known.last_stop == LastStop::Lost => {
                (Weight::Note, format!("{bytes} bytes will be cut at the next start and set aside: {}", damage.what))
            }
            (Some(next), End::Zeros) if is_recovered && next == end => {
                (Weight::Note, format!("{bytes} bytes were allocated ahead, and will be cut at the next start"))
            }
            (_, End::Zeros) => (Weight::Problem, format!("{bytes} zeros follow the last batch")),
            (_, End::Incomplete | End::Damaged { .. }) => {
                (Weight::Problem, format!("{}: {bytes} bytes to the end are no whole batches", damage.what))
            }
        };
        if found != End::Zeros {
            self.pass_over(self.length, Offset(i64::MAX));
            // Where the log goes on cannot be known.
            if self.next_base.is_some() {
                self.course.sequence.lose();
            }
        }
        self.reports.tell(Finding::new(weight, &self.path, what).at(start).offset(damage.offset));
        Ok(())
    }

    /// Indexes are made anew where the next start reads the log.
    fn index_weight(&self) -> Weight {
        match self.next_base {
            None => self.known.weight_at(Offset(i64::MAX)),
            // One that ends at the recovery point was perhaps closed after it.
            Some(next) => self.known.weight_at(next),
        }
    }

    fn open_index(&mut self, ending: &str, kind: Kind) -> Option<Entries> {
        let path = segment::file_path(self.known.folder, self.base, ending);
        let tail = match self.index_weight() {
            Weight::Note => Tail::MayBeAllocated,
            Weight::Problem => Tail::Exact,
        };
        match Entries::read(&path, kind, tail) {
            Ok(Some(entries)) => Some(entries),
            // The active segment's is in memory.
            Ok(None) if self.next_base.is_none() && self.known.last_stop != LastStop::Clean => None,
            Ok(None) => {
                self.reports.tell(Finding::new(self.index_weight(), &path, "there is no such file"));
                None
            }
            Err(error) => {
                self.reports.tell(Finding::problem(&path, format!("cannot be read: {error}")));
                None
            }
        }
    }

    fn tell_indexes(&mut self) {
        let weight = self.index_weight();
        for (ending, entries) in [(segment::INDEX, &self.offsets), (segment::TIME_INDEX, &self.times)] {
            let path = segment::file_path(self.known.folder, self.base, ending);
            let Some(entries) = entries else { continue };
            entries.findings(self.base, |position, offset, what| {
                let finding = Finding::new(weight, &path, what).at(position);
                self.reports.tell(Finding { offset, ..finding });
            });
        }
        // The active segment's last entry is written when it closes.
        let last = self.times.as_ref().map(|entries| entries.last_right_value().unwrap_or(TimestampMs::NONE.0));
        if weight == Weight::Problem && self.largest >= TimestampMs(0) && last.is_some_and(|last| last < self.largest.0)
        {
            let path = segment::file_path(self.known.folder, self.base, segment::TIME_INDEX);
            let what = format!("the last entry does not have the segment's largest time, {}", self.largest);
            self.reports.tell(Finding::problem(&path, what));
        }
    }

    fn tell_transactions(&mut self) {
        let path = segment::file_path(self.known.folder, self.base, segment::TRANSACTION_INDEX);
        if !exists(&path) {
            return;
        }
        let weight = self.index_weight();
        match fs::read(&path) {
            Err(error) => self.reports.tell(Finding::problem(&path, format!("cannot be read: {error}"))),
            Ok(bytes) => {
                for (position, what) in transaction_faults(&bytes) {
                    self.reports.tell(Finding::new(weight, &path, what).at(position));
                }
            }
        }
    }
}

const SEARCH_BYTES: usize = 256 << 10;

/// Reads all records of a batch; in one that a cleaner went through, some may be missing.
fn records_fault(bytes: &[u8], is_cleaned: bool) -> Result<Option<String>, Malformed> {
    let view = BatchView::parse(bytes)?;
    let info = view.info();
    let mut records = view.records(DECOMPRESSED_BYTES_MAX)?;
    let (mut count, mut last, mut largest) = (0, -1, TimestampMs(i64::MIN));
    while let Some(record) = records.next_record() {
        let record = record?;
        let delta = record.offset_delta;
        let fits = if is_cleaned { delta > last && delta <= info.last_offset_delta } else { delta == last + 1 };
        if !fits {
            return Ok(Some(format!("record {count} has the offset delta {delta}, after {last}")));
        }
        (count, last) = (count + 1, delta);
        largest = largest.max(record.timestamp(&info));
    }
    if !is_cleaned && last != info.last_offset_delta {
        return Ok(Some(format!(
            "the last offset delta is {}, and that of the last record {last}",
            info.last_offset_delta
        )));
    }
    let is_stamped = info.attributes.timestamp_type() == TimestampType::LogAppendTime;
    if count > 0 && !is_stamped && largest != info.max_timestamp {
        return Ok(Some(format!("the max timestamp is {}, and the largest of a record {largest}", info.max_timestamp)));
    }
    Ok(None)
}

/// Kafka's `AbortedTxn`: version 2, producer id 8, first offset 8, last offset 8, last stable offset 8.
fn transaction_faults(bytes: &[u8]) -> Vec<(u64, String)> {
    const ENTRY_BYTES: usize = 34;
    let mut faults = Vec::new();
    let entries = bytes.chunks_exact(ENTRY_BYTES);
    let rest_bytes = entries.remainder().len();
    for (place, entry) in entries.enumerate() {
        let position = (place * ENTRY_BYTES) as u64;
        let number = |at: usize| i64::from_be_bytes(entry[at..at + 8].try_into().expect("within the entry"));
        let (version, first, last) = (i16::from_be_bytes([entry[0], entry[1]]), number(10), number(18));
        if version != 0 {
            faults.push((position, format!("the entry has version {version}")));
        } else if number(2) < 0 || first < 0 || last < first {
            faults.push((position, "the entry names no transaction".into()));
        }
    }
    if rest_bytes > 0 {
        faults.push(((bytes.len() - rest_bytes) as u64, format!("{rest_bytes} bytes at the end are no whole entry")));
    }
    faults
}
