"""Fills the broker behind sys.argv[1] with what tests/data/kafka-directory holds (confluent-kafka 2.16.1).

The broker: Apache Kafka 4.3.0, one node, broker and controller in one process, on an empty directory, with
metadata.log.max.record.bytes.between.snapshots=2000, offsets.topic.num.partitions=1, log.index.interval.bytes=512,
transaction.state.log.num.partitions=1 and log.cleaner.enable=false; stopped by SIGTERM afterwards, within a minute, while one
transaction is open. The folders of the deleted topic, and the .lock, were removed. Before this program, with Kafka's tools:

    kafka-configs --alter --entity-type users --entity-name me --entity-type clients --entity-default \\
      --add-config producer_byte_rate=5000
    kafka-configs --alter --entity-type ips --entity-default --add-config connection_creation_rate=7
    kafka-configs --alter --entity-type ips --entity-default --delete-config connection_creation_rate
    kafka-configs --alter --entity-type brokers --entity-default --add-config log.retention.ms=88888888888
    kafka-configs --alter --entity-type brokers --entity-name 1 --add-config log.segment.bytes=2000000,num.io.threads=4
    kafka-client-metrics --alter --name m --interval 30000
"""

import os
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

BOOTSTRAP = {"bootstrap.servers": sys.argv[1]}
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def done(futures):
    for future in futures.values():
        future.result()


def produce(topic, count, **settings):
    producer = Producer({**BOOTSTRAP, **settings})
    for i in range(count):
        value = f"{topic} {settings.get('compression.type', 'none')} {i}"
        producer.produce(topic, key=f"k{i % 7}", value=value, headers=[("h", str(i))])
    producer.flush()


admin = AdminClient(BOOTSTRAP)
done(
    admin.create_topics(
        [
            NewTopic("gone", 3, 1),
            NewTopic("plain", 2, 1, config={"retention.ms": "999999999999"}),
            NewTopic("codecs", 1, 1),
            NewTopic("segments", 1, 1, config={"segment.ms": "1"}),
            NewTopic("compacted", 1, 1, config={"cleanup.policy": "compact"}),
            NewTopic("trimmed", 1, 1),
        ]
    )
)
produce("plain", 40)
produce("plain", 20, **{"enable.idempotence": True})
for codec in CODECS:
    produce("codecs", 30, **{"compression.type": codec})
for _ in range(4):
    produce("segments", 5)
    time.sleep(0.05)
produce("compacted", 50)
produce("trimmed", 30)
done(admin.delete_records([TopicPartition("trimmed", 0, 12)]))
done(admin.delete_topics(["gone"]))
larger = ConfigEntry("max.message.bytes", "200000", incremental_operation=AlterConfigOpType.SET)
done(
    admin.incremental_alter_configs(
        [ConfigResource(ConfigResource.Type.TOPIC, "plain", incremental_configs=[larger])]
    )
)
consumer = Consumer({**BOOTSTRAP, "group.id": "g", "auto.offset.reset": "earliest"})
consumer.subscribe(["codecs"])
left = 30 * len(CODECS)
while left > 0:
    message = consumer.poll(5)
    if message and not message.error():
        left -= 1
consumer.commit(asynchronous=False)
consumer.close()

# One partition for each way that a transaction ends, and one that none has written to.
done(admin.create_topics([NewTopic("transactions", 4, 1)]))


def begin(partition, name):
    producer = Producer({**BOOTSTRAP, "transactional.id": name, "transaction.timeout.ms": 600000})
    producer.init_transactions()
    producer.begin_transaction()
    for i in range(3):
        producer.produce("transactions", value=f"{name} {i}", partition=partition)
    producer.flush()
    return producer


begin(0, "committed").commit_transaction()
begin(1, "aborted").abort_transaction()
still_open = begin(2, "open")
plain = Producer(BOOTSTRAP)
for partition in range(4):
    plain.produce("transactions", value="plain", partition=partition)
plain.flush()
# Ends without the client's own end, which would abort.
sys.stdout.flush()
os._exit(0)
