//! kafka-features, kafka-cluster, kafka-metadata-quorum, kafka-log-dirs, kafka-reassign-partitions between directories,
//! kafka-leader-election, kafka-broker-api-versions.

use super::{
    BROKER_API_VERSIONS, CLUSTER_TOOL, LEADER_ELECTION, LOG_DIRS, METADATA_QUORUM, REASSIGN_PARTITIONS, new_topic,
};
use crate::support::batch::Batch;
use crate::support::broker::Broker;
use crate::support::java::Tools;
use crate::support::raw::Client;
use crate::support::requests::{Topic, metadata_request, produce_at};
use klamm::wire::api::APIS;

const FEATURES: &str = "org.apache.kafka.tools.FeatureCommand";

#[test]
fn kafka_features_describes_upgrades_downgrades_and_disables() {
    let Some(tools) = Tools::gather("kafka-features") else { return };
    // Ours, as levels are changed.
    let broker = Broker::start_ours(&[]);
    let session = tools.session(&broker);
    let output = |words: &[&str]| session.output(FEATURES, words);
    let describe = || {
        let described = output(&["describe"]);
        let [line] = &described.lines().collect::<Vec<_>>()[..] else { panic!("one feature: {described}") };
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        words.join(" ").rsplit_once(" Epoch: ").map(|(levels, epoch)| (levels.to_owned(), epoch.to_owned()))
    };
    let before = describe();
    let (levels, epoch) = before.clone().expect("it ends with an epoch");
    let expected = "Feature: metadata.version SupportedMinVersion: 4.1-IV1 SupportedMaxVersion: 4.1-IV1 \
                    FinalizedVersionLevel: 4.1-IV1";
    assert_eq!(levels, expected);
    assert!(epoch.parse::<i64>().is_ok_and(|epoch| epoch > 0), "{epoch}");

    let upgraded = output(&["upgrade", "--feature", "metadata.version=27"]);
    assert!(upgraded.contains("metadata.version was upgraded to 27."), "{upgraded}");
    assert!(output(&["upgrade", "--metadata", "4.1-IV1"]).contains("metadata.version was upgraded to 27."));
    assert!(output(&["downgrade", "--feature", "group.version=0"]).contains("group.version was downgraded to 0."));
    assert!(output(&["disable", "--feature", "transaction.version"]).contains("transaction.version was disabled."));
    let all = "The update failed for all features since the following feature had an error: Invalid update version";
    for (words, text) in [
        (&["upgrade", "--feature", "metadata.version=30"][..], "Local controller 1 only supports versions 27-27"),
        (&["upgrade", "--feature", "metadata.version=30", "--dry-run"], "Can not upgrade metadata.version to 30."),
        (&["downgrade", "--metadata", "4.0-IV3"], "Local controller 1 only supports versions 27-27"),
        (&["downgrade", "--metadata", "3.9-IV0", "--unsafe"], "Local controller 1 only supports versions 27-27"),
        (&["upgrade", "--feature", "transaction.version=2"], "Local controller 1 does not support this feature."),
        (&["upgrade", "--release-version", "4.1-IV1"], "5 out of 5 operation(s) failed."),
        (&["disable", "--feature", "nope"], "Feature nope not found."),
    ] {
        let refused = session.complaint(FEATURES, words);
        assert!(refused.contains(text) && refused.contains(all), "{words:?}: {refused}");
    }
    assert_eq!(describe(), before, "nothing has changed");

    let mapped = output(&["version-mapping", "--release-version", "4.1-IV1"]);
    assert!(mapped.contains("metadata.version=27 (4.1-IV1)"), "{mapped}");
    let dependencies = output(&["feature-dependencies", "--feature", "group.version=1"]);
    assert!(dependencies.contains("group.version=1 has no dependencies."), "{dependencies}");
}

