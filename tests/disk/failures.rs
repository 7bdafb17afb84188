//! A disk that fails under a running broker: one write or one sync of a partition takes that partition offline, at once and
//! for good, and nothing else; one of the metadata log ends the broker.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, DescribeLogDirsRequest, ListOffsetsRequest};
use klamm::runtime::{Change, Disk, DiskWatcher};

use super::broker::{InProcess, config};
use super::support::batch::Batch;
use super::support::raw::Client;
use super::support::requests::{Topic, create_request, fetch, metadata_request, new_name, produce, values};

const KAFKA_STORAGE_ERROR: i16 = 56;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failing {
    Writes,
    Syncs,
}

/// Fails what is done to the logs in a folder, once one is named.
#[derive(Debug)]
struct Broken {
    failing: Failing,
    folder: Mutex<Option<String>>,
    failures: AtomicUsize,
}

impl Broken {
    fn new(failing: Failing) -> Arc<Broken> {
        Arc::new(Broken { failing, folder: Mutex::new(None), failures: AtomicUsize::new(0) })
    }

    fn strike(&self, folder: &str) {
        *self.folder.lock().expect("no test panicked") = Some(folder.to_owned());
    }
}

impl DiskWatcher for Broken {
    fn before(&self, change: &Change<'_>) -> io::Result<()> {
        let file = match (self.failing, change) {
            (Failing::Writes, Change::Write { file, .. }) | (Failing::Syncs, Change::SyncFile(file)) => *file,
            _ => return Ok(()),
        };
        let path = super::path_of(file)?;
        let folder = self.folder.lock().expect("no test panicked");
        if folder.as_ref().is_some_and(|folder| path.parent().is_some_and(|parent| parent.ends_with(folder))) {
            self.failures.fetch_add(1, Ordering::Relaxed);
            return Err(io::Error::from_raw_os_error(5));
        }
        Ok(())
    }
}

fn batch(value: &str) -> bytes::Bytes {
    Batch::of(&[value]).build()
}

fn latest_offset(client: &mut Client, topic: &Topic) -> i16 {
    let partition = ListOffsetsPartition::default().with_partition_index(0).with_timestamp(-1);
    let of_topic = ListOffsetsTopic::default().with_name(topic.name.clone()).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![of_topic]);
    client.call(&request, 7).topics[0].partitions[0].error_code
}

fn described_logs(client: &mut Client) -> Vec<String> {
    let answer = client.call(&DescribeLogDirsRequest::default().with_topics(None), 4);
    let logs = answer.results.into_iter().flat_map(|directory| directory.topics);
    logs.map(|topic| topic.name.as_str().to_owned()).collect()
}

fn fail_under_a_partition(failing: Failing) {
    let root = tempfile::tempdir_in(super::fast_room()).expect("there is room");
    let watcher = Broken::new(failing);
    let broker = InProcess::start(config(root.path(), &[]), Disk::watched(watcher.clone()));
    let mut client = Client::connect(broker.address());
    let [hit, spared] = [(); 2].map(|()| Topic::create(&mut client, 1, &[("flush.messages", "1")]));
    for topic in [&hit, &spared] {
        assert_eq!(produce(&mut client, 9, topic, 0, batch("before")).error_code, 0);
    }
    watcher.strike(&format!("{}-0", hit.name.as_str()));
    assert_eq!(produce(&mut client, 9, &hit, 0, batch("lost")).error_code, KAFKA_STORAGE_ERROR);
    assert_eq!(watcher.failures.load(Ordering::Relaxed), 1, "one failed");

    assert_eq!(produce(&mut client, 9, &hit, 0, batch("lost")).error_code, KAFKA_STORAGE_ERROR);
    assert_eq!(fetch(&mut client, 12, &hit, 0, 0).error_code, KAFKA_STORAGE_ERROR);
    assert_eq!(latest_offset(&mut client, &hit), KAFKA_STORAGE_ERROR);
    let told = client.call(&metadata_request(&[&hit.name]), 12).topics.remove(0);
    assert_eq!(told.partitions[0].leader_id, BrokerId(-1));
    assert_eq!(described_logs(&mut client), [spared.name.as_str()], "the log that failed is not described");
    assert_eq!(produce(&mut client, 9, &spared, 0, batch("after")).error_code, 0);
    assert_eq!(values(&fetch(&mut client, 12, &spared, 0, 0)), ["before", "after"]);
    assert!(broker.try_stop().is_err(), "a log could not be closed");
    assert_eq!(watcher.failures.load(Ordering::Relaxed), 1, "nothing was tried again, nor at the stop");

    let broker = InProcess::start(config(root.path(), &[]), Disk::system());
    let mut client = Client::connect(broker.address());
    let found = values(&fetch(&mut client, 12, &hit, 0, 0));
    assert_eq!(found[0], "before");
    assert_eq!(values(&fetch(&mut client, 12, &spared, 0, 0)), ["before", "after"]);
    broker.stop();
}

#[test]
fn a_write_that_fails_takes_its_partition_offline_and_nothing_else() {
    fail_under_a_partition(Failing::Writes);
}

#[test]
fn a_sync_that_fails_takes_its_partition_offline_and_is_not_tried_again() {
    fail_under_a_partition(Failing::Syncs);
}

#[test]
fn a_metadata_log_that_fails_ends_the_broker() {
    for failing in [Failing::Writes, Failing::Syncs] {
        let root = tempfile::tempdir_in(super::fast_room()).expect("there is room");
        let watcher = Broken::new(failing);
        let broker = InProcess::start(config(root.path(), &[]), Disk::watched(watcher.clone()));
        let mut client = Client::connect(broker.address());
        let kept = Topic::create(&mut client, 1, &[]);
        watcher.strike("__cluster_metadata-0");
        let name = new_name();
        let answer = client.call_unless_killed(&create_request(&name, 1, &[]), 7);
        assert!(answer.is_none_or(|answer| answer.topics[0].error_code != 0), "nothing is answered as done");
        assert!(broker.failed(Duration::from_secs(20)).contains("quorum"), "the broker says why it ends");
        let _ = broker.try_stop();

        let broker = InProcess::start(config(root.path(), &[]), Disk::system());
        let mut client = Client::connect(broker.address());
        assert_eq!(client.call(&metadata_request(&[&kept.name]), 12).topics[0].error_code, 0);
        broker.stop();
    }
}
