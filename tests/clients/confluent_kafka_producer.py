"""confluent-kafka (librdkafka) as a producer: delivery reports, codecs, acks, idempotence, headers, timestamps."""

from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, TopicPartition

from harness import case, cases_for, main, new_topic, partition_of
from confluent_kafka_base import consumer, created_topic, delivered, now_ms, producer, read_all, send_all

TEXT = [b"message %d, and words that repeat, that repeat, that repeat" % i for i in range(50)]
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


@case
def delivery_reports_name_topic_partition_offset_and_timestamp():
    topic, before = created_topic(), now_ms()
    messages = delivered(producer(), topic, [b"%d" % i for i in range(10)], key=b"k")
    assert [message.offset() for message in messages] == list(range(10))
    assert all((message.topic(), message.partition(), message.key()) == (topic, 0, b"k") for message in messages)
    assert all(message.timestamp()[0] == TIMESTAMP_CREATE_TIME and before <= message.timestamp()[1] <= now_ms() for message in messages)
    assert [(m.offset(), m.value()) for m in read_all(topic, 10)] == [(i, b"%d" % i) for i in range(10)]


@cases_for("compression {} comes back as it was sent", CODECS)
def compression(codec):
    topic = created_topic()
    messages = delivered(producer(compression_type=codec, linger_ms=50), topic, TEXT)
    assert [message.offset() for message in messages] == list(range(50))
    assert [message.value() for message in read_all(topic, 50, check_crcs=True)] == TEXT


@case
def batches_of_all_codecs_share_one_partition():
    topic = created_topic()
    for codec in CODECS:
        delivered(producer(compression_type=codec, linger_ms=20), topic, TEXT)
    messages = read_all(topic, 250, check_crcs=True)
    assert [message.offset() for message in messages] == list(range(250))
    assert [message.value() for message in messages] == TEXT * 5


@cases_for("a topic of {} recompresses what comes in every codec", ["uncompressed", "gzip", "snappy", "lz4", "zstd"])
def recompressed(target):
    topic, large = created_topic(compression_type=target), [b"%d " % i * 40_000 for i in range(3)]
    for codec in CODECS:
        delivered(producer(compression_type=codec, linger_ms=20, enable_idempotence=True), topic, TEXT + large)
    messages = read_all(topic, 265, check_crcs=True)
    assert [message.offset() for message in messages] == list(range(265))
    assert [message.value() for message in messages] == (TEXT + large) * 5


@cases_for("acks {} stores every record", ["1", "all"])
def acks(setting):
    topic = created_topic()
    messages = delivered(producer(acks=setting), topic, TEXT)
    assert [message.offset() for message in messages] == list(range(50))
    assert [message.value() for message in read_all(topic, 50)] == TEXT


@case
def acks_0_stores_every_record_without_an_answer():
    topic = created_topic()
    client = producer(acks="0")
    delivered(client, topic, TEXT)
    assert [message.value() for message in read_all(topic, 50)] == TEXT


@case
def an_idempotent_producer_writes_each_record_once_and_in_order():
    topic = created_topic(partitions=2)
    client = producer(enable_idempotence=True, linger_ms=1, batch_num_messages=10)
    for i in range(1000):
        client.produce(topic, b"%d" % i, partition=i % 2)
    assert client.flush(20) == 0
    messages = read_all(topic, 1000, partitions=range(2))
    for partition in range(2):
        assert [int(m.value()) for m in messages if m.partition() == partition] == list(range(partition, 1000, 2))


@case
def an_idempotent_producer_goes_on_after_a_refused_message():
    topic = created_topic(max_message_bytes="2000")
    client = producer(enable_idempotence=True)
    assert delivered(client, topic, [b"before"])[0].offset() == 0
    ((error, _),) = send_all(client, topic, [b"x" * 5000])
    assert error.code() == KafkaError.MSG_SIZE_TOO_LARGE, error
    assert delivered(client, topic, [b"after"])[0].offset() == 1


