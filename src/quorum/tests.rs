use super::engine::{Engine, StorageIOError};
use super::*;
use crate::metadata::ConfigResource;
use crate::runtime::{self, DiskWatcher};
use crate::types::{TimestampMs, TopicId, TopicName};
use openraft::storage::RaftLogStorageExt;
use openraft::testing::{StoreBuilder, Suite};
use openraft::{AnyError, RaftLogReader};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use tempfile::TempDir;
use uuid::Uuid;

const SMALL: Retention = Retention { snapshot_every: 20, snapshot_bytes: u64::MAX, entries_kept: 5 };

fn config() -> QuorumConfig {
    QuorumConfig { node_id: BrokerId(1), cluster_id: ClusterId("cluster".into()), disk: Disk::system() }
}

fn topic(number: u128) -> Record {
    let name = TopicName::new(&format!("topic-{number}")).unwrap();
    Record::Topic { name, id: TopicId(Uuid::from_u128(number)), created_at: TimestampMs(0) }
}

async fn open(path: &Path) -> Quorum {
    Quorum::open(path, config()).await.unwrap()
}

async fn refusal(path: &Path, config: QuorumConfig) -> Error {
    match Quorum::open(path, config).await {
        Ok(_) => panic!("the quorum opened"),
        Err(e) => e,
    }
}

async fn create(quorum: &Quorum, numbers: impl IntoIterator<Item = u128>) {
    for number in numbers {
        quorum.propose(vec![topic(number)], quorum.image().index).await.unwrap();
    }
}

fn names(quorum: &Quorum) -> usize {
    quorum.image().topics().len()
}

/// The names of the files, sorted, without the lock.
fn files(path: &Path) -> Vec<String> {
    let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != ".lock").collect();
    names.sort();
    names
}

struct Stores;

impl StoreBuilder<Engine, LogStore, StateMachine, (TempDir, Failure)> for Stores {
    async fn build(&self) -> Result<((TempDir, Failure), LogStore, StateMachine), openraft::StorageError<u64>> {
        let folder = tempfile::tempdir().unwrap();
        let failure = Failure::new();
        let store = || {
            let opened = Arc::new(Folder::open(folder.path(), config())?);
            let snapshots = Arc::new(SnapshotStore::open(opened.clone())?);
            let state_machine = StateMachine::open(snapshots, &failure)?;
            Ok((LogStore::open(opened, failure.lifeline("log"))?, state_machine))
        };
        let (log, state_machine) = store().map_err(|e: Error| StorageIOError::read(AnyError::new(&e)))?;
        Ok(((folder, failure), log, state_machine))
    }
}

#[test]
fn the_stores_pass_the_suite_of_the_engine() {
    Suite::test_all(Stores).unwrap();
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let quorum = open(folder.path()).await;
    assert_eq!(quorum.image().index, 0);
    create(&quorum, 1..=10).await;
    let before = quorum.image();
    quorum.shutdown().await;
    let quorum = open(folder.path()).await;
    assert_eq!(quorum.image(), before);
    create(&quorum, [11]).await;
    assert_eq!(names(&quorum), 11);
    assert_eq!(files(folder.path()), ["log", "vote"]);
}

#[tokio::test]
async fn a_change_is_published_before_its_proposal_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let quorum = open(folder.path()).await;
    let mut images = quorum.subscribe();
    images.mark_unchanged();
    let applied = quorum.propose(vec![topic(1)], 0).await.unwrap();
    assert_eq!(quorum.image().index, applied.index);
    assert!(images.has_changed().unwrap());
    assert_eq!(images.borrow_and_update().index, applied.index);
}

#[tokio::test]
async fn the_standing_counts_every_answered_change_and_each_start_is_a_term() {
    let folder = tempfile::tempdir().unwrap();
    let mut last: Option<Standing> = None;
    for start in 0..3 {
        let quorum = open(folder.path()).await;
        let begun = quorum.standing();
        assert_eq!(begun.leader, Some(BrokerId(1)));
        assert!(begun.committed_end <= begun.log_end, "{begun:?}");
        if let Some(last) = last {
            assert!(begun.term > last.term && begun.committed_end >= last.committed_end, "{last:?} then {begun:?}");
        }
        for number in 0..20 {
            create(&quorum, [start * 100 + number]).await;
            let standing = quorum.standing();
            let end = i64::try_from(quorum.image().index).unwrap() + 1;
            assert_eq!(
                (standing.term, standing.committed_end, standing.log_end),
                (begun.term, Offset(end), Offset(end))
            );
        }
        last = Some(quorum.standing());
        quorum.shutdown().await;
    }
}

