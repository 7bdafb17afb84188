"""Runs the cases of one client program against one broker and reports each of them on a line of its own.

A program registers its cases with `@case("group")` and ends with `main(bootstrap_consumer)`. Invariants:
* every case has its own random topic names, so cases never see each other and a broker may be used again;
* every case is bounded: SIGALRM interrupts it after CASE_SECONDS;
* a case that this client version cannot do raises `Skip`, which is printed and counted, never silent.
Called by tests/clients/python.rs, or by hand: `python kafka_python_producer.py 127.0.0.1:9092 [name-part]`.
"""

import inspect
import logging
import os
import signal
import sys
import threading
import time
import traceback
import uuid

CASE_SECONDS = 30
BOOTSTRAP = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("KLAMM_TEST_BOOTSTRAP", "127.0.0.1:9092")
_cases = []


class Skip(Exception):
    """This client version has no such feature."""


class TooSlow(BaseException):
    """The case did not end within CASE_SECONDS. No Exception, so that no client code swallows it."""


def case(function):
    """Registers a function as a case; its name is the sentence that is printed."""
    _cases.append(function)
    return function


def cases_for(name, values):
    """Registers one case per value: the sentence is `name` with the value put in."""

    def register(function):
        for value in values:
            bound = lambda value=value: function(value)
            bound.__name__ = name.format(value)
            _cases.append(bound)
        return function

    return register


def new_topic():
    """A topic name that no other case uses."""
    return "t-" + uuid.uuid4().hex[:16]


def expect_error(kinds, function, *arguments):
    """Calls the function and returns the error it raised, which must be one of `kinds`."""
    try:
        result = function(*arguments)
    except kinds as error:
        return error
    raise AssertionError("expected %s, but it returned %r" % (kinds, result))


def eventually(condition, seconds=15):
    """Asks the broker again until the answer is true. Apache Kafka's CreateTopics and DeleteTopics answer before every
    broker has heard of the change; each question is a round trip, with a short pause to spare the processor."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, "not true within %d s: %s" % (seconds, inspect.getsource(condition).strip())
        threading.Event().wait(0.02)


def murmur2(data):
    """The hash of Kafka's default partitioner (org.apache.kafka.common.utils.Utils.murmur2), written independently."""
    mask, m, r = 0xFFFFFFFF, 0x5BD1E995, 24
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little")
        k = (k * m) & mask
        k ^= k >> r
        k = (k * m) & mask
        h = ((h * m) & mask) ^ k
    rest = data[whole:]
    if rest:
        h ^= int.from_bytes(rest, "little")
        h = (h * m) & mask
    h ^= h >> 13
    h = (h * m) & mask
    return h ^ (h >> 15)


def partition_of(key, partitions):
    """The partition to which a client with the Java-compatible partitioner sends this key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def _alarm(_signal, _frame):
    raise TooSlow("the case did not end within %d s" % CASE_SECONDS)


def main():
    """Runs the registered cases and ends the process: status 1 when one failed."""
    logging.basicConfig(level=os.environ.get("KLAMM_TEST_CLIENT_LOG", "CRITICAL"), format="%(asctime)s %(name)s %(levelname)s %(message)s")
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    signal.signal(signal.SIGALRM, _alarm)
    passed, failed, skipped = [], [], []
    for function in _cases:
        name = function.__name__.replace("_", " ")
        if wanted not in name:
            continue
        began = time.monotonic()
        signal.alarm(CASE_SECONDS)
        try:
            function()
        except Skip as reason:
            skipped.append(name)
            print("skipped  %s: %s" % (name, reason))
        except (Exception, TooSlow):
            failed.append(name)
            print("FAILED   %s (%.2f s)" % (name, time.monotonic() - began))
            traceback.print_exc(file=sys.stdout)
        else:
            passed.append(name)
            print("passed   %s (%.2f s)" % (name, time.monotonic() - began))
        finally:
            signal.alarm(0)
            sys.stdout.flush()
    print("%d passed, %d failed, %d skipped" % (len(passed), len(failed), len(skipped)))
    sys.stdout.flush()
    # Not sys.exit: a client thread that does not end must not keep a finished program alive.
    os._exit(1 if failed or not passed else 0)
