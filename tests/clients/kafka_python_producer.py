"""kafka-python as a producer: what a beginner's tutorial and its documentation do."""

import json

# First: it makes kafka-python 2.0.2 importable under Python 3.12 and later.
from kafka_python_base import VERSION, consumer, created_topic, now_ms, producer, read, read_all, send_all
from kafka import TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from harness import Skip, case, cases_for, eventually, expect_error, main, new_topic, partition_of

TEXT = [b"message %d, and words that repeat, that repeat, that repeat" % i for i in range(50)]
# Idempotence is the default from 3.0 on and is unknown before 2.1.
NOT_IDEMPOTENT = {"enable_idempotence": False} if VERSION >= (2, 1, 0) else {}


@case
def a_plain_producer_gets_topic_partition_and_offset_from_each_future():
    topic = created_topic()
    before = now_ms()
    with producer() as client:
        futures = [client.send(topic, b"value %d" % i) for i in range(10)]
        client.flush(timeout=20)
        answers = [future.get(timeout=20) for future in futures]
        assert all(future.succeeded() for future in futures)
    assert [answer.offset for answer in answers] == list(range(10)), answers
    assert {(answer.topic, answer.partition) for answer in answers} == {(topic, 0)}
    assert all(answer.topic_partition == TopicPartition(topic, 0) for answer in answers)
    assert all(before <= answer.timestamp <= now_ms() for answer in answers), answers
    records = read_all(topic, 10)
    assert [(record.offset, record.value) for record in records] == [(i, b"value %d" % i) for i in range(10)]
    assert all(record.key is None and list(record.headers) == [] and record.timestamp_type == 0 for record in records)


@case
def the_tutorial_works_word_for_word_on_a_topic_that_does_not_exist():
    topic = new_topic()
    with producer() as client:
        for _ in range(100):
            client.send(topic, b"some_message_bytes")
        client.flush(timeout=20)
    with consumer(topic, auto_offset_reset="earliest") as client:
        assert {record.value for record in read(client, 100)} == {b"some_message_bytes"}


@case
def callbacks_of_a_future_see_the_record_metadata():
    topic, seen, failed = created_topic(), [], []
    with producer() as client:
        client.send(topic, key=b"foo", value=b"bar").add_callback(seen.append).add_errback(failed.append)
        client.flush(timeout=20)
    assert not failed and seen[0].topic == topic and seen[0].offset == 0, (seen, failed)


@case
def json_serializers_carry_objects_and_keys():
    topic = created_topic()
    with producer(value_serializer=lambda v: json.dumps(v).encode("utf-8"), key_serializer=str.encode) as client:
        for i in range(5):
            client.send(topic, key="key-%d" % i, value={"number": i, "word": "grüße", "list": [1, None, True]})
        client.flush(timeout=20)
    loads = lambda v: json.loads(v.decode("utf-8"))
    with consumer(topic, auto_offset_reset="earliest", value_deserializer=loads, key_deserializer=bytes.decode) as client:
        records = read(client, 5)
    assert [record.value["number"] for record in records] == list(range(5))
    assert records[0].value["word"] == "grüße" and records[4].key == "key-4"


@case
def equal_keys_go_to_the_partition_that_murmur2_names():
    topic = created_topic(partitions=5)
    with producer() as client:
        futures = [(b"key-%d" % (i % 20), client.send(topic, b"%d" % i, key=b"key-%d" % (i % 20))) for i in range(60)]
        client.flush(timeout=20)
        for key, future in futures:
            assert future.get(timeout=20).partition == partition_of(key, 5), key
    for record in read_all(topic, 60, partitions=range(5)):
        assert record.partition == partition_of(record.key, 5)


