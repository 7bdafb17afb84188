"""kafka-python's KafkaAdminClient: topics, partitions, records, their settings and the cluster.

Every public method of its three generations that one broker can answer is called. Not called are those of consumer groups,
transactions, ACLs and SCRAM users, which are not served, and describe_log_dirs of 2.3, which speaks a version that Kafka 4
has dropped."""

import uuid

# First: it makes kafka-python 2.0.2 importable under Python 3.12 and later.
from kafka_python_base import VERSION, admin, created_topic, is_ready, leader_of, partition_index, producer, read_all, send_all, topic_name
from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import (
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidTopicError,
    KafkaError,
    OffsetOutOfRangeError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)

from harness import Skip, case, eventually, expect_error, main, new_topic


def described_configs(client, kind, name, filter_names=None):
    """The configs of one resource as {name: (value, is_default)}, out of what each version makes of the response."""
    resource = ConfigResource(kind, name, filter_names)
    if VERSION >= (3, 0, 0):
        configs = client.describe_configs([resource], config_filter="all")[kind.name.lower()][name]
        return {key: (entry["value"], entry["config_source"] == "DEFAULT_CONFIG") for key, entry in configs.items()}
    (response,) = client.describe_configs([resource])
    (result,) = response.resources
    assert result[0] == 0, result
    # v1 and v2: name, value, read only, source (5: default), …
    return {entry[0]: (entry[1], entry[3] == 5) for entry in result[4]}


@case
def create_describe_list_and_delete_a_topic():
    name = new_topic()
    with admin() as client:
        client.create_topics([NewTopic(name, 3, 1)])
        eventually(lambda: is_ready(client, name, 3))
        assert name in client.list_topics()
        (topic,) = client.describe_topics([name])
        assert topic["error_code"] == 0 and topic_name(topic) == name and not topic["is_internal"], topic
        assert sorted(map(partition_index, topic["partitions"])) == [0, 1, 2]
        client.delete_topics([name])
        eventually(lambda: name not in client.list_topics())
        assert client.describe_topics([name])[0]["error_code"] == UnknownTopicOrPartitionError.errno


@case
def a_topic_is_ready_to_take_records_when_create_topics_has_answered():
    names = [new_topic() for _ in range(5)]
    with admin() as client:
        client.create_topics([NewTopic(name, 2, 1) for name in names])
    for name in names:
        assert send_all(name, [b"x"])[0].offset == 0
        assert read_all(name, 1)[0].value == b"x"


@case
def creating_a_topic_twice_is_an_error():
    name = created_topic()
    with admin() as client:
        expect_error(TopicAlreadyExistsError, client.create_topics, [NewTopic(name, 1, 1)])


@case
def impossible_topics_are_refused_with_their_own_errors():
    with admin() as client:
        expect_error(InvalidPartitionsError, client.create_topics, [NewTopic(new_topic(), 0, 1)])
        expect_error(InvalidReplicationFactorError, client.create_topics, [NewTopic(new_topic(), 1, 5)])
        expect_error(InvalidTopicError, client.create_topics, [NewTopic("no/slash", 1, 1)])
        expect_error(InvalidTopicError, client.create_topics, [NewTopic("x" * 250, 1, 1)])
        bad = NewTopic(new_topic(), 1, 1, topic_configs={"retention.ms": "soon"})
        expect_error(KafkaError, client.create_topics, [bad])


@case
def validate_only_creates_nothing():
    name = new_topic()
    with admin() as client:
        client.create_topics([NewTopic(name, 1, 1)], validate_only=True)
        assert name not in client.list_topics()


@case
def a_topic_with_assignments_lives_on_the_named_brokers():
    name = new_topic()
    with admin() as client:
        cluster = client.describe_cluster()
        broker = cluster["brokers"][0].get("node_id", cluster["brokers"][0].get("broker_id"))
        client.create_topics([NewTopic(name, -1, -1, replica_assignments={0: [broker], 1: [broker]})])
        eventually(lambda: is_ready(client, name, 2))
        (topic,) = client.describe_topics([name])
    assert {leader_of(partition) for partition in topic["partitions"]} == {broker}


