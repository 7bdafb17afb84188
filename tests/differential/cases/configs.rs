//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources.
//!
//! Which settings there are is compared elsewhere (`tests/golden/kafka-4.3-describe-configs.tsv`); here a few stand for all.

use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request as incremental;
use kafka_protocol::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest, TopicName,
};

use crate::scenario::Run;
use crate::support::requests::{describe_settings, text};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Settings that steps change, or try to.
const CHANGED: &[&str] = &["cleanup.policy", "retention.ms", "segment.bytes", "segment.ms"];
/// Settings of brokers that nobody else looks at, one for each version: these are asked side by side.
const OF_BROKERS: &[&str] = &["log.cleaner.backoff.ms", "log.cleaner.delete.retention.ms"];
const KEYS: &[&str] = &["cleanup.policy", "retention.ms", "segment.bytes"];

fn describe_of(resources: &[(i8, &str, Option<&[&str]>)]) -> DescribeConfigsRequest {
    let resource = |(kind, name, keys): &(i8, &str, Option<&[&str]>)| {
        DescribeConfigsResource::default()
            .with_resource_type(*kind)
            .with_resource_name(text(name))
            .with_configuration_keys(keys.map(|keys| keys.iter().map(|key| text(key)).collect()))
    };
    DescribeConfigsRequest::default().with_resources(resources.iter().map(resource).collect())
}

pub fn describe(run: &mut Run) {
    let topic = run.topic("set", 1, &[("retention.ms", "1000")]).name.0;
    let unknown = run.unknown().name.0;
    let some = Some(KEYS);
    run.step("a topic", &describe_of(&[(TOPIC, &topic, some)]));
    run.step("with synonyms", &describe_of(&[(TOPIC, &topic, some)]).with_include_synonyms(true));
    if run.version() >= 3 {
        let documented = describe_of(&[(TOPIC, &topic, some)]).with_include_documentation(true);
        run.step_of("with documentation", &documented, |response| {
            // The sentences themselves are ours.
            for config in response.results.iter_mut().flat_map(|result| &mut result.configs) {
                let documentation = config.documentation.take();
                assert!(documentation.is_some_and(|text| !text.is_empty()), "{}", config.name);
            }
        });
    }
    run.step("keys that are none", &describe_of(&[(TOPIC, &topic, Some(&["no.such.key", "retention.ms"]))]));
    run.step("one key twice", &describe_of(&[(TOPIC, &topic, Some(&["retention.ms", "retention.ms"]))]));
    run.step("an unknown topic", &describe_of(&[(TOPIC, &unknown, some)]));
    run.step("a topic without a name", &describe_of(&[(TOPIC, "", some)]));
    run.step("a topic with a bad name", &describe_of(&[(TOPIC, "a b", some)]));
    run.step("one topic twice", &describe_of(&[(TOPIC, &topic, some), (TOPIC, &topic, some)]));
    let keys: Option<&[&str]> = Some(&["num.partitions", "log.segment.bytes", "message.max.bytes"]);
    run.step("the broker", &describe_of(&[(BROKER, "1", keys)]));
    run.step("the broker with synonyms", &describe_of(&[(BROKER, "1", keys)]).with_include_synonyms(true));
    for (step, name) in [("another broker", "7"), ("a broker that is no number", "one")] {
        run.step(step, &describe_of(&[(BROKER, name, keys)]));
    }
    for kind in [0, 1, 3, 64, -1] {
        run.step(&format!("resource type {kind}"), &describe_of(&[(kind, "x", None)]));
    }
    run.step("no resources", &describe_of(&[]));
    run.step("a good one beside a bad one", &describe_of(&[(TOPIC, &unknown, some), (TOPIC, &topic, some)]));
}

/// Bad values for a topic, which both APIs that set some must refuse.
const BAD: &[(&str, &str, Option<&str>)] = &[
    ("unknown", "no.such.setting", Some("1")),
    ("no name", "", Some("1")),
    ("not a number", "retention.ms", Some("soon")),
    ("below its range", "retention.ms", Some("-2")),
    ("empty", "retention.ms", Some("")),
    ("null", "retention.ms", None),
    ("not one of the words", "cleanup.policy", Some("burn")),
    ("a segment that is too small", "segment.bytes", Some("1")),
];

