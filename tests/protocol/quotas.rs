//! DescribeClientQuotas (key 48), versions 0–1, and AlterClientQuotas (49), 0–1. That the limits hold is in `quota_limits`.

use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::{AlterClientQuotasRequest, DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use crate::connect;
use crate::support::broker::Broker;
use crate::support::raw::Client;
use crate::support::requests::text;

pub type Entity<'a> = &'a [(&'a str, Option<&'a str>)];
pub type Values<'a> = &'a [(&'a str, Option<f64>)];

const COMBINED: &str = "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId";
pub const PRODUCER: &str = "producer_byte_rate";
pub const CONSUMER: &str = "consumer_byte_rate";
pub const REQUESTS: &str = "request_percentage";
pub const MUTATIONS: &str = "controller_mutation_rate";
pub const CONNECTIONS: &str = "connection_creation_rate";

fn request(entity: Entity<'_>, values: Values<'_>) -> AlterClientQuotasRequest {
    let part = |(kind, name): &(&str, Option<&str>)| {
        EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text))
    };
    let op = |(key, value): &(&str, Option<f64>)| {
        let op = OpData::default().with_key(text(key)).with_remove(value.is_none());
        op.with_value(value.unwrap_or_default())
    };
    let entry =
        EntryData::default().with_entity(entity.iter().map(part).collect()).with_ops(values.iter().map(op).collect());
    AlterClientQuotasRequest::default().with_entries(vec![entry])
}

/// Changes the quotas of one entity; returns its error.
pub fn alter(client: &mut Client, version: i16, entity: Entity<'_>, values: Values<'_>) -> (i16, Option<String>) {
    let answer = client.call(&request(entity, values), version).entries.remove(0);
    assert_eq!(answer.entity.len(), entity.len());
    (answer.error_code, answer.error_message.map(|message| message.to_string()))
}

fn describe(
    client: &mut Client,
    version: i16,
    filter: &[(&str, i8, Option<&str>)],
    strict: bool,
) -> DescribeClientQuotasResponse {
    let component = |(kind, by, name): &(&str, i8, Option<&str>)| {
        ComponentData::default().with_entity_type(text(kind)).with_match_type(*by).with_match(name.map(text))
    };
    let components = filter.iter().map(component).collect();
    client.call(&DescribeClientQuotasRequest::default().with_components(components).with_strict(strict), version)
}

/// The entities found, as `user=u client-id=- producer_byte_rate=5`, sorted.
fn found(response: &DescribeClientQuotasResponse) -> Vec<String> {
    // Kafka's text without an error is empty, not null.
    assert_eq!((response.error_code, response.error_message.as_ref().map(|text| text.as_str())), (0, Some("")));
    let entries = response.entries.as_ref().unwrap().iter().map(|entry| {
        let mut words: Vec<String> = entry
            .entity
            .iter()
            .map(|part| format!("{}={}", part.entity_type, part.entity_name.as_ref().map_or("-", |name| name.as_str())))
            .collect();
        words.sort();
        let mut values: Vec<String> =
            entry.values.iter().map(|value| format!("{}={}", value.key, value.value)).collect();
        values.sort();
        [words, values].concat().join(" ")
    });
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    entries
}

/// Waits until a description says so: Apache Kafka's brokers hear of a change after it was answered.
pub fn expect(client: &mut Client, version: i16, filter: &[(&str, i8, Option<&str>)], strict: bool, expected: &[&str]) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let found = found(&describe(client, version, filter, strict));
        if found == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{found:?} instead of {expected:?}");
    }
}

#[test]
fn kip_546_quotas_are_set_found_and_removed_at_every_version() {
    let (_broker, mut client) = connect();
    for version in 0..=1 {
        let (user, id) = (format!("u{version}"), format!("c{version}"));
        let both: Entity<'_> = &[("user", Some(&user)), ("client-id", Some(&id))];
        let users_default: Entity<'_> = &[("user", Some(&user)), ("client-id", None)];
        let validated = client.call(&request(both, &[(PRODUCER, Some(9.0))]).with_validate_only(true), version);
        assert_eq!(validated.entries[0].error_code, 0);
        assert_eq!(alter(&mut client, version, both, &[(PRODUCER, Some(5.0)), (CONSUMER, Some(6.0))]), (0, None));
        assert_eq!(alter(&mut client, version, &both[..1], &[(PRODUCER, Some(7.0))]), (0, None));
        assert_eq!(alter(&mut client, version, users_default, &[(PRODUCER, Some(8.0))]), (0, None));
        let alone = format!("user={user} {PRODUCER}=7");
        let of_both = format!("client-id={id} user={user} {CONSUMER}=6 {PRODUCER}=5");
        let of_default = format!("client-id=- user={user} {PRODUCER}=8");
        let by_user = ("user", 0, Some(user.as_str()));
        expect(&mut client, version, &[by_user], false, &[&of_default, &of_both, &alone]);
        expect(&mut client, version, &[by_user], true, &[&alone]);
        expect(&mut client, version, &[by_user, ("client-id", 1, None)], true, &[&of_default]);
        expect(&mut client, version, &[by_user, ("client-id", 2, None)], true, &[&of_default, &of_both]);
        assert_eq!(alter(&mut client, version, both, &[(PRODUCER, None), (CONSUMER, None)]), (0, None));
        assert_eq!(alter(&mut client, version, users_default, &[(PRODUCER, None)]), (0, None));
        expect(&mut client, version, &[by_user], false, &[&alone]);
        assert_eq!(alter(&mut client, version, &both[..1], &[(PRODUCER, None)]), (0, None));
        expect(&mut client, version, &[by_user], false, &[]);
    }
}

