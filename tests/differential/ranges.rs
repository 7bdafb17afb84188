//! The versions of Kafka 4.1, which are a golden file too.

use std::collections::BTreeMap;

use kafka_protocol::messages::{ApiKey, ApiVersionsRequest};

use super::golden;
use crate::support::raw::Client;

/// Where they are recorded: key, name, lowest and highest version.
pub const FILE: &str = "kafka-4.1-api-versions.tsv";

/// What this broker advertises, as the file has it.
pub fn ask(address: &str) -> String {
    let response = Client::connect(address).call(&ApiVersionsRequest::default(), 0);
    assert_eq!(response.error_code, 0);
    let ranges: BTreeMap<i16, _> =
        response.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
    let name = |key: i16| ApiKey::try_from(key).map_or_else(|()| "?".to_owned(), |key| format!("{key:?}"));
    ranges.into_iter().map(|(key, (min, max))| format!("{key}\t{}\t{min}\t{max}\n", name(key))).collect()
}

/// What Kafka 4.1 advertises of each API.
pub fn recorded() -> BTreeMap<i16, (i16, i16)> {
    let text = std::fs::read_to_string(golden::folder().join(FILE)).expect("the ranges of Kafka 4.1 are recorded");
    read(&text)
}

/// The lowest and highest version of the API in Kafka 4.1.
pub fn of_kafka(api: ApiKey) -> (i16, i16) {
    recorded()[&(api as i16)]
}

pub fn read(text: &str) -> BTreeMap<i16, (i16, i16)> {
    let number = |field: Option<&str>| field.and_then(|field| field.parse().ok()).expect("a number");
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut fields = line.split('\t');
            let key = number(fields.next());
            fields.next();
            (key, (number(fields.next()), number(fields.next())))
        })
        .collect()
}
