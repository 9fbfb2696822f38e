"""What each exporter says of a shop: files that other programs read, and the talk with an end point."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
import yaml

from controller.model import JsonValue
from controller.records.exporters import Exporter, Instance, RefusedError, Reply, Request, Talk
from controller.records.exporters.backstage import exporter as backstage
from controller.records.exporters.easyops import EasyOps
from controller.records.exporters.easyops import exporter as easyops
from controller.records.exporters.tables import exporter as tables
from tests.records.exporters.shop import COMMIT, HOSTILE, SETTINGS, SHOP, WEB, instance

ALL = [backstage({}), easyops({}), tables({})]


@pytest.mark.parametrize("exporter", ALL, ids=lambda one: type(one).__name__)
def test_the_same_instances_give_the_same_bytes_in_any_order(exporter: Exporter) -> None:
    assert exporter.files(SHOP) == exporter.files(tuple(reversed(SHOP)))


@pytest.mark.parametrize("exporter", ALL, ids=lambda one: type(one).__name__)
def test_no_instances_are_no_files(exporter: Exporter) -> None:
    assert exporter.files(()) == {}


@pytest.mark.parametrize("exporter", ALL, ids=lambda one: type(one).__name__)
def test_paths_are_safe_whatever_names_are(exporter: Exporter) -> None:
    odd = instance("prod/..%2F..%2Fetc/t/n/Secret/..%2F..%2Fpasswd", "Secret/../x")
    for path in exporter.files((odd,)):
        assert not path.startswith("/")
        assert ".." not in path.split("/")


@pytest.mark.parametrize("make", [backstage, easyops, tables])
def test_a_setting_that_nobody_knows_is_refused_by_its_name(make: Any) -> None:
    with pytest.raises(ValueError, match="colour"):
        make({"colour": "red"})


# CSV


def test_a_table_has_a_row_per_instance_and_a_column_per_fact() -> None:
    (row,) = csv.DictReader(io.StringIO(_of(tables({}).files(SHOP), "eployment")))
    assert row["key"] == WEB
    assert row["replicas"] == "3"
    assert json.loads(row["images"]) == ["registry.example.com/shop/web:1.8.3"]
    assert row["mounts"] == "prod/_/hangzhou/shop/ConfigMap/settings"
    assert row["commit"] == COMMIT


def _of(files: Any, part: str) -> str:
    return next(data.decode() for path, data in files.items() if part in path)


def test_no_cell_is_a_formula() -> None:
    (row,) = csv.DictReader(io.StringIO(_of(tables({}).files(SHOP), "onfig")))
    assert row["note"] == "'=HYPERLINK(1)"


# Backstage


def entities(**settings: JsonValue) -> list[dict[str, Any]]:
    files = backstage(settings).files(SHOP)
    return [one for data in files.values() for one in yaml.safe_load_all(data)]


def by_key(key: str) -> dict[str, Any]:
    (found,) = [one for one in entities() if one["metadata"].get("annotations", {}).get("converge.io/key") == key]
    return found


def test_an_environment_is_a_system_an_application_a_component_an_object_a_resource() -> None:
    kinds = sorted(one["kind"] for one in entities())
    assert kinds == ["Component", "Location", "Resource", "Resource", "Resource", "Resource", "System"]


def test_a_component_knows_its_system_its_owner_and_its_parts() -> None:
    (component,) = [
        one for one in entities(owner="platform", owners={"shop": "team-shop"}) if one["kind"] == "Component"
    ]
    assert component["metadata"]["name"] == "shop"
    assert component["metadata"]["namespace"] == "prod"
    assert component["spec"]["owner"] == "team-shop"
    assert component["spec"]["system"] == "system:prod/prod"
    assert component["spec"]["lifecycle"] == "prod"
    assert len(component["spec"]["dependsOn"]) == 2


def test_a_resource_depends_on_what_it_mounts_and_on_nothing_that_is_not_there() -> None:
    (web,) = [one for one in entities() if one["metadata"].get("annotations", {}).get("converge.io/key") == WEB]
    (settings,) = [
        one for one in entities() if one["metadata"].get("annotations", {}).get("converge.io/key") == SETTINGS
    ]
    assert web["spec"]["dependsOn"] == [f"resource:prod/{settings['metadata']['name']}"]


def test_names_are_unique_and_such_as_backstage_takes() -> None:
    names = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in entities()]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 63 for _, _, name in names)
    assert by_key(HOSTILE)["metadata"]["title"].startswith("system:")


def test_the_one_file_that_is_pointed_at_names_all_others() -> None:
    files = backstage({}).files(SHOP)
    location = yaml.safe_load(files["catalog-info.yaml"])
    assert sorted(location["spec"]["targets"]) == sorted(f"./{path}" for path in files if path != "catalog-info.yaml")


# EasyOps


def hear(talk: Talk, *answers: Reply) -> list[Request]:
    """Lead a talk with these answers, and with an empty one from then on."""
    asked: list[Request] = []
    replies = list(answers)
    try:
        asked.append(next(talk))
        while True:
            asked.append(talk.send(replies.pop(0) if replies else Reply(200, {"code": 0})))
    except StopIteration:
        return asked


def test_an_import_names_the_field_that_is_the_key_and_every_instance_has_it() -> None:
    asked = hear(EasyOps().push(SHOP, ()))
    assert [one.path for one in asked if "DEPLOYMENT" in one.path] == [
        "/object/CONVERGE_DEPLOYMENT_APPS/instance/_import"
    ]
    for one in asked:
        body: Any = one.body
        assert body["keys"] == ["convergeKey"]
        assert all(data["convergeKey"] for data in body["datas"])
    assert {data["convergeKey"] for one in asked for data in one.body["datas"]} == {one.key for one in SHOP}  # type: ignore[index,call-overload]


def test_models_of_the_cmdb_are_named_in_the_settings() -> None:
    made: Any = easyops({"objects": {"Deployment.apps": "K8S_WORKLOAD"}, "key": "gitKey", "batch": 2})
    asked = hear(made.push((SHOP[3],), ()))
    assert asked[0].path == "/object/K8S_WORKLOAD/instance/_import"
    assert asked[0].body["keys"] == ["gitKey"]  # type: ignore[index,call-overload]


def test_many_instances_go_in_batches() -> None:
    many = tuple(instance(f"prod/shop/hz/shop/ConfigMap/c{number}", "ConfigMap") for number in range(5))
    asked = hear(EasyOps(batch=2).push(many, ()))
    assert [len(one.body["datas"]) for one in asked] == [2, 2, 1]  # type: ignore[index,call-overload,arg-type]


def test_what_is_gone_is_looked_up_by_its_key_and_deleted_by_its_id() -> None:
    gone = instance(WEB, "Deployment.apps", retired=True)
    found = Reply(200, {"code": 0, "data": {"list": [{"instanceId": "5f1"}, {"instanceId": "5f2"}]}})
    asked = hear(EasyOps().push((), (gone,)), found)
    assert asked[0].body["query"] == {"convergeKey": {"$in": [WEB]}}  # type: ignore[index,call-overload]
    assert (asked[1].method, dict(asked[1].query)) == ("DELETE", {"instanceIds": "5f1;5f2"})


def test_what_is_gone_there_already_is_no_request_more() -> None:
    gone = instance(WEB, "Deployment.apps", retired=True)
    assert len(hear(EasyOps().push((), (gone,)), Reply(200, {"code": 0, "data": {"list": []}}))) == 1
    assert len(hear(EasyOps().push((), (gone,)), Reply(404, None))) == 1


def test_what_the_cmdb_refuses_is_named_and_the_others_are_told_all_the_same() -> None:
    first: list[Instance] = [SHOP[3], instance("prod/shop/hz/shop/Deployment.apps/b", "Deployment.apps")]
    answer = {
        "code": 0,
        "data": {"failed_count": 1, "data": [{"code": 0}, {"code": 133, "error": "no such attribute"}]},
    }
    talk = EasyOps().push([*first, SHOP[4]], ())
    with pytest.raises(RefusedError, match="no such attribute"):
        hear(talk, Reply(200, {"code": 0}), Reply(200, answer))
