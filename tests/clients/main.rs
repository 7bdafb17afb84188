//! Real clients, unchanged, against a broker: kafka-python of three generations, confluent-kafka, kcat and Apache Kafka's tools.
//!
//! * Each test is one client and one group of cases; those of the Python clients are programs of their own.
//! * A client whose interpreter is not installed is skipped, and said so on standard error; nothing else is skipped silently.
//! * With `KLAMM_TEST_BOOTSTRAP=host:port` the same tests run against that broker (see `docs/testing.md`).

#[path = "../support/mod.rs"]
mod support;

mod administration;
mod cluster;
mod console;
mod kcat;
mod python;
mod quotas;
mod records;
mod topics;

use support::broker::Broker;
use support::java::Tools;
use support::process::Finished;

/// A topic name that no other test uses.
fn new_topic() -> String {
    format!("t-{}", uuid::Uuid::new_v4().simple())
}

const TOPIC_COMMAND: &str = "org.apache.kafka.tools.TopicCommand";

const CONSOLE_PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";

const BROKER_API_VERSIONS: &str = "org.apache.kafka.tools.BrokerApiVersionsCommand";
const GET_OFFSETS: &str = "org.apache.kafka.tools.GetOffsetShell";
const CONFIG_COMMAND: &str = "kafka.admin.ConfigCommand";

const DELETE_RECORDS: &str = "org.apache.kafka.tools.DeleteRecordsCommand";

const LOG_DIRS: &str = "org.apache.kafka.tools.LogDirsCommand";

const LEADER_ELECTION: &str = "org.apache.kafka.tools.LeaderElectionCommand";

const REASSIGN_PARTITIONS: &str = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";

const METADATA_QUORUM: &str = "org.apache.kafka.tools.MetadataQuorumCommand";

const CLUSTER_TOOL: &str = "org.apache.kafka.tools.ClusterTool";

/// Runs a tool against the broker.
fn tool(tools: &Tools, broker: &Broker, main_class: &str, arguments: &[&str], input: &str) -> Finished {
    let arguments = [&["--bootstrap-server", broker.address()], arguments].concat();
    tools.run(main_class, &arguments, input)
}
