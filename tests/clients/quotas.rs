//! kafka-configs of clients, users and addresses.

use super::CONFIG_COMMAND;
use crate::support::broker::Broker;
use crate::support::java::Tools;

#[test]
fn kafka_configs_adds_describes_and_deletes_quotas() {
    let Some(tools) = Tools::gather("kafka-configs of clients, users and ips") else { return };
    let broker = Broker::start();
    let session = tools.session(&broker);
    let run = |arguments: &[&str]| session.output(CONFIG_COMMAND, arguments);
    let named = |kind: &'static str, name: &'static str| vec!["--entity-type", kind, "--entity-name", name];
    let default = |kind: &'static str| vec!["--entity-type", kind, "--entity-default"];
    let all = |kind: &'static str| vec!["--entity-type", kind];
    let both = [named("users", "me"), default("clients")].concat();
    // The quota of an entity, and what describes it: of users that also asks for SCRAM credentials.
    let cases = [
        (named("clients", "mine"), "request_percentage", all("clients"), "client-id 'mine'"),
        (named("users", "me"), "consumer_byte_rate", named("users", "me"), "user-principal 'me'"),
        (default("users"), "controller_mutation_rate", all("users"), "the default user-principal"),
        (both.clone(), "producer_byte_rate", both, "user-principal 'me', the default client-id"),
        (default("ips"), "connection_creation_rate", all("ips"), "the default ip"),
    ];
    for (entity, quota, describing, words) in cases {
        let added = run(&[&entity[..], &["--alter", "--add-config", &format!("{quota}=1000")]].concat());
        assert!(added.contains("Completed updating"), "{added}");
        let described = run(&[&describing[..], &["--describe"]].concat());
        let line = format!("Quota configs for {words} are {quota}=1000.0");
        assert!(described.contains(&line), "{described}, which does not say: {line}");
    }
    let mine = named("clients", "mine");
    run(&[&mine[..], &["--alter", "--delete-config", "request_percentage"]].concat());
    let described = run(&[&mine[..], &["--describe"]].concat());
    assert!(!described.contains("request_percentage"), "{described}");
}
