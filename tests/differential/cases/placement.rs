//! DescribeLogDirs, AlterReplicaLogDirs, ElectLeaders, AlterPartitionReassignments, ListPartitionReassignments.

use kafka_protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest, BrokerId, DescribeLogDirsRequest,
    ElectLeadersRequest, ListPartitionReassignmentsRequest, TopicName,
};

use crate::scenario::Run;
use crate::support::batch::Batch;
use crate::support::requests::{produce_request, text, topic_name};

/// Partitions of topics.
type Wanted<'a> = &'a [(&'a TopicName, &'a [i32])];

pub fn describe_log_dirs(run: &mut Run) {
    let of = |topics: Wanted| {
        let topic = |(name, partitions): &(&TopicName, &[i32])| {
            DescribableLogDirTopic::default().with_topic((*name).clone()).with_partitions(partitions.to_vec())
        };
        DescribeLogDirsRequest::default().with_topics(Some(topics.iter().map(topic).collect()))
    };
    let topic = run.topic("filled", 2, &[("retention.ms", "-1")]);
    let batch = Batch::at(&["a", "b"], 1_700_000_000_000).build();
    run.ask(&produce_request(9, &topic, &[(1, batch)]), 9);
    let (name, unknown) = (topic.name, run.unknown().name);
    let ours = name.clone();
    run.step_of("all", &DescribeLogDirsRequest::default().with_topics(None), |response| {
        response.results.iter_mut().for_each(|result| result.topics.retain(|topic| topic.name == ours));
    });
    run.step("a topic", &of(&[(&name, &[0, 1])]));
    run.step("one partition", &of(&[(&name, &[1])]));
    run.step("one partition twice", &of(&[(&name, &[1, 1])]));
    run.step("a partition that is not there", &of(&[(&name, &[7, 0])]));
    run.step("an unknown topic", &of(&[(&unknown, &[0])]));
    run.step("no partitions", &of(&[(&name, &[])]));
    run.step("no topics", &of(&[]));
}

pub fn alter_replica_log_dirs(run: &mut Run) {
    let to = |path: &str, topics: Wanted| {
        let topic = |(name, partitions): &(&TopicName, &[i32])| {
            AlterReplicaLogDirTopic::default().with_name((*name).clone()).with_partitions(partitions.to_vec())
        };
        let directory =
            AlterReplicaLogDir::default().with_path(text(path)).with_topics(topics.iter().map(topic).collect());
        AlterReplicaLogDirsRequest::default().with_dirs(vec![directory])
    };
    let (name, unknown) = (run.topic("placed", 2, &[]).name, run.unknown().name);
    let here = run.data().to_owned();
    run.step("where it is", &to(&here, &[(&name, &[0, 1])]));
    run.step("elsewhere", &to("/elsewhere", &[(&name, &[0])]));
    run.step("a relative path", &to("elsewhere", &[(&name, &[0])]));
    run.step("no path", &to("", &[(&name, &[0])]));
    run.step("a partition that is not there", &to(&here, &[(&name, &[7, 0])]));
    run.step("an unknown topic", &to(&here, &[(&unknown, &[0])]));
    run.step("an unknown topic elsewhere", &to("/elsewhere", &[(&unknown, &[0])]));
    run.step("no partitions", &to(&here, &[(&name, &[])]));
    run.step("no topics", &to(&here, &[]));
    run.step("no directories", &AlterReplicaLogDirsRequest::default());
}

