"""The chat executor on real threads: order within a chat, no waiting across chats, stuck items, and a clean stop."""

import threading
import time

import pytest

from core.telegram.chat_executor import STEADY, ChatExecutor

WAIT_S = 20  # for a noisy machine; nothing here takes that long


def test_items_of_a_lane_come_in_order_and_lanes_do_not_wait_for_each_other():
    release, seen, other = threading.Event(), [], threading.Event()

    def handle(item):
        if item == "slow":
            assert release.wait(WAIT_S)
        if item == "other":
            other.set()
        seen.append(item)

    lanes = ChatExecutor(handle, threads=8)
    for item in ("slow", "second", "third"):
        lanes.put(1, item)
    lanes.put(2, "other")
    assert other.wait(WAIT_S)
    assert seen == ["other"]
    release.set()
    assert lanes.drain(WAIT_S)
    assert seen == ["other", "slow", "second", "third"]


def test_threads_grow_with_waiting_work_up_to_the_limit():
    inside, most, guard, release = [], [], threading.Lock(), threading.Event()

    def handle(item):
        with guard:
            inside.append(item)
            most.append(len(inside))
        if len(most) >= 4:
            release.set()
        release.wait(WAIT_S)
        with guard:
            inside.remove(item)

    lanes = ChatExecutor(handle, threads=4)
    for lane in range(20):
        lanes.put(lane, lane)
    assert lanes.drain(WAIT_S)
    assert max(most) == 4


def test_while_all_wait_for_the_network_there_is_a_thread_for_each_chat():
    inside, release, wanted = [], threading.Event(), 3 * STEADY

    def handle(item):
        inside.append(item)
        release.wait(WAIT_S)

    lanes = ChatExecutor(handle, threads=128)
    for lane in range(wanted):
        lanes.put(lane, lane)
    end = time.monotonic() + WAIT_S
    while len(inside) < wanted and time.monotonic() < end:
        lanes.grow()
    release.set()
    assert lanes.drain(WAIT_S) and len(inside) == wanted


@pytest.mark.parametrize(("pause_s", "inside"), [(0.0, STEADY), (0.001, STEADY + 2), (0.05, 2 * STEADY)])
def test_there_are_as_many_threads_as_can_wait_for_the_network_at_the_same_time(pause_s, inside):
    threads, enough, release = set(), threading.Event(), threading.Event()

    def handle(item):
        threads.add(threading.get_ident())
        if len(threads) >= inside:
            enough.set()
        assert release.wait(WAIT_S)

    lanes = ChatExecutor(handle, threads=2 * STEADY, pause=lambda: pause_s)
    for lane in range(10 * STEADY):
        lanes.put(lane, lane)
    assert enough.wait(WAIT_S)
    release.set()
    assert lanes.drain(WAIT_S) and len(threads) == inside


def test_an_item_that_hangs_gives_its_lane_to_the_next_one():
    now, stuck, done = [0.0], threading.Event(), threading.Event()
    started = threading.Event()

    def handle(item):
        if item == "hangs":
            started.set()
            stuck.wait(WAIT_S)
        else:
            done.set()

    lanes = ChatExecutor(handle, threads=4, monotonic=lambda: now[0])
    lanes.put(1, "hangs")
    lanes.put(1, "next")
    assert started.wait(WAIT_S)
    assert lanes.give_up(300) == []
    now[0] = 301.0
    assert lanes.give_up(300) == [(1, "hangs")]
    assert done.wait(WAIT_S)
    stuck.set()
    assert lanes.drain(WAIT_S)


def test_a_thread_that_ends_says_goodbye():
    left = threading.Semaphore(0)
    lanes = ChatExecutor(lambda _item: None, threads=4, leave=left.release)
    for item in range(20):
        lanes.put(item, item)
    assert lanes.drain(WAIT_S)
    lanes.close()
    assert left.acquire(timeout=WAIT_S)


def test_an_item_that_raises_does_not_cost_a_thread():
    seen = []

    def handle(item):
        seen.append(item)
        raise ValueError(item)

    lanes = ChatExecutor(handle, threads=1)
    for item in range(5):
        lanes.put(item, item)
    assert lanes.drain(WAIT_S)
    assert seen == [0, 1, 2, 3, 4]