pub fn alter(run: &mut Run) {
    let topic = run.topic("set", 1, &[("retention.ms", "1000")]).name.0;
    let unknown = run.unknown().name.0;
    type Config<'a> = (&'a str, Option<&'a str>);
    let of = |resources: &[(i8, &str, &[Config])]| {
        let config =
            |(name, value): &Config| AlterableConfig::default().with_name(text(name)).with_value(value.map(text));
        let resource = |(kind, name, configs): &(i8, &str, &[Config])| {
            AlterConfigsResource::default()
                .with_resource_type(*kind)
                .with_resource_name(text(name))
                .with_configs(configs.iter().map(config).collect())
        };
        AlterConfigsRequest::default().with_resources(resources.iter().map(resource).collect())
    };
    run.step("only validated", &of(&[(TOPIC, &topic, &[("retention.ms", Some("7"))])]).with_validate_only(true));
    run.step("another setting", &of(&[(TOPIC, &topic, &[("segment.bytes", Some("1048576"))])]));
    run.step("none", &of(&[(TOPIC, &topic, &[])]));
    for (step, key, value) in BAD {
        run.step(&format!("setting: {step}"), &of(&[(TOPIC, &topic, &[(key, *value)])]));
    }
    let both: &[Config] = &[("retention.ms", Some("1")), ("retention.ms", Some("2"))];
    run.step("setting: twice", &of(&[(TOPIC, &topic, both)]));
    run.step("an unknown topic", &of(&[(TOPIC, &unknown, &[("retention.ms", Some("7"))])]));
    run.step("a topic without a name", &of(&[(TOPIC, "", &[("retention.ms", Some("7"))])]));
    // One topic twice is not asked: Apache Kafka never answers it.
    run.step("another broker", &of(&[(BROKER, "7", &[])]));
    run.step("a broker that is no number", &of(&[(BROKER, "one", &[])]));
    for kind in [0, 1, 3, -1] {
        run.step(&format!("resource type {kind}"), &of(&[(kind, "x", &[])]));
    }
    run.step("no resources", &of(&[]));
    let beside: &[(i8, &str, &[Config])] = &[(TOPIC, &unknown, &[]), (TOPIC, &topic, &[("retention.ms", Some("7"))])];
    run.step("a good one beside a bad one", &of(beside));
    run.settle();
    run.read("afterwards", &describe_settings(&TopicName(topic), CHANGED), 4);
}