@case
def topic_configs_come_back_with_their_values_and_defaults():
    name = created_topic(retention_ms="123456", message_timestamp_type="LogAppendTime", max_message_bytes="54321")
    with admin() as client:
        configs = described_configs(client, ConfigResourceType.TOPIC, name)
    assert configs["retention.ms"] == ("123456", False)
    assert configs["message.timestamp.type"] == ("LogAppendTime", False)
    assert configs["max.message.bytes"] == ("54321", False)
    assert configs["segment.ms"] == ("604800000", True)
    for known in ("compression.type", "segment.bytes", "retention.bytes", "min.insync.replicas", "message.timestamp.type"):
        assert known in configs, known


@case
def describing_one_config_gives_only_that_one():
    name = created_topic()
    with admin() as client:
        configs = described_configs(client, ConfigResourceType.TOPIC, name, {"retention.ms": None})
    assert configs == {"retention.ms": ("604800000", True)}, configs


@case
def broker_configs_are_described():
    with admin() as client:
        cluster = client.describe_cluster()
        broker = cluster["brokers"][0].get("node_id", cluster["brokers"][0].get("broker_id"))
        configs = described_configs(client, ConfigResourceType.BROKER, str(broker))
    for known in ("num.partitions", "log.dirs", "message.max.bytes", "auto.create.topics.enable", "node.id"):
        assert known in configs, known
    assert int(configs["num.partitions"][0]) >= 1 and configs["node.id"][0] == str(broker)


@case
def the_cluster_has_an_id_a_controller_and_the_broker_we_talk_to():
    with admin() as client:
        cluster = client.describe_cluster()
    identifiers = [broker.get("node_id", broker.get("broker_id")) for broker in cluster["brokers"]]
    assert cluster["controller_id"] in identifiers, cluster
    assert len(cluster["cluster_id"]) == 22, cluster
    assert all(broker["host"] and broker["port"] > 0 for broker in cluster["brokers"])


@case
def deleting_a_topic_that_does_not_exist_is_an_error():
    with admin() as client:
        expect_error(UnknownTopicOrPartitionError, client.delete_topics, [new_topic()])


@case
def a_topic_made_again_under_its_old_name_is_empty():
    name = created_topic()
    send_all(name, [b"old"] * 5)
    with admin() as client:
        client.delete_topics([name])
        eventually(lambda: name not in client.list_topics())
        client.create_topics([NewTopic(name, 1, 1)])
        eventually(lambda: is_ready(client, name, 1))
    assert send_all(name, [b"new"])[0].offset == 0
    assert read_all(name, 1)[0].value == b"new"


@case
def describing_all_topics_includes_ours():
    names = {created_topic(), created_topic(partitions=2)}
    with admin() as client:
        described = {topic_name(topic): topic for topic in client.describe_topics()}
    assert names <= set(described)


@case
def newer_admin_calls_of_kafka_python_3_work():
    if VERSION < (3, 0, 0):
        raise Skip("new in kafka-python 3.0")
    from kafka.admin import OffsetSpec

    name = created_topic(partitions=2)
    with producer() as client:
        for stamp in (1000, 3000, 2000):
            client.send(name, b"x", partition=0, timestamp_ms=stamp)
        client.flush(timeout=20)
    with admin() as client:
        (topic,) = client.describe_topic_partitions([name])["topics"]
        assert topic["name"] == name and [p["partition_index"] for p in topic["partitions"]] == [0, 1], topic
        identifier = topic["topic_id"]
        assert isinstance(identifier, uuid.UUID) and client.describe_topics([identifier])[0]["name"] == name
        page = client.describe_topic_partitions([name], response_partition_limit=1)
        assert page["next_cursor"] == {"topic_name": name, "partition_index": 1}, page
        specs = {TopicPartition(name, 0): OffsetSpec.LATEST, TopicPartition(name, 1): OffsetSpec.EARLIEST}
        offsets = client.list_partition_offsets(specs)
        assert [offsets[TopicPartition(name, index)].offset for index in range(2)] == [3, 0], offsets
        newest = client.list_partition_offsets({TopicPartition(name, 0): OffsetSpec.MAX_TIMESTAMP})[TopicPartition(name, 0)]
        assert (newest.offset, newest.timestamp) == (1, 3000), newest
        assert client.list_partition_reassignments() == {}
        assert client.describe_features() is not None
        created = client.create_topics({new_topic(): {}})["topics"][0]
        assert created["num_partitions"] >= 1 and created["replication_factor"] == 1, created
        client.delete_topics([identifier])
        eventually(lambda: name not in client.list_topics())


