"""A consumer that has read on, and what it is told when its broker comes back with less.

`confluent_kafka_truncated.py BROKER TOPIC COUNT`: reads COUNT records of partition 0, says so, waits for a line of input, then
prints the next thing that its application hears of: an error's text, or a record. Started by tests/crash/epochs.rs.
"""

import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

broker, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
consumer = Consumer({
    "bootstrap.servers": broker,
    "group.id": "unused",
    "enable.auto.commit": False,
    "auto.offset.reset": "error",
    "reconnect.backoff.max.ms": 200,
    "topic.metadata.refresh.interval.ms": 500,
})
consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])


def heard():
    """The next record, or error of the partition; a connection that breaks is not for an application."""
    deadline = time.monotonic() + 25
    while time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is not None and (message.error() is None or message.partition() >= 0):
            return message
    raise TimeoutError("nothing was heard")


for _ in range(count):
    message = heard()
    assert message.error() is None, message.error()
print("has read", count, flush=True)
sys.stdin.readline()
message = heard()
print("heard", message.error().str() if message.error() else message.value(), flush=True)
consumer.close()
