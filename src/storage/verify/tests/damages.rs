//! Each kind of damage, and what is said of it.

use super::*;

/// Does something to a whole log, and expects findings with this beginning, in this order, and nothing else.
fn expect(end: End, damage: impl FnOnce(&Disk), expected: &[&str]) {
    let disk = format(left(end));
    damage(&disk);
    let (found, tally) = findings(disk.root.path());
    let said: Vec<String> = found.iter().map(Finding::to_string).collect();
    let fits = said.len() == expected.len() && said.iter().zip(expected).all(|(said, begin)| said.starts_with(begin));
    assert!(fits, "{said:#?}\nbut expected\n{expected:#?}");
    let problems = expected.iter().filter(|line| !line.starts_with("note: ")).count();
    assert_eq!(tally.problems, problems as u64);
}

/// Changes a file of the partition.
fn change(disk: &Disk, ending: &str, place: usize, change: impl FnOnce(&mut Vec<u8>)) {
    let path = &disk.files(ending)[place];
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Writes a file of the data directory.
fn write(disk: &Disk, name: &str, text: &str) {
    fs::write(disk.root.path().join(name), text).unwrap();
}

/// Where the batches of a segment begin, and its end.
fn starts(disk: &Disk, place: usize) -> Vec<usize> {
    let bytes = fs::read(&disk.files(".log")[place]).unwrap();
    let mut starts = vec![0];
    let mut at = 0;
    while let Ok(info) = crate::record::BatchInfo::parse_header(&bytes[at..]) {
        at += info.size_bytes as usize;
        starts.push(at);
    }
    starts
}

const FIRST: &str = "orders-0/00000000000000000000";

#[test]
fn a_wrong_checksum_in_the_middle_is_a_problem_however_the_log_was_left() {
    for end in [End::Clean, End::Killed, End::Lost] {
        let at = starts(&left(end), 0)[1];
        expect(
            end,
            |disk| change(disk, "0.log", 0, |bytes| bytes[at + 70] ^= 1),
            &[&format!("{FIRST}.log: position {at}, offset 2: the checksum of the batch is wrong: ")],
        );
    }
}

#[test]
fn behind_a_broken_length_the_next_batch_is_found() {
    let at = starts(&left(End::Clean), 0)[1];
    for length in [0_i32, 40, 100, i32::MAX, -1] {
        expect(
            End::Clean,
            |disk| change(disk, "0.log", 0, |bytes| bytes[at + 8..at + 12].copy_from_slice(&length.to_be_bytes())),
            &[&format!("{FIRST}.log: position {at}, offset 2: ")],
        );
    }
}

#[test]
fn a_torn_end_is_a_note_after_an_unclean_stop_and_a_problem_after_a_clean_one() {
    let tear = |disk: &Disk| {
        let at = starts(disk, 2);
        let (last, end) = (at[at.len() - 2], at[at.len() - 1]);
        change(disk, ".log", 2, |bytes| bytes[last + 40..end].fill(0));
    };
    for end in [End::Killed, End::Lost] {
        expect(end, tear, &["note: orders-0/00000000000000000020.log: position "]);
    }
    let disk = format(left(End::Clean));
    tear(&disk);
    let (found, tally) = findings(disk.root.path());
    assert!(
        tally.problems > 0 && found[0].to_string().contains("offset 22: the checksum of the batch is wrong"),
        "{found:#?}"
    );
}

#[test]
fn garbage_at_the_end_is_a_note_when_the_machine_was_lost_and_a_problem_otherwise() {
    let spoil = |disk: &Disk| {
        let at = starts(disk, 2);
        change(disk, ".log", 2, |bytes| bytes[at[at.len() - 2] + 70] ^= 1);
    };
    let at = "orders-0/00000000000000000020.log: position ";
    expect(End::Lost, spoil, &[&format!("note: {at}")]);
    expect(End::Killed, spoil, &[at]);
}

#[test]
fn a_torn_end_below_the_recovery_point_is_a_problem() {
    expect(
        End::Killed,
        |disk| {
            write(disk, "recovery-point-offset-checkpoint", "0\n1\norders 0 23\n");
            let at = starts(disk, 2);
            change(disk, ".log", 2, |bytes| bytes[at[at.len() - 2] + 30] ^= 1);
        },
        &[
            "orders-0/00000000000000000020.log: position ",
            "recovery-point-offset-checkpoint: orders-0: the recovery point, 23, lies above the log's end, 22",
        ],
    );
}

#[test]
fn zeros_at_the_end_are_what_was_allocated_ahead_or_a_problem() {
    let grow =
        |place: usize| move |disk: &Disk| change(disk, ".log", place, |bytes| bytes.resize(bytes.len() + 4096, 0));
    expect(End::Killed, grow(2), &[]);
    expect(End::Killed, grow(0), &[&format!("note: {FIRST}.log: position ")]);
    expect(End::Clean, grow(2), &["orders-0/00000000000000000020.log: position "]);
    expect(End::Clean, grow(0), &[&format!("{FIRST}.log: position ")]);
}

#[test]
fn a_missing_segment_is_a_gap_and_its_indexes_tell() {
    let middle = "orders-0/00000000000000000010";
    expect(
        End::Clean,
        |disk| fs::remove_file(&disk.files(".log")[1]).unwrap(),
        &[
            &format!("{middle}.index: the log file of this segment is missing"),
            &format!("{middle}.timeindex: the log file of this segment is missing"),
            "orders-0/00000000000000000020.log: position 0, offset 20: the segment does not go on where the log ended: the \
             offsets from 10 to below 20 are missing",
        ],
    );
}

#[test]
fn what_is_beside_the_log_is_looked_at() {
    let gone = |name: &'static str| move |disk: &Disk| fs::remove_file(disk.folder().join(name)).unwrap();
    let put =
        |name: &'static str, text: &'static str| move |disk: &Disk| fs::write(disk.folder().join(name), text).unwrap();
    expect(End::Clean, gone("partition.metadata"), &["orders-0/partition.metadata: there is no topic id"]);
    expect(
        End::Clean,
        put("partition.metadata", "version: 0\ntopic_id: x\n"),
        &["orders-0/partition.metadata: no topic_id"],
    );
    expect(
        End::Clean,
        gone("leader-epoch-checkpoint"),
        &["orders-0/leader-epoch-checkpoint: offset 0: leader epoch 3 is missing"],
    );
    expect(
        End::Clean,
        put("leader-epoch-checkpoint", "0\n2\n3 0\n4 11\n"),
        &["orders-0/leader-epoch-checkpoint: offset 11: epoch 4 begins at offset 11, in the middle of a batch"],
    );
    expect(
        End::Clean,
        put("leader-epoch-checkpoint", "0\n3\n3 0\n4 10\n5 99\n"),
        &["orders-0/leader-epoch-checkpoint: offset 99: epoch 5 begins above the log's end, 23"],
    );
    expect(
        End::Clean,
        put("00000000000000000010.snapshot", "x"),
        &["orders-0/00000000000000000010.snapshot: offset 10: no version"],
    );
    expect(
        End::Clean,
        put("00000000000000000010.log.deleted", "x"),
        &["note: orders-0: 1 files are left over and no part of the log, such as 00000000000000000010.log.deleted"],
    );
    expect(
        End::Clean,
        put("00000000000000000010.txnindex", "x"),
        &["orders-0/00000000000000000010.txnindex: position 0: 1 bytes"],
    );
}

#[test]
fn checkpoints_lie_within_the_log() {
    let line =
        |name: &'static str, line: &'static str| move |disk: &Disk| write(disk, name, &format!("0\n1\n{line}\n"));
    let recovery = "recovery-point-offset-checkpoint";
    expect(
        End::Clean,
        line(recovery, "orders 0 24"),
        &["recovery-point-offset-checkpoint: orders-0: the recovery point, 24, lies"],
    );
    expect(End::Clean, line(recovery, "other 0 1"), &["recovery-point-offset-checkpoint: other-0 has no folder"]);
    expect(
        End::Killed,
        line(recovery, "other 0 1"),
        &["note: recovery-point-offset-checkpoint: other-0 has no folder"],
    );
    expect(End::Clean, line(recovery, "orders 0"), &["recovery-point-offset-checkpoint: unexpected line 'orders 0'"]);
    let high = "replication-offset-checkpoint";
    expect(
        End::Clean,
        line(high, "orders 0 24"),
        &["replication-offset-checkpoint: orders-0: the high watermark, 24, lies"],
    );
    let lies = "replication-offset-checkpoint: orders-0: the high watermark, 24, lies";
    expect(End::Killed, line(high, "orders 0 24"), &[lies]);
    expect(
        End::Lost,
        line(high, "orders 0 24"),
        &["note: replication-offset-checkpoint: orders-0: the high watermark, 24, lies"],
    );
    let start = "log-start-offset-checkpoint";
    expect(
        End::Clean,
        line(start, "orders 0 24"),
        &["log-start-offset-checkpoint: orders-0: the log start offset, 24, lies"],
    );
}

#[test]
fn indexes_are_missing_short_or_wrong() {
    let gone = |disk: &Disk| fs::remove_file(disk.folder().join("00000000000000000000.index")).unwrap();
    expect(End::Clean, gone, &[&format!("{FIRST}.index: there is no such file")]);
    expect(End::Killed, gone, &[&format!("note: {FIRST}.index: there is no such file")]);
    expect(
        End::Clean,
        |disk| change(disk, "0.timeindex", 0, |bytes| bytes.truncate(bytes.len() - 12)),
        &[&format!("{FIRST}.timeindex: the last entry does not have the segment's largest time")],
    );
    expect(
        End::Clean,
        |disk| change(disk, "0.index", 0, |bytes| bytes.push(0)),
        &[&format!("{FIRST}.index: position 24: 1 bytes at the end are no whole entry")],
    );
    expect(
        End::Clean,
        |disk| change(disk, "0.index", 0, |bytes| bytes.rotate_left(8)),
        &[&format!("{FIRST}.index: position 16, offset ")],
    );
}

#[test]
fn offsets_may_be_missing_where_a_cleaner_was() {
    let second = starts(&left(End::Clean), 0);
    let remove = |disk: &Disk| {
        change(disk, "0.log", 0, |bytes| drop(bytes.drain(second[1]..second[2])));
        for ending in ["0.index", "0.timeindex"] {
            change(disk, ending, 0, Vec::clear);
        }
    };
    let missing = format!("{FIRST}.log: position {}, offset 5: the offsets from 2 to below 5 are missing", second[1]);
    let times = format!("{FIRST}.timeindex: the last entry does not have");
    expect(End::Clean, remove, &[&missing, &times]);
    expect(
        End::Clean,
        |disk| {
            remove(disk);
            write(disk, "cleaner-offset-checkpoint", "0\n1\norders 0 5\n");
        },
        &[&times],
    );
}

#[test]
fn records_that_do_not_go_with_their_header_are_found_behind_a_right_checksum() {
    let forge = |at: usize, to: u8| {
        move |disk: &Disk| {
            change(disk, "0.log", 0, |bytes| {
                bytes[at] = to;
                let end = 12 + u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
                let crc = crc32c::crc32c(&bytes[21..end]);
                bytes[17..21].copy_from_slice(&crc.to_be_bytes());
            });
        }
    };
    let at = format!("{FIRST}.log: position 0, offset 0: ");
    expect(End::Clean, forge(60, 3), &[&format!("{at}the records cannot be read: record 2: ")]);
    expect(End::Clean, forge(60, 1), &[&format!("{at}the records cannot be read: bytes remain")]);
    expect(End::Clean, forge(64, 4), &[&format!("{at}record 0 has the offset delta 2, after -1")]);
    expect(
        End::Clean,
        |disk| {
            forge(42, 0)(disk);
            change(disk, "0.timeindex", 0, |_| ());
        },
        &[&format!("{at}the max timestamp is ")],
    );
}

#[test]
fn findings_of_one_file_are_shown_up_to_a_number_and_all_counted() {
    let disk = format(left(End::Clean));
    change(&disk, "0.index", 0, |bytes| *bytes = [0, 0, 0, 7, 0, 0, 0, 9].repeat(80));
    let (found, tally) = findings(disk.root.path());
    assert_eq!((found.len(), tally.problems), (51, 80));
    assert!(found[50].to_string().ends_with("30 more findings in this file are not shown"), "{}", found[50]);
}

#[test]
fn the_partitions_of_a_topic_have_one_id() {
    let disk = format(left(End::Clean));
    let other = disk.root.path().join("orders-1");
    fs::create_dir(&other).unwrap();
    for file in disk.files("") {
        fs::copy(&file, other.join(file.file_name().unwrap())).unwrap();
    }
    assert_eq!(findings(disk.root.path()).0, []);
    fs::write(other.join("partition.metadata"), "version: 0\ntopic_id: q1Sh-9_ISia_zwGINzRvyQ\n").unwrap();
    let (found, _) = findings(disk.root.path());
    assert!(
        found.len() == 1 && found[0].to_string().contains("orders-1/partition.metadata: the topic's id is q1Sh"),
        "{found:?}"
    );
}
