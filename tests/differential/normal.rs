//! What must differ between two brokers, and by what it is replaced: one table, each rule with its reason.
//!
//! A number that is replaced by a counted name is so by the same name wherever it stands again in the same run, so that
//! equality between fields, and between answers, is still compared.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::render::Value;

/// What becomes of a field.
enum Instead {
    /// `<name 1>`, `<name 2>` in the order in which the values are first seen; −1, the empty id and, but for producers, 0
    /// stay.
    Counted(&'static str),
    /// The same words for every value; −1 and null stay.
    Words(&'static str),
}

use Instead::{Counted, Words};

/// The ids of producers begin at 0.
const PRODUCER_ID: &str = "producer id";

/// The response or record that the field is in (`*`: any), the field, what becomes of it, and why it must differ.
const RULES: &[(&str, &str, Instead, &str)] = &[
    ("*", "cluster_id", Words("<cluster id>"), "drawn when a cluster is made"),
    ("*", "host", Words("<host>"), "where the broker runs"),
    ("*", "port", Words("<port>"), "free ports"),
    ("*", "topic_id", Counted("topic id"), "drawn when a topic is made"),
    ("*", "producer_id", Counted(PRODUCER_ID), "counted over all producers that ask"),
    ("*", "session_id", Counted("session id"), "drawn at random"),
    ("*", "log_append_time_ms", Words("<time>"), "the broker's clock"),
    ("Batch", "log_append_time", Words("<time>"), "the broker's clock"),
    ("*", "log_dir", Words("<log directory>"), "where the broker keeps its data"),
    ("*", "total_bytes", Words("<bytes>"), "the size of the machine's disk"),
    ("*", "usable_bytes", Words("<bytes>"), "how full the machine's disk is"),
    ("ApiVersionsResponse", "finalized_features_epoch", Words("<epoch>"), "what else is in the log of the metadata"),
    ("DescribeQuorumResponse", "leader_epoch", Words("<epoch>"), "counts elections of the controller"),
    ("DescribeQuorumResponse", "high_watermark", Words("<offset>"), "what else is in the log of the metadata"),
    ("DescribeQuorumResponse", "log_end_offset", Words("<offset>"), "what else is in the log of the metadata"),
    ("DescribeQuorumResponse", "last_fetch_timestamp", Words("<time>"), "the broker's clock"),
    ("DescribeQuorumResponse", "last_caught_up_timestamp", Words("<time>"), "the broker's clock"),
];

/// What stands between these in any text becomes `<times>`: the bounds of a timestamp, which move with the clock.
const TIMES: (&str, &str) = ("within [", "]");

/// All of an item, to sort by.
const EVERYTHING: &str = "*";

/// Lists that Apache Kafka answers in the order of a hash table: the response, the list, what it is sorted by here.
const UNORDERED: &[(&str, &str, &str)] = &[
    ("MetadataResponse", "topics", "name"),
    ("ApiVersionsResponse", "supported_features", "name"),
    ("ApiVersionsResponse", "finalized_features", "name"),
    ("ProduceResponse", "partition_responses", "index"),
    ("ListOffsetsResponse", "partitions", "partition_index"),
    ("CreateTopicsResponse", "topics", "name"),
    ("CreateTopicsResponse", "configs", "name"),
    ("CreatePartitionsResponse", "results", "name"),
    ("DeleteTopicsResponse", "responses", "name"),
    ("DescribeConfigsResponse", "configs", "name"),
    ("AlterClientQuotasResponse", "entity", "entity_type"),
    ("DescribeClientQuotasResponse", "entity", "entity_type"),
    ("DescribeClientQuotasResponse", "values", "key"),
    ("DescribeClientQuotasResponse", "entries", EVERYTHING),
    ("DescribeUserScramCredentialsResponse", "results", "user"),
    ("DescribeLogDirsResponse", "topics", "name"),
    ("DescribeLogDirsResponse", "partitions", "partition_index"),
    ("ListConfigResourcesResponse", "config_resources", "resource_name"),
    ("IncrementalAlterConfigsResponse", "responses", "resource_name"),
    ("AlterConfigsResponse", "responses", "resource_name"),
];

/// The names that one run has given so far.
pub struct Names {
    /// What stands in front of every topic of the run.
    prefix: String,
    /// Pieces of text that are replaced wherever they stand.
    pieces: Vec<(String, String)>,
    counted: HashMap<(&'static str, String), String>,
}

impl Names {
    pub fn new(prefix: &str, data: &str) -> Names {
        let pieces = vec![(data.to_owned(), "<log directory>".to_owned())];
        Names { prefix: prefix.to_owned(), pieces, counted: HashMap::new() }
    }

    /// Makes known the id of a topic of the run, in both forms that it is written in.
    pub fn know(&mut self, topic: &str, id: Uuid) {
        let name = format!("<id of {}>", topic.replace(&self.prefix, ""));
        self.counted.insert(("topic id", id.to_string()), name.clone());
        self.pieces.push((URL_SAFE_NO_PAD.encode(id.as_bytes()), name));
    }

    /// Makes known the id of the run's producer.
    pub fn know_producer(&mut self, id: i64) {
        self.counted.insert((PRODUCER_ID, id.to_string()), "<id of the producer>".to_owned());
    }

    /// A number, id or null as it is shown.
    pub fn bare(&mut self, root: &str, field: &str, value: &str) -> String {
        match instead(root, field) {
            None => value.to_owned(),
            Some(Words(words)) => if value == "-1" || value == "null" { value } else { words }.to_owned(),
            Some(Counted(kind)) => {
                let is_none = value == "0" && *kind != PRODUCER_ID;
                if is_none || value == "-1" || value == Uuid::nil().to_string() {
                    return value.to_owned();
                }
                let next = 1 + self.counted.keys().filter(|(of, _)| of == kind).count();
                self.counted.entry((kind, value.to_owned())).or_insert_with(|| format!("<{kind} {next}>")).clone()
            }
        }
    }

    /// A text as it is shown.
    pub fn text(&mut self, root: &str, field: &str, text: &str) -> String {
        if let Some(Words(words)) = instead(root, field) {
            return (*words).to_owned();
        }
        let shown = without_times(&text.replace(&self.prefix, ""));
        self.pieces.iter().fold(shown, |shown, (piece, words)| shown.replace(piece, words))
    }

    /// Sorts the lists that have no order.
    pub fn sort(&self, root: &str, value: &mut Value) {
        match value {
            Value::List(items) => items.iter_mut().for_each(|item| self.sort(root, item)),
            Value::Struct(_, fields) => {
                for (name, value) in fields {
                    self.sort(root, value);
                    let Some((.., key)) = UNORDERED.iter().find(|(of, list, _)| (*of, *list) == (root, name)) else {
                        continue;
                    };
                    if let Value::List(items) = value {
                        items.sort_by_key(|item| sort_key(item, key));
                    }
                }
            }
            Value::Text(_) | Value::Bytes(_) | Value::Bare(_) => {}
        }
    }
}

fn without_times(text: &str) -> String {
    let (start, end) = TIMES;
    let found = text.split_once(start).and_then(|(before, rest)| Some((before, rest.split_once(end)?)));
    match found {
        Some((before, (_, after))) => format!("{before}{start}<times>{end}{after}"),
        None => text.to_owned(),
    }
}

fn instead(root: &str, field: &str) -> Option<&'static Instead> {
    let rule = RULES.iter().find(|(of, named, ..)| (*of == "*" || *of == root) && *named == field)?;
    Some(&rule.2)
}

fn sort_key(item: &Value, key: &str) -> (usize, String) {
    if key == EVERYTHING {
        return (0, format!("{item:?}"));
    }
    let Value::Struct(_, fields) = item else { panic!("only structs are sorted: {item:?}") };
    let (_, value) = fields.iter().find(|(name, _)| name == key).expect("the key is one of the fields");
    match value {
        Value::Text(text) => (0, text.clone()),
        // Numbers of more digits come later.
        Value::Bare(text) => (text.len(), text.clone()),
        Value::Struct(..) | Value::List(_) | Value::Bytes(_) => panic!("the key is a plain value: {value:?}"),
    }
}