@case
def a_producer_keeps_working_while_another_topic_is_deleted():
    kept, deleted = created_topic(), created_topic()
    with producer() as client, admin() as administrator:
        assert client.send(kept, b"1").get(timeout=20).offset == 0
        assert client.send(deleted, b"1").get(timeout=20).offset == 0
        administrator.delete_topics([deleted])
        assert client.send(kept, b"2").get(timeout=20).offset == 1


@case
def partitions_are_added_and_not_taken_away():
    name = created_topic()
    with admin() as client:
        client.create_partitions({name: NewPartitions(4)}, validate_only=True)
        assert is_ready(client, name, 1)
        client.create_partitions({name: NewPartitions(3)})
        eventually(lambda: is_ready(client, name, 3))
        expect_error(InvalidPartitionsError, client.create_partitions, {name: NewPartitions(2)})
        expect_error(UnknownTopicOrPartitionError, client.create_partitions, {new_topic(): NewPartitions(2)})


@case
def altered_configs_take_effect_and_others_fall_back_in_old_versions():
    name = created_topic(segment_ms="60000")
    with admin() as client:
        answer = client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": "12345"})])
        if VERSION >= (3, 0, 0):
            assert answer == {"topic": {name: "OK"}}, answer
        described = lambda: described_configs(client, ConfigResourceType.TOPIC, name)
        eventually(lambda: described()["retention.ms"] == ("12345", False))
        # The old generations know AlterConfigs alone, which sets all that is overridden.
        assert described()["segment.ms"] == (("60000", False) if VERSION >= (3, 0, 0) else ("604800000", True))


@case
def records_are_deleted_up_to_an_offset():
    if VERSION < (2, 1, 0):
        raise Skip("new in kafka-python 2.1")
    name = created_topic()
    send_all(name, [b"a", b"b", b"c"])
    partition = TopicPartition(name, 0)
    with admin() as client:
        deleted = client.delete_records({partition: 2})
        assert deleted[partition]["low_watermark"] == 2, deleted
        assert read_all(name, 1)[0].offset == 2
        expect_error(OffsetOutOfRangeError, client.delete_records, {partition: 9})
        expect_error(UnknownTopicOrPartitionError, client.delete_records, {TopicPartition(new_topic(), 0): 1})
        assert client.delete_records({partition: -1})[partition]["low_watermark"] == 3


@case
def leaders_are_elected():
    if VERSION < (2, 1, 0):
        raise Skip("new in kafka-python 2.1")
    name = created_topic(partitions=2)
    with admin() as client:
        # ELECTION_NOT_NEEDED (84): the preferred replica leads.
        if VERSION >= (3, 0, 0):
            (topic,) = client.elect_leaders(0, {name: [0, 1]}, raise_errors=False).replica_election_results
            assert [result.error_code for result in topic.partition_result] == [84, 84], topic
        else:
            ((_, results),) = client.perform_leader_election(0, {name: [0, 1]}).replication_election_results
            assert [result[1] for result in results] == [84, 84], results