#[tokio::test]
async fn a_stale_decision_changes_nothing_and_may_be_decided_again() {
    let folder = tempfile::tempdir().unwrap();
    let quorum = open(folder.path()).await;
    create(&quorum, [1]).await;
    assert_eq!(quorum.propose(vec![topic(2)], 0).await, Err(ProposeError::Stale));
    create(&quorum, [2]).await;
    assert_eq!(names(&quorum), 2);
}

#[tokio::test]
async fn of_two_decisions_on_one_image_only_one_takes_effect() {
    let folder = tempfile::tempdir().unwrap();
    let quorum = open(folder.path()).await;
    // Both pass the first look, so that the second is refused only in its place in the log.
    let (first, second) = tokio::join!(quorum.propose(vec![topic(1)], 0), quorum.propose(vec![topic(1)], 0));
    let stale = [&first, &second].into_iter().filter(|answer| **answer == Err(ProposeError::Stale)).count();
    assert_eq!((stale, names(&quorum)), (1, 1));
    quorum.shutdown().await;
    assert_eq!(names(&open(folder.path()).await), 1);
}

#[tokio::test]
async fn records_that_do_not_fit_never_reach_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let quorum = open(folder.path()).await;
    create(&quorum, [1]).await;
    let before = fs::read(folder.path().join("log")).unwrap();
    let refused = quorum.propose(vec![topic(2), topic(1)], quorum.image().index).await;
    assert!(matches!(refused, Err(ProposeError::Inconsistent(_))));
    assert_eq!(fs::read(folder.path().join("log")).unwrap(), before);
    create(&quorum, [2]).await;
}

/// A log with its vote, and where each of its frames ends: the header, the founding entry, the election's, three topics.
async fn written_log() -> (Vec<u8>, Vec<u8>, Vec<usize>) {
    let folder = tempfile::tempdir().unwrap();
    let quorum = open(folder.path()).await;
    create(&quorum, 1..=3).await;
    quorum.shutdown().await;
    let log = fs::read(folder.path().join("log")).unwrap();
    let ends = std::iter::successors(Some(0), |at| file::read_frame(&log, *at).map(|(_, next)| next)).skip(1).collect();
    (log, fs::read(folder.path().join("vote")).unwrap(), ends)
}

fn lay(folder: &Path, log: &[u8], vote: &[u8], ends: &[usize]) {
    fs::write(folder.join("log"), log).unwrap();
    // Nobody votes before the entry that founds the group is durable.
    if log.len() >= ends[1] {
        fs::write(folder.join("vote"), vote).unwrap();
    }
}

#[tokio::test]
async fn a_log_cut_at_any_byte_keeps_every_whole_entry_and_takes_new_ones() {
    let (log, vote, ends) = written_log().await;
    assert_eq!(ends.len(), 6);
    let folder = tempfile::tempdir().unwrap();
    let entries = |store: &mut LogStore| {
        let mut store = store.clone();
        async move { store.try_get_log_entries(..).await.unwrap() }
    };
    let open_store = || {
        let opened = Folder::open(folder.path(), config()).unwrap();
        LogStore::open(Arc::new(opened), Failure::new().lifeline("log")).unwrap()
    };
    let all = {
        lay(folder.path(), &log, &vote, &ends);
        entries(&mut open_store()).await
    };
    for cut in ends[0]..=log.len() {
        let _ = fs::remove_file(folder.path().join("vote"));
        lay(folder.path(), &log[..cut], &vote, &ends);
        let survivors = ends.iter().skip(1).filter(|end| **end <= cut).count();
        let mut store = open_store();
        assert_eq!(entries(&mut store).await, all[..survivors], "cut at {cut}");
        let Some(next) = all.get(survivors) else { continue };
        fs::write(folder.path().join("vote"), &vote).unwrap();
        store.blocking_append([next.clone()]).await.unwrap();
        drop(store);
        assert_eq!(entries(&mut open_store()).await, all[..=survivors], "cut at {cut}");
    }
}

#[tokio::test]
async fn a_quorum_whose_log_was_cut_goes_on() {
    let (log, vote, ends) = written_log().await;
    for cut in ends.iter().flat_map(|end| [*end, end + 9, end + 40]).filter(|cut| *cut <= log.len()) {
        let folder = tempfile::tempdir().unwrap();
        lay(folder.path(), &log[..cut], &vote, &ends);
        let quorum = open(folder.path()).await;
        let survivors = ends.iter().skip(3).filter(|end| **end <= cut).count();
        assert_eq!(names(&quorum), survivors, "cut at {cut}");
        create(&quorum, [9]).await;
        quorum.shutdown().await;
        assert_eq!(names(&open(folder.path()).await), survivors + 1, "cut at {cut}");
    }
}

