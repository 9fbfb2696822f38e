"""What queries find."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.engine.query.index import Index
from controller.engine.query.language import parse_query
from controller.model import CommitId, Stalled
from tests.engine.query.make import DB, EVERY, JOB, OLD, PULL, SHOP, STAGING, WEB, instance, path_of

AT = CommitId("c" * 40)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index(tmp_path / "index.sqlite") as made:
        made.replace(((path_of(one), one) for one in EVERY), AT)
        yield made


def found(index: Index, text: str) -> list[Any]:
    return list(index.find(parse_query(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [PULL, SHOP, JOB, WEB, DB, STAGING]),
        ("kind=Deployment", [WEB, STAGING]),
        ("kind==Deployment", [WEB, STAGING]),
        ("kind=deployment environment=prod", [WEB]),
        ("kind=Deployment,CronJob environment=prod", [JOB, WEB]),
        ("health!=Healthy", [JOB]),
        ("kind=Application", [SHOP]),
        ("group=apps", [WEB, STAGING]),
        ("lifecycle=retired", [OLD]),
        ("kind=Deployment lifecycle=active,retired", [OLD, WEB, STAGING]),
        ("image~nginx:1.2", [WEB]),
        ("image~nginx", [WEB, STAGING]),
        ('image~"python*"', [JOB]),
        ("images.log=fluent/bit:3", [WEB]),
        ("image!~nginx", [PULL, SHOP, JOB, DB]),
        ("image!=nginx:1.2 kind=Deployment", [STAGING]),
        ("replicas>3", [STAGING]),
        ("replicas>=3", [WEB, STAGING]),
        ("replicas<10", [WEB]),
        ("since<2026-11-02 kind=Secret", [PULL, DB]),
        ("since>2026-11-02", []),
        ("author=Li name=db", [DB]),
        ("related:uses Secret/db", [JOB, WEB]),
        ("related:uses=Secret/db kind=Deployment", [WEB]),
        ("related:uses Secret/shop/db", [JOB, WEB]),
        ("related:uses Secret/other/db", []),
        ("related:uses Secret/p*", [WEB]),
        ("related:* Secret", [JOB, WEB]),
        ("related:partOf Application/shop", [WEB, DB]),
        ("relatedBy:uses Deployment/web", [PULL, DB]),
        ("relatedBy:uses Deployment.apps/web name=db", [DB]),
        ("relatedBy:uses Deployment.batch/web", []),
    ],
)
def test_a_query_finds(index: Index, text: str, expected: list[Any]) -> None:
    assert found(index, text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("imgae=nginx", 'Did you mean "image'),
        ("nonsense", "is no term"),
        ("related:eats Secret/db", '"eats" is no relation'),
        ("related:uses", "does not say to which instance"),
        ("related:uses a/b/c/d", "names no instance"),
        ("replicas>3,4", "Name one"),
        ('name="web', "not closed"),
    ],
)
def test_what_is_no_query_says_what_is_wrong(index: Index, text: str, why: str) -> None:
    with pytest.raises(Stalled) as caught:
        found(index, text)
    assert why in str(caught.value)


def test_a_value_is_never_taken_for_sql(index: Index) -> None:
    assert found(index, 'name="x\' OR 1=1 --"') == []
    assert found(index, 'image~"\') OR 1=1 --"') == []
    assert found(index, "name=web environment=prod") == [WEB]


def test_files_that_change_and_go_are_followed(index: Index) -> None:
    scaled = instance(WEB["identity"]["key"], images={"web": "nginx:2"}, replicas=1)
    index.update([(path_of(WEB), scaled), (path_of(DB), None), ("cmdb/none.yaml", None)], CommitId("d" * 40))
    assert index.commit == "d" * 40
    assert found(index, "replicas=1") == [scaled]
    assert found(index, "kind=Secret") == [PULL]
    assert found(index, "related:uses Secret/db") == [JOB]


def test_a_failed_update_leaves_what_was(index: Index) -> None:
    with pytest.raises(KeyError):
        index.update([(path_of(WEB), None), ("cmdb/x.yaml", {"kind": "Instance"})], CommitId("d" * 40))
    assert index.commit == AT
    assert found(index, "name=web environment=prod") == [WEB]


NAMES = st.sampled_from(["web", "api", "db", "we[b", "wéb", "WEB", "a*c"])
RECORDS = st.lists(
    st.builds(
        lambda environment, kind, name, replicas, image: instance(
            f"{environment}/shop/hz/shop/{kind}/{name}", replicas=replicas, images={"main": image}
        ),
        st.sampled_from(["dev", "prod"]),
        st.sampled_from(["Deployment.apps", "Secret"]),
        NAMES,
        st.integers(0, 20),
        st.sampled_from(["nginx:1.2", "nginx:1.10", "Redis:7"]),
    ),
    unique_by=lambda one: one["identity"]["key"],
    max_size=12,
)


def matches(record: dict[str, Any], name: str, image: str, least: int) -> bool:
    """Say in plain words what the query of the law says."""
    shown = record["name"].lower()
    is_named = fnmatch.fnmatchcase(shown, name.replace("[", "[[]")) if "*" in name else name in shown
    is_image = image.lower() in record["attributes"]["images"]["main"].lower()
    return is_named and is_image and record["attributes"]["replicas"] >= least


@given(RECORDS, st.sampled_from(["w*", "e", "[b", "*"]), st.sampled_from(["nginx", "redis", "1."]), st.integers(0, 20))
def test_an_index_finds_what_a_look_at_every_record_finds(
    records: list[dict[str, Any]], name: str, image: str, least: int
) -> None:
    with Index(Path(":memory:")) as index:
        index.replace(((path_of(one), one) for one in (*records, OLD)), AT)
        wanted = [one for one in records if matches(one, name, image, least)]
        text = f'name~"{name}" image~{image} replicas>={least}'
        assert found(index, text) == sorted(wanted, key=lambda one: str(one["identity"]["key"]))