#[test]
fn kafka_cluster_and_kafka_metadata_quorum_refuse_what_one_broker_cannot_do() {
    let Some(tools) = Tools::gather("kafka-cluster") else { return };
    let broker = Broker::start_ours(&[]);
    let session = tools.session(&broker);
    // kafka-cluster wants its verb first.
    let cluster = |words: &[&str]| {
        session
            .run_as_given(CLUSTER_TOOL, &[&words[..1], &["--bootstrap-server", broker.address()], &words[1..]].concat())
    };
    let refused = |words: &[&str], text: &str| {
        let failed = cluster(words);
        assert!(!failed.succeeded && (failed.output + &failed.errors).contains(text), "{words:?}");
    };
    refused(&["unregister", "--id", "77"], "Broker ID 77 is not currently registered");
    refused(&["unregister", "--id", "1"], "Broker ID 1 is running");
    let endpoints = cluster(&["list-endpoints", "--include-fenced-brokers"]).expect_success("list-endpoints");
    assert_eq!(endpoints.lines().count(), 2, "{endpoints}");
    let controller = ["list-endpoints", "--bootstrap-controller", broker.address()];
    let not_one = session.run_as_given(CLUSTER_TOOL, &controller);
    assert!(!not_one.succeeded && not_one.errors.contains("MismatchedEndpointTypeException"), "{}", not_one.errors);

    let quorum = |words: &[&str]| session.complaint(METADATA_QUORUM, words);
    let directory = "AAAAAAAAAAAAAAAAAAAAAQ";
    let remove = ["remove-controller", "--controller-id", "1", "--controller-directory-id", directory];
    assert!(quorum(&remove).contains("The node does not support REMOVE_RAFT_VOTER"));
    // It reads what it would add from a controller's own settings and directory.
    let settings = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let lines = format!(
        "process.roles=controller\nnode.id=1\ncontroller.listener.names=C\nlisteners=C://127.0.0.1:9\n\
         controller.quorum.bootstrap.servers=127.0.0.1:9\nlog.dirs={}\n",
        broker.data().display()
    );
    std::fs::write(settings.path(), lines).expect("the file can be written");
    let add = ["--command-config", &settings.path().display().to_string(), "add-controller"];
    assert!(quorum(&add).contains("The node does not support ADD_RAFT_VOTER"));
    assert!(quorum(&["describe"]).contains("One of --status or --replication must be specified"));
    let readable = session.output(METADATA_QUORUM, &["describe", "--replication", "--human-readable"]);
    assert!(readable.contains(" ms ago"), "{readable}");
}

