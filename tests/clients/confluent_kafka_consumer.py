"""confluent-kafka (librdkafka) as a consumer with assign(): no group, no commits."""

import threading
import time

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, KafkaException, TopicPartition

from harness import case, cases_for, expect_error, main, new_topic
from confluent_kafka_base import consumer, created_topic, delivered, next_messages, now_ms, producer, read_all


def numbered(topic, count, partition=0, base_ms=None, **settings):
    """Produces b"0", b"1", … to the partition, the i-th with timestamp base_ms + i * 1000."""
    client = producer(**settings)
    for i in range(count):
        client.produce(topic, b"%d" % i, partition=partition, **({} if base_ms is None else {"timestamp": base_ms + i * 1000}))
    assert client.flush(20) == 0


def numbers(messages):
    return [int(message.value()) for message in messages]


@case
def assign_from_the_beginning_goes_on_with_messages_that_come_later():
    topic, client = created_topic(), consumer()
    numbered(topic, 5)
    client.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    assert numbers(next_messages(client, 5)) == list(range(5))
    numbered(topic, 3)
    messages = next_messages(client, 3)
    assert [message.offset() for message in messages] == [5, 6, 7] and numbers(messages) == [0, 1, 2]
    client.close()


@case
def assign_from_the_end_sees_only_what_comes_after_it():
    topic, client = created_topic(), consumer(enable_partition_eof=True)
    numbered(topic, 5)
    client.assign([TopicPartition(topic, 0, OFFSET_END)])
    # The end-of-partition event tells that the consumer stands at the end.
    message = client.poll(15)
    assert message is not None and message.error().code() == KafkaError._PARTITION_EOF and message.offset() == 5
    numbered(topic, 1)
    assert next_messages(client, 1)[0].offset() == 5
    client.close()


@case
def a_consumer_waiting_in_a_long_poll_is_woken_by_a_produce():
    topic, client = created_topic(), consumer(fetch_wait_max_ms=3000, enable_partition_eof=True)
    client.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    assert client.poll(15).error().code() == KafkaError._PARTITION_EOF
    began = time.monotonic()
    writer = threading.Thread(target=numbered, args=(topic, 1))
    writer.start()
    assert numbers(next_messages(client, 1)) == [0]
    writer.join()
    assert time.monotonic() - began < 2.5, "the produce did not wake the long poll"
    client.close()


@case
def assign_at_an_offset_and_seek_move_anywhere():
    topic, client = created_topic(), consumer()
    numbered(topic, 100)
    client.assign([TopicPartition(topic, 0, 42)])
    assert next_messages(client, 1)[0].offset() == 42
    for offset in (0, 99, 57):
        client.seek(TopicPartition(topic, 0, offset))
        assert next_messages(client, 1)[0].offset() == offset
    (position,) = client.position([TopicPartition(topic, 0)])
    assert position.offset == 58
    client.close()


@case
def several_partitions_each_arrive_in_order():
    topic = created_topic(partitions=5)
    for partition in range(5):
        numbered(topic, 200, partition=partition)
    messages = read_all(topic, 1000, partitions=range(5))
    for partition in range(5):
        assert numbers(m for m in messages if m.partition() == partition) == list(range(200))


@case
def an_offset_out_of_range_is_reported():
    topic, client = created_topic(), consumer()
    numbered(topic, 3)
    client.assign([TopicPartition(topic, 0, 1000)])
    message = client.poll(15)
    # Since librdkafka 1.6 the reset policy "error" shows itself as an event of its own.
    assert message.error().code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE), message.error()
    client.close()


@case
def an_offset_out_of_range_is_reset_to_the_earliest_message():
    topic, client = created_topic(), consumer(auto_offset_reset="earliest")
    numbered(topic, 3)
    client.assign([TopicPartition(topic, 0, 1000)])
    assert numbers(next_messages(client, 3)) == [0, 1, 2]
    client.close()


@case
def offsets_for_times_finds_the_first_message_at_or_after_a_time():
    topic, base, client = created_topic(partitions=2), now_ms() - 100000, consumer()
    numbered(topic, 10, base_ms=base)
    for at, offset in ((base - 5000, 0), (base, 0), (base + 1, 1), (base + 8001, 9), (base + 9001, OFFSET_END)):
        found = client.offsets_for_times([TopicPartition(topic, 0, at), TopicPartition(topic, 1, at)], timeout=10)
        assert [each.error for each in found] == [None, None]
        assert [each.offset for each in found] == [offset, OFFSET_END], (at - base, found)
    client.close()


@case
def offsets_for_times_is_exact_inside_one_compressed_batch():
    topic, base, client = created_topic(), now_ms() - 100000, consumer()
    numbered(topic, 50, base_ms=base, linger_ms=200, compression_type="zstd")
    (found,) = client.offsets_for_times([TopicPartition(topic, 0, base + 25001)], timeout=10)
    assert found.offset == 26, found
    client.close()


@case
def watermark_offsets_are_asked_from_the_broker_and_known_from_fetches():
    topic, client = created_topic(), consumer()
    tp = TopicPartition(topic, 0)
    assert client.get_watermark_offsets(tp, timeout=10) == (0, 0)
    numbered(topic, 7)
    assert client.get_watermark_offsets(tp, timeout=10) == (0, 7)
    client.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    next_messages(client, 7)
    assert client.get_watermark_offsets(tp, cached=True)[1] == 7
    client.close()


@case
def watermark_offsets_of_an_unknown_topic_are_an_error():
    client = consumer()
    error = expect_error(KafkaException, lambda: client.get_watermark_offsets(TopicPartition(new_topic(), 0), timeout=5))
    assert error.args[0].code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION, KafkaError._UNKNOWN_TOPIC), error
    client.close()


@case
def consume_returns_many_messages_at_once():
    topic, client, seen = created_topic(), consumer(), []
    numbered(topic, 1000)
    client.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    deadline = time.monotonic() + 15
    while len(seen) < 1000 and time.monotonic() < deadline:
        seen += numbers(client.consume(300, timeout=1))
    assert seen == list(range(1000))
    client.close()


@case
def pause_and_resume_hold_back_one_partition():
    topic, client = created_topic(partitions=2), consumer()
    for partition in range(2):
        numbered(topic, 5, partition=partition)
    client.assign([TopicPartition(topic, index, OFFSET_BEGINNING) for index in range(2)])
    client.pause([TopicPartition(topic, 0)])
    assert {message.partition() for message in next_messages(client, 5)} == {1}
    client.resume([TopicPartition(topic, 0)])
    assert {message.partition() for message in next_messages(client, 5)} == {0}
    client.close()


@case
def small_fetch_limits_still_make_progress_through_large_messages():
    topic, values = created_topic(), [bytes([65 + i]) * 50000 for i in range(10)]
    client = producer()
    for value in values:
        delivered(client, topic, [value])
    messages = read_all(topic, 10, fetch_message_max_bytes=1000, fetch_max_bytes=1000, message_max_bytes=1000, receive_message_max_bytes=10000000)
    assert [message.value() for message in messages] == values


@cases_for("isolation level {} reads plain messages", ["read_uncommitted", "read_committed"])
def isolation(level):
    topic = created_topic()
    numbered(topic, 5)
    assert numbers(read_all(topic, 5, isolation_level=level)) == list(range(5))


main()
