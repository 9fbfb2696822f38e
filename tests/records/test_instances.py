from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest

from controller.config import model_of
from controller.documents import Dialect, read
from controller.model import NO_MODELS, ObjectKey, parse_fact_path, values_at
from tests.records.facts import HANGZHOU, Branch, manifest, moved, obj, report

CASES = Path(__file__).parent / "cases"


def cases(name: str) -> Any:
    return read((CASES / name).read_bytes(), path=name, dialect=Dialect.KUBERNETES)[0].value


def instances(branch: Branch) -> list[Any]:
    folder = "cmdb/prod/shop/hangzhou/"
    paths = (path for path in branch.files if path.startswith(folder) and not path.endswith("_target.yaml"))
    return [read(branch.files[path], path=path, dialect=Dialect.KUBERNETES)[0].value for path in paths]


def relation(source: Any, one: Any) -> str:
    _, application, _, namespace, kind, name = one["target"].split("/")
    text = f"{source['model']}/{source['name']} {one['type']} {kind}/{name}"
    text += "" if application == "shop" else " elsewhere"
    return text + {"shop": "", "_cluster": " in no namespace"}.get(namespace, f" in {namespace}")


@pytest.mark.parametrize("case", cases("relations.yaml"), ids=lambda case: case["name"])
def test_relations_come_from_selectors_references_and_owners(case: Any) -> None:
    branch = Branch()
    objects = [
        obj(manifest(one["kind"], one["name"], one["body"], namespace=one.get("namespace", "shop")))
        for one in case["objects"]
    ]
    branch.record(moved(report(objects=objects)))
    found = [
        relation(source, one)
        for source in instances(branch)
        for one in source["relations"]
        if one["type"] not in ("partOf", "runsOn")
    ]
    assert sorted(found) == sorted(case["expected"])


@pytest.mark.parametrize("case", cases("attributes.yaml"), ids=lambda case: case["kind"])
def test_attributes_are_what_the_model_allows(case: Any) -> None:
    branch = Branch()
    branch.record(moved(report(objects=[obj(manifest(case["kind"], "x", case["body"]))])))
    (found,) = instances(branch)
    general = ("kind", "group", "namespace", "apiVersion")
    assert {name: one for name, one in found["attributes"].items() if name not in general} == case["expected"]
    assert b"canary" not in b"".join(branch.files.values())


def test_an_identity_is_the_uuid_of_its_key() -> None:
    branch = Branch()
    branch.record(moved(report(objects=[obj(manifest("Role.rbac.authorization.k8s.io", "a/b%c"))])))
    (found,) = instances(branch)
    key = "prod/shop/hangzhou/shop/Role.rbac.authorization.k8s.io/a%2Fb%25c"
    namespace = uuid5(UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8"), "converge/v1/Instance")
    assert found["identity"] == {"key": key, "id": str(uuid5(namespace, key))}


def test_an_object_without_namespace_lies_in_cluster() -> None:
    branch = Branch()
    changed = branch.record(moved(report(objects=[obj(manifest("Namespace", "shop", namespace=""))])))
    assert "cmdb/prod/shop/hangzhou/_cluster/Namespace/shop.yaml" in changed


def test_a_cloud_resource_lies_by_its_escaped_address() -> None:
    address = 'module.x["a/b"].aws_s3_bucket.logs[0]'
    key = ObjectKey("terraform", "aws_s3_bucket", "", address)
    branch = Branch()
    branch.record(moved(report(objects=[obj(manifest("Service", "x"), key=key, manifest=None)])))
    (path,) = (one for one in branch.files if "aws_s3_bucket" in one)
    folder = f"cmdb/{HANGZHOU.environment}/{HANGZHOU.application}/{HANGZHOU.target}/_cluster/aws_s3_bucket.terraform/"
    assert path.startswith(f"{folder}module-x-a-b-aws-s3-bucket-logs-0~")


def test_every_model_can_be_read() -> None:
    folder = Path(__file__).parents[2] / "controller" / "config" / "models"
    names = [one.stem for one in folder.iterdir() if not one.name.startswith("_")]
    assert "Deployment.apps" in names
    assert all(model_of(name, NO_MODELS) is not model_of("Unknown.example.com", NO_MODELS) for name in names)


@pytest.mark.parametrize(
    ("path", "expected"), [("a.b", 1), ('["x.y/z"]', 2), ("l[*].v", [3, 4]), ("l[n].v", {"p": 3}), (".", ...)]
)
def test_paths_lead_to_values(path: str, expected: object) -> None:
    value = {"a": {"b": 1}, "x.y/z": 2, "l": [{"n": "p", "v": 3}, {"v": 4}, {"n": "q"}]}
    assert values_at(value, parse_fact_path(path)) == (value if expected is ... else expected)


def test_what_is_no_path_is_refused() -> None:
    with pytest.raises(ValueError, match="is no path"):
        parse_fact_path("a.b]c")