#[test]
fn what_is_no_quota_is_refused_with_kafkas_words() {
    let (_broker, mut client) = connect();
    let user: Entity<'_> = &[("user", Some("u"))];
    let ip: Entity<'_> = &[("ip", Some("no.such.host.invalid"))];
    let one: Values<'_> = &[(PRODUCER, Some(1.0))];
    let cases: &[(Entity<'_>, Values<'_>, &str)] = &[
        (&[], one, "Invalid empty client quota entity"),
        (&[("group", Some("g"))], one, "Unhandled client quota entity type: group"),
        (&[("user", Some(""))], one, "Empty user not supported"),
        (&[("user", Some("u")), ("ip", Some("10.0.0.1"))], one, COMBINED),
        (ip, &[(CONNECTIONS, Some(1.0))], "no.such.host.invalid is not a valid IP or resolvable host."),
        (user, &[("no_such_rate", Some(1.0))], "Invalid configuration key no_such_rate"),
        (user, &[(CONNECTIONS, Some(1.0))], "Invalid configuration key connection_creation_rate"),
        (user, &[(PRODUCER, Some(0.0))], "Quota producer_byte_rate must be greater than 0"),
        (user, &[(PRODUCER, Some(1.5))], "producer_byte_rate cannot be a fractional value."),
        (
            &[("ip", None)],
            &[(CONNECTIONS, Some(3e9))],
            "Proposed value for connection_creation_rate is too large for an INT.",
        ),
    ];
    let mut wrong = Vec::new();
    for (entity, values, words) in cases {
        for version in 0..=1 {
            let answer = client.call(&request(entity, values), version).entries.remove(0);
            let message = answer.error_message.map(|message| message.to_string());
            if (answer.error_code, message.as_deref()) != (ResponseError::InvalidRequest.code(), Some(*words)) {
                wrong.push(format!("{entity:?} {values:?}: {} {message:?}", answer.error_code));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_filter_that_contradicts_itself_is_refused() {
    let (_broker, mut client) = connect();
    let invalid = ResponseError::InvalidRequest.code();
    type Filter<'a> = &'a [(&'a str, i8, Option<&'a str>)];
    let cases: &[(Filter<'_>, i16)] = &[
        (&[("", 2, None)], invalid),
        (&[("user", 2, None), ("user", 1, None)], invalid),
        (&[("group", 2, None)], ResponseError::UnsupportedVersion.code()),
        (&[("user", 0, None)], invalid),
        (&[("user", 1, Some("u"))], invalid),
        (&[("user", 2, Some("u"))], invalid),
        (&[("user", 3, None)], invalid),
        (&[("user", 2, None), ("ip", 2, None)], invalid),
    ];
    for (filter, code) in cases {
        for version in 0..=1 {
            let response = describe(&mut client, version, filter, false);
            assert_eq!((response.error_code, &response.entries), (*code, &None), "{filter:?}");
            assert!(response.error_message.is_some());
        }
    }
}

#[test]
fn quotas_survive_a_restart() {
    let mut broker = Broker::start_ours(&[]);
    let mut client = Client::connect(broker.address());
    let both: Entity<'_> = &[("user", None), ("client-id", Some("c"))];
    let values: Values<'_> =
        &[(PRODUCER, Some(5.0)), (CONSUMER, Some(6.0)), (REQUESTS, Some(0.1)), (MUTATIONS, Some(1e-9))];
    assert_eq!(alter(&mut client, 1, both, values), (0, None));
    assert_eq!(alter(&mut client, 1, &[("ip", None)], &[(CONNECTIONS, Some(7.0))]), (0, None));
    broker.kill_and_restart(&[]);
    let mut client = Client::connect(broker.address());
    let of_both = format!("client-id=c user=- {CONSUMER}=6 {MUTATIONS}=0.000000001 {PRODUCER}=5 {REQUESTS}=0.1");
    expect(&mut client, 1, &[("user", 1, None)], false, &[&of_both]);
    expect(&mut client, 1, &[("ip", 1, None)], true, &[&format!("ip=- {CONNECTIONS}=7")]);
}
