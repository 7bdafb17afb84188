"""confluent-kafka's AdminClient: topics, partitions, records, their settings, the cluster, offsets.

Every method that one broker can answer is called. Not called are those of consumer groups, ACLs and SCRAM users, which are
not served, and `set_sasl_credentials`, which sends nothing."""

from confluent_kafka import ElectionType, IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition, Uuid
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from harness import case, eventually, expect_error, main, new_topic
from confluent_kafka_base import admin, created_topic, delivered, is_ready, producer, read_all


def code_of(future):
    """The error code with which the future failed."""
    return expect_error(KafkaException, future.result, 20).args[0].code()


@case
def create_list_and_delete_a_topic():
    name, client = new_topic(), admin()
    assert client.create_topics([NewTopic(name, 3, 1)])[name].result(20) is None
    eventually(lambda: is_ready(client, name, 3))
    topic = client.list_topics(timeout=10).topics[name]
    assert sorted(topic.partitions) == [0, 1, 2]
    assert all(p.error is None and p.replicas == [p.leader] and p.isrs == [p.leader] for p in topic.partitions.values())
    assert client.delete_topics([name])[name].result(20) is None
    eventually(lambda: name not in client.list_topics(timeout=10).topics)


@case
def a_topic_is_ready_to_take_records_when_create_topics_has_answered():
    names, client = [new_topic() for _ in range(5)], admin()
    for future in client.create_topics([NewTopic(name, 2, 1) for name in names]).values():
        future.result(20)
    writer = producer()
    for name in names:
        assert delivered(writer, name, [b"x"])[0].offset() == 0
        assert read_all(name, 1)[0].value() == b"x"


@case
def default_partitions_and_replication_are_the_brokers():
    name, client = new_topic(), admin()
    client.create_topics([NewTopic(name)])[name].result(20)
    eventually(lambda: name in client.list_topics(timeout=10).topics)
    assert len(client.list_topics(name, timeout=10).topics[name].partitions) >= 1


@case
def each_topic_of_a_request_fails_or_succeeds_by_itself():
    client, good, many = admin(), new_topic(), new_topic()
    existing = created_topic()
    futures = client.create_topics([NewTopic(existing, 1, 1), NewTopic(good, 1, 1), NewTopic("no/slash", 1, 1), NewTopic(many, 1, 9)])
    assert futures[good].result(20) is None
    assert code_of(futures[existing]) == KafkaError.TOPIC_ALREADY_EXISTS
    assert code_of(futures["no/slash"]) == KafkaError.TOPIC_EXCEPTION
    assert code_of(futures[many]) == KafkaError.INVALID_REPLICATION_FACTOR


@case
def validate_only_creates_nothing():
    name, client = new_topic(), admin()
    client.create_topics([NewTopic(name, 1, 1)], validate_only=True)[name].result(20)
    assert name not in client.list_topics(timeout=10).topics


@case
def deleting_a_topic_that_does_not_exist_is_an_error():
    name = new_topic()
    assert code_of(admin().delete_topics([name])[name]) == KafkaError.UNKNOWN_TOPIC_OR_PART


@case
def list_topics_names_brokers_controller_and_cluster():
    metadata = admin().list_topics(timeout=10)
    assert metadata.controller_id in metadata.brokers
    assert len(metadata.cluster_id) == 22
    assert all(broker.host and broker.port > 0 for broker in metadata.brokers.values())


@case
def list_topics_of_an_unknown_topic_creates_it():
    # librdkafka's metadata call leaves auto-creation on, as a producer does.
    name, client = new_topic(), admin()
    client.list_topics(name, timeout=10)
    eventually(lambda: is_ready(client, name, len(client.list_topics(name, timeout=10).topics[name].partitions)))


@case
def topic_configs_come_back_with_values_sources_and_synonyms():
    name = created_topic(retention_ms="123456", message_timestamp_type="LogAppendTime")
    resource = ConfigResource(ResourceType.TOPIC, name)
    configs = admin().describe_configs([resource])[resource].result(20)
    assert configs["retention.ms"].value == "123456" and configs["retention.ms"].source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    assert configs["message.timestamp.type"].value == "LogAppendTime"
    assert configs["segment.ms"].value == "604800000" and configs["segment.ms"].is_default
    assert not configs["retention.ms"].is_read_only and not configs["retention.ms"].is_sensitive
    assert configs["retention.ms"].synonyms["retention.ms"].value == "123456", configs["retention.ms"].synonyms


@case
def describing_configs_of_an_unknown_topic_is_an_error():
    resource = ConfigResource(ResourceType.TOPIC, new_topic())
    assert code_of(admin().describe_configs([resource])[resource]) == KafkaError.UNKNOWN_TOPIC_OR_PART


@case
def broker_configs_are_described():
    client = admin()
    broker = next(iter(client.list_topics(timeout=10).brokers))
    resource = ConfigResource(ResourceType.BROKER, str(broker))
    configs = client.describe_configs([resource])[resource].result(20)
    for known in ("num.partitions", "log.dirs", "message.max.bytes", "auto.create.topics.enable"):
        assert known in configs, known
    assert configs["node.id"].value == str(broker)