pub fn incremental_alter(run: &mut Run) {
    const SET: i8 = 0;
    const DELETE: i8 = 1;
    const APPEND: i8 = 2;
    const SUBTRACT: i8 = 3;
    type Config<'a> = (&'a str, i8, Option<&'a str>);
    let topic = run.topic("set", 1, &[("retention.ms", "1000")]).name.0;
    let unknown = run.unknown().name.0;
    let of = |resources: &[(i8, &str, &[Config])]| {
        let config = |(name, operation, value): &Config| {
            incremental::AlterableConfig::default()
                .with_name(text(name))
                .with_config_operation(*operation)
                .with_value(value.map(text))
        };
        let resource = |(kind, name, configs): &(i8, &str, &[Config])| {
            incremental::AlterConfigsResource::default()
                .with_resource_type(*kind)
                .with_resource_name(text(name))
                .with_configs(configs.iter().map(config).collect())
        };
        IncrementalAlterConfigsRequest::default().with_resources(resources.iter().map(resource).collect())
    };
    let one = |key, operation, value| of(&[(TOPIC, &topic, &[(key, operation, value)])]);
    run.step("only validated", &one("retention.ms", SET, Some("7")).with_validate_only(true));
    run.step("set", &one("segment.bytes", SET, Some("1048576")));
    run.step("deleted", &one("retention.ms", DELETE, None));
    run.step("deleted again", &one("retention.ms", DELETE, Some("ignored")));
    run.step("an unknown one deleted", &one("no.such.setting", DELETE, None));
    run.step("appended", &one("cleanup.policy", APPEND, Some("delete")));
    run.step("subtracted", &one("cleanup.policy", SUBTRACT, Some("compact")));
    run.step("appended to a number", &one("retention.ms", APPEND, Some("1")));
    run.step("subtracted from a number", &one("retention.ms", SUBTRACT, Some("1")));
    run.step("appended to an unknown one", &one("no.such.setting", APPEND, Some("1")));
    run.step("appended: null", &one("cleanup.policy", APPEND, None));
    run.step("appended: a wrong word", &one("cleanup.policy", APPEND, Some("burn")));
    for operation in [4, -1] {
        run.step(&format!("operation {operation}"), &one("retention.ms", operation, Some("1")));
    }
    for (step, key, value) in BAD {
        run.step(&format!("setting: {step}"), &one(key, SET, *value));
    }
    let both: &[Config] = &[("retention.ms", SET, Some("1")), ("retention.ms", DELETE, None)];
    run.step("setting: twice", &of(&[(TOPIC, &topic, both)]));
    let mixed: &[Config] = &[("retention.ms", SET, Some("1")), ("segment.ms", SET, Some("soon"))];
    run.step("a good setting beside a bad one", &of(&[(TOPIC, &topic, mixed)]));
    run.step("no settings", &of(&[(TOPIC, &topic, &[])]));
    run.step("an unknown topic", &of(&[(TOPIC, &unknown, &[("retention.ms", SET, Some("7"))])]));
    run.step("a topic without a name", &of(&[(TOPIC, "", &[("retention.ms", SET, Some("7"))])]));
    run.step("one topic twice", &of(&[(TOPIC, &topic, &[]), (TOPIC, &topic, &[])]));
    run.step("another broker", &of(&[(BROKER, "7", &[])]));
    run.step("a broker that is no number", &of(&[(BROKER, "one", &[])]));
    let of_version = OF_BROKERS[usize::from(run.version() == 1)];
    let of_broker = |name, key, operation, value| of(&[(BROKER, name, &[(key, operation, value)])]);
    for (step, name) in [("this broker", "1"), ("all brokers", "")] {
        run.step(&format!("{step}: set"), &of_broker(name, of_version, SET, Some("21000")));
        run.step(&format!("{step}: not a number"), &of_broker(name, of_version, SET, Some("soon")));
        run.step(&format!("{step}: below its range"), &of_broker(name, of_version, SET, Some("-1")));
        run.step(&format!("{step}: null"), &of_broker(name, of_version, SET, None));
        run.step(&format!("{step}: appended to a number"), &of_broker(name, of_version, APPEND, Some("1")));
        run.step(&format!("{step}: at the start only"), &of_broker(name, "broker.rack", SET, Some("r")));
    }
    run.settle();
    let described = describe_of(&[(BROKER, "1", Some(&[of_version])), (BROKER, "", Some(&[of_version]))]);
    run.read("the brokers, set", &described.clone().with_include_synonyms(true), 4);
    for (step, name) in [("this broker", "1"), ("all brokers", "")] {
        run.step(&format!("{step}: deleted"), &of_broker(name, of_version, DELETE, None));
        run.step(&format!("{step}: deleted again"), &of_broker(name, of_version, DELETE, None));
    }
    run.settle();
    run.read("the brokers, deleted", &described.with_include_synonyms(true), 4);
    for kind in [0, 1, 3, -1] {
        run.step(&format!("resource type {kind}"), &of(&[(kind, "x", &[])]));
    }
    run.step("no resources", &of(&[]));
    let beside: &[(i8, &str, &[Config])] =
        &[(TOPIC, &unknown, &[]), (TOPIC, &topic, &[("retention.ms", SET, Some("7"))])];
    run.step("a good one beside a bad one", &of(beside));
    run.settle();
    run.read("afterwards", &describe_settings(&TopicName(topic), CHANGED), 4);
}

pub fn list_resources(run: &mut Run) {
    let topic = run.topic("listed", 1, &[]).name.0;
    let of = |types: &[i8]| ListConfigResourcesRequest::default().with_resource_types(types.to_vec());
    let ours = topic.clone();
    let ask = |run: &mut Run, step: &str, types: &[i8]| {
        run.step_of(step, &of(types), |response| {
            response.config_resources.retain(|each| each.resource_type != TOPIC || each.resource_name == ours);
        });
    };
    ask(run, "all", &[]);
    if run.version() >= 1 {
        for kind in [TOPIC, BROKER, 8, 16, 32, 0, 1, 3, -1] {
            ask(run, &format!("resource type {kind}"), &[kind]);
        }
        ask(run, "two types", &[TOPIC, BROKER]);
        ask(run, "one type twice", &[BROKER, BROKER]);
        ask(run, "a good one beside a bad one", &[BROKER, 3]);
    }
}
