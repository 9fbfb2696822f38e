"""Backstage's own JSON schemas, out of the npm package that ships them, held against what we write."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from controller.records.exporters.backstage import exporter
from tests.records.exporters.shop import SHOP

PACKAGE = "@backstage/catalog-model@1.10.1"
NAMES = {
    "Entity": "Entity",
    "EntityMeta": "EntityMeta",
    "common": "shared/common",
    **{f"{kind}V1alpha1": f"kinds/{kind}.v1alpha1" for kind in ("Component", "Location", "Resource", "System")},
}
SCRIPT = """
const found = {};
for (const [name, path] of Object.entries(JSON.parse(process.argv[1]))) {
  const one = require(`./package/dist/schema/${path}.schema.json.cjs.js`);
  found[name] = one.default || one;
}
console.log(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("npm and node give Backstage's schemas, and are not here")
    folder: Path = tmp_path_factory.mktemp("backstage")
    try:
        packed = subprocess.run(
            ["npm", "pack", "--silent", PACKAGE], cwd=folder, capture_output=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the package with Backstage's schemas could not be fetched in time")
    if packed.returncode:
        pytest.skip("the package with Backstage's schemas can't be fetched here")
    shutil.unpack_archive(next(folder.glob("*.tgz")), folder, "gztar", filter="data")
    argv = ["node", "-e", SCRIPT, json.dumps(NAMES)]
    done = subprocess.run(argv, cwd=folder, capture_output=True, timeout=60, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_every_entity_is_valid_by_backstages_own_schemas(schemas: dict[str, Any]) -> None:
    resources = [(name, Resource(contents=one, specification=DRAFT7)) for name, one in schemas.items()]
    registry: Registry[Any] = Registry().with_resources(resources)
    files = exporter({"owner": "group:platform"}).files(SHOP)
    entities = [one for data in files.values() for one in yaml.safe_load_all(data)]
    assert len(entities) == 7
    for one in entities:
        schema = schemas[f"{one['kind']}V1alpha1"]
        errors = list(Draft7Validator(schema, registry=registry).iter_errors(one))
        assert not errors, f"{one['kind']} {one['metadata']['name']}: {errors[0].message}"