@case
def describe_topics_gives_id_partitions_and_leaders():
    name, unknown = created_topic(partitions=3), new_topic()
    futures = admin().describe_topics(TopicCollection([name, unknown]))
    topic = futures[name].result(20)
    assert topic.name == name and not topic.is_internal and isinstance(topic.topic_id, Uuid), topic
    assert [partition.id for partition in topic.partitions] == [0, 1, 2]
    assert all(p.leader is not None and len(p.replicas) == len(p.isr) == 1 for p in topic.partitions)
    assert code_of(futures[unknown]) == KafkaError.UNKNOWN_TOPIC_OR_PART


@case
def describe_cluster_gives_id_controller_and_nodes():
    cluster = admin().describe_cluster().result(20)
    assert len(cluster.cluster_id) == 22
    assert cluster.controller.id in [node.id for node in cluster.nodes]


@case
def list_offsets_finds_both_ends_times_and_the_newest():
    name, client = created_topic(partitions=2), admin()
    writer = producer()
    for stamp in (1000, 3000, 2000):
        delivered(writer, name, [b"x"], timestamp=stamp)
    first, second = TopicPartition(name, 0), TopicPartition(name, 1)
    for spec, offset in (
        (OffsetSpec.earliest(), 0),
        (OffsetSpec.latest(), 3),
        (OffsetSpec.max_timestamp(), 1),
        (OffsetSpec.for_timestamp(1001), 1),
        (OffsetSpec.for_timestamp(3001), -1),
    ):
        futures = client.list_offsets({first: spec}, isolation_level=IsolationLevel.READ_UNCOMMITTED)
        assert futures[first].result(20).offset == offset, offset
    futures = client.list_offsets({first: OffsetSpec.latest(), second: OffsetSpec.latest()})
    assert (futures[first].result(20).offset, futures[second].result(20).offset) == (3, 0)


@case
def partitions_are_added_and_not_taken_away():
    name, client = created_topic(), admin()
    assert client.create_partitions([NewPartitions(name, 4)], validate_only=True)[name].result(20) is None
    assert is_ready(client, name, 1)
    assert client.create_partitions([NewPartitions(name, 3)])[name].result(20) is None
    eventually(lambda: is_ready(client, name, 3))
    assert code_of(client.create_partitions([NewPartitions(name, 2)])[name]) == KafkaError.INVALID_PARTITIONS
    unknown = new_topic()
    assert code_of(client.create_partitions([NewPartitions(unknown, 2)])[unknown]) == KafkaError.UNKNOWN_TOPIC_OR_PART


def described(client, name):
    resource = ConfigResource(ResourceType.TOPIC, name)
    return {key: entry.value for key, entry in client.describe_configs([resource])[resource].result(20).items()}


@case
def configs_are_altered_one_by_one():
    name, client = created_topic(segment_ms="60000"), admin()

    def alter(entry, **settings):
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
        return client.incremental_alter_configs([resource], **settings)[resource]

    assert alter(ConfigEntry("retention.ms", "5", incremental_operation=AlterConfigOpType.SET), validate_only=True).result(20) is None
    assert described(client, name)["retention.ms"] == "604800000"
    assert alter(ConfigEntry("retention.ms", "12345", incremental_operation=AlterConfigOpType.SET)).result(20) is None
    eventually(lambda: described(client, name)["retention.ms"] == "12345")
    assert described(client, name)["segment.ms"] == "60000"
    assert alter(ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE)).result(20) is None
    eventually(lambda: described(client, name)["retention.ms"] == "604800000")
    bad = alter(ConfigEntry("retention.ms", "soon", incremental_operation=AlterConfigOpType.SET))
    assert code_of(bad) == KafkaError.INVALID_CONFIG


@case
def configs_are_replaced_as_a_whole():
    name, client = created_topic(segment_ms="60000"), admin()
    resource = ConfigResource(ResourceType.TOPIC, name, set_config={"retention.ms": "12345"})
    assert client.alter_configs([resource])[resource].result(20) is None
    eventually(lambda: described(client, name)["retention.ms"] == "12345")
    assert described(client, name)["segment.ms"] == "604800000"


@case
def records_are_deleted_up_to_an_offset():
    name, client = created_topic(), admin()
    delivered(producer(), name, [b"a", b"b", b"c"])

    def delete(offset):
        (future,) = client.delete_records([TopicPartition(name, 0, offset)]).values()
        return future

    assert delete(2).result(20).low_watermark == 2
    assert read_all(name, 1)[0].offset() == 2
    assert code_of(delete(9)) == KafkaError.OFFSET_OUT_OF_RANGE
    # librdkafka's OFFSET_END: all of them.
    assert delete(-1).result(20).low_watermark == 3


@case
def leaders_are_elected():
    name, client = created_topic(partitions=2), admin()
    wanted = [TopicPartition(name, 0), TopicPartition(name, 7)]
    for kind in (ElectionType.PREFERRED, ElectionType.UNCLEAN):
        elected = {each.partition: error.code() for each, error in client.elect_leaders(kind, wanted).result(20).items()}
        assert elected == {0: KafkaError.ELECTION_NOT_NEEDED, 7: KafkaError.UNKNOWN_TOPIC_OR_PART}, elected
    client.elect_leaders(ElectionType.PREFERRED).result(20)
    assert client.poll(0) == 0


main()