@case
def configs_are_reset_and_resources_listed_by_kafka_python_3():
    if VERSION < (3, 0, 0):
        raise Skip("new in kafka-python 3.0")
    name = created_topic(retention_ms="12345")
    resource = lambda configs=None: ConfigResource(ConfigResourceType.TOPIC, name, configs)
    with admin() as client:
        assert client.alter_configs([resource({"retention.ms": "1"})], validate_only=True) == {"topic": {name: "OK"}}
        assert client.alter_configs([resource({"cleanup.policy": ("APPEND", "delete")})]) == {"topic": {name: "OK"}}
        assert described_configs(client, ConfigResourceType.TOPIC, name)["retention.ms"] == ("12345", False)
        assert client.reset_configs([resource({"retention.ms": None})]) == {"topic": {name: "OK"}}
        eventually(lambda: described_configs(client, ConfigResourceType.TOPIC, name)["retention.ms"] == ("604800000", True))
        assert client.alter_configs([resource({"retention.ms": "7"})], incremental=False) == {"topic": {name: "OK"}}
        resources = client.list_config_resources()
        assert name in resources["topic"] and len(resources["broker"]) >= 1, resources
        assert set(client.list_config_resources(["BROKER"])) == {"broker"}


@case
def replicas_are_assigned_and_moved_to_where_they_are_by_kafka_python_3():
    if VERSION < (3, 0, 0):
        raise Skip("new in kafka-python 3.0")
    from kafka.errors import LogDirNotFoundError, NoError

    name = created_topic(partitions=2)
    send_all(name, [b"x"])
    with admin() as client:
        client.wait_for_topics([name])
        broker = client.describe_cluster()["brokers"][0]["broker_id"]
        first, unknown = TopicPartition(name, 0), TopicPartition(new_topic(), 0)
        answer = client.alter_partition_reassignments({first: [broker], unknown: [broker]})
        assert answer == {first: None, unknown: UnknownTopicOrPartitionError}, answer
        assert client.list_partition_reassignments({name: [0, 1]}) == {}
        (described,) = client.describe_log_dirs([name])
        (directory,) = described["log_dirs"]
        assert (described["broker"], directory["error_code"]) == (broker, 0), described
        sizes = {p["partition_index"]: p["partition_size"] for p in directory["topics"][0]["partitions"]}
        assert sorted(sizes) == [0, 1] and sizes[0] > 0 == sizes[1], sizes
        assert directory["total_bytes"] >= directory["usable_bytes"] > 0, directory
        moved = client.alter_replica_log_dirs({(name, 0, broker): directory["log_dir"], (name, 1, broker): "/nowhere"})
        assert {replica.partition: error for replica, error in moved.items()} == {0: NoError, 1: LogDirNotFoundError}, moved


@case
def the_quorum_versions_and_features_are_described_by_kafka_python_3():
    if VERSION < (3, 0, 0):
        raise Skip("new in kafka-python 3.0")
    from kafka.errors import InvalidUpdateVersionError

    with admin() as client:
        quorum = client.describe_metadata_quorum()
        (partition,) = quorum["topics"][0]["partitions"]
        assert partition["error"] is None and partition["leader_epoch"] > 0, quorum
        versions = client.api_versions()
        assert any(key.name == "UpdateFeatures" and value == (0, 2) for key, value in versions.items()), versions
        broker = client.describe_cluster()["brokers"][0]["broker_id"]
        assert client.get_broker_version_data(broker).api_versions == {int(key): value for key, value in versions.items()}
        feature = client.describe_features()["metadata.version"]
        level = feature["finalized"][0]
        assert feature["finalized"] == (level, level) and feature["finalized_epoch"] > 0, feature
        lowest, highest = feature["supported"]
        assert lowest <= level <= highest, feature
        assert client.describe_features(send_request_to_controller=True)["metadata.version"]["supported"] == (lowest, highest)
        assert client.update_features({"metadata.version": level}) == {"metadata.version": "OK"}
        assert client.update_features({"metadata.version": ("UPGRADE", level)}, validate_only=True) == {"metadata.version": "OK"}
        expect_error(InvalidUpdateVersionError, client.update_features, {"metadata.version": highest + 1})
        expect_error(InvalidUpdateVersionError, client.update_features, {"no.such.feature": 1})


main()