#[tokio::test]
async fn a_flipped_bit_before_good_entries_is_refused_and_in_the_last_entry_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let quorum = open(folder.path()).await;
    create(&quorum, 1..=2).await;
    quorum.shutdown().await;
    let good = fs::read(&path).unwrap();
    let mut frames = vec![0];
    while let Some((_, next)) = file::read_frame(&good, frames[frames.len() - 1]) {
        frames.push(next);
    }
    let last = frames[frames.len() - 2];
    for position in 0..last {
        let mut bad = good.clone();
        bad[position] ^= 1 << (position % 8);
        fs::write(&path, bad).unwrap();
        let refused = refusal(folder.path(), config()).await;
        assert!(matches!(refused, Error::Corrupt { .. }), "byte {position}: {refused}");
    }
    for position in (last..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[position] ^= 1 << (position % 8);
        fs::write(&path, bad).unwrap();
        let quorum = open(folder.path()).await;
        assert_eq!(names(&quorum), 1, "byte {position}");
        quorum.shutdown().await;
    }
}

#[tokio::test]
async fn snapshots_bound_the_log_and_a_restart_begins_with_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let mut created = 0;
    for _ in 0..3 {
        let quorum = Quorum::open_retaining(folder.path(), config(), SMALL).await.unwrap();
        assert_eq!(names(&quorum), created);
        let metrics = quorum.0.raft.metrics();
        let entries = || {
            let metrics = metrics.borrow();
            metrics.last_log_index.unwrap() - metrics.purged.map_or(0, |purged| purged.index)
        };
        // A snapshot is built beside the proposals, and only another entry looks whether the next is due.
        let enough = created + 40;
        while created < enough || entries() > SMALL.snapshot_every + SMALL.entries_kept {
            assert!(created < enough + 1000, "{} entries are kept", entries());
            created += 1;
            create(&quorum, [created as u128]).await;
        }
        quorum.shutdown().await;
        let files = files(folder.path());
        assert_eq!(files.len(), 3, "{files:?}");
        assert!(files[1].starts_with("snapshot-"), "{files:?}");
    }
    let log = fs::metadata(folder.path().join("log")).unwrap().len();
    assert!(log < 10_000, "{log} bytes of log");
}

#[tokio::test]
async fn a_few_large_entries_bring_about_a_snapshot_too() {
    let folder = tempfile::tempdir().unwrap();
    let retention = Retention { snapshot_every: 1_000_000, snapshot_bytes: 10_000, entries_kept: 0 };
    let quorum = Quorum::open_retaining(folder.path(), config(), retention).await.unwrap();
    let large = |round: u32| {
        let value = Some(format!("{round}{}", "x".repeat(6_000)));
        vec![Record::Config { resource: ConfigResource::Brokers, name: "large".into(), value }]
    };
    let mut metrics = quorum.0.raft.metrics();
    for round in 1..=3 {
        quorum.propose(large(round), quorum.image().index).await.unwrap();
        let last = quorum.propose(large(round), quorum.image().index).await.unwrap().index;
        let purged = metrics.wait_for(|metrics| metrics.purged.is_some_and(|purged| purged.index >= last));
        tokio::time::timeout(Duration::from_secs(10), purged).await.unwrap().unwrap();
        assert!(fs::metadata(folder.path().join("log")).unwrap().len() < 1000);
    }
    let before = quorum.image();
    quorum.shutdown().await;
    assert_eq!(open(folder.path()).await.image(), before);
}

#[tokio::test]
async fn a_log_that_begins_after_the_snapshot_ends_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let quorum = Quorum::open_retaining(folder.path(), config(), SMALL).await.unwrap();
    create(&quorum, 1..=60).await;
    let mut metrics = quorum.0.raft.metrics();
    metrics.wait_for(|metrics| metrics.purged.is_some()).await.unwrap();
    quorum.shutdown().await;
    let snapshot = files(folder.path()).into_iter().find(|name| name.starts_with("snapshot-")).unwrap();
    fs::remove_file(folder.path().join(snapshot)).unwrap();
    assert!(matches!(refusal(folder.path(), config()).await, Error::Corrupt { .. }));
}

