//! AlterConfigs (key 33), versions 0–2, and IncrementalAlterConfigs (44), 0–1, of brokers (KIP-226) and of subscriptions to
//! metrics of clients (KIP-714).
//!
//! A broker that is named by the environment is shared: there, only what other tests do not notice is changed.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use kafka_protocol::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
    alter_configs_request, incremental_alter_configs_request,
};
use std::time::{Duration, Instant};

use crate::connect;
use crate::support::batch::Batch;
use crate::support::broker::Broker;
use crate::support::raw::Client;
use crate::support::requests::{Topic, metadata_request, new_name, produce, text};

const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;
/// `ConfigSource` of DescribeConfigs.
const OF_BROKER: i8 = 2;
const OF_BROKERS: i8 = 3;
const DEFAULT: i8 = 5;
const OF_SUBSCRIPTION: i8 = 7;

type Operation<'a> = (&'a str, i8, Option<&'a str>);

fn node(client: &mut Client) -> String {
    client.call(&metadata_request(&[]), 12).brokers[0].node_id.0.to_string()
}

fn change(client: &mut Client, version: i16, kind: i8, name: &str, operations: &[Operation<'_>]) -> (i16, String) {
    answered(client, version, &incremental(kind, name, operations))
}

fn incremental(kind: i8, name: &str, operations: &[Operation<'_>]) -> IncrementalAlterConfigsRequest {
    let config = |(name, operation, value): &Operation<'_>| {
        incremental_alter_configs_request::AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    };
    let resource = incremental_alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(operations.iter().map(config).collect());
    IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
}

fn answered(client: &mut Client, version: i16, request: &IncrementalAlterConfigsRequest) -> (i16, String) {
    let answer = client.call(request, version).responses.remove(0);
    let asked = &request.resources[0];
    assert_eq!((answer.resource_type, &answer.resource_name), (asked.resource_type, &asked.resource_name));
    (answer.error_code, answer.error_message.map(|message| message.to_string()).unwrap_or_default())
}

fn replace(client: &mut Client, version: i16, kind: i8, name: &str, configs: &[(&str, &str)], validate: bool) -> i16 {
    let config = |(name, value): &(&str, &str)| {
        alter_configs_request::AlterableConfig::default().with_name(text(name)).with_value(Some(text(value)))
    };
    let resource = alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(configs.iter().map(config).collect());
    let request = AlterConfigsRequest::default().with_resources(vec![resource]).with_validate_only(validate);
    client.call(&request, version).responses[0].error_code
}

fn describe(client: &mut Client, kind: i8, name: &str) -> DescribeConfigsResult {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true);
    client.call(&request, 4).results.remove(0)
}

fn find<'a>(result: &'a DescribeConfigsResult, name: &str) -> Option<&'a DescribeConfigsResourceResult> {
    result.configs.iter().find(|config| config.name.as_str() == name)
}

/// Waits until the setting has this value and source: Apache Kafka's brokers hear of a change after it was answered.
fn expect(client: &mut Client, kind: i8, of: &str, name: &str, expected: Option<(&str, i8)>) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let result = describe(client, kind, of);
        let found = find(&result, name).map(|config| (config.value.as_deref().unwrap_or("null"), config.config_source));
        if found == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{of} {name}: {found:?} instead of {expected:?}");
    }
}

#[test]
fn kip_226_settings_of_brokers_change_at_run_time_at_every_version() {
    let (_broker, mut client) = connect();
    let node = node(&mut client);
    let name = "log.cleaner.backoff.ms";
    for version in 0..=1 {
        assert_eq!(change(&mut client, version, BROKER, "", &[(name, SET, Some("16000"))]), (0, String::new()));
        expect(&mut client, BROKER, &node, name, Some(("16000", OF_BROKERS)));
        expect(&mut client, BROKER, "", name, Some(("16000", OF_BROKERS)));
        assert_eq!(change(&mut client, version, BROKER, &node, &[(name, SET, Some("17000"))]).0, 0);
        expect(&mut client, BROKER, &node, name, Some(("17000", OF_BROKER)));
        let result = describe(&mut client, BROKER, &node);
        let config = find(&result, name).unwrap();
        let synonyms: Vec<_> =
            config.synonyms.iter().map(|each| (each.value.as_deref().unwrap(), each.source)).collect();
        assert_eq!(synonyms, [("17000", OF_BROKER), ("16000", OF_BROKERS), ("15000", DEFAULT)]);
        assert!(!config.read_only);
        assert_eq!(change(&mut client, version, BROKER, &node, &[(name, DELETE, None)]).0, 0);
        expect(&mut client, BROKER, &node, name, Some(("16000", OF_BROKERS)));
        assert_eq!(change(&mut client, version, BROKER, "", &[(name, DELETE, None)]).0, 0);
        expect(&mut client, BROKER, &node, name, Some(("15000", DEFAULT)));
        expect(&mut client, BROKER, "", name, None);
    }
}

