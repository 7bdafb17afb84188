//! Differences from Apache Kafka that are kept, each with its reason. One that is no longer there fails the test.

use super::golden::Answers;
use super::render::Line;

/// What is shown for a field that only one of the two answers.
pub const ABSENT: &str = "absent";

/// A field that is answered differently.
pub struct Difference {
    pub scenario: &'static str,
    /// The step; here and below a `*` stands for anything.
    pub step: &'static str,
    /// Its path.
    pub field: &'static str,
    pub kafka: &'static str,
    pub ours: &'static str,
    pub reason: &'static str,
}

/// All of them.
pub const KEPT: &[Difference] = &[
    kept("create-topics", "*", "topics[*].configs[2].config_source", "3", "5", ELR),
    kept("create-topics", "no time", "*", "*", "*", "a topic is there before the answer, however short the time"),
    kept("produce", "*", "responses[0].partition_responses[*].error_message", "null", "*", SAID),
    kept(
        "produce",
        "*",
        "responses[0].partition_responses[*].log_start_offset",
        "0",
        "-1",
        "nobody asks a refused batch",
    ),
    kept("produce", "batch: bytes behind it*", "*", "*", "*", STRICTER),
    kept("produce", "batch: marked as LogAppendTime*", "*", "*", "*", STRICTER),
    kept("produce", "batch: a negative epoch*", "*", "*", "*", STRICTER),
    kept("produce", "batch: an unknown codec", "*", "*", "*", FAILS),
    kept(
        "produce",
        "batch: gzip that is none*",
        "*",
        "*",
        "*",
        "not yet: compressed batches are checked by their header",
    ),
    kept("produce", "batch: transactional without a producer", "*", "*", "*", "not yet: there are no transactions"),
    kept("produce", "no partitions", "responses*", "*", "*", "each topic is answered"),
    kept("produce", "one partition twice", "*", "*", "*", "both batches are stored; Kafka drops the first"),
    kept("fetch", "-1 bytes of a partition", "*", "*", "*", FAILS),
    kept("fetch", "an unknown isolation level", "*", "*", "*", FAILS),
    kept("list-offsets", "an unknown isolation level", "*", "*", "*", FAILS),
    kept("delete-records", "one partition twice", "topics[0].partitions[1]*", ABSENT, "*", "each is answered"),
    kept("metadata", "neither name nor id", "*", "*", "*", FAILS),
    kept("incremental-alter-configs", "operation *", "*", "*", "*", FAILS),
    kept("alter-configs", "resource type *", "responses[0].error_message", "*", "*", NO_SETTINGS),
    kept("incremental-alter-configs", "resource type *", "responses[0].error_message", "*", "*", NO_SETTINGS),
    kept(
        "alter-client-quotas",
        "afterwards: the user",
        "entries[1].values[2].value",
        "1024.0",
        "1.5",
        "an entity that is there twice stays as it was; Kafka says so and changes it once",
    ),
    kept("update-features", "a level that is not known", "error_message", "*", "*", FEATURES),
    kept("update-features", "to level 0 by an upgrade", "*", "*", "*", FEATURES),
    kept("describe-topic-partitions", "no name", "topics[0].*", "*", "*", FAILS),
    kept("describe-configs", "resource type *", "results[0].error_message", "*", "*", "names the type"),
    kept("describe-quorum", "the quorum", "nodes[0].listeners[0].name", "\"CONTROLLER\"", "\"PLAINTEXT\"", LISTENER),
    kept("api-versions", "a client with a name", "supported_features*", "*", "*", FEATURES),
    kept("api-versions", "a client with a name", "finalized_features*", "*", "*", FEATURES),
    kept(
        "describe-log-dirs",
        "malformed",
        "the version above",
        "answered",
        "connection closed",
        "4.3 knows a version more than 4.1",
    ),
];

const ELR: &str =
    "Kafka sets min.insync.replicas for the cluster when eligible leader replicas are a feature (KIP-966)";
const SAID: &str = "says what is wrong with a batch, where Kafka has no sentence";
const STRICTER: &str = "no client makes such a batch; Kafka changes it and takes it";
const FAILS: &str = "Kafka fails with an exception, UNKNOWN_SERVER_ERROR";
const NO_SETTINGS: &str = "groups and loggers have no settings here yet; the type that is not known is named";
const LISTENER: &str = "there is no listener for controllers";
const FEATURES: &str = "only metadata.version is a feature here, at one level; the epoch is that of our metadata log";

const fn kept(
    scenario: &'static str,
    step: &'static str,
    field: &'static str,
    kafka: &'static str,
    ours: &'static str,
    reason: &'static str,
) -> Difference {
    Difference { scenario, step, field, kafka, ours, reason }
}

/// A field whose answers are not alike.
#[derive(Debug)]
pub struct Found {
    pub scenario: &'static str,
    pub step: String,
    pub version: i16,
    pub field: String,
    pub kafka: String,
    pub ours: String,
}

impl Found {
    /// Whether it is the same in another version.
    pub fn is_like(&self, other: &Found) -> bool {
        let all = |found: &Found| [&found.step, &found.field, &found.kafka, &found.ours].map(String::clone);
        self.scenario == other.scenario && all(self) == all(other)
    }
}

/// Every field of the scenario that is not answered as it was recorded.
pub fn differences(scenario: &'static str, recorded: &Answers, ours: &Answers) -> Vec<Found> {
    let steps = |answers: &Answers| answers.steps.iter().map(|(step, _)| step.clone()).collect::<Vec<_>>();
    assert_eq!(steps(recorded), steps(ours), "{scenario}: record the answers anew when its steps change");
    let mut found = Vec::new();
    for ((step, recorded), (_, ours)) in recorded.steps.iter().zip(&ours.steps) {
        assert!(recorded.keys().eq(ours.keys()), "{scenario}, {step}: record the answers anew when versions change");
        for ((version, theirs), ours) in recorded.iter().zip(ours.values()) {
            let differing = differing(theirs, ours).into_iter().map(|(field, kafka, ours)| Found {
                scenario,
                step: step.clone(),
                version: *version,
                field,
                kafka,
                ours,
            });
            found.extend(differing);
        }
    }
    found
}

fn differing(theirs: &[Line], ours: &[Line]) -> Vec<(String, String, String)> {
    let value_in = |lines: &[Line], path: &str| {
        let values: Vec<&str> =
            lines.iter().filter(|(field, _)| field == path).map(|(_, value)| value.as_str()).collect();
        if values.is_empty() { ABSENT.to_owned() } else { values.join(", ") }
    };
    let mut paths: Vec<&str> = Vec::new();
    for (path, _) in theirs.iter().chain(ours) {
        if !paths.contains(&path.as_str()) {
            paths.push(path);
        }
    }
    let both = paths.into_iter().map(|path| (path.to_owned(), value_in(theirs, path), value_in(ours, path)));
    both.filter(|(_, kafka, ours)| kafka != ours).collect()
}

impl Difference {
    /// Whether it is the one that was found.
    pub fn explains(&self, found: &Found) -> bool {
        self.scenario == found.scenario
            && matches(self.step, &found.step)
            && matches(self.field, &found.field)
            && matches(self.kafka, &found.kafka)
            && matches(self.ours, &found.ours)
    }
}

/// Whether the text is the pattern, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text
            .strip_prefix(start)
            .is_some_and(|text| (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))),
    }
}

#[test]
fn a_star_stands_for_anything() {
    assert!(matches("topics[*].id", "topics[10].id") && matches("*", "") && matches("a*b*", "axxbyy"));
    assert!(!matches("topics[*].id", "topics[10].ids") && !matches("a", "ab"));
}