#[tokio::test]
async fn an_older_snapshot_never_takes_the_place_of_a_newer_one() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Arc::new(Folder::open(folder.path(), config()).unwrap());
    let store = SnapshotStore::open(opened).unwrap();
    let at = |index| {
        let image = ClusterImage::new(config().cluster_id);
        let applied = Some(openraft::LogId::new(openraft::CommittedLeaderId::new(1, 1), index));
        let taken = snapshot_store::Taken { image, applied, membership: Default::default() };
        taken.to_snapshot().unwrap()
    };
    let ((older, older_data), (newer, newer_data)) = (at(5), at(9));
    store.save(&newer, &newer_data).unwrap();
    store.save(&older, &older_data).unwrap();
    assert_eq!(store.current().unwrap().unwrap().0, newer);
    assert_eq!(files(folder.path()).len(), 1);
}

#[tokio::test]
async fn the_log_of_another_cluster_another_node_or_a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let quorum = open(folder.path()).await;
    create(&quorum, [1]).await;
    quorum.shutdown().await;
    let other_cluster = QuorumConfig { cluster_id: ClusterId("other".into()), ..config() };
    assert!(matches!(refusal(folder.path(), other_cluster).await, Error::OtherCluster { .. }));
    let other_node = QuorumConfig { node_id: BrokerId(2), ..config() };
    assert!(matches!(refusal(folder.path(), other_node).await, Error::OtherNode { .. }));
    for name in ["log", "vote"] {
        let path = folder.path().join(name);
        let good = fs::read(&path).unwrap();
        let (payload, next) = file::read_frame(&good, 0).unwrap();
        let text = std::str::from_utf8(payload).unwrap().replace(r#""format":2"#, r#""format":3"#);
        let mut newer = Vec::new();
        file::push_frame(&mut newer, text.as_bytes()).unwrap();
        newer.extend_from_slice(&good[next..]);
        fs::write(&path, newer).unwrap();
        let refused = refusal(folder.path(), config()).await;
        assert!(matches!(refused, Error::NewerFormat { found: 3, known: 2, .. }), "{name}: {refused}");
        fs::write(&path, good).unwrap();
    }
    let negative = QuorumConfig { node_id: BrokerId(-1), ..config() };
    assert!(matches!(refusal(folder.path(), negative).await, Error::NodeId(_)));
    open(folder.path()).await;
}

/// Puts every frame of a file through `change`.
fn rewrite(path: &Path, change: impl Fn(String) -> String) {
    let (bytes, mut at, mut written) = (fs::read(path).unwrap(), 0, Vec::new());
    while let Some((payload, next)) = file::read_frame(&bytes, at) {
        let changed = change(String::from_utf8(payload.to_vec()).unwrap());
        file::push_frame(&mut written, changed.as_bytes()).unwrap();
        at = next;
    }
    fs::write(path, written).unwrap();
}

#[tokio::test]
async fn a_log_of_the_first_format_is_read_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let quorum = open(folder.path()).await;
    create(&quorum, [1]).await;
    quorum.shutdown().await;
    for name in ["log", "vote"] {
        rewrite(&folder.path().join(name), |text| text.replace(r#""format":2"#, r#""format":1"#));
    }
    let quorum = open(folder.path()).await;
    create(&quorum, [2]).await;
    quorum.shutdown().await;
    assert_eq!(names(&open(folder.path()).await), 2);
}

#[tokio::test]
async fn records_of_a_newer_format_are_refused_as_such_and_not_as_damage() {
    let folder = tempfile::tempdir().unwrap();
    let quorum = open(folder.path()).await;
    create(&quorum, [1]).await;
    quorum.shutdown().await;
    let newer = |text: String| text.replace(r#""format":2"#, r#""format":9"#).replace("Topic", "Subject");
    rewrite(&folder.path().join("log"), |text| if text.contains("decided_on") { newer(text) } else { text });
    let refused = refusal(folder.path(), config()).await;
    assert!(matches!(refused, Error::NewerFormat { found: 9, known: 2, .. }), "{refused}");
}

#[tokio::test]
async fn a_log_without_its_vote_or_a_vote_without_its_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let quorum = open(folder.path()).await;
    quorum.shutdown().await;
    for (name, moved) in [("vote", "away"), ("log", "away")] {
        fs::rename(folder.path().join(name), folder.path().join(moved)).unwrap();
        let refused = refusal(folder.path(), config()).await;
        assert!(matches!(refused, Error::Corrupt { .. }), "{name}: {refused}");
        fs::rename(folder.path().join(moved), folder.path().join(name)).unwrap();
    }
    open(folder.path()).await;
}

#[tokio::test]
async fn a_folder_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let quorum = open(folder.path()).await;
    assert!(matches!(refusal(folder.path(), config()).await, Error::Locked(_)));
    quorum.shutdown().await;
    open(folder.path()).await;
}

