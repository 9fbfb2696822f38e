"""A live value is written where a person would write it, and changes that field and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.documents import decode
from controller.engine.operations.accepting import Accept, acceptance, is_exactly
from controller.engine.operations.trees import EditedTree
from controller.engine.operations.ways import Accepted, changed_part, image_between
from controller.model import (
    ABSENT,
    PLATFORM,
    ApplicationName,
    CommitId,
    EnvironmentName,
    FieldValue,
    Hidden,
    MemoryTree,
    ObjectKey,
    PlacementRef,
    RepositoryName,
    Revision,
    Stalled,
    TargetName,
    parse_path,
)
from controller.render import RenderRequest, overlay_paths, render, resolve
from tests.engine.operations.make import group

PLACEMENT = PlacementRef(EnvironmentName("prod"), ApplicationName("shop"), TargetName("hz"))
FOLDER = "overlays/prod/shop"
OVERLAY = f"{FOLDER}/kustomization.yaml"
COMPONENT = b"# Ours.\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
WEB = ObjectKey("apps", "Deployment", "shop", "web")
BASE = b"""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {tier: front}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example.com/web:1.0
        args: [--slow]
        env: [{name: LEVEL, value: info}]
        resources: {limits: {memory: 64Mi}}
      - name: log
        image: registry.example.com/log:1.0
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {level: info, tier: front}
---
apiVersion: example.com/v1
kind: Database
metadata: {name: db}
spec: {users: [{name: a, roles: [read]}, {name: b, roles: [read]}], size: 1}
"""


def request(overlay: bytes = b"", files: Mapping[str, bytes] | None = None) -> RenderRequest:
    named = {**({OVERLAY: overlay} if overlay else {}), **(files or {})}
    return RenderRequest(
        placement=PLACEMENT,
        revision=Revision(CommitId("a" * 40), CommitId("b" * 40)),
        application=MemoryTree({"deploy/web.yaml": BASE}, RepositoryName("shop")),
        path="deploy",
        platform=MemoryTree({"converge.yaml": b"", **named}, PLATFORM),
        overlays=overlay_paths(PLACEMENT),
        namespace="shop",
    )


def field(one: RenderRequest, key: ObjectKey, text: str, live: FieldValue) -> Accepted:
    manifest = next(each for each in render(one).desired.manifests if each.key == key)
    return Accepted(key, resolve(decode(manifest.body), parse_path(text)), live)


def accept(one: RenderRequest, *fields: Accepted) -> tuple[Accept, dict[str, bytes]]:
    operation = acceptance(PLACEMENT, fields, {PLACEMENT: one}, FOLDER)
    return operation, dict(operation.edits(one.platform))


IMAGE = "spec.template.spec.containers[web].image"
LEVEL = "spec.template.spec.containers[web].env[LEVEL].value"


CONFIG = ObjectKey("", "ConfigMap", "shop", "web")
DATABASE = ObjectKey("example.com", "Database", "shop", "db")
COUNTED = b"replicas:\n- {name: web, count: 3}  # for now\n"
TAGGED = b"images:\n- name: registry.example.com/web\n  newTag: '1.1'\n"
PATCHED = b"""\
patches:
- patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec: {replicas: 4}
"""


@pytest.mark.parametrize(
    ("overlay", "key", "text", "live", "said"),
    [
        (COUNTED, WEB, "spec.replicas", 5, "- {name: web, count: 5}  # for now"),
        (b"", WEB, "spec.replicas", 5, "count: 5"),
        (TAGGED, WEB, IMAGE, "registry.example.com/web:2.0", "newTag: '2.0'"),
        (b"", WEB, IMAGE, "registry.example.com/web:2.0", "newTag:"),
        (b"", WEB, IMAGE, "mirror.example.com/web@sha256:" + "0" * 64, "newName: mirror.example.com/web"),
        (b"", WEB, LEVEL, "debug", "value: debug"),
        (b"", WEB, LEVEL, "on", 'value: "on"'),
        (b"", WEB, "metadata.labels.tier", "back", "tier: back"),
        (b"", WEB, "metadata.labels.tier", ABSENT, "path: /metadata/labels/tier"),
        (b"", WEB, "spec.template.spec.containers[web].args", ["--fast"], "--fast"),
        (b"", WEB, "spec.template.spec.containers[web].resources.limits.memory", "128Mi", "memory: 128Mi"),
        (b"", WEB, "spec.template.spec.containers[log]", ABSENT, "op: remove"),
        (b"", CONFIG, "data.level", "debug", "level: debug"),
        (b"", DATABASE, "spec.size", 2, "size: 2"),
        (b"", DATABASE, "spec.users[b].roles", ["write"], "path: /spec/users/1/roles"),
        (PATCHED, WEB, "spec.replicas", 7, "spec: {replicas: 7}"),
    ],
)  # fmt: skip
def test_a_value_is_said_where_it_belongs(
    overlay: bytes, key: ObjectKey, text: str, live: FieldValue, said: str
) -> None:
    one = request(COMPONENT + overlay if overlay else b"")
    operation, files = accept(one, field(one, key, text, live))
    assert set(files) == {OVERLAY}
    assert said in files[OVERLAY].decode()
    if overlay:
        assert files[OVERLAY].startswith(b"# Ours.\n")
    assert operation.subject.startswith(f"Accept {key} {text}")


def test_a_file_of_the_overlay_is_edited_at_its_line() -> None:
    patch = b"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 4  # four eyes\n"
    one = request(COMPONENT + b"patches:\n- path: more.yaml\n", {f"{FOLDER}/more.yaml": patch})
    _, files = accept(one, field(one, WEB, "spec.replicas", 6))
    assert files == {f"{FOLDER}/more.yaml": patch.replace(b"4  #", b"6  #")}


def test_what_the_whole_environment_says_is_not_changed_for_all() -> None:
    wide = {"overlays/prod/kustomization.yaml": COMPONENT + b"replicas:\n- {name: web, count: 3}\n"}
    one = request(files=wide)
    _, files = accept(one, field(one, WEB, "spec.replicas", 5))
    assert set(files) == {OVERLAY}


def test_several_fields_are_one_edit() -> None:
    one = request()
    fields = [field(one, WEB, "spec.replicas", 5), field(one, WEB, LEVEL, "debug"), field(one, WEB, IMAGE, "x.io/w:3")]
    operation, files = accept(one, *fields)
    assert operation.subject == "Accept 3 fields as they run in prod/shop"
    after = render(replace(one, platform=EditedTree(one.platform, files))).desired
    web = decode(next(each for each in after.manifests if each.key == WEB).body)
    assert web["spec"]["replicas"] == 5
    container = web["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["env"]) == ("x.io/w:3", [{"name": "LEVEL", "value": "debug"}])


def test_a_secret_value_is_not_accepted() -> None:
    one = request()
    with pytest.raises(Stalled, match="never leaves its target"):
        accept(one, field(one, WEB, LEVEL, Hidden("x")))


def test_what_would_change_more_is_refused() -> None:
    generated = COMPONENT + b"configMapGenerator:\n- name: more\n  literals: [a=1]\n"
    one = request(generated)
    name = next(each.key for each in render(one).desired.manifests if each.key.name.startswith("more-"))
    with pytest.raises(Stalled, match="changes this field and nothing else"):
        accept(one, field(one, name, "data.a", "2"))  # the hash in its name would change too


VALUES = st.one_of(
    st.integers(-(2**31), 2**31),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12),
    st.sampled_from(["on", "1", "null", "~", "a: b", "#", "'", '"', "${X}", " x "]),
    st.booleans(),
    st.lists(st.sampled_from(["a", "b"]), max_size=2),
)


@given(VALUES, st.sampled_from(["spec.size", "spec.users[b].name", "spec.more", 'metadata.annotations["a.b/c"]']))
def test_whatever_was_live_is_rendered_afterwards_and_nothing_else_moves(live: Any, text: str) -> None:
    one = request()
    wanted = field(one, DATABASE, text, str(live) if "metadata" in text or "name" in text else live)
    _, files = accept(one, wanted)
    after = replace(one, platform=EditedTree(one.platform, files))
    assert is_exactly(render(one).desired, render(after).desired, wanted)


@pytest.mark.parametrize(
    ("value", "live", "text", "expected"),
    [
        ("nginx:1.2", "nginx:1.3", "1.2", "1.3"),
        ("nginx:1.2", "redis:1.2", "1.2", None),
        ("3", "5", "3", "5"),
        ("ab", "a", "b", ""),
        ("aa", "a", "aa", "a"),
    ],
)
def test_a_part_of_a_value_is_changed_where_the_rest_stays(
    value: str, live: str, text: str, expected: str | None
) -> None:
    assert changed_part(value, live, text) == expected


def test_an_image_becomes_another_by_one_entry() -> None:
    assert str(image_between("a.io:5000/web:1", "a.io:5000/web:2")) == "2"
    assert str(image_between("web", "web@sha256:1")) == "sha256:1"
    assert str(image_between("web:1", "b.io/web:2")) == "b.io/web:2"


def test_the_group_that_it_concerns_is_named() -> None:
    assert Accept(group("prod/shop"), (), ()).group == group("prod/shop")
