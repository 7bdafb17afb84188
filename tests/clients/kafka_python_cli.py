"""kafka-python 3's own command line: `kafka-python admin …`, producer and consumer, run in this process but for its entry points."""

import contextlib
import io
import json
import subprocess
import sys

from kafka_python_base import created_topic, partition_index, read_all, send_all
from kafka.cli import run_cli

from harness import BOOTSTRAP, case, eventually, main, new_topic


def run(*words, form="json"):
    """Exit status and standard output of `kafka-python admin` with these words."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        status = run_cli(["admin", "-b", BOOTSTRAP, "--format", form, *words])
    return status, output.getvalue()


def raw(*words):
    """What `kafka-python admin` with these words prints of what it cannot write as JSON; it must succeed."""
    status, output = run(*words, form="raw")
    assert status == 0, output
    return output


def answer(*words):
    """What `kafka-python admin` with these words prints as JSON; it must succeed."""
    status, output = run(*words)
    assert status == 0, output
    return json.loads(output)


def complaint(*words):
    """What `kafka-python admin` with these words prints; it must fail."""
    status, output = run(*words)
    assert status == 1, output
    return output


def broker_id():
    return answer("cluster", "describe")["brokers"][0]["broker_id"]


@case
def the_entry_points_are_there():
    by_name = [sys.prefix + "/bin/kafka-python", "admin"]
    for program in (by_name, [sys.executable, "-m", "kafka.admin"]):
        done = subprocess.run([*program, "-b", BOOTSTRAP, "topics", "list"], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0 and done.stdout.startswith("["), done


@case
def topics_are_created_listed_described_and_deleted():
    name = new_topic()
    answer("topics", "create", "-t", name, "--num-partitions", "2", "--replication-factor", "1")
    eventually(lambda: name in answer("topics", "list"))
    (described,) = answer("topics", "describe", "-t", name)
    assert described["name"] == name and sorted(map(partition_index, described["partitions"])) == [0, 1], described
    assert "TopicAlreadyExists" in complaint("topics", "create", "-t", name, "--num-partitions", "2")
    answer("topics", "delete", "-t", name)
    eventually(lambda: name not in answer("topics", "list"))
    assert "UnknownTopicOrPartition" in complaint("topics", "delete", "-t", name)


@case
def partitions_are_added_described_and_their_offsets_listed():
    name = created_topic()
    answer("partitions", "create", "-p", name + ":3")
    eventually(lambda: len(answer("topics", "describe", "-t", name)[0]["partitions"]) == 3)
    page = raw("partitions", "describe", "-t", name, "--response-partition-limit", "2")
    assert page.count("'leader_id'") == 2 and "'partition_index': 2" in page.split("next_cursor")[1].split("}")[0], page
    send_all(name, [b"x"] * 3)
    offsets = raw("partitions", "list-offsets", "-t", name, "-s", "latest")
    assert "'offset': 3" in offsets and offsets.count("'offset': 0") == 2, offsets
    assert "InvalidPartitions" in complaint("partitions", "create", "-p", name + ":2")
    assert answer("partitions", "list-reassignments") in ({}, [])


@case
def records_are_deleted():
    name = created_topic()
    send_all(name, [b"a", b"b", b"c"])
    assert "'low_watermark': 2" in raw("partitions", "delete-records", "-r", name + ":0:2")
    assert read_all(name, 1)[0].offset == 2
    assert "OffsetOutOfRange" in complaint("partitions", "delete-records", "-r", name + ":0:9")


@case
def leaders_are_elected_and_replicas_assigned_to_where_they_are():
    name, broker = created_topic(partitions=2), broker_id()
    status, output = run("partitions", "elect-leaders", "-t", name, "--no-raise-errors")
    assert status == 0 and name in output, output
    status, output = run("partitions", "alter-reassignments", "-r", "%s:0=%d" % (name, broker))
    assert status == 0, output


@case
def configs_are_altered_described_and_reset():
    name = created_topic()
    answer("configs", "alter", "-r", "topic", "-n", name, "-c", "retention.ms=12345")

    def retention():
        return answer("configs", "describe", "-r", "topic", "-n", name, "-c", "retention.ms")["topic"][name]["retention.ms"]["value"]

    eventually(lambda: retention() == "12345")
    answer("configs", "reset", "-r", "topic", "-n", name, "-c", "retention.ms")
    eventually(lambda: retention() == "604800000")
    assert name in json.dumps(answer("configs", "list", "-r", "topic"))
    refused = answer("configs", "alter", "-r", "topic", "-n", name, "-c", "retention.ms=soon")["topic"][name]
    assert "Invalid value soon for configuration retention.ms" in refused, refused


@case
def the_cluster_its_quorum_versions_and_features_are_described():
    cluster = answer("cluster", "describe")
    assert len(cluster["cluster_id"]) == 22 and len(cluster["brokers"]) == 1, cluster
    (partition,) = answer("cluster", "describe-quorum")["topics"][0]["partitions"]
    assert [voter["replica_id"] for voter in partition["current_voters"]] == [partition["leader_id"]], partition
    status, output = run("cluster", "api-versions")
    assert status == 0, output
    status, output = run("cluster", "broker-version", "--broker", str(broker_id()))
    assert status == 0, output
    feature = answer("cluster", "describe-features", "-f", "metadata.version")["metadata.version"]
    level = feature["finalized"][0]
    assert feature["supported"][0] <= level <= feature["supported"][1] and feature["finalized_epoch"] > 0, feature
    assert answer("cluster", "update-features", "-f", "metadata.version=%d" % level) == {"metadata.version": "OK"}
    too_much = "metadata.version=%d" % (feature["supported"][1] + 1)
    assert "95" in complaint("cluster", "update-features", "-f", too_much)


@case
def log_directories_are_described_and_moves_to_where_things_are_accepted():
    name, broker = created_topic(), broker_id()
    send_all(name, [b"x"])
    (described,) = answer("cluster", "describe-log-dirs", "--topic", name)
    (directory,) = described["log_dirs"]
    (topic,) = directory["topics"]
    assert topic["name"] == name and topic["partitions"][0]["partition_size"] > 0, topic
    status, output = run("cluster", "alter-log-dirs", "-a", "%s:0:%d=%s" % (name, broker, directory["log_dir"]))
    assert status == 0 and "Error" not in output.replace("NoError", ""), output
    status, output = run("cluster", "alter-log-dirs", "-a", "%s:0:%d=/nowhere" % (name, broker))
    assert "LogDirNotFound" in output, output


@case
def the_console_producer_writes_lines_and_the_console_consumer_reads_them():
    name = created_topic()
    program = sys.prefix + "/bin/kafka-python"
    done = subprocess.run([program, "producer", "-b", BOOTSTRAP, "-t", name], input="one\ntwo\n", capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done
    assert sorted(record.value for record in read_all(name, 2)) == [b"one", b"two"]
    command = [program, "consumer", "-b", BOOTSTRAP, "-t", name, "-C", "auto_offset_reset=earliest"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        # It reads on until it is ended; a case that takes too long is interrupted.
        lines = [reader.stdout.readline().strip() for _ in range(2)]
        reader.terminate()
    assert sorted(lines) == ["one", "two"], lines


main()
