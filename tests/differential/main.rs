//! The differential test: the same raw requests go to Apache Kafka and to Klamm, and the answers are compared field by field.
//!
//! * What Apache Kafka 4.3 answers is recorded under `tests/golden/answers`, so that the comparison runs everywhere; where
//!   Java and Maven are, a broker of Apache Kafka is started and must answer what is recorded.
//! * What must differ is replaced by the table in `normal.rs`; differences that are kept are listed in `kept.rs`.
//! * Versions are those of Kafka 4.1, recorded too; `KAFKA_VERSION_MVN=4.1.1` asks a broker of that release.
//! * `KLAMM_GOLDEN=write` records anew.
//!
//! See `docs/testing.md`.
//!
//! A new case is a step in a file of `cases/`, or a scenario there and a line in `catalogue.rs`; then record.

#[path = "../support/mod.rs"]
mod support;

mod cases;
mod catalogue;
mod golden;
mod kept;
mod normal;
mod ranges;
mod render;
mod scenario;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use catalogue::SCENARIOS;
use golden::Answers;
use kafka_protocol::messages::DescribeLogDirsRequest;
use kept::{Difference, Found, KEPT};
use klamm::wire::ApiKey;
use klamm::wire::api::APIS;
use scenario::{Scenario, Target};
use support::apache_kafka::ApacheKafka;
use support::broker::Broker;
use support::raw::Client;

/// How many scenarios are asked at once.
const THREADS: usize = 4;

/// What both brokers are told beyond their defaults.
const SETTINGS: &[&str] = &["num.partitions=4"];

/// What Apache Kafka is told besides: one broker has one replica of each internal topic, and need not wait.
const OF_ONE_BROKER: &[&str] = &[
    "offsets.topic.replication.factor=1",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    "group.initial.rebalance.delay.ms=0",
    "controller.quorum.append.linger.ms=0",
];

#[test]
fn klamm_answers_as_apache_kafka_does() {
    let broker = Broker::start_ours(SETTINGS);
    let served: Vec<_> = SCENARIOS.iter().filter(|scenario| is_served(scenario)).collect();
    for scenario in SCENARIOS.iter().filter(|scenario| !is_served(scenario)) {
        support::process::print_skipped(&format!("{}: not served", scenario.name));
    }
    let answers = ask_all(&served, &target(broker.address()));
    let found: Vec<Found> = served
        .iter()
        .flat_map(|scenario| kept::differences(scenario.name, &recorded(scenario), &answers[scenario.name]))
        .collect();
    let explains = |found: &Found| KEPT.iter().any(|difference| difference.explains(found));
    let unexplained = describe(found.iter().filter(|each| !explains(each)));
    assert!(unexplained.is_empty(), "{} fields differ:\n{}", unexplained.len(), unexplained.join("\n"));
    let is_gone = |difference: &&Difference| !found.iter().any(|each| difference.explains(each));
    for gone in KEPT.iter().filter(is_gone) {
        assert!(!served.iter().any(|scenario| scenario.name == gone.scenario), "no longer different: {}", named(gone));
    }
}

#[test]
fn what_is_recorded_is_what_apache_kafka_answers() {
    let Some(kafka) = ApacheKafka::start("the recorded answers", &[SETTINGS, OF_ONE_BROKER].concat(), &[]) else {
        return;
    };
    if kafka.version().starts_with("4.1.") {
        let head = format!("# Recorded from Apache Kafka {}: key, API, lowest and highest version.\n", kafka.version());
        return check(golden::folder().join(ranges::FILE), head + &ranges::ask(kafka.address()));
    }
    let all: Vec<_> = SCENARIOS.iter().collect();
    for (name, answers) in ask_all(&all, &target(kafka.address())) {
        let head = format!("# Recorded from Apache Kafka {}.\n\n", kafka.version());
        check(golden::path(name), head + &answers.write());
    }
}

