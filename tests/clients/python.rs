//! kafka-python of three generations and confluent-kafka: their cases are the programs beside this file.

use crate::support::python::run_cases;

#[test]
fn kafka_python_2_0_2_produces() {
    run_cases("kafka-python-2.0.2", "kafka_python_producer");
}

#[test]
fn kafka_python_2_0_2_consumes() {
    run_cases("kafka-python-2.0.2", "kafka_python_consumer");
}

#[test]
fn kafka_python_2_0_2_administers_topics() {
    run_cases("kafka-python-2.0.2", "kafka_python_admin");
}

#[test]
fn kafka_python_2_3_produces() {
    run_cases("kafka-python-2.3.3", "kafka_python_producer");
}

#[test]
fn kafka_python_2_3_consumes() {
    run_cases("kafka-python-2.3.3", "kafka_python_consumer");
}

#[test]
fn kafka_python_2_3_administers_topics() {
    run_cases("kafka-python-2.3.3", "kafka_python_admin");
}

#[test]
fn kafka_python_3_produces() {
    run_cases("kafka-python-3.0.12", "kafka_python_producer");
}

#[test]
fn kafka_python_3_consumes() {
    run_cases("kafka-python-3.0.12", "kafka_python_consumer");
}

#[test]
fn kafka_python_3_administers_topics() {
    run_cases("kafka-python-3.0.12", "kafka_python_admin");
}

#[test]
fn kafka_python_3_has_a_command_line() {
    run_cases("kafka-python-3.0.12", "kafka_python_cli");
}

#[test]
fn confluent_kafka_produces() {
    run_cases("confluent-kafka", "confluent_kafka_producer");
}

#[test]
fn confluent_kafka_consumes_by_assignment() {
    run_cases("confluent-kafka", "confluent_kafka_consumer");
}

#[test]
fn confluent_kafka_administers_topics() {
    run_cases("confluent-kafka", "confluent_kafka_admin");
}