#[test]
fn alter_configs_replaces_all_that_was_set_for_a_broker_at_every_version() {
    let broker = Broker::start_ours(&[]);
    let mut client = Client::connect(broker.address());
    for (of, source) in [("", OF_BROKERS), ("1", OF_BROKER)] {
        for version in 0..=2 {
            assert_eq!(change(&mut client, 1, BROKER, of, &[("log.retention.ms", SET, Some("5000"))]).0, 0);
            let configs = [("message.max.bytes", "4000")];
            assert_eq!(replace(&mut client, version, BROKER, of, &configs, true), 0, "it is only looked at");
            expect(&mut client, BROKER, "1", "log.retention.ms", Some(("5000", source)));
            assert_eq!(replace(&mut client, version, BROKER, of, &configs, false), 0);
            expect(&mut client, BROKER, "1", "message.max.bytes", Some(("4000", source)));
            expect(&mut client, BROKER, "1", "log.retention.ms", Some(("null", DEFAULT)));
            assert_eq!(replace(&mut client, version, BROKER, of, &[], false), 0);
            expect(&mut client, BROKER, "1", "message.max.bytes", Some(("1048588", DEFAULT)));
        }
    }
}

/// Codes and texts are those of Apache Kafka 4.3.
#[test]
fn the_changes_of_a_broker_are_made_all_or_none() {
    let (broker, mut client) = connect();
    let node = node(&mut client);
    let invalid = ResponseError::InvalidRequest.code();
    let config = ResponseError::InvalidConfig.code();
    let valid = ("log.cleaner.io.buffer.size", SET, Some("600000"));
    let cases: &[(&str, Operation<'_>, i16, &str)] = &[
        (
            &node,
            ("num.partitions", SET, Some("3")),
            invalid,
            "Cannot update these configs dynamically: [num.partitions]",
        ),
        (
            "",
            ("listeners", SET, Some("PLAINTEXT://127.0.0.1:1")),
            invalid,
            "Cannot update these configs at default cluster level, broker id must be specified: [listeners]",
        ),
        (
            &node,
            ("ssl.keystore.location", SET, Some("/x")),
            invalid,
            "These security configs can be dynamically updated only per-listener using the listener prefix: \
             [ssl.keystore.location]",
        ),
        (
            "",
            ("log.segment.bytes", SET, Some("3")),
            invalid,
            "Invalid value 3 for configuration log.segment.bytes: Value must be at least 1048576",
        ),
        (&node, ("log.segment.bytes", SET, None), invalid, "Null value not supported for : log.segment.bytes"),
        (&node, ("log.cleaner.io.buffer.size", DELETE, None), invalid, "Error due to duplicate config keys"),
        (
            &node,
            ("log.segment.bytes", APPEND, Some("3")),
            config,
            "Config value append is not allowed for config key: log.segment.bytes",
        ),
        (
            &node,
            ("log.segment.bytes", SUBTRACT, Some("3")),
            config,
            "Config value subtract is not allowed for config key: log.segment.bytes",
        ),
        (&node, ("nosuch.list", APPEND, Some("3")), config, "Unknown config name: nosuch.list"),
    ];
    for (of, operation, code, text) in cases {
        for version in 0..=1 {
            let answer = change(&mut client, version, BROKER, of, &[valid, *operation]);
            assert_eq!(answer, (*code, (*text).to_owned()), "{operation:?}");
        }
    }
    let result = describe(&mut client, BROKER, &node);
    assert_eq!(find(&result, "log.cleaner.io.buffer.size").unwrap().config_source, DEFAULT, "nothing was changed");

    let (code, message) = change(&mut client, 1, BROKER, "4711", &[valid]);
    assert_eq!(code, invalid);
    assert_eq!(message, format!("Unexpected broker id, expected {node}, but received 4711"));
    let (code, message) = change(&mut client, 1, BROKER, "no-number", &[valid]);
    assert_eq!((code, message.as_str()), (invalid, "Node id must be an integer, but it is: no-number"));
    let request = incremental(BROKER, &node, &[valid]).with_validate_only(true);
    assert_eq!(answered(&mut client, 1, &request).0, 0);
    if broker.is_klamm() {
        // Apache Kafka keeps names that it does not know, for plug-ins.
        let (code, message) = change(&mut client, 1, BROKER, &node, &[("nosuch.name", SET, Some("3"))]);
        assert_eq!((code, message.as_str()), (config, "Unknown config name: nosuch.name"));
    }
    let gone = [("nosuch.name", DELETE, None), ("num.partitions", DELETE, None)];
    assert_eq!(change(&mut client, 1, BROKER, &node, &gone), (0, String::new()), "what is not set can be deleted");
    let result = describe(&mut client, BROKER, &node);
    assert_eq!(find(&result, "log.cleaner.io.buffer.size").unwrap().config_source, DEFAULT, "nothing was changed");
}

#[test]
fn lists_of_a_broker_are_appended_to_and_subtracted_from() {
    let broker = Broker::start_ours(&[]);
    let mut client = Client::connect(broker.address());
    let name = "log.cleanup.policy";
    assert_eq!(change(&mut client, 1, BROKER, "1", &[(name, SUBTRACT, Some("delete"))]).0, 0);
    expect(&mut client, BROKER, "1", name, Some(("", OF_BROKER)));
    assert_eq!(change(&mut client, 1, BROKER, "1", &[(name, APPEND, Some("delete"))]).0, 0);
    expect(&mut client, BROKER, "1", name, Some(("delete", OF_BROKER)));
    let (code, message) = change(&mut client, 1, BROKER, "1", &[(name, APPEND, Some("compact"))]);
    assert_eq!(code, ResponseError::InvalidRequest.code());
    assert!(message.contains("no log cleaner"), "{message}");
}

#[test]
fn settings_of_the_broker_take_effect_at_once_and_hold_after_a_restart() {
    let mut broker = Broker::start_ours(&["message.max.bytes=2000"]);
    let mut client = Client::connect(broker.address());
    let (plain, own) =
        (Topic::create(&mut client, 1, &[]), Topic::create(&mut client, 1, &[("max.message.bytes", "1000")]));
    let codes = |client: &mut Client, length: usize| {
        [&plain, &own].map(|topic| produce(client, 9, topic, 0, Batch::of(&[&"x".repeat(length)]).build()).error_code)
    };
    let too_large = ResponseError::MessageTooLarge.code();
    assert_eq!(codes(&mut client, 500), [0, 0]);
    assert_eq!(change(&mut client, 1, BROKER, "", &[("message.max.bytes", SET, Some("300"))]).0, 0);
    assert_eq!(codes(&mut client, 500), [too_large, 0], "a topic's own setting wins");
    assert_eq!(change(&mut client, 1, BROKER, "1", &[("message.max.bytes", SET, Some("900"))]).0, 0);
    assert_eq!(codes(&mut client, 500), [0, 0], "this broker's wins over that of all");
    assert_eq!(change(&mut client, 1, BROKER, "1", &[("message.max.bytes", DELETE, None)]).0, 0);
    assert_eq!(codes(&mut client, 500), [too_large, 0]);
    broker.kill_and_restart(&["message.max.bytes=2000"]);
    let mut client = Client::connect(broker.address());
    assert_eq!(codes(&mut client, 500), [too_large, 0], "what was set at run time is in the metadata log");
    expect(&mut client, BROKER, "1", "message.max.bytes", Some(("300", OF_BROKERS)));
    assert_eq!(change(&mut client, 1, BROKER, "", &[("message.max.bytes", DELETE, None)]).0, 0);
    assert_eq!(codes(&mut client, 500), [0, 0]);
    assert_eq!(codes(&mut client, 1900), [0, too_large], "what the command line says is back");
}

#[test]
fn a_limit_of_connections_counts_from_the_next_one_on() {
    let broker = Broker::start_ours(&[]);
    let mut client = Client::connect(broker.address());
    let mut other = Client::connect(broker.address());
    assert_eq!(node(&mut other), "1");
    assert_eq!(change(&mut client, 1, BROKER, "1", &[("max.connections.per.ip", SET, Some("2"))]).0, 0);
    Client::connect(broker.address()).expect_close();
    assert_eq!(node(&mut other), "1", "those that are open stay");
    let overrides = ("max.connections.per.ip.overrides", SET, Some("127.0.0.1:3"));
    assert_eq!(change(&mut client, 1, BROKER, "1", &[overrides]).0, 0);
    assert_eq!(node(&mut Client::connect(broker.address())), "1");
}

#[test]
fn kip_714_subscriptions_to_metrics_are_stored_described_listed_and_deleted() {
    let (_broker, mut client) = connect();
    let name = new_name().to_string();
    let listed = |client: &mut Client, version: i16| {
        let request = match version {
            0 => ListConfigResourcesRequest::default(),
            _ => ListConfigResourcesRequest::default().with_resource_types(vec![CLIENT_METRICS]),
        };
        let found = client.call(&request, version).config_resources;
        assert!(found.iter().all(|each| version == 0 || each.resource_type == CLIENT_METRICS));
        found.iter().any(|each| each.resource_name.as_str() == name)
    };
    for version in 0..=1 {
        let set = [("metrics", SET, Some("a.b, c")), ("match", SET, Some("client_id=x.*"))];
        assert_eq!(change(&mut client, version, CLIENT_METRICS, &name, &set), (0, String::new()));
        expect(&mut client, CLIENT_METRICS, &name, "metrics", Some(("a.b,c", OF_SUBSCRIPTION)));
        expect(&mut client, CLIENT_METRICS, &name, "match", Some(("client_id=x.*", OF_SUBSCRIPTION)));
        expect(&mut client, CLIENT_METRICS, &name, "interval.ms", Some(("300000", DEFAULT)));
        assert!(listed(&mut client, 0) && listed(&mut client, 1));
        let bad = [("interval.ms", SET, Some("99")), ("metrics", SET, Some("z"))];
        let text = "Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)";
        let refused = (ResponseError::InvalidRequest.code(), text.to_owned());
        assert_eq!(change(&mut client, version, CLIENT_METRICS, &name, &bad), refused);
        let text = "Illegal client matching pattern: client_id=(";
        let refused = (ResponseError::InvalidConfig.code(), text.to_owned());
        assert_eq!(
            change(&mut client, version, CLIENT_METRICS, &name, &[("match", SET, Some("client_id=("))]),
            refused
        );
        let text = "Can't APPEND to key metrics because its type is not LIST.";
        let refused = (ResponseError::InvalidConfig.code(), text.to_owned());
        assert_eq!(change(&mut client, version, CLIENT_METRICS, &name, &[("metrics", APPEND, Some("d"))]), refused);
        expect(&mut client, CLIENT_METRICS, &name, "metrics", Some(("a.b,c", OF_SUBSCRIPTION)));
        let gone = [("metrics", DELETE, None), ("match", DELETE, None)];
        assert_eq!(change(&mut client, version, CLIENT_METRICS, &name, &gone).0, 0);
        expect(&mut client, CLIENT_METRICS, &name, "metrics", Some(("", DEFAULT)));
        assert!(!listed(&mut client, 0) && !listed(&mut client, 1));
    }
    let (code, message) = change(&mut client, 1, CLIENT_METRICS, "", &[("metrics", SET, Some("a"))]);
    assert_eq!((code, message.as_str()), (ResponseError::InvalidRequest.code(), "Subscription name can't be empty"));
    let nameless = describe(&mut client, CLIENT_METRICS, "");
    assert_eq!(nameless.error_code, ResponseError::InvalidRequest.code());
    assert_eq!(nameless.error_message.unwrap().as_str(), "Client metrics subscription name must not be empty");
}

/// Apache Kafka has groups and loggers to configure.
#[test]
fn groups_and_loggers_are_refused_with_a_sentence() {
    let broker = Broker::start_ours(&[]);
    let mut client = Client::connect(broker.address());
    for (kind, name, why) in [(GROUP, "g", "no groups yet"), (BROKER_LOGGER, "1", "KLAMM_LOG")] {
        let (code, message) = change(&mut client, 1, kind, name, &[("root", SET, Some("INFO"))]);
        assert_eq!(code, ResponseError::InvalidRequest.code());
        assert!(message.contains(why), "{message}");
        let described = describe(&mut client, kind, name);
        assert_eq!(described.error_code, ResponseError::InvalidRequest.code());
        assert!(described.error_message.unwrap().contains(why));
    }
}
