"""Why a workload is unwell, from pods and events that are read only then."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from controller.runtime import SystemClock
from controller.targets.kubernetes.diagnosing import Diagnoser, diagnosed, is_observed, reason_of_events
from controller.targets.kubernetes.members import Member
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.fixtures.clock import ManualClock
from tests.fixtures.waiting import eventually
from tests.targets.kubernetes.observing import Observer, observing
from tests.targets.kubernetes.placing import Body, deployment


def unwell(namespace: str, image: str) -> Body:
    return deployment("web", namespace, image=image)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("fail.example/pull/web:1", "ImagePullBackOff: Back-off pulling image"),
        ("fail.example/crash/web:1", "CrashLoopBackOff: container web ended with exit code 1"),
    ],
)
async def test_a_pod_that_fails_says_why_in_one_line(access: KubeAccess, image: str, reason: str) -> None:
    async with observing(access) as observer:
        woken: list[object] = []
        await observer.write_parent("Deployment.apps")
        await observer.apply(unwell(access.namespace, image))
        async with asyncio.TaskGroup() as tasks:
            diagnoser = Diagnoser(
                observer.connection, clock=SystemClock(), start=lambda work: tasks.create_task(work) and None,
                told=woken.append, looks=(0.1,) * 100,
            )  # fmt: skip

            def told() -> bool:
                member = observer.member("web")
                return member is not None and reason in diagnoser.diagnosis(member)

            await eventually(told)
            assert woken
            diagnoser._looking.clear()


async def until_told(observer: Observer, live: dict[str, Any], part: str) -> None:
    async with asyncio.timeout(30):
        while part not in await diagnosed(observer.connection, live):  # noqa: ASYNC110 - pods set no event of ours
            await asyncio.sleep(0.05)


@pytest.mark.cluster
async def test_what_can_not_be_scheduled_is_told(cluster: KubeAccess) -> None:
    body = unwell(cluster.namespace, "nginx:1")
    body["spec"]["template"]["spec"]["nodeSelector"] = {"none": "such"}
    async with observing(cluster) as observer, Api.connect(cluster) as api:
        await until_told(observer, await api.create(body), "can't be scheduled: 0/1 nodes are available")


@pytest.mark.cluster
async def test_a_full_quota_is_told_by_events(cluster: KubeAccess) -> None:
    quota: Body = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": cluster.namespace},
        "spec": {"hard": {"pods": "0"}},
    }
    body = {**unwell(cluster.namespace, "nginx:1"), "kind": "StatefulSet"}
    body["spec"] = {**body["spec"], "serviceName": "web"}
    async with observing(cluster) as observer, Api.connect(cluster) as api:
        await api.create(quota)
        await api.until("v1", "ResourceQuota", "none", lambda one: one and one.get("status", {}).get("hard"))
        await until_told(observer, await api.create(body), "exceeded quota")


@pytest.mark.parametrize(
    ("kind", "generation", "seen", "answer"),
    [
        ("Deployment.apps", 2, 2, "asked"),
        ("Deployment.apps", 2, 1, "not yet"),
        ("StatefulSet.apps", 1, None, "not yet"),
        ("Job.batch", 1, None, "asked"),
    ],
)
def test_pods_are_asked_about_the_version_that_their_controller_has_seen(
    kind: str, generation: int, seen: int | None, answer: str
) -> None:
    status = {} if seen is None else {"observedGeneration": seen}
    assert is_observed(kind, {"metadata": {"generation": generation}, "status": status}) is (answer == "asked")


def test_the_newest_warning_counts() -> None:
    events: list[dict[str, Any]] = [
        {"reason": "Old", "message": "a", "lastTimestamp": "2026-01-01T00:00:00Z"},
        {"reason": "New", "message": "b\n c", "eventTime": "2026-01-02T00:00:00Z"},
    ]
    assert reason_of_events(events) == "New: b c"
    assert reason_of_events([]) == ""


async def test_many_that_are_unwell_wait_in_one_queue_for_each_look(access: KubeAccess) -> None:
    clock = ManualClock()
    names = [f"web-{number}" for number in range(5)]
    image = "fail.example/crash/web:1"
    async with observing(access) as observer:
        await observer.write_parent("Deployment.apps")
        for name in names:
            await observer.apply(deployment(name, access.namespace, image=image))
        for name in names:
            await eventually(lambda name=name: (one := observer.member(name)) and is_asked(one))
            await until_told(observer, observer.member(name).live(), "exit code 1")
        async with asyncio.TaskGroup() as tasks:
            diagnoser = Diagnoser(
                observer.connection, clock=clock, start=lambda work: tasks.create_task(work) and None,
                told=lambda _placement: None, looks=(10.0, 20.0),
            )  # fmt: skip

            def diagnoses() -> list[str]:
                return [diagnoser.diagnosis(one) for name in names if (one := observer.member(name))]

            assert diagnoses() == [""] * 5
            await asyncio.sleep(0)
            assert clock.sleepers == 1
            await clock.advance(10)
            await eventually(lambda: all("exit code 1" in one for one in diagnoses()))
            await eventually(lambda: clock.sleepers == 1)  # the queue of the second look
            diagnoser._looking.clear()
            await clock.advance(20)


def is_asked(member: Member) -> bool:
    return is_observed(member.key.group_kind, member.live())
