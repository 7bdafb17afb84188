//! `klamm release`: what we wrote is served by Apache Kafka, and comes back by `klamm adopt`.
//!
//! The recipe is that of `docs/operations.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kafka_protocol::ResponseError;

use crate::support::apache_kafka::ApacheKafka;
use crate::support::batch::Batch;
use crate::support::broker::Broker;
use crate::support::java::Tools;
use crate::support::raw::Client;
use crate::support::requests::{self, Topic, describe_settings, fetch, init_producer_request, produce, produce_at};
use crate::wait_until;
use crate::workload::{SETTINGS, Written, fill};

const CONSOLE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

fn klamm(verb: &str, data: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_klamm")).arg(verb).arg(data).args(more).output().expect("klamm can be run")
}

#[track_caller]
fn assert_done(verb: &str, data: &Path, more: &[&str], said: &str) {
    let output = klamm(verb, data, more);
    let (printed, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{verb}: {errors}");
    assert!(printed.contains(said), "{said} is not in {printed}");
}

/// Every file below a folder with its contents.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the folder can be listed").path();
        match path.is_dir() {
            true => all.extend(contents(&path)),
            false => drop(all.insert(path.clone(), std::fs::read(&path).expect("the file can be read"))),
        }
    }
    all
}

/// Whether all records are there, under the topic's id.
#[track_caller]
fn assert_served(client: &mut Client, written: &Written) {
    let led = requests::wait_until_led(client, &written.topic.name);
    assert_eq!(led.topic_id, written.topic.id, "{}", written.about);
    let (mut at, end) = (written.log_start, written.records.len() as i64);
    while at < end {
        let fetched = fetch(client, 13, &written.topic, 0, at);
        assert_eq!((fetched.error_code, fetched.log_start_offset), (0, written.log_start), "{}", written.about);
        for batch in requests::batches(&fetched) {
            for (offset, value) in batch.values.iter().filter(|(offset, _)| *offset >= at) {
                let expected = written.records[*offset as usize].value.clone().unwrap_or_default();
                assert_eq!(value.as_bytes(), expected, "{} at {offset}", written.about);
            }
            at = batch.base_offset + i64::from(batch.last_offset_delta) + 1;
        }
    }
    assert_eq!(at, end, "{}", written.about);
}

fn leader_epoch(client: &mut Client, written: &Written) -> i32 {
    requests::wait_until_led(client, &written.topic.name).partitions[0].leader_epoch
}

/// The producer goes on: its last batch is known, a gap is not, and the next one is appended.
#[track_caller]
fn assert_producer_goes_on(client: &mut Client, written: &mut Written, last: &Batch) {
    let Some(producer) = written.producer else { return };
    let end = written.records.len() as i64;
    let again = produce(client, 9, &written.topic, 0, last.build());
    assert_eq!((again.error_code, again.base_offset), (0, end - last.records.len() as i64), "{}", written.about);
    let gap = Batch::of(&["gap"]).by(producer.id, producer.epoch, producer.sequence + 9);
    let refused = produce(client, 9, &written.topic, 0, gap.build()).error_code;
    assert_eq!(refused, ResponseError::OutOfOrderSequenceNumber.code(), "{}", written.about);
    written.write(client, 2);
}

fn last_of_each(client: &mut Client, all: &mut [Written]) -> Vec<Batch> {
    let next = |written: &mut Written| {
        let batch = written.next_batch();
        if !written.records.is_empty() {
            produce_at(client, &written.topic, 0, batch.build(), written.records.len() as i64);
            written.note(batch.clone());
        }
        batch
    };
    all.iter_mut().map(next).collect()
}

