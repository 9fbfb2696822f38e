"""Who owns what after somebody's edit: all that finding drift without a request rests on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, ApiError
from tests.cluster.kubectl import Kubectl
from tests.sandbox.contract.objects import Object, deployment, entry, owned, settled

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "edits.yaml").read_text())
CONTAINER = ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"web"}')


def web() -> Object:
    body = deployment(labels={"tier": "front"})
    body["spec"]["template"]["spec"]["containers"][0] |= {
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "ports": [{"containerPort": 80}],
        "resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}},
    }
    return body


def leaves(fields: Object, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for step, below in fields.items():
        if not below:
            yield above if step == "." else (*above, step)
        else:
            yield from leaves(below, (*above, step))


async def now(api: Api) -> Object:
    return await api.get("apps/v1", "Deployment", "web")


def at(fields: Object, *path: str) -> Any:
    for step in path:
        fields = fields.get(step, {})
    return fields


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
async def test_an_edit_takes_what_it_changed_from_us(
    api: Api, access: KubeAccess, kubectl: Kubectl, case: Object
) -> None:
    await api.apply(web())
    before = set(leaves(owned(await settled(api), "converge")))
    edit = Kubectl(access, editor=case.get("editor", ""))
    await edit(*case["arguments"])
    live = await now(api)
    lost = before - set(leaves(owned(live, "converge")))
    gone = {tuple(path.split(" ")) for path in case["lost"]}
    assert {path for path in lost if not any(path[: len(one)] == one for one in gone)} == set()
    assert all(any(path[: len(one)] == one for path in lost) for one in gone)
    if case["entry"] is None:
        assert {one["manager"] for one in live["metadata"]["managedFields"]} == {"converge", "kube-controller-manager"}
        return
    which = dict(case["entry"])
    noted = entry(live, which.pop("manager"), **which)
    assert noted is not None
    assert ("time" in noted) is case.get("timed", True)


async def test_an_added_list_element_shows_its_defaulted_key(api: Api) -> None:
    live = await api.apply(web())
    assert at(owned(live, "converge"), *CONTAINER, "f:ports") == {
        'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}
    }


async def test_a_forced_apply_takes_what_differs_and_shares_what_is_equal(api: Api) -> None:
    await api.apply(web())
    other = web()
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:9"
    live = await api.apply(other, manager="other", force=True)
    ours, theirs = owned(live, "converge"), owned(live, "other")
    assert "f:image" not in at(ours, *CONTAINER)
    assert "f:image" in at(theirs, *CONTAINER)
    assert "f:replicas" in at(ours, "f:spec")
    assert "f:replicas" in at(theirs, "f:spec")


async def test_a_client_side_apply_takes_what_it_changes(api: Api, kubectl: Kubectl) -> None:
    await api.apply(web())
    changed = web()
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:7"
    await kubectl("apply", "-f", "-", stdin=json.dumps(changed))
    live = await now(api)
    assert "f:image" not in at(owned(live, "converge"), *CONTAINER)
    assert "f:replicas" in at(owned(live, "converge"), "f:spec")
    theirs = owned(live, "kubectl-client-side-apply", operation="Update")
    assert "f:image" in at(theirs, *CONTAINER)


async def test_a_reset_forgets_everybody_and_the_next_apply_shares_with_before(api: Api) -> None:
    await api.apply(web())
    await settled(api)
    live = await api.patch(web(), {"metadata": {"managedFields": [{}]}})
    assert "managedFields" not in live["metadata"]
    live = await api.apply(web(), force=True)
    assert "f:replicas" in at(owned(live, "before-first-apply", operation="Update"), "f:spec")
    assert "f:replicas" in at(owned(live, "converge"), "f:spec")


async def test_our_forced_apply_brings_our_set_back_byte_for_byte(api: Api, kubectl: Kubectl) -> None:
    first = await api.apply(web())
    await kubectl("set", "image", "deployment/web", "web=nginx:2")
    await kubectl("scale", "deployment/web", "--replicas=3")
    await kubectl("set", "env", "deployment/web", "B-")
    with pytest.raises(ApiError) as refused:
        await api.apply(web())
    assert refused.value.code == 409
    assert {cause["field"] for cause in refused.value.causes} == {
        ".spec.replicas",
        '.spec.template.spec.containers[name="web"].image',
    }
    again = await api.apply(web(), force=True)
    assert json.dumps(owned(again, "converge"), sort_keys=True) == json.dumps(owned(first, "converge"), sort_keys=True)
    assert entry(again, "kubectl", operation="Update", subresource="scale") is None


async def test_a_copy_made_by_a_controller_carries_our_annotations(api: Api) -> None:
    body = web()
    body["metadata"]["annotations"] = {"converge/owner": "us"}
    await api.apply(body)
    await settled(api)
    (copy,) = (await api.list("apps/v1", "ReplicaSet"))["items"]
    assert copy["metadata"]["annotations"]["converge/owner"] == "us"
    assert entry(copy, "converge") is None
