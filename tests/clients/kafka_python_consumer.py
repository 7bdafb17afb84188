"""kafka-python as a consumer without a group: endless reading, seeking and searching by time."""

import threading

# First: it makes kafka-python 2.0.2 importable under Python 3.12 and later.
from kafka_python_base import VERSION, consumer, created_topic, now_ms, producer, read, read_all, send_all
import kafka
from kafka import TopicPartition

from harness import Skip, case, cases_for, expect_error, main, new_topic


def numbered(topic, count, partition=0, base_ms=None):
    """Sends b"0", b"1", … to the partition, the i-th with timestamp base_ms + i * 1000."""
    with producer() as client:
        for i in range(count):
            client.send(topic, b"%d" % i, partition=partition, timestamp_ms=None if base_ms is None else base_ms + i * 1000)
        client.flush(timeout=20)


def numbers(records):
    return [int(record.value) for record in records]


@case
def an_endless_consumer_from_earliest_goes_on_with_records_that_come_later():
    topic = created_topic()
    numbered(topic, 5)
    with consumer(topic, auto_offset_reset="earliest") as client:
        assert numbers(read(client, 5)) == list(range(5))
        for value in (b"5", b"6", b"7"):
            send_all(topic, [value])
            assert read(client, 1)[0].value == value


@case
def an_endless_consumer_from_latest_sees_only_what_comes_after_it():
    topic = created_topic()
    numbered(topic, 5)
    with consumer(topic, auto_offset_reset="latest") as client:
        while not client.assignment():
            client.poll(timeout_ms=50)
        # position() asks the broker where "latest" is, so the next record is after it.
        assert client.position(TopicPartition(topic, 0)) == 5
        send_all(topic, [b"new"])
        record = read(client, 1)[0]
    assert (record.offset, record.value) == (5, b"new")


@case
def a_consumer_waiting_in_a_long_poll_is_woken_by_a_produce():
    topic = created_topic()
    with consumer(fetch_max_wait_ms=10000) as client:
        client.assign([TopicPartition(topic, 0)])
        client.seek(TopicPartition(topic, 0), 0)
        client.poll(timeout_ms=100)  # the fetch is now waiting at the broker
        began = now_ms()
        writer = threading.Thread(target=send_all, args=(topic, [b"wake"]))
        writer.start()
        record = read(client, 1)[0]
        writer.join()
    assert record.value == b"wake"
    assert now_ms() - began < 8000, "the produce did not wake the long poll"


@case
def assign_reads_only_the_assigned_partitions():
    topic = created_topic(partitions=3)
    for partition in range(3):
        numbered(topic, 10, partition=partition)
    records = read_all(topic, 20, partitions=(0, 2))
    assert {record.partition for record in records} == {0, 2}
    for partition in (0, 2):
        assert numbers(record for record in records if record.partition == partition) == list(range(10))


@case
def subscribe_to_two_topics_reads_every_partition_of_both():
    topics = [created_topic(partitions=2), created_topic(partitions=3)]
    for topic, partitions in zip(topics, (2, 3)):
        for partition in range(partitions):
            numbered(topic, 4, partition=partition)
    with consumer(auto_offset_reset="earliest") as client:
        client.subscribe(topics)
        records = read(client, 20)
        assert client.subscription() == set(topics)
    assert len({(record.topic, record.partition) for record in records}) == 5


@case
def subscribe_by_pattern_finds_the_topic():
    topic = created_topic()
    numbered(topic, 3)
    with consumer(auto_offset_reset="earliest") as client:
        client.subscribe(pattern="^" + topic + "$")
        assert numbers(read(client, 3)) == [0, 1, 2]


@case
def seek_goes_to_any_offset_back_and_forth():
    topic, tp = created_topic(), None
    tp = TopicPartition(topic, 0)
    numbered(topic, 100)
    with consumer() as client:
        client.assign([tp])
        for offset in (50, 0, 99, 98, 10):
            client.seek(tp, offset)
            assert read(client, 1)[0].offset == offset
            assert client.position(tp) == offset + 1