pub fn elect_leaders(run: &mut Run) {
    let of = |topics: Wanted| {
        let topic = |(name, partitions): &(&TopicName, &[i32])| {
            TopicPartitions::default().with_topic((*name).clone()).with_partitions(partitions.to_vec())
        };
        ElectLeadersRequest::default()
            .with_topic_partitions(Some(topics.iter().map(topic).collect()))
            .with_timeout_ms(15000)
    };
    let (name, unknown) = (run.topic("led", 2, &[]).name, run.unknown().name);
    run.step("what is led by its preferred replica", &of(&[(&name, &[0, 1])]));
    let all = ElectLeadersRequest::default().with_topic_partitions(None).with_timeout_ms(15000);
    let ours = name.clone();
    let ask_all = |run: &mut Run, step: &str, request: &ElectLeadersRequest| {
        run.step_of(step, request, |response| {
            response.replica_election_results.retain(|result| result.topic == ours);
        });
    };
    ask_all(run, "all", &all);
    run.step("one partition twice", &of(&[(&name, &[0, 0])]));
    run.step("a partition that is not there", &of(&[(&name, &[7])]));
    run.step("a negative partition", &of(&[(&name, &[-1])]));
    run.step("an unknown topic", &of(&[(&unknown, &[0])]));
    run.step("no name", &of(&[(&topic_name(""), &[0])]));
    run.step("no partitions", &of(&[(&name, &[])]));
    run.step("no topics", &of(&[]));
    if run.version() >= 1 {
        run.step("unclean", &of(&[(&name, &[0])]).with_election_type(1));
        ask_all(run, "all, unclean", &all.with_election_type(1));
        for kind in [2, -1] {
            run.step(&format!("election type {kind}"), &of(&[(&name, &[0])]).with_election_type(kind));
        }
    }
}

pub fn alter_reassignments(run: &mut Run) {
    let of = |topic: &TopicName, partitions: &[(i32, Option<&[i32]>)]| {
        let partition = |(index, replicas): &(i32, Option<&[i32]>)| {
            ReassignablePartition::default()
                .with_partition_index(*index)
                .with_replicas(replicas.map(|brokers| brokers.iter().copied().map(BrokerId).collect()))
        };
        let topic = ReassignableTopic::default()
            .with_name(topic.clone())
            .with_partitions(partitions.iter().map(partition).collect());
        AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]).with_timeout_ms(15000)
    };
    let (name, unknown) = (run.topic("placed", 2, &[]).name, run.unknown().name);
    run.step("where it is", &of(&name, &[(0, Some(&[1]))]));
    run.step("nothing to cancel", &of(&name, &[(0, None)]));
    run.step("an unknown broker", &of(&name, &[(0, Some(&[7]))]));
    run.step("an unknown one beside a known one", &of(&name, &[(0, Some(&[1, 7]))]));
    run.step("one broker twice", &of(&name, &[(0, Some(&[1, 1]))]));
    run.step("no replicas", &of(&name, &[(0, Some(&[]))]));
    run.step("a negative broker", &of(&name, &[(0, Some(&[-1]))]));
    run.step("a partition that is not there", &of(&name, &[(7, Some(&[1]))]));
    run.step("a partition that is not there, cancelled", &of(&name, &[(7, None)]));
    run.step("one partition twice", &of(&name, &[(0, Some(&[1])), (0, None)]));
    run.step("an unknown topic", &of(&unknown, &[(0, Some(&[1]))]));
    run.step("no name", &of(&topic_name(""), &[(0, Some(&[1]))]));
    run.step("no partitions", &of(&name, &[]));
    run.step("no topics", &of(&name, &[]).with_topics(vec![]));
    if run.version() >= 1 {
        let fixed = of(&name, &[(0, Some(&[1, 7]))]).with_allow_replication_factor_change(false);
        run.step("another number of replicas, which is not allowed", &fixed);
    }
}

pub fn list_reassignments(run: &mut Run) {
    let of = |topics: Wanted| {
        let topic = |(name, partitions): &(&TopicName, &[i32])| {
            ListPartitionReassignmentsTopics::default()
                .with_name((*name).clone())
                .with_partition_indexes(partitions.to_vec())
        };
        ListPartitionReassignmentsRequest::default()
            .with_topics(Some(topics.iter().map(topic).collect()))
            .with_timeout_ms(15000)
    };
    let (name, unknown) = (run.topic("placed", 2, &[]).name, run.unknown().name);
    run.step("all", &ListPartitionReassignmentsRequest::default().with_topics(None).with_timeout_ms(15000));
    run.step("a topic", &of(&[(&name, &[0, 1])]));
    run.step("a partition that is not there", &of(&[(&name, &[7])]));
    run.step("an unknown topic", &of(&[(&unknown, &[0])]));
    run.step("no partitions", &of(&[(&name, &[])]));
    run.step("no topics", &of(&[]));
}