#[test]
fn kafka_log_dirs_and_moves_between_directories_know_the_one_that_is_there() {
    let Some(tools) = Tools::gather("kafka-log-dirs") else { return };
    let mut broker = Broker::start();
    let mut client = Client::connect(broker.address());
    let (topic, other) = (Topic::create(&mut client, 2, &[]), Topic::create(&mut client, 1, &[]));
    let batch = Batch::of(&["a"]).build();
    produce_at(&mut client, &topic, 1, batch.clone(), 0);
    let id = client.call(&metadata_request(&[]), 12).brokers[0].node_id.0;
    let name = topic.name.to_string();
    let directories = |tools: &Tools, broker: &Broker| {
        let session = tools.session(broker);
        let shown = session.output(LOG_DIRS, &["--describe", "--topic-list", &name, "--broker-list", &id.to_string()]);
        let json = shown.lines().find(|line| line.starts_with('{')).expect("a line of JSON");
        let shown: serde_json::Value = serde_json::from_str(json).expect("it is JSON");
        shown["brokers"][0]["logDirs"][0].clone()
    };
    let partition = |index: usize, size: usize| serde_json::json!({"partition": format!("{name}-{index}"), "size": size, "offsetLag": 0, "isFuture": false});
    let found = directories(&tools, &broker);
    let mut partitions = found["partitions"].as_array().expect("a list").clone();
    partitions.sort_by_key(|partition| partition["partition"].to_string());
    assert_eq!(partitions, [partition(0, 0), partition(1, batch.len())]);
    assert_eq!(found["error"], serde_json::Value::Null);
    let here = found["logDir"].as_str().expect("a path").to_owned();

    {
        let session = tools.session(&broker);
        let all = session.output(LOG_DIRS, &["--describe"]);
        assert!(all.contains(other.name.as_str()) && all.contains(&format!("\"logDir\":\"{here}\"")), "{all}");
        let unknown = session.output(LOG_DIRS, &["--describe", "--topic-list", &new_topic()]);
        assert!(unknown.contains("\"partitions\":[]"), "{unknown}");
        let nobody = session.complaint(LOG_DIRS, &["--describe", "--broker-list", "77"]);
        assert!(nobody.contains("The given brokers do not exist from --broker-list: 77"), "{nobody}");

        let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        let path = file.path().display().to_string();
        let moved_to = |directory: &str| {
            let wanted = format!(
                r#"{{"version":1,"partitions":[{{"topic":"{name}","partition":1,"replicas":[{id}],"log_dirs":["{directory}"]}}]}}"#
            );
            std::fs::write(file.path(), wanted).expect("the file can be written");
            session.run(REASSIGN_PARTITIONS, &["--reassignment-json-file", &path, "--execute"])
        };
        let moved = moved_to(&here).expect_success("a move to where it is");
        let started =
            format!("Successfully started moving log directory to {here} for replica {name}-1 with broker {id}");
        assert!(moved.contains(&started), "{moved}");
        let current = format!(r#""partition":1,"replicas":[{id}],"log_dirs":["{here}"]"#);
        assert!(moved.contains(&current), "the way back is told: {moved}");
        moved_to("any").expect_success("a move to anywhere");
        for directory in ["/nowhere", "relative"] {
            let failed = moved_to(directory);
            let written = failed.output + &failed.errors;
            assert!(!failed.succeeded && written.contains("LogDirNotFoundException"), "{directory}: {written}");
        }
    }
    if broker.is_klamm() {
        broker.stop();
        let segment = broker.data().join(format!("{name}-0/00000000000000000000.log"));
        std::fs::remove_file(&segment).expect("it is there");
        std::fs::create_dir(&segment).expect("a folder can be in its place");
        broker.start_again(&[]);
        let found = directories(&tools, &broker);
        assert_eq!(found["partitions"], serde_json::json!([partition(1, batch.len())]), "the offline one is left out");
    }
}

#[test]
fn kafka_leader_election_names_what_is_elected_and_what_cannot_be() {
    let Some(tools) = Tools::gather("kafka-leader-election") else { return };
    let broker = Broker::start();
    let topic = Topic::create(&mut Client::connect(broker.address()), 2, &[]).name.to_string();
    let unknown = new_topic();
    let session = tools.session(&broker);
    let elect = |words: &[&str]| session.output(LEADER_ELECTION, &[&["--election-type"], words].concat());
    let refuse = |words: &[&str]| session.complaint(LEADER_ELECTION, &[&["--election-type"], words].concat());
    let elected = format!("Valid replica already elected for partitions {topic}-0");
    for kind in ["preferred", "unclean"] {
        assert!(elect(&[kind, "--topic", &topic, "--partition", "0"]).contains(&elected), "{kind}");
        elect(&[kind, "--all-topic-partitions"]);
    }
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let partitions = [&topic, &unknown].map(|name| format!(r#"{{"topic":"{name}","partition":0}}"#));
    let wanted = format!(r#"{{"partitions":[{}]}}"#, partitions.join(","));
    std::fs::write(file.path(), wanted).expect("the file can be written");
    let both = refuse(&["preferred", "--path-to-json-file", &file.path().display().to_string()]);
    assert!(both.contains(&elected) && both.contains(&format!("No such topic as {unknown}")), "{both}");
    assert!(both.contains("1 replica(s) could not be elected"), "{both}");
    let missing = refuse(&["preferred", "--topic", &topic, "--partition", "77"]);
    assert!(missing.contains(&format!("No such partition as {topic}-77")), "{missing}");
    assert!(refuse(&["sideways", "--topic", &topic, "--partition", "0"]).contains("Cannot parse argument 'sideways'"));
}

#[test]
fn kafka_broker_api_versions_names_what_is_served_and_nothing_else_as_usable() {
    let Some(tools) = Tools::gather("kafka-broker-api-versions") else { return };
    let broker = Broker::start_ours(&[]);
    let output = tools.session(&broker).output(BROKER_API_VERSIONS, &[]);
    let lines: Vec<&str> = output.lines().map(str::trim).filter(|line| line.contains("): ")).collect();
    for api in APIS {
        let versions = api.advertised();
        let (min, max) = (versions.start(), versions.end());
        let range = if min == max { min.to_string() } else { format!("{min} to {max}") };
        let expected = format!("{}({}): {range} [usable: {max}]", api.key.name(), api.key.code());
        assert!(lines.iter().any(|line| line.trim_end_matches(',') == expected), "{expected} is not in\n{output}");
    }
    let usable = lines.iter().filter(|line| line.contains("usable")).count();
    assert_eq!(usable, APIS.len(), "{output}");
    assert!(output.contains("FindCoordinator(10): UNSUPPORTED"), "{output}");
}