#[test]
fn apache_kafka_serves_a_released_directory_and_gives_it_back() {
    let Some(tools) = Tools::gather("klamm release") else { return };
    let mut broker = Broker::start_ours(SETTINGS);
    let mut all = fill(&broker);
    broker.kill_and_restart(SETTINGS);
    let mut client = Client::connect(broker.address());
    all.iter_mut().for_each(|written| written.delete_again(&mut client));
    let last = last_of_each(&mut client, &mut all);
    let epochs: Vec<_> = all.iter().map(|written| leader_epoch(&mut client, written)).collect();
    broker.stop();
    let directory = broker.into_directory();
    let data = directory.path().join("data");

    let before = contents(&data);
    assert_done("release", &data, &["--dry-run"], "can be released: node 1 of cluster");
    assert!(contents(&data) == before, "a dry run changes nothing");
    assert_done("release", &data, &[], "15 topics with 15 partitions");

    let kafka = ApacheKafka::serve("klamm release", directory, &["log.retention.ms=-1"]).expect("there is a JDK");
    client = Client::connect(kafka.address());
    for ((written, last), epoch) in all.iter_mut().zip(&last).zip(epochs) {
        assert_served(&mut client, written);
        assert!(leader_epoch(&mut client, written) > epoch, "{}: a new leader", written.about);
        let described = client.call(&describe_settings(&written.topic.name, &["segment.ms"]), 4);
        let value = described.results[0].configs[0].value.as_ref().map(ToString::to_string);
        let is_set = value.as_deref() == Some("60000");
        assert_eq!(is_set, written.is_rolled_by_time, "{}: {value:?}", written.about);
        assert_producer_goes_on(&mut client, written, last);
        assert_served(&mut client, written);
    }
    assert_read_by_kafkas_consumer(&tools, &kafka, &all[0]);
    let mut new = -1;
    wait_until("Kafka's controller gives ids away", || {
        let given = client.call(&init_producer_request(), 4);
        new = given.producer_id.0;
        given.error_code == 0
    });
    assert!(all.iter().filter_map(|written| written.producer).all(|given| given.id < new), "{new} is a new one");
    let last = last_of_each(&mut client, &mut all);
    let later = Topic::create(&mut client, 1, &[]);
    produce_at(&mut client, &later, 0, Batch::of(&["by Kafka"]).build(), 0);

    let directory = kafka.stop();
    assert_done("adopt", &data, &[], "16 topics");
    let broker = Broker::start_in(directory, SETTINGS);
    client = Client::connect(broker.address());
    for (written, last) in all.iter_mut().zip(&last) {
        assert_served(&mut client, written);
        assert_producer_goes_on(&mut client, written, last);
    }
    assert_eq!(requests::values(&fetch(&mut client, 13, &later, 0, 0)), ["by Kafka"]);
}

fn assert_read_by_kafkas_consumer(tools: &Tools, kafka: &ApacheKafka, written: &Written) {
    let count = written.records.len().to_string();
    let arguments = ["--bootstrap-server", kafka.address(), "--topic", written.topic.name.as_str(), "--partition", "0"];
    let properties = ["print.offset=true", "print.timestamp=true", "print.value=true", "null.literal=NONE"];
    let formats = properties.iter().flat_map(|property| ["--formatter-property", property]);
    let arguments = arguments.into_iter().chain(["--offset", "0", "--max-messages", &count]).chain(formats);
    let read = tools.run(CONSOLE_CONSUMER, &arguments.collect::<Vec<_>>(), "");
    let text =
        |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or("NONE".into(), |it| String::from_utf8_lossy(it).into_owned());
    let line = |(offset, record): (usize, &crate::support::batch::Record)| {
        format!("CreateTime:{}\tOffset:{offset}\t{}\n", record.timestamp, text(&record.value))
    };
    let expected: String = written.records.iter().enumerate().map(line).collect();
    assert_eq!(read.expect_success("kafka-console-consumer"), expected);
}