@case
def headers_keep_their_order_may_repeat_and_may_be_null():
    topic = created_topic()
    headers = [("trace", b"1"), ("trace", b"2"), ("empty", b""), ("null", None), ("grüße", b"\x00\xff"), ("trace", b"1")]
    delivered(producer(), topic, [b"value"], headers=headers)
    assert read_all(topic, 1)[0].headers() == headers


@case
def explicit_timestamps_are_kept():
    topic, base, client = created_topic(), now_ms() - 3600000, producer()
    for i in range(5):
        assert delivered(client, topic, [b"x"], timestamp=base + i)[0].timestamp() == (TIMESTAMP_CREATE_TIME, base + i)
    assert [m.timestamp() for m in read_all(topic, 5)] == [(TIMESTAMP_CREATE_TIME, base + i) for i in range(5)]


@case
def a_topic_with_log_append_time_stamps_records_itself():
    topic, before = created_topic(message_timestamp_type="LogAppendTime"), now_ms()
    reported = delivered(producer(), topic, [b"x"], timestamp=1000)[0].timestamp()
    assert reported[0] == TIMESTAMP_LOG_APPEND_TIME and before - 1000 <= reported[1] <= now_ms() + 1000, reported
    assert read_all(topic, 1)[0].timestamp() == reported


@case
def tombstones_and_empty_values_differ():
    topic, client = created_topic(), producer()
    delivered(client, topic, [None], key=b"gone")
    delivered(client, topic, [b""], key=b"")
    assert [(m.key(), m.value()) for m in read_all(topic, 2)] == [(b"gone", None), (b"", b"")]


@case
def equal_keys_go_to_the_partition_that_murmur2_names():
    topic, client, reports = created_topic(partitions=5), producer(partitioner="murmur2_random"), []
    for i in range(60):
        client.produce(topic, b"%d" % i, key=b"key-%d" % (i % 20), on_delivery=lambda error, message: reports.append((error, message)))
    assert client.flush(20) == 0
    for error, message in reports:
        assert error is None and message.partition() == partition_of(message.key(), 5), message.key()


@case
def records_without_a_key_spread_over_partitions():
    topic, client = created_topic(partitions=4), producer(sticky_partitioning_linger_ms=0)
    reached = {message.partition() for message in delivered(client, topic, [b"x"] * 200, partition=-1)}
    assert len(reached) > 1, reached


@case
def a_missing_topic_is_created_by_producing_to_it():
    topic = new_topic()
    assert delivered(producer(), topic, [b"first"])[0].offset() == 0
    assert read_all(topic, 1)[0].value() == b"first"


@case
def a_message_above_max_message_bytes_is_refused_and_the_next_one_is_not():
    topic, client = created_topic(max_message_bytes="2000"), producer()
    ((error, _),) = send_all(client, topic, [b"x" * 5000])
    assert error.code() == KafkaError.MSG_SIZE_TOO_LARGE, error
    assert delivered(client, topic, [b"small"])[0].offset() == 0


@case
def a_message_above_the_producers_own_limit_never_leaves_it():
    topic = created_topic()
    try:
        producer(message_max_bytes=10000).produce(topic, b"x" * 20000)
    except KafkaException as error:
        assert error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE
    else:
        raise AssertionError("the producer took it")


@case
def a_partition_that_does_not_exist_is_refused():
    topic = created_topic(partitions=2)
    client = producer(topic_metadata_propagation_max_ms=0)
    try:
        ((error, _),) = send_all(client, topic, [b"x"], partition=2)
    except KafkaException as raised:
        error = raised.args[0]
    assert error.code() == KafkaError._UNKNOWN_PARTITION, error


@case
def large_batches_and_many_records_arrive_in_order():
    topic = created_topic()
    client = producer(linger_ms=50, batch_size=900000, queue_buffering_max_messages=200000)
    messages = delivered(client, topic, [b"%06d" % i * 10 for i in range(50000)])
    assert [message.offset() for message in messages] == list(range(50000))
    reader = consumer()
    assert reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=10) == (0, 50000)
    reader.close()
    assert [int(m.value()[:6]) for m in read_all(topic, 50000)] == list(range(50000))


main()
