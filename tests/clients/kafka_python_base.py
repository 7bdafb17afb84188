"""What the kafka-python programs share: constructors with short timeouts, and the differences between its versions.

Runs under kafka-python 2.0.2, 2.3 and 3.0; `VERSION` is the running one as a tuple.
"""

import contextlib
import sys
import time

import six.moves

# kafka-python 2.0.2 carries a six that Python 3.12 and later cannot load; its users install six and do this.
sys.modules.setdefault("kafka.vendor.six.moves", six.moves)

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from harness import BOOTSTRAP, eventually, new_topic

VERSION = tuple(int(part) for part in kafka.__version__.split(".")[:3])


@contextlib.contextmanager
def producer(**settings):
    """A producer on the broker under test, closed at the end."""
    settings.setdefault("max_block_ms", 15000)
    client = KafkaProducer(bootstrap_servers=BOOTSTRAP, **settings)
    try:
        yield client
    finally:
        client.close(timeout=5)


@contextlib.contextmanager
def consumer(*topics, **settings):
    """A consumer without a group on the broker under test, closed at the end."""
    settings.setdefault("group_id", None)
    settings.setdefault("consumer_timeout_ms", 15000)
    client = KafkaConsumer(*topics, bootstrap_servers=BOOTSTRAP, **settings)
    try:
        yield client
    finally:
        client.close()


@contextlib.contextmanager
def admin(**settings):
    """An admin client on the broker under test, closed at the end."""
    client = KafkaAdminClient(bootstrap_servers=BOOTSTRAP, **settings)
    try:
        yield client
    finally:
        client.close()


def topic_name(description):
    """The name in one entry of describe_topics, whose key changed in 3.0."""
    return description.get("name") or description.get("topic")


def partition_index(description):
    """The partition number in one entry of describe_topics."""
    return description["partition_index"] if "partition_index" in description else description["partition"]


def leader_of(description):
    """The leader in one entry of describe_topics."""
    return description["leader_id"] if "leader_id" in description else description["leader"]


def is_ready(client, name, partitions):
    """Whether the broker names the topic with all partitions led."""
    described = [each for each in client.describe_topics([name]) if each["error_code"] == 0]
    return described and len(described[0]["partitions"]) == partitions and all(leader_of(p) >= 0 for p in described[0]["partitions"])


def created_topic(partitions=1, **configs):
    """The name of a new topic with that many partitions, ready for use."""
    name = new_topic()
    settings = {key.replace("_", "."): value for key, value in configs.items()}
    with admin() as client:
        client.create_topics([NewTopic(name, partitions, 1, topic_configs=settings)])
        eventually(lambda: is_ready(client, name, partitions))
    return name


def read(client, count):
    """The next `count` records of the consumer, within its consumer_timeout_ms."""
    records = []
    for record in client:
        records.append(record)
        if len(records) == count:
            return records
    raise AssertionError("expected %d records, but only these came: %r" % (count, records))


def read_all(topic, count, partitions=(0,), **settings):
    """The first `count` records of these partitions, read from the beginning by assign."""
    with consumer(**settings) as client:
        assigned = [TopicPartition(topic, index) for index in partitions]
        client.assign(assigned)
        client.seek_to_beginning(*assigned)
        return read(client, count)


def send_all(topic, values, **settings):
    """Sends the values to partition 0 and returns the metadata of each."""
    with producer(**settings) as client:
        futures = [client.send(topic, value, partition=0) for value in values]
        client.flush(timeout=20)
        return [future.get(timeout=20) for future in futures]


def now_ms():
    """The wall clock in milliseconds, as timestamps have it."""
    return int(time.time() * 1000)
