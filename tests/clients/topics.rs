//! kafka-topics: every verb, filter and condition that one broker can answer, and what it says when it cannot.

use super::{TOPIC_COMMAND, new_topic};
use crate::support::broker::Broker;
use crate::support::java::Tools;
use crate::support::raw::Client;
use crate::support::requests::Topic;
use klamm::types::TopicId;

#[test]
fn kafka_topics_creates_alters_and_deletes_or_says_why_not() {
    let Some(tools) = Tools::gather("kafka-topics") else { return };
    let broker = Broker::start();
    let session = tools.session(&broker);
    let (output, complaint) = (
        |words: &[&str]| session.output(TOPIC_COMMAND, words),
        |words: &[&str]| session.complaint(TOPIC_COMMAND, words),
    );
    let (plain, placed, unknown) = (new_topic(), new_topic(), new_topic());
    let dotted = format!("{}.x", new_topic());

    let created = output(&["--create", "--topic", &dotted, "--partitions", "2", "--config", "retention.ms=5000"]);
    assert!(created.contains("WARNING: Due to limitations in metric names"), "{created}");
    let refused = complaint(&["--create", "--topic", &dotted.replace('.', "_")]);
    assert!(refused.contains(&format!("collides with existing topic: {dotted}")), "{refused}");
    output(&["--create", "--topic", &plain]);
    assert!(complaint(&["--create", "--topic", &plain]).contains(&format!("Topic '{plain}' already exists.")));
    assert_eq!(output(&["--create", "--topic", &plain, "--if-not-exists"]), "");
    let leader = output(&["--describe", "--topic", &plain]);
    let leader = leader.split("Leader: ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a leader");
    output(&["--create", "--topic", &placed, "--replica-assignment", &format!("{leader},{leader}")]);

    for (words, text) in [
        (&["--partitions", "0"][..], "The partitions must be greater than 0"),
        (&["--partitions", "1", "--replication-factor", "3"], "The target replication factor of 3 cannot be reached"),
        (&["--config", "nope=1"], "Unknown topic config name: nope"),
        (&["--config", "retention.ms=soon"], "Invalid value soon for configuration retention.ms"),
        (&["--replica-assignment", "77"], "The manual partition assignment includes broker 77"),
    ] {
        let refused = complaint(&[&["--create", "--topic", &unknown], words].concat());
        assert!(refused.contains(text), "{words:?}: {refused}");
    }
    assert!(complaint(&["--create", "--topic", "no/slash"]).contains("Topic name is invalid"));
    assert!(complaint(&["--create"]).contains("Missing required argument \"[topic]\""));

    assert_eq!(output(&["--alter", "--topic", &placed, "--partitions", "3"]), "");
    let described = output(&["--describe", "--topic", &placed]);
    assert!(described.contains("PartitionCount: 3\tReplicationFactor: 1"), "{described}");
    let fewer = complaint(&["--alter", "--topic", &placed, "--partitions", "1"]);
    assert!(fewer.contains(&format!("The topic {placed} currently has 3 partition(s); 1 would not be an increase.")));
    let missing = format!("Topic '{unknown}' does not exist as expected");
    for words in [&["--alter", "--partitions", "3"][..], &["--delete"], &["--describe"]] {
        let words = [words, &["--topic", &unknown]].concat();
        assert!(complaint(&words).contains(&missing), "{words:?}");
        assert_eq!(output(&[&words[..], &["--if-exists"]].concat()), "", "{words:?}");
    }
    assert_eq!(output(&["--delete", "--topic", &placed]), "");
    assert_eq!(output(&["--list", "--topic", &placed]).trim(), "");
}

#[test]
fn kafka_topics_lists_and_describes_by_pattern_id_and_condition() {
    let Some(tools) = Tools::gather("kafka-topics --describe") else { return };
    let mut broker = Broker::start();
    let mut client = Client::connect(broker.address());
    let odd = Topic::create(&mut client, 2, &[("retention.ms", "54321")]);
    let plain = Topic::create(&mut client, 2, &[]).name.to_string();
    let (odd, id) = (odd.name.to_string(), TopicId(odd.id).to_string());
    let headline = format!("Topic: {odd}\tTopicId: ");
    {
        let session = tools.session(&broker);
        let output = |words: &[&str]| session.output(TOPIC_COMMAND, words);
        assert_eq!(output(&["--list", "--topic", &format!("{}.*", &odd[..20])]).trim(), odd);
        let listed = output(&["--list", "--exclude-internal"]);
        assert!(listed.lines().any(|line| line == odd) && listed.lines().any(|line| line == plain), "{listed}");
        let described = output(&["--describe", "--topic", &odd, "--exclude-internal"]);
        assert!(described.starts_with(&headline) && described.contains("retention.ms=54321"), "{described}");
        for line in described.lines().skip(1) {
            // Not a cluster that keeps eligible leader replicas, or one without any.
            assert!(line.contains("\tIsr: ") && !line.contains("Leader: none"), "{line}");
        }
        let by_id = output(&["--describe", "--topic-id", &id]);
        assert!(by_id.starts_with(&headline) && by_id.lines().count() == 3, "{by_id}");
        let nobody = session.complaint(TOPIC_COMMAND, &["--describe", "--topic-id", "AAAAAAAAAAAAAAAAAAAAAQ"]);
        assert!(nobody.contains("TopicId 'AAAAAAAAAAAAAAAAAAAAAQ' does not exist as expected"), "{nobody}");
        assert!(output(&["--describe", "--topics-with-overrides"]).contains(&headline));
        let both = format!("{odd}|{plain}");
        for condition in ["--unavailable-partitions", "--under-replicated-partitions", "--under-min-isr-partitions"] {
            assert_eq!(output(&["--describe", "--topic", &both, condition]), "", "{condition}");
        }
        let at_minimum = output(&["--describe", "--topic", &both, "--at-min-isr-partitions"]);
        assert_eq!(at_minimum.lines().count(), 4, "one in sync, and one is wanted: {at_minimum}");
    }
    if !broker.is_klamm() {
        return;
    }
    broker.stop();
    let segment = broker.data().join(format!("{odd}-0/00000000000000000000.log"));
    std::fs::remove_file(&segment).expect("it is there");
    std::fs::create_dir(&segment).expect("a folder can be in its place");
    broker.start_again(&[]);
    let session = tools.session(&broker);
    let offline = session.output(TOPIC_COMMAND, &["--describe", "--unavailable-partitions"]);
    let [line] = &offline.lines().collect::<Vec<_>>()[..] else { panic!("one partition: {offline}") };
    assert!(line.starts_with(&format!("\tTopic: {odd}\tPartition: 0\tLeader: none")), "{offline}");
}
