"""What the confluent-kafka programs share: clients with short timeouts, and how they read and write.

confluent-kafka wraps librdkafka. Its consumer must have a group.id, but without subscribe and commit no group is used.
"""

import functools
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from harness import BOOTSTRAP, eventually, new_topic


def producer(**settings):
    """A producer on the broker under test; `_` in a setting's name stands for `.`."""
    return Producer({"bootstrap.servers": BOOTSTRAP, "message.timeout.ms": 15000, **dotted(settings)})


def consumer(**settings):
    """A consumer on the broker under test that neither joins its group nor commits."""
    fixed = {"bootstrap.servers": BOOTSTRAP, "group.id": "unused", "enable.auto.commit": False, "auto.offset.reset": "error"}
    return Consumer({**fixed, **dotted(settings)})


@functools.lru_cache(maxsize=None)
def admin():
    """The admin client on the broker under test: one, for when it is dropped its unfinished requests fail."""
    return AdminClient({"bootstrap.servers": BOOTSTRAP})


def dotted(settings):
    return {key.replace("_", "."): value for key, value in settings.items()}


def created_topic(partitions=1, **configs):
    """The name of a new topic with that many partitions, ready for use."""
    name, client = new_topic(), admin()
    client.create_topics([NewTopic(name, partitions, 1, config=dotted(configs))])[name].result(20)
    eventually(lambda: is_ready(client, name, partitions))
    return name


def is_ready(client, name, partitions):
    """Whether the broker names the topic with all partitions led."""
    topic = client.list_topics(name, timeout=10).topics.get(name)
    return topic and topic.error is None and len(topic.partitions) == partitions and all(p.leader >= 0 for p in topic.partitions.values())


def send_all(client, topic, values, **arguments):
    """Produces the values, waits for all delivery reports and returns (error, message) of each, in order of delivery."""
    reports = []
    arguments.setdefault("partition", 0)
    for value in values:
        client.produce(topic, value, on_delivery=lambda error, message: reports.append((error, message)), **arguments)
    assert client.flush(20) == 0, "not everything was delivered"
    assert len(reports) == len(values)
    return reports


def delivered(client, topic, values, **arguments):
    """As send_all, but every delivery must have succeeded: the messages."""
    reports = send_all(client, topic, values, **arguments)
    assert all(error is None for error, _ in reports), [str(error) for error, _ in reports if error]
    return [message for _, message in reports]


def next_messages(client, count, seconds=15):
    """The next `count` messages of an assigned consumer."""
    messages, deadline = [], time.monotonic() + seconds
    while len(messages) < count:
        assert time.monotonic() < deadline, "expected %d messages, but only %d came" % (count, len(messages))
        message = client.poll(0.5)
        if message is not None:
            assert message.error() is None, str(message.error())
            messages.append(message)
    return messages


def read_all(topic, count, partitions=(0,), **settings):
    """The first `count` messages of these partitions."""
    client = consumer(**settings)
    try:
        client.assign([TopicPartition(topic, index, OFFSET_BEGINNING) for index in partitions])
        return next_messages(client, count)
    finally:
        client.close()


def now_ms():
    """The wall clock in milliseconds, as timestamps have it."""
    return int(time.time() * 1000)
