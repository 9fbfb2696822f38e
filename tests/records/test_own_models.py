"""What records tell of a kind by a platform's own model: what the model says, and never what may be secret."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from controller.config.own_models import RESERVED, read_models
from controller.documents import Dialect, read
from controller.engine.query.facts import attributes as indexed
from controller.engine.query.language import FIELDS
from controller.model import KindModels, Manifest, MemoryTree
from controller.records import schemas
from controller.records.exporters.protocol import instance_of
from controller.records.exporters.tables import FIRST, ORIGIN, exporter
from tests.records.facts import WEB, Branch, manifest, moved, obj, report

PAGE = (Path(__file__).parents[2] / "docs" / "records.md").read_text()
EXAMPLES = dict(re.findall(r"```yaml (models/\S+)\n(.*?)```", PAGE, re.DOTALL))
CANARY = {"name": "A", "value": "canary"}
GENERAL = ("kind", "group", "namespace", "apiVersion")


def models(**files: str) -> KindModels:
    found = read_models(MemoryTree({f"models/{name}.yaml": text.encode() for name, text in files.items()}))
    assert found.problems == ()
    return found.models


def records(own: KindModels, *objects: Manifest, branch: Branch | None = None) -> dict[str, Any]:
    """Give the records of objects by name, every one of them valid."""
    branch = branch or Branch()
    branch.record(moved(report(objects=[obj(one) for one in objects], models=own)))
    paths = [path for path in branch.files if path.startswith("cmdb/prod/shop/hangzhou/shop/")]
    found = [read(branch.files[path], path=path, dialect=Dialect.KUBERNETES)[0].value for path in paths]
    for one in found:
        Draft202012Validator(schemas()["Instance"]).validate(one)
    return {one["name"]: one for one in found if isinstance(one, dict)}


def attributes(record: Any) -> dict[str, Any]:
    return {name: one for name, one in record["attributes"].items() if name not in GENERAL}


def related(record: Any) -> set[tuple[str, str]]:
    return {(one["type"], one["target"].rpartition("hangzhou/shop/")[2]) for one in record["relations"]}


def test_the_page_s_models_tell_what_it_says_of_them() -> None:
    found = read_models(MemoryTree({path: text.encode() for path, text in EXAMPLES.items()}))
    assert (found.problems, sorted(found.models)) == ((), ["Database.example.com", "Deployment.apps"])
    web = manifest(
        "Deployment.apps",
        "web",
        {
            "metadata": {"labels": {"acme.example.com/cost-center": "4711", "team": "blue"}},
            "spec": {"replicas": 2, "strategy": {"rollingUpdate": {"maxSurge": "25%"}}},
        },
    )
    labels = {"app": "database"}
    database = manifest(
        "Database.example.com",
        "orders",
        {
            "metadata": {"labels": {"team": "green"}},
            "spec": {
                "engine": {"version": "16.2"},
                "members": [{"zone": "b", "count": 1}, {"zone": "a", "count": 2}],
                "adminSecretName": "admin",
                "backupRef": {"name": "nightly"},
                "clients": {"app": "database"},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "containers": [{"name": "db", "image": "db:16", "env": [{"name": "A", "value": "canary"}]}]
                    },
                },
            },
        },
    )
    service = manifest("Service", "orders-db", {"spec": {"selector": labels}})
    told = records(found.models, web, database, service)
    assert attributes(told["web"]) == {"costCenter": "4711", "replicas": 2, "surge": "25%", "team": "blue"}
    assert attributes(told["orders"]) == {
        "engine": "16.2",
        "images": {"db": "db:16"},
        "replicas": {"a": 2, "b": 1},
        "team": "green",
    }
    assert {("uses", "Secret/admin"), ("dependsOn", "Bucket.example.com/nightly")} <= related(told["orders"])
    assert ("selects", "Database.example.com/orders") in related(told["orders-db"])
    assert "canary" not in str(told)


def test_ours_are_told_as_before_where_a_model_adds_to_them() -> None:
    before = records({}, WEB)["web"]
    after = records(models(**{"Deployment.apps": "attributes: {shop: metadata.name}"}), WEB)["web"]
    assert after == {**before, "attributes": {**before["attributes"], "shop": "web"}}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("spec.login", {"user": "jo"}),
        ("spec.logins[*]", [{"user": "jo"}, {"user": "ann"}]),
        ("spec.variables[*]", None),
        ("spec", {"size": 3}),
        ("spec.certificate", None),
        ("spec.sizes", [1, "2", True]),
        ("spec.sizes.deeper", None),
    ],
)
def test_nothing_deep_and_nothing_that_is_named_like_a_secret_is_told(path: str, expected: object) -> None:
    body = {
        "spec": {
            "size": 3,
            "login": {"user": "jo", "password": "canary", "apiToken": "canary", "inner": {"x": "canary"}},
            "logins": [{"user": "jo", "secret": "canary"}, {"user": "ann", "private-key": "canary"}],
            "variables": [CANARY],
            "certificate": "canary" * 200,
            "sizes": [1, "2", True, {"x": "canary"}, None],
        }
    }
    own = models(**{"Widget.example.com": f"attributes: {{found: '{path}'}}"})
    told = records(own, manifest("Widget.example.com", "w", body))["w"]
    assert told["attributes"].get("found") == expected
    assert "canary" not in str(told)


def test_a_model_that_moves_rewrites_records_and_keeps_what_is_said_of_their_content() -> None:
    branch = Branch()
    widget = manifest("Widget.example.com", "w", {"spec": {"size": 3}})
    before = records({}, widget, branch=branch)["w"]
    own = models(**{"Widget.example.com": "attributes: {size: spec.size}"})
    after = records(own, widget, branch=branch)["w"]
    assert after == {**before, "attributes": {**before["attributes"], "size": 3}}
    count = len(branch.commits)
    assert records(own, widget, branch=branch)["w"] == after
    assert records({}, widget, branch=branch)["w"] == before
    assert len(branch.commits) == count + 1


def test_no_attribute_can_have_the_name_of_a_field_of_records() -> None:
    assert frozenset(FIELDS) | {*FIRST, *ORIGIN, "apiVersion"} == RESERVED


def test_queries_and_exports_have_what_a_model_tells() -> None:
    branch = Branch()
    own = models(**{"Widget.example.com": "attributes: {size: spec.size}"})
    told = records(own, manifest("Widget.example.com", "w", {"spec": {"size": 3}}), branch=branch)["w"]
    assert ("size", "3", 3.0) in {tuple(one) for one in indexed(told)}
    (table,) = exporter({}).files([instance_of(told)]).values()
    assert {"size": "3"}.items() <= next(csv.DictReader(table.decode().splitlines())).items()
