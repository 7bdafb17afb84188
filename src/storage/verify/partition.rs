//! One partition's folder: its segments in order, and what lies beside them.

use super::epochs::Epochs;
use super::segment::{self as one_segment, Sequence};
use super::{Finding, Reports, Tally, Weight, reason};
use crate::storage::recovery::LastStop;
use crate::storage::segment::{self, DELETED};
use crate::storage::{Error, offsets, partition_folder, snapshot};
use crate::types::{Offset, TopicPartition};
use std::fs;
use std::path::{Path, PathBuf};

/// What is known of a partition before its files are looked at.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) topic_partition: &'a TopicPartition,
    pub(super) folder: &'a Path,
    pub(super) last_stop: LastStop,
    pub(super) recovery_point: Option<Offset>,
    pub(super) log_start: Option<Offset>,
    pub(super) high_watermark: Option<Offset>,
    pub(super) cleaned_below: Offset,
}

impl Known<'_> {
    /// Whether the next start looks at what lies at `offset` and above, and puts right what it finds there.
    pub(super) fn is_recovered(&self, offset: Offset) -> bool {
        self.last_stop != LastStop::Clean && offset >= self.recovery_point.unwrap_or(Offset::ZERO)
    }

    /// What an unclean stop leaves where it was not synced; after a clean one nothing is like that.
    pub(super) fn weight_at(&self, offset: Offset) -> Weight {
        if self.is_recovered(offset) { Weight::Note } else { Weight::Problem }
    }

    fn weight_of_leftovers(&self) -> Weight {
        match self.last_stop {
            LastStop::Clean => Weight::Problem,
            LastStop::Killed | LastStop::Lost => Weight::Note,
        }
    }
}

/// What goes on from segment to segment.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) sequence: Sequence,
    pub(super) epochs: Epochs,
    pub(super) tally: Tally,
}

/// Looks at all files of the folder.
pub(super) fn verify(known: &Known<'_>, reports: &mut Reports<'_>) -> Tally {
    let names = match names_in(known.folder) {
        Ok(names) => names,
        Err(error) => {
            reports.tell(Finding::problem(known.folder, reason(&error)));
            return Tally { partitions: 1, ..Tally::default() };
        }
    };
    let mut bases = offsets_of(&names, segment::LOG);
    bases.sort_unstable();
    tell_topic_id(known, reports);
    tell_strays(known, &names, &bases, reports);
    let Some(first) = bases.first() else {
        reports.tell(Finding::new(known.weight_of_leftovers(), known.folder, "there is no segment"));
        return Tally { partitions: 1, ..Tally::default() };
    };
    let log_start = known.log_start.unwrap_or(*first).max(*first);
    let recovery_point = known.recovery_point.unwrap_or(Offset::ZERO);
    let (epochs, findings) = Epochs::read(known.folder, known.last_stop, recovery_point, log_start);
    findings.into_iter().for_each(|finding| reports.tell(finding));
    let tally = Tally { partitions: 1, ..Tally::default() };
    let mut course = Course { sequence: Sequence::new(*first), epochs, tally };
    for (place, base) in bases.iter().enumerate() {
        one_segment::verify(known, &mut course, *base, bases.get(place + 1).copied(), reports);
    }
    let log_end = course.sequence.end();
    if let Some(finding) = course.epochs.end(log_end) {
        reports.tell(finding);
    }
    tell_snapshots(known, offsets_of(&names, segment::SNAPSHOT), log_end, reports);
    tell_checkpoints(known, log_end, reports);
    course.tally
}

fn names_in(folder: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        names.extend(entry.map_err(Error::io("list", folder))?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

fn offsets_of(names: &[String], ending: &str) -> Vec<Offset> {
    names.iter().filter_map(|name| segment::parse_file_name(name, ending)).collect()
}

fn tell_topic_id(known: &Known<'_>, reports: &mut Reports<'_>) {
    let path = known.folder.join(partition_folder::METADATA);
    match partition_folder::read_topic_id(known.folder) {
        Ok(Some(_)) => {}
        Ok(None) => reports.tell(Finding::new(known.weight_of_leftovers(), &path, "there is no topic id")),
        Err(error) => reports.tell(Finding::problem(&path, reason(&error))),
    }
}

/// Files that are no part of the log.
fn tell_strays(known: &Known<'_>, names: &[String], bases: &[Offset], reports: &mut Reports<'_>) {
    for name in names.iter().filter(|name| name.ends_with(".swap")) {
        let what = "segments were about to be replaced by it: a start leaves the partition offline";
        reports.tell(Finding::problem(&known.folder.join(name), what));
    }
    let is_leftover = |name: &&String| [DELETED, ".cleaned", ".lost", ".tmp"].iter().any(|end| name.ends_with(end));
    let leftovers = names.iter().filter(is_leftover).count();
    if let Some(first) = names.iter().find(is_leftover) {
        let what = format!("{leftovers} files are left over and no part of the log, such as {first}");
        reports.tell(Finding::new(Weight::Note, known.folder, what));
    }
    for name in names {
        let path = known.folder.join(name);
        let base = [segment::INDEX, segment::TIME_INDEX, segment::TRANSACTION_INDEX]
            .iter()
            .find_map(|ending| segment::parse_file_name(name, ending));
        if base.is_some_and(|base| bases.binary_search(&base).is_err()) {
            reports.tell(Finding::new(known.weight_of_leftovers(), &path, "the log file of this segment is missing"));
        }
    }
}

/// The producers' states: readable, and not of what is not there.
fn tell_snapshots(known: &Known<'_>, snapshots: Vec<Offset>, log_end: Offset, reports: &mut Reports<'_>) {
    for offset in snapshots {
        let path = segment::file_path(known.folder, offset, segment::SNAPSHOT);
        let weight = known.weight_at(offset);
        let mut tell = |what: String| reports.tell(Finding::new(weight, &path, what).offset(offset));
        if offset > log_end {
            tell(format!("the snapshot lies above the log's end, {log_end}"));
        }
        match snapshot::read(&path) {
            Err(error) => tell(reason(&error)),
            Ok(producers) => {
                for (id, entry) in &producers.entries {
                    if let Some(last) = entry.batches.last().filter(|last| last.last_offset >= offset) {
                        tell(format!("producer {id} has a batch up to offset {} in it", last.last_offset));
                    }
                }
            }
        }
    }
}

fn tell_checkpoints(known: &Known<'_>, log_end: Offset, reports: &mut Reports<'_>) {
    let says = |what: &str, offset: Offset| {
        format!("{}: the {what}, {offset}, lies above the log's end, {log_end}", known.topic_partition)
    };
    let mut tell = |weight: Weight, name: &str, what: String| {
        reports.tell(Finding::new(weight, &PathBuf::from(name), what));
    };
    if let Some(offset) = known.recovery_point.filter(|offset| *offset > log_end) {
        tell(Weight::Problem, offsets::RECOVERY_POINTS, says("recovery point", offset));
    }
    // What a lost machine may have lost; all else was there.
    let weight = match known.last_stop {
        LastStop::Lost => known.weight_at(log_end),
        LastStop::Clean | LastStop::Killed => Weight::Problem,
    };
    if let Some(offset) = known.log_start.filter(|offset| *offset > log_end) {
        tell(weight, offsets::LOG_STARTS, says("log start offset", offset));
    }
    if let Some(offset) = known.high_watermark.filter(|offset| *offset > log_end) {
        tell(weight, offsets::HIGH_WATERMARKS, says("high watermark", offset));
    }
}