#[test]
fn what_is_advertised_has_the_versions_of_kafka_4_1() {
    let theirs = ranges::recorded();
    let broker = Broker::start_ours(SETTINGS);
    for (api, ours) in ranges::read(&ranges::ask(broker.address())) {
        assert_eq!(Some(&ours), theirs.get(&api), "API {api}");
    }
}

#[test]
fn every_api_has_a_scenario() {
    for api in APIS {
        assert!(SCENARIOS.iter().any(|scenario| scenario.api as i16 == api.key.code()), "{} has none", api.key);
    }
}

#[test]
fn what_is_written_is_read_back() {
    let mut answers = Answers::default();
    let lines = |value: &str| vec![("topics[0].name".to_owned(), value.to_owned())];
    for (version, value) in [(0, "\"a = b\""), (1, "\"a = b\""), (3, "\"a = b\""), (4, "null")] {
        answers.add("a step; and more", version, lines(value));
    }
    answers.add("nothing", 0, Vec::new());
    assert_eq!(Answers::read(&format!("# head\n\n{}", answers.write())), answers);
}

fn is_served(scenario: &Scenario) -> bool {
    ApiKey::from_code(scenario.api as i16).is_some()
}

fn recorded(scenario: &Scenario) -> Answers {
    let path = golden::path(scenario.name);
    Answers::read(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// Compares with the file, or writes it when the environment asks for that.
fn check(path: std::path::PathBuf, text: String) {
    if std::env::var("KLAMM_GOLDEN").is_ok_and(|what| what == "write") {
        return std::fs::write(&path, text).expect("the file can be written");
    }
    let recorded = std::fs::read_to_string(&path).unwrap_or_default();
    let line = recorded.lines().zip(text.lines()).find(|(before, now)| before != now);
    assert!(recorded == text, "{} is not what is answered now, first in {line:?}", path.display());
}

fn target(address: &str) -> Target {
    let response = Client::connect(address).call(&DescribeLogDirsRequest::default(), 1);
    Target { address: address.to_owned(), data: response.results[0].log_dir.to_string() }
}

/// The answers to each scenario at all versions.
fn ask_all(scenarios: &[&'static Scenario], target: &Target) -> BTreeMap<&'static str, Answers> {
    let versions = |scenario: &&'static Scenario| {
        let scenario = *scenario;
        scenario.versions().map(move |version| (scenario, version))
    };
    let runs: Vec<_> = scenarios.iter().flat_map(versions).collect();
    let (next, answered) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some((scenario, version)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let answers = scenario.answers(*version, target);
                    answered.lock().expect("no thread panics with the lock").insert((scenario.name, *version), answers);
                }
            });
        }
    });
    let mut by_scenario = BTreeMap::<_, Answers>::new();
    for ((name, version), steps) in answered.into_inner().expect("no thread panics with the lock") {
        let answers = by_scenario.entry(name).or_default();
        steps.into_iter().for_each(|(step, lines)| answers.add(&step, version, lines));
    }
    by_scenario
}

/// One paragraph for each field, with the versions in which it differs in the same way.
fn describe<'a>(found: impl Iterator<Item = &'a Found>) -> Vec<String> {
    let mut fields: Vec<(&Found, Vec<i16>)> = Vec::new();
    for each in found {
        match fields.iter_mut().find(|(first, _)| first.is_like(each)) {
            Some((_, versions)) => versions.push(each.version),
            None => fields.push((each, vec![each.version])),
        }
    }
    let describe = |(found, versions): (&Found, Vec<i16>)| {
        let Found { scenario, step, field, kafka, ours, .. } = found;
        format!("{scenario}, {step:?}, {versions:?}: {field}\n    Kafka: {kafka}\n    Klamm: {ours}")
    };
    fields.into_iter().map(describe).collect()
}

fn named(difference: &Difference) -> String {
    format!("{}, {}: {} ({})", difference.scenario, difference.step, difference.field, difference.reason)
}