@case
def seek_into_the_middle_of_a_compressed_batch_starts_there():
    topic, tp = created_topic(), None
    tp = TopicPartition(topic, 0)
    send_all(topic, [b"%d" % i for i in range(100)], linger_ms=100, compression_type="gzip")
    with consumer() as client:
        client.assign([tp])
        client.seek(tp, 57)
        assert numbers(read(client, 3)) == [57, 58, 59]


@case
def seek_to_beginning_and_seek_to_end_find_both_ends():
    topic = created_topic()
    tp = TopicPartition(topic, 0)
    numbered(topic, 10)
    with consumer() as client:
        client.assign([tp])
        client.seek_to_end(tp)
        assert client.position(tp) == 10
        client.seek_to_beginning(tp)
        assert client.position(tp) == 0
        assert numbers(read(client, 10)) == list(range(10))


@case
def an_offset_out_of_range_falls_back_to_the_reset_policy():
    topic = created_topic()
    tp = TopicPartition(topic, 0)
    numbered(topic, 3)
    with consumer(auto_offset_reset="earliest") as client:
        client.assign([tp])
        client.seek(tp, 1000)
        assert numbers(read(client, 3)) == [0, 1, 2]


@case
def an_offset_out_of_range_without_a_reset_policy_is_an_error():
    topic = created_topic()
    tp = TopicPartition(topic, 0)
    numbered(topic, 3)
    with consumer(auto_offset_reset="none") as client:
        client.assign([tp])
        client.seek(tp, 1000)

        def poll_until_error():
            while True:
                client.poll(timeout_ms=500)

        expect_error(kafka.errors.OffsetOutOfRangeError, poll_until_error)


@case
def offsets_for_times_finds_the_first_record_at_or_after_a_time():
    topic, base = created_topic(), now_ms() - 100000
    tp = TopicPartition(topic, 0)
    numbered(topic, 10, base_ms=base)
    with consumer() as client:
        for at, offset in ((base - 5000, 0), (base, 0), (base + 1, 1), (base + 3000, 3), (base + 8001, 9), (base + 9000, 9)):
            found = client.offsets_for_times({tp: at})[tp]
            assert (found.offset, found.timestamp) == (offset, base + offset * 1000), (at - base, found)
        assert client.offsets_for_times({tp: base + 9001})[tp] is None


@case
def offsets_for_times_is_exact_inside_one_compressed_batch():
    topic, base = created_topic(), now_ms() - 100000
    tp = TopicPartition(topic, 0)
    with producer(linger_ms=200, compression_type="lz4") as client:
        for i in range(50):
            client.send(topic, b"%d" % i, partition=0, timestamp_ms=base + i * 10)
        client.flush(timeout=20)
    with consumer() as client:
        found = client.offsets_for_times({tp: base + 251})[tp]
    assert (found.offset, found.timestamp) == (26, base + 260), found


@case
def offsets_for_times_answers_each_partition_separately():
    topic, base = created_topic(partitions=3), now_ms() - 100000
    numbered(topic, 4, partition=0, base_ms=base)
    numbered(topic, 4, partition=1, base_ms=base + 2500)
    with consumer() as client:
        found = client.offsets_for_times({TopicPartition(topic, index): base + 2000 for index in range(3)})
    assert found[TopicPartition(topic, 0)].offset == 2
    assert found[TopicPartition(topic, 1)].offset == 0
    assert found[TopicPartition(topic, 2)] is None


@case
def beginning_and_end_offsets_name_the_ends_of_every_partition():
    topic = created_topic(partitions=3)
    partitions = [TopicPartition(topic, index) for index in range(3)]
    numbered(topic, 5, partition=0)
    numbered(topic, 7, partition=2)
    with consumer() as client:
        assert client.beginning_offsets(partitions) == dict.fromkeys(partitions, 0)
        assert client.end_offsets(partitions) == dict(zip(partitions, (5, 0, 7)))


