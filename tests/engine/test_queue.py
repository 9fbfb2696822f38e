import asyncio

from controller.engine.queue import Queue


async def test_a_key_stands_in_the_queue_once() -> None:
    queue: Queue[str] = Queue()
    queue.add("a")
    queue.add("a")
    assert await queue.take() == "a"
    queue.done("a")
    assert queue.is_idle


async def test_a_key_asked_for_while_it_runs_runs_again_afterwards() -> None:
    queue: Queue[str] = Queue()
    queue.add("a")
    await queue.take()
    queue.add("a")
    waiting = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.done("a")
    assert await waiting == "a"


async def test_keys_come_in_the_order_in_which_they_were_asked_for() -> None:
    queue: Queue[str] = Queue()
    for name in "cab":
        queue.add(name)
    assert [await queue.take() for _ in range(3)] == ["c", "a", "b"]


async def test_the_earlier_of_two_timers_counts() -> None:
    queue: Queue[str] = Queue()
    queue.add_later("a", 0.0)
    queue.add_later("a", 3600.0)
    assert await asyncio.wait_for(queue.take(), 10) == "a"


async def test_an_event_fulfils_a_timer() -> None:
    queue: Queue[str] = Queue()
    queue.add_later("a", 0.01)
    queue.add("a")
    await queue.take()
    queue.done("a")
    queue.add_later("b", 0.05)
    assert await asyncio.wait_for(queue.take(), 10) == "b"


async def test_a_nudge_that_a_run_saw_through_asks_for_no_other() -> None:
    queue: Queue[str] = Queue()
    queue.add("a")
    await queue.take()
    queue.nudge("a", 0.0)
    queue.saw_all("a")
    queue.done("a")
    queue.add("b")
    assert await queue.take() == "b"
    assert queue.is_resting("a")


async def test_a_nudge_that_comes_after_a_run_looked_runs_its_key_again() -> None:
    queue: Queue[str] = Queue()
    queue.add("a")
    await queue.take()
    queue.saw_all("a")
    queue.nudge("a", 0.0)
    await asyncio.sleep(0)  # the timer may fire while the run is under way
    queue.done("a")
    assert await queue.take() == "a"


async def test_a_nudge_wakes_a_key_that_rests() -> None:
    queue: Queue[str] = Queue()
    queue.nudge("a", 0.0)
    queue.nudge("a", 60.0)
    async with asyncio.timeout(5):
        assert await queue.take() == "a"
