//! DescribeConfigs (key 32), versions 1–4.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::DescribeConfigsRequest;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};

use crate::connect;
use crate::support::raw::Client;
use crate::support::requests::{Topic, metadata_request, text};

const VERSIONS: std::ops::RangeInclusive<i16> = 1..=4;
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Where a value comes from: `ConfigSource` of DescribeConfigs.
const SET_FOR_TOPIC: i8 = 1;
const DEFAULT: i8 = 5;

fn request(resource_type: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsRequest {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(resource_type)
        .with_resource_name(text(name))
        .with_configuration_keys(keys.map(|keys| keys.iter().map(|key| text(key)).collect()));
    DescribeConfigsRequest::default().with_resources(vec![resource])
}

fn describe(client: &mut Client, version: i16, request: &DescribeConfigsRequest) -> DescribeConfigsResult {
    client.call(request, version).results.remove(0)
}

fn of<'a>(result: &'a DescribeConfigsResult, name: &str) -> &'a DescribeConfigsResourceResult {
    result.configs.iter().find(|each| each.name.as_str() == name).unwrap_or_else(|| panic!("{name} is missing"))
}

#[test]
fn kip_133_the_configs_of_a_topic_come_with_value_and_source_at_every_version() {
    let (_broker, mut client) = connect();
    let topic =
        Topic::create(&mut client, 1, &[("retention.ms", "12345"), ("message.timestamp.type", "LogAppendTime")]);
    for version in VERSIONS {
        let result = describe(&mut client, version, &request(TOPIC, topic.name.as_str(), None));
        assert_eq!(
            (result.error_code, result.resource_type, &result.resource_name),
            (0, TOPIC, &topic.name.0),
            "version {version}"
        );
        let retention = of(&result, "retention.ms");
        assert_eq!((retention.value.as_deref(), retention.config_source), (Some("12345"), SET_FOR_TOPIC));
        assert_eq!((retention.read_only, retention.is_sensitive), (false, false));
        assert!(retention.synonyms.is_empty(), "they were not asked for");
        assert_eq!(of(&result, "message.timestamp.type").value.as_deref(), Some("LogAppendTime"));
        let segment = of(&result, "segment.ms");
        assert_eq!((segment.value.as_deref(), segment.config_source), (Some("604800000"), DEFAULT));
        if version >= 3 {
            // KIP-569: the type of a config (5: long, 7: list).
            assert_eq!((retention.config_type, of(&result, "cleanup.policy").config_type), (5, 7));
        }
        for known in
            ["compression.type", "max.message.bytes", "min.insync.replicas", "message.timestamp.type", "segment.bytes"]
        {
            of(&result, known);
        }
    }
}

#[test]
fn only_the_configs_that_were_asked_for_are_described() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in VERSIONS {
        let result = describe(
            &mut client,
            version,
            &request(TOPIC, topic.name.as_str(), Some(&["segment.ms", "no.such.config"])),
        );
        let names: Vec<&str> = result.configs.iter().map(|each| each.name.as_str()).collect();
        assert_eq!((result.error_code, &names[..]), (0, &["segment.ms"][..]), "version {version}");
    }
}

#[test]
fn an_empty_list_of_configs_asks_for_all() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in VERSIONS {
        let all = describe(&mut client, version, &request(TOPIC, topic.name.as_str(), None));
        assert_eq!(describe(&mut client, version, &request(TOPIC, topic.name.as_str(), Some(&[]))), all);
    }
}

#[test]
fn kip_226_synonyms_tell_where_a_value_would_come_from_otherwise() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[("segment.bytes", "2097152")]);
    for version in VERSIONS {
        let asking = request(TOPIC, topic.name.as_str(), None).with_include_synonyms(true);
        let result = describe(&mut client, version, &asking);
        let synonyms: Vec<_> = of(&result, "segment.bytes")
            .synonyms
            .iter()
            .map(|each| (each.name.as_str(), each.value.as_deref(), each.source))
            .collect();
        let expected =
            [("segment.bytes", Some("2097152"), SET_FOR_TOPIC), ("log.segment.bytes", Some("1073741824"), DEFAULT)];
        assert_eq!(synonyms, expected, "version {version}");
    }
}

#[test]
fn kip_569_documentation_comes_from_version_3_on_when_it_is_asked_for() {
    let (_broker, mut client) = connect();
    let topic = Topic::create(&mut client, 1, &[]);
    for version in 3..=4 {
        let result = describe(&mut client, version, &request(TOPIC, topic.name.as_str(), None));
        assert!(of(&result, "retention.ms").documentation.is_none());
        let asking = request(TOPIC, topic.name.as_str(), None).with_include_documentation(true);
        let result = describe(&mut client, version, &asking);
        assert!(
            of(&result, "retention.ms").documentation.as_ref().is_some_and(|words| words.len() > 20),
            "version {version}"
        );
    }
}

#[test]
fn the_configs_of_the_broker_are_described_at_every_version() {
    let (_broker, mut client) = connect();
    let node = client.call(&metadata_request(&[]), 12).brokers[0].node_id.0.to_string();
    for version in VERSIONS {
        let result = describe(&mut client, version, &request(BROKER, &node, None));
        assert_eq!((result.error_code, result.resource_type), (0, BROKER), "version {version}");
        assert_eq!(of(&result, "num.partitions").value.as_deref(), Some("4"));
        assert_eq!(of(&result, "node.id").value.as_deref(), Some(node.as_str()));
        assert!(of(&result, "node.id").read_only);
    }
}

#[test]
fn configs_of_what_does_not_exist_are_refused() {
    let (_broker, mut client) = connect();
    for version in VERSIONS {
        let code_of = |client: &mut Client, kind: i8, name: &str| {
            let result = describe(client, version, &request(kind, name, None));
            assert!(result.configs.is_empty() && result.error_message.is_some());
            result.error_code
        };
        let unknown = Topic::unknown();
        assert_eq!(code_of(&mut client, TOPIC, unknown.name.as_str()), ResponseError::UnknownTopicOrPartition.code());
        assert_eq!(code_of(&mut client, TOPIC, "a/b"), ResponseError::InvalidTopicException.code());
        assert_eq!(code_of(&mut client, BROKER, "4711"), ResponseError::InvalidRequest.code());
        assert_eq!(code_of(&mut client, BROKER, "no-number"), ResponseError::InvalidRequest.code());
    }
}