#[tokio::test]
async fn several_quorums_live_in_one_process() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let mut quorums = Vec::new();
    for (folder, number) in folders.iter().zip(1..) {
        let config = QuorumConfig { node_id: BrokerId(number), cluster_id: ClusterId::random(), disk: Disk::system() };
        quorums.push(Quorum::open(folder.path(), config).await.unwrap());
    }
    for (quorum, count) in quorums.iter().zip(1..) {
        create(quorum, 1..=count).await;
    }
    assert_eq!(quorums.iter().map(names).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test]
async fn an_entry_that_cannot_be_applied_is_fatal_and_proposals_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let quorum = open(folder.path()).await;
    let missing = Record::RemoveTopic { id: TopicId(Uuid::from_u128(1)) };
    let change = Change { format: FORMAT, decided_on: 0, records: vec![missing] };
    let raft = quorum.0.raft.clone();
    let written = tokio::spawn(async move { raft.client_write(change).await.is_err() });
    let reason = tokio::time::timeout(Duration::from_secs(10), quorum.fatal()).await.unwrap();
    assert!(!reason.is_empty());
    assert!(written.await.unwrap());
    assert!(matches!(quorum.propose(vec![topic(1)], 0).await, Err(ProposeError::Failed(_))));
    quorum.shutdown().await;
}

#[tokio::test]
async fn a_panic_in_a_part_of_the_engine_is_a_failure() {
    let failure = Failure::new();
    let lifeline = failure.lifeline("part");
    let task = tokio::spawn(async move {
        let _lifeline = lifeline;
        panic!("planned");
    });
    assert!(task.await.is_err());
    assert_eq!(&*failure.wait().await, "the part panicked");
}

#[tokio::test]
async fn a_shutdown_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let quorum = open(folder.path()).await;
    let failed = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn({
        let (fatal, failed) = (quorum.fatal(), failed.clone());
        async move {
            fatal.await;
            failed.store(true, Ordering::SeqCst);
        }
    });
    quorum.shutdown().await;
    quorum.shutdown().await;
    tokio::task::yield_now().await;
    assert!(!failed.load(Ordering::SeqCst));
    assert!(matches!(quorum.propose(vec![topic(1)], 0).await, Err(ProposeError::Failed(_))));
    watch.abort();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_idle_quorum_sleeps() {
    let folder = tempfile::tempdir().unwrap();
    let quorum = open(folder.path()).await;
    create(&quorum, 1..=3).await;
    let thread = quorum.0.raft.with_raft_state(|_| fs::read_link("/proc/thread-self").unwrap()).await.unwrap();
    let wakes = || {
        let status = fs::read_to_string(Path::new("/proc").join(&thread).join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
        line.rsplit('\t').next().unwrap().parse::<u64>().unwrap()
    };
    // Not a wait for a condition: the absence of wakes is what is looked at.
    std::thread::sleep(Duration::from_millis(100));
    let before = wakes();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(wakes(), before);
}

/// A disk that refuses so many more allocations.
#[derive(Debug, Default)]
struct Full(AtomicI64);

impl DiskWatcher for Full {
    fn before(&self, change: &runtime::Change<'_>) -> std::io::Result<()> {
        let is_refused =
            matches!(change, runtime::Change::Reserve { .. }) && self.0.fetch_sub(1, Ordering::Relaxed) > 0;
        if is_refused { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

#[tokio::test]
async fn where_there_is_no_room_for_more_a_change_takes_what_it_needs_and_without_that_it_alone_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let full = Arc::new(Full::default());
    let config = QuorumConfig { disk: Disk::watched(full.clone()), ..config() };
    let quorum = Quorum::open(folder.path(), config).await.unwrap();
    full.0.store(1, Ordering::Relaxed);
    create(&quorum, [1]).await;
    full.0.store(2, Ordering::Relaxed);
    let refused = quorum.propose(vec![topic(2)], quorum.image().index).await;
    assert!(matches!(refused, Err(ProposeError::NoRoom(_))), "{refused:?}");
    full.0.store(0, Ordering::Relaxed);
    create(&quorum, [3]).await;
    assert_eq!(names(&quorum), 2);
    quorum.shutdown().await;
}