@case
def round_robin_over_partitions_fills_each_in_order():
    topic = created_topic(partitions=4)
    with producer() as client:
        futures = [client.send(topic, b"%d" % i, partition=i % 4) for i in range(40)]
        client.flush(timeout=20)
        answers = [future.get(timeout=20) for future in futures]
    assert [(answer.partition, answer.offset) for answer in answers] == [(i % 4, i // 4) for i in range(40)]
    records = read_all(topic, 40, partitions=range(4))
    for partition in range(4):
        assert [int(r.value) for r in records if r.partition == partition] == list(range(partition, 40, 4))


@case
def records_without_a_key_spread_over_partitions():
    topic = created_topic(partitions=4)
    with producer() as client:
        reached = {client.send(topic, b"x").get(timeout=20).partition for _ in range(60)}
    assert len(reached) > 1, reached


@case
def linger_and_a_large_batch_size_put_many_records_into_one_batch():
    topic = created_topic()
    with producer(linger_ms=200, batch_size=1 << 18) as client:
        futures = [client.send(topic, b"%d" % i) for i in range(500)]
        client.flush(timeout=20)
        assert [future.get(timeout=20).offset for future in futures] == list(range(500))
    assert [int(record.value) for record in read_all(topic, 500)] == list(range(500))


@case
def a_batch_size_of_zero_sends_each_record_by_itself():
    topic = created_topic()
    answers = send_all(topic, [b"%d" % i for i in range(50)], batch_size=0)
    assert [answer.offset for answer in answers] == list(range(50))
    assert [int(record.value) for record in read_all(topic, 50)] == list(range(50))


@cases_for("compression {} comes back as it was sent", [None, "gzip", "snappy", "lz4", "zstd"])
def compression(codec):
    topic = created_topic()
    answers = send_all(topic, TEXT, compression_type=codec, linger_ms=50)
    assert [answer.offset for answer in answers] == list(range(50))
    assert [record.value for record in read_all(topic, 50)] == TEXT


@case
def batches_of_all_codecs_share_one_partition():
    topic = created_topic()
    for codec in (None, "gzip", "snappy", "lz4", "zstd"):
        send_all(topic, TEXT, compression_type=codec, linger_ms=20)
    records = read_all(topic, 250)
    assert [record.offset for record in records] == list(range(250))
    assert [record.value for record in records] == TEXT * 5


@cases_for("a topic of {} recompresses what comes in every codec", ["uncompressed", "gzip", "snappy", "lz4", "zstd"])
def recompressed(target):
    topic, large = created_topic(compression_type=target), [b"%d " % i * 40_000 for i in range(3)]
    for codec in (None, "gzip", "snappy", "lz4", "zstd"):
        send_all(topic, TEXT + large, compression_type=codec, linger_ms=20)
    records = read_all(topic, 265)
    assert [record.offset for record in records] == list(range(265))
    assert [record.value for record in records] == (TEXT + large) * 5


@cases_for("acks {} stores every record", [1, "all"])
def acks(setting):
    topic = created_topic()
    answers = send_all(topic, TEXT, acks=setting)
    assert [answer.offset for answer in answers] == list(range(50))
    assert [record.value for record in read_all(topic, 50)] == TEXT


@case
def acks_0_stores_every_record_without_an_answer():
    if (2, 3, 0) <= VERSION < (3, 0, 0):
        raise Skip("kafka-python 2.3 builds the request of acks=0 but never writes it to its socket (its #1165)")
    topic = created_topic()
    with producer(acks=0, **NOT_IDEMPOTENT) as client, consumer() as reader:
        futures = [client.send(topic, value, partition=0) for value in TEXT]
        client.flush(timeout=20)
        assert all(future.succeeded() for future in futures)
        # Nothing tells the producer that its bytes arrived, and closing it drops what it has not sent.
        eventually(lambda: reader.end_offsets([TopicPartition(topic, 0)])[TopicPartition(topic, 0)] == 50)
    assert [record.value for record in read_all(topic, 50)] == TEXT


@case
def headers_keep_their_order_and_may_repeat():
    topic = created_topic()
    headers = [("trace", b"1"), ("trace", b"2"), ("empty", b""), ("grüße", b"\x00\xff"), ("trace", b"1")]
    with producer() as client:
        client.send(topic, b"value", headers=headers).get(timeout=20)
    assert list(read_all(topic, 1)[0].headers) == headers


@case
def explicit_timestamps_are_kept():
    topic, base = created_topic(), now_ms() - 3600000
    with producer() as client:
        for i in range(5):
            assert client.send(topic, b"x", timestamp_ms=base + i * 1000).get(timeout=20).timestamp == base + i * 1000
    assert [(r.timestamp, r.timestamp_type) for r in read_all(topic, 5)] == [(base + i * 1000, 0) for i in range(5)]


@case
def a_topic_with_log_append_time_stamps_records_itself():
    topic, before = created_topic(message_timestamp_type="LogAppendTime"), now_ms()
    with producer() as client:
        stamped = client.send(topic, b"x", timestamp_ms=1000).get(timeout=20).timestamp
    record = read_all(topic, 1)[0]
    assert before - 1000 <= stamped <= now_ms() + 1000, stamped
    assert (record.timestamp, record.timestamp_type) == (stamped, 1)


@case
def tombstones_and_empty_values_differ():
    topic = created_topic()
    with producer() as client:
        client.send(topic, None, key=b"gone")
        client.send(topic, b"", key=b"")
        client.flush(timeout=20)
    assert [(record.key, record.value) for record in read_all(topic, 2)] == [(b"gone", None), (b"", b"")]


@case
def a_missing_topic_is_created_by_producing_to_it():
    topic = new_topic()
    with producer() as client:
        answer = client.send(topic, b"first", partition=0).get(timeout=20)
        assert answer.offset == 0
        partitions = client.partitions_for(topic)
    assert len(partitions) >= 1 and partitions == set(range(len(partitions)))
    assert read_all(topic, 1)[0].value == b"first"


@case
def partitions_for_names_every_partition_of_a_topic():
    topic = created_topic(partitions=7)
    with producer() as client:
        assert client.partitions_for(topic) == set(range(7))


@case
def a_message_above_max_message_bytes_is_refused_and_the_next_one_is_not():
    topic = created_topic(max_message_bytes="2000")
    with producer(**NOT_IDEMPOTENT) as client:
        future = client.send(topic, b"x" * 5000)
        error = expect_error(KafkaError, future.get, 20)
        assert isinstance(error, MessageSizeTooLargeError), repr(error)
        assert client.send(topic, b"small").get(timeout=20).offset == 0
    assert read_all(topic, 1)[0].value == b"small"


@case
def a_message_above_the_producers_own_limit_never_leaves_it():
    topic = created_topic()
    with producer(max_request_size=10000) as client:
        expect_error(MessageSizeTooLargeError, lambda: client.send(topic, b"x" * 20000).get(timeout=20))


@case
def a_message_of_900_kilobytes_is_stored():
    topic, value = created_topic(), bytes(range(256)) * 3600
    send_all(topic, [value])
    assert read_all(topic, 1)[0].value == value


@case
def a_partition_that_does_not_exist_is_refused():
    topic = created_topic(partitions=2)
    with producer(max_block_ms=2000) as client:
        expect_error((AssertionError, KafkaError, ValueError), lambda: client.send(topic, b"x", partition=2).get(timeout=20))


@case
def an_invalid_topic_name_is_refused():
    with producer(max_block_ms=2000) as client:
        expect_error((KafkaError, KafkaTimeoutError, ValueError, TypeError), lambda: client.send("no/slash", b"x").get(timeout=10))


@case
def an_idempotent_producer_writes_each_record_once_and_in_order():
    if VERSION < (2, 1, 0):
        raise Skip("kafka-python %s has no idempotent producer" % ".".join(map(str, VERSION)))
    topic = created_topic(partitions=2)
    with producer(enable_idempotence=True, acks="all", linger_ms=1, batch_size=200) as client:
        futures = [client.send(topic, b"%d" % i, partition=i % 2) for i in range(400)]
        client.flush(timeout=20)
        assert [future.get(timeout=20).offset for future in futures] == [i // 2 for i in range(400)]
    records = read_all(topic, 400, partitions=range(2))
    assert [int(r.value) for r in records if r.partition == 0] == list(range(0, 400, 2))
    assert [int(r.value) for r in records if r.partition == 1] == list(range(1, 400, 2))


@case
def an_idempotent_producer_goes_on_after_a_refused_message():
    if VERSION < (2, 1, 0):
        raise Skip("kafka-python %s has no idempotent producer" % ".".join(map(str, VERSION)))
    if VERSION >= (3, 0, 0):
        raise Skip("an idempotent producer of kafka-python 3 refuses every later message itself")
    topic = created_topic(max_message_bytes="2000")
    with producer(enable_idempotence=True, acks="all") as client:
        assert client.send(topic, b"before").get(timeout=20).offset == 0
        expect_error(MessageSizeTooLargeError, client.send(topic, b"x" * 5000).get, 20)
        assert client.send(topic, b"after").get(timeout=20).offset == 1


@case
def two_producers_write_to_one_partition_at_once():
    topic = created_topic()
    with producer() as first, producer() as second:
        for i in range(200):
            first.send(topic, b"a %d" % i)
            second.send(topic, b"b %d" % i)
        first.flush(timeout=20)
        second.flush(timeout=20)
    values = [record.value for record in read_all(topic, 400)]
    for letter in (b"a", b"b"):
        assert [v for v in values if v.startswith(letter)] == [letter + b" %d" % i for i in range(200)]


main()