@case
def partitions_for_topic_and_topics_know_the_topic():
    topic = created_topic(partitions=6)
    with consumer() as client:
        assert client.partitions_for_topic(topic) == set(range(6))
        assert topic in client.topics()


@case
def a_topic_that_does_not_exist_gives_nothing_and_no_error():
    settings = {"allow_auto_create_topics": False} if VERSION >= (2, 1, 0) else {}
    topic = new_topic()
    with consumer(consumer_timeout_ms=300, **settings) as client:
        client.assign([TopicPartition(topic, 0)])
        client.seek(TopicPartition(topic, 0), 0)
        assert client.poll(timeout_ms=300) == {}


@case
def a_topic_that_does_not_exist_has_no_partitions():
    if VERSION < (2, 1, 0):
        raise Skip("kafka-python 2.0 lets the broker create what it asks for")
    with consumer(allow_auto_create_topics=False) as client:
        assert not client.partitions_for_topic(new_topic())


@case
def poll_returns_records_by_partition_and_honours_max_poll_records():
    topic = created_topic(partitions=2)
    partitions = [TopicPartition(topic, index) for index in range(2)]
    for partition in range(2):
        numbered(topic, 50, partition=partition)
    seen = {tp: [] for tp in partitions}
    with consumer(max_poll_records=7) as client:
        client.assign(partitions)
        client.seek_to_beginning(*partitions)
        while sum(map(len, seen.values())) < 100:
            answer = client.poll(timeout_ms=5000)
            assert answer and sum(map(len, answer.values())) <= 7
            for tp, records in answer.items():
                seen[tp] += numbers(records)
    assert all(values == list(range(50)) for values in seen.values())


@case
def pause_and_resume_hold_back_one_partition():
    topic = created_topic(partitions=2)
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    for partition in range(2):
        numbered(topic, 5, partition=partition)
    with consumer() as client:
        client.assign([first, second])
        client.seek_to_beginning(first, second)
        client.pause(first)
        assert {record.partition for record in read(client, 5)} == {1}
        client.resume(first)
        assert {record.partition for record in read(client, 5)} == {0}


@case
def small_fetch_limits_still_make_progress_through_large_records():
    topic, values = created_topic(), [bytes([65 + i]) * 50000 for i in range(10)]
    send_all(topic, values, batch_size=0)
    records = read_all(topic, 10, max_partition_fetch_bytes=1000, fetch_max_bytes=2000)
    assert [record.value for record in records] == values


@case
def many_records_over_many_partitions_all_arrive_in_order():
    topic = created_topic(partitions=20)
    with producer(linger_ms=5) as client:
        # One to each partition first: a new leader's NOT_LEADER_OR_FOLLOWER would make a producer that is not idempotent reorder.
        for i in range(20):
            client.send(topic, b"%d" % i, partition=i).get(timeout=20)
        for i in range(20, 10000):
            client.send(topic, b"%d" % i, partition=i % 20)
        client.flush(timeout=25)
    records = read_all(topic, 10000, partitions=range(20), max_poll_records=2000)
    for partition in range(20):
        assert numbers(r for r in records if r.partition == partition) == list(range(partition, 10000, 20))


@cases_for("isolation level {} reads plain records", ["read_uncommitted", "read_committed"])
def isolation(level):
    if VERSION < (2, 1, 0):
        raise Skip("kafka-python 2.0 has no isolation levels")
    topic = created_topic()
    numbered(topic, 5)
    assert numbers(read_all(topic, 5, isolation_level=level)) == list(range(5))


@case
def incremental_fetch_sessions_of_kip_227_can_be_off():
    if VERSION < (2, 1, 0):
        raise Skip("kafka-python 2.0 has no fetch sessions")
    topic = created_topic()
    numbered(topic, 5)
    assert numbers(read_all(topic, 5, enable_incremental_fetch_sessions=False)) == list(range(5))


main()
