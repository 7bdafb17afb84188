//! What transactions left in a log that a broker without them could not show rightly.
//!
//! A transaction index has entries of 34 bytes, one for each aborted transaction: version 2, producer id 8, first offset 8, last
//! offset 8, last stable offset 8. One is open when its producer's state says where it began.
//!
//! Source: Kafka's `AbortedTxn`, `TransactionIndex`, `ProducerStateEntry`.

use crate::storage::producers::Producers;
use crate::storage::{Error, segment, snapshot};
use crate::types::Offset;
use std::fmt;
use std::fs;
use std::path::Path;

const ABORTED_BYTES: usize = 34;

/// What transactions left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transactions {
    /// Nothing, or only what was committed.
    Committed,
    /// One has not ended.
    Open,
    /// One was aborted, and its records are still there.
    Aborted,
}

impl fmt::Display for Transactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transactions::Committed => "has no transaction but committed ones",
            Transactions::Open => "has an open transaction, and there are no transactions here yet",
            Transactions::Aborted => {
                "has records of aborted transactions, which read_committed could not leave out here yet"
            }
        })
    }
}

/// What they left in a folder with these `names` whose log begins at `log_start`, as the files say that a clean stop leaves. Changes nothing, which
/// recovery would. A snapshot that cannot be read says nothing here: what recovery makes of the log must be asked too.
pub(super) fn left_in(folder: &Path, names: &[String], log_start: Offset) -> Result<Transactions, Error> {
    let mut newest_snapshot = None;
    for name in names {
        newest_snapshot = newest_snapshot.max(segment::parse_file_name(name, segment::SNAPSHOT));
        if segment::parse_file_name(name, segment::TRANSACTION_INDEX).is_some() {
            let path = folder.join(name);
            let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
            if bytes.chunks(ABORTED_BYTES).any(|entry| last_offset(entry).is_none_or(|last| last >= log_start)) {
                return Ok(Transactions::Aborted);
            }
        }
    }
    let producers =
        newest_snapshot.map(|newest| snapshot::read(&segment::file_path(folder, newest, segment::SNAPSHOT)));
    Ok(of_producers(&producers.and_then(Result::ok).unwrap_or_default()))
}

/// What they left according to the state of all producers at the log end.
pub(super) fn of_producers(producers: &Producers) -> Transactions {
    if producers.is_in_transaction() { Transactions::Open } else { Transactions::Committed }
}

/// `None` when the entry cannot be read.
fn last_offset(aborted: &[u8]) -> Option<Offset> {
    let is_known = aborted.len() == ABORTED_BYTES && aborted[..2] == [0, 0];
    let bytes = aborted.get(18..26)?.first_chunk()?;
    is_known.then(|| Offset(i64::from_be_bytes(*bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aborted_transaction_counts_as_long_as_its_records_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let name = "00000000000000000000.txnindex".to_owned();
        let index = folder.path().join(&name);
        let left = |log_start| left_in(folder.path(), std::slice::from_ref(&name), Offset(log_start)).unwrap();
        fs::write(&index, []).unwrap();
        assert_eq!(left(0), Transactions::Committed);
        let numbers = [7_i64, 10, 20, 10].map(i64::to_be_bytes).concat();
        fs::write(&index, [&[0, 0][..], &numbers].concat()).unwrap();
        assert_eq!(left(20), Transactions::Aborted);
        assert_eq!(left(21), Transactions::Committed, "its records were deleted");
        fs::write(&index, [0, 0, 0]).unwrap();
        assert_eq!(left(21), Transactions::Aborted, "what cannot be read may be one");
    }
}
