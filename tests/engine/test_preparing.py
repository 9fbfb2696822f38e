"""What renders need of other programs is done, kept, and handed in; nothing of it is done twice or in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from controller.engine.preparing import Workshop
from controller.model import Invalid, Position, Problem, Secret, Stalled, Transient, Unequipped
from controller.render import ChartTemplate, Decryption, Needed, Prepared, Result
from controller.render.needs import results_of

HERE = Position("a.yaml", 3)


def chart(name: str) -> ChartTemplate:
    return ChartTemplate(files=(("Chart.yaml", b""),), release=name, namespace="x", where=HERE)


def secret(name: str) -> Decryption:
    return Decryption(data=name.encode(), format="yaml", credential="key", where=HERE)


async def templated(need: ChartTemplate) -> Result:
    await asyncio.sleep(0)
    return need.release.encode()


async def decrypted(need: Decryption) -> Result:
    await asyncio.sleep(0)
    return Secret(need.data)


def wanting(*needs: ChartTemplate | Decryption) -> Callable[[Prepared], Awaitable[tuple[Result, ...]]]:
    async def do(prepared: Prepared) -> tuple[Result, ...]:
        return results_of(needs, prepared)

    return do


@pytest.fixture
def workshop() -> Workshop:
    return Workshop({ChartTemplate: templated, Decryption: decrypted})


async def test_needs_are_done_and_their_results_handed_in(workshop: Workshop) -> None:
    assert await workshop.work(wanting(chart("a"), secret("b"))) == (b"a", Secret("b"))


async def test_a_result_may_lead_to_another_need(workshop: Workshop) -> None:
    async def do(prepared: Prepared) -> Result:
        (first,) = results_of([chart("a")], prepared)
        (second,) = results_of([chart(f"{first!r}2")], prepared)
        return second

    assert await workshop.work(do) == b"b'a'2"


async def test_the_same_need_is_done_once_also_by_many_at_a_time(workshop: Workshop) -> None:
    await asyncio.gather(*(workshop.work(wanting(chart("a"), chart("a"))) for _ in range(10)))
    await workshop.work(wanting(chart("a"), chart("b")))
    assert workshop.works == 2


async def test_work_without_needs_costs_nothing(workshop: Workshop) -> None:
    assert await workshop.work(wanting()) == ()
    assert workshop.works == 0


async def test_whoever_needs_something_else_for_ever_is_stopped(workshop: Workshop) -> None:
    count = 0

    async def do(_prepared: Prepared) -> None:
        nonlocal count
        count += 1
        raise Needed([chart(str(count))])

    with pytest.raises(RuntimeError):
        await workshop.work(do)


async def test_every_problem_of_every_need_is_told_at_once() -> None:
    async def broken(need: ChartTemplate) -> Result:
        raise Invalid([Problem(Position(f"{need.release}.yaml", 1), "it is wrong")])

    with pytest.raises(Invalid) as caught:
        await Workshop({ChartTemplate: broken}).work(wanting(chart("a"), chart("b")))
    assert [str(one.where) for one in caught.value.problems] == ["a.yaml:1", "b.yaml:1"]


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (Stalled("the chart is wrong"), 1),
        (Unequipped("no helm"), 2),
        (Transient("it took too long"), 2),
    ],
)
async def test_a_verdict_on_the_need_is_kept_and_what_may_heal_is_tried_again(error: Exception, tries: int) -> None:
    async def broken(_need: ChartTemplate) -> Result:
        raise error

    workshop = Workshop({ChartTemplate: broken})
    for _ in range(2):
        with pytest.raises(type(error)):
            await workshop.work(wanting(chart("a")))
    assert workshop.works == tries


async def test_a_need_that_nobody_here_can_do_says_whose_it_is() -> None:
    with pytest.raises(Unequipped, match=r"a\.yaml:3"):
        await Workshop().work(wanting(secret("a")))


async def test_results_are_kept_up_to_a_bound() -> None:
    workshop = Workshop({ChartTemplate: templated}, kept_bytes=3)
    for name in ("a", "b", "c", "a", "d", "a", "b"):
        await workshop.work(wanting(chart(name)))
    assert workshop.works == 5  # a, b, c, then d drops b, and b drops c


def test_what_tells_people_where_a_need_is_does_not_change_it() -> None:
    moved = ChartTemplate(
        files=(("Chart.yaml", b""),), release="a", namespace="x", where=Position("z.yaml"), path="charts"
    )
    assert moved.digest == chart("a").digest != chart("b").digest


async def test_who_only_tries_hears_of_a_need_that_fails_and_goes_on() -> None:
    async def half(need: ChartTemplate) -> Result:
        if need.release == "b":
            raise Stalled("b is wrong")
        return need.release.encode()

    async def do(prepared: Prepared) -> Result:
        with pytest.raises(Stalled, match="b is wrong"):
            results_of([chart("b")], prepared)
        (found,) = results_of([chart("a")], prepared)
        return found

    assert await Workshop({ChartTemplate: half}).work(do) == b"a"