/// Kafka's broker does not start beside a folder whose name it cannot read. Partitions that we could not serve it serves.
#[test]
fn a_directory_that_kafka_formatted_once_goes_back_with_its_open_transactions() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = directory.path().join("data");
    let kafkas = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kafka-directory");
    let copied = Command::new("cp").arg("-r").args([&kafkas, &data]).status().expect("cp can be run");
    assert!(copied.success());
    assert_done("adopt", &data, &[], "is taken over");
    let mut broker = Broker::start_in(directory, SETTINGS);
    broker.stop();
    assert_done("release", &data, &[], "8 topics with 12 partitions");
    for entry in std::fs::read_dir(&data).expect("it can be listed").map(|entry| entry.expect("it can be listed")) {
        let name = entry.file_name().into_string().expect("names are text");
        let number = |name: &str| name.rsplit_once('-').is_some_and(|(_, number)| number.parse::<u32>().is_ok());
        let put_away = name.strip_suffix("-delete").and_then(|rest| rest.rsplit_once('.'));
        let is_read = number(&name) || put_away.is_some_and(|(rest, unique)| number(rest) && unique.len() == 32);
        assert!(is_read || entry.path().is_file(), "{name}");
        assert!(!name.starts_with("__cluster_metadata") || put_away.is_some(), "{name}");
    }

    let settings = ["log.retention.ms=-1", "transaction.abort.timed.out.transaction.cleanup.interval.ms=3600000"];
    let Some(kafka) = ApacheKafka::serve("klamm release", broker.into_directory(), &settings) else { return };
    let mut client = Client::connect(kafka.address());
    let name = requests::topic_name("transactions");
    let id = requests::wait_until_led(&mut client, &name).topic_id;
    let topic = Topic { name, id };
    let mut read_committed = |partition| {
        let request = requests::fetch_request(13, &topic, &[(partition, 0)]).with_isolation_level(1);
        requests::the_partition(client.call(&request, 13), 13, &topic)
    };
    let aborted = read_committed(1);
    assert_eq!((aborted.high_watermark, aborted.last_stable_offset), (5, 5));
    let left_out = aborted.aborted_transactions.expect("read_committed is told");
    assert_eq!(left_out.iter().map(|each| each.first_offset).collect::<Vec<_>>(), [0]);
    let open = read_committed(2);
    assert_eq!((open.high_watermark, open.last_stable_offset), (4, 0), "the transaction is as open as it was");
}

#[test]
fn what_cannot_be_released_is_left_alone() {
    #[track_caller]
    fn assert_refused(data: &Path, sentence: &str) {
        let before = contents(data);
        let refused = klamm("release", data, &[]);
        let errors = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{sentence}");
        assert!(errors.contains(sentence), "{errors}");
        assert!(contents(data) == before, "{sentence}");
    }
    let mut broker = Broker::start_ours(&[]);
    let topic = Topic::create(&mut Client::connect(broker.address()), 2, &[]);
    let data = broker.data();
    assert_refused(&data, "is in use by another process");
    broker.kill();
    assert_refused(&data, "was not stopped in order");
    broker.start_again(&[]);
    broker.stop();
    let partition = data.join(format!("{}-1", topic.name.as_str()));
    std::fs::rename(&partition, data.join("elsewhere")).expect("it can be renamed");
    assert_refused(&data, "-1 has no folder here");
    std::fs::rename(data.join("elsewhere"), &partition).expect("it can be renamed");
    let kafkas = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kafka-directory/meta.properties");
    let ours = std::fs::read(data.join("meta.properties")).expect("it can be read");
    std::fs::copy(kafkas, data.join("meta.properties")).expect("it can be copied");
    assert_refused(&data, "it is one of Apache Kafka's already");
    std::fs::write(data.join("meta.properties"), ours).expect("it can be written");
    // As a crash before meta.properties leaves it.
    std::fs::write(data.join("bootstrap.checkpoint"), "half").expect("it can be written");
    assert_done("release", &data, &[], "1 topics with 2 partitions");
    assert!(std::fs::read(data.join("bootstrap.checkpoint")).expect("it is there").len() > 100);
    for ours in ["__cluster_metadata-0", "klamm.boot", ".ballast"] {
        assert!(!data.join(ours).exists(), "{ours} is not Kafka's");
    }
}
