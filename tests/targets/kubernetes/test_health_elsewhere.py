"""Our judgements of health beside Argo CD's, on the fixtures that its Go modules carry; skipped where they are absent.

`go mod download github.com/argoproj/argo-cd/v3@v3.6.1` and `…/gitops-engine@latest` bring them (an older Go complains
of the first, and has it all the same). Where we judge otherwise on purpose, `cases/health_differences.yaml` says what,
and why; `cases/health_without_a_rule.yaml` says it of kinds that have no rule of ours and go by the standard
conditions. A difference that neither names fails, and so does a line that is no difference any more.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.targets.kubernetes.health import RULES, health
from controller.targets.kubernetes.health.rules import shipped

pytestmark = pytest.mark.slow

ARGO_CD = "github.com/argoproj/argo-cd/v3@v3.6.1"
CASES = Path(__file__).with_name("cases")


def stated(file: str) -> dict[str, str]:
    """Read what we judge otherwise, by fixture. A fixture that is told of twice, or without a reason, is a mistake."""
    found: dict[str, str] = {}
    for one in yaml.safe_load((CASES / file).read_text()):
        assert one["why"]
        assert found.keys().isdisjoint(one["judged"])
        found |= one["judged"]
    return found


DIFFERENCES = stated("health_differences.yaml")
WITHOUT_A_RULE = stated("health_without_a_rule.yaml")
STATED = re.compile(r'assertAppHealth\(t, "\./(testdata/[^"]+)", HealthStatus(\w+)\)')


@functools.cache
def module_cache() -> Path:
    if "GOMODCACHE" in os.environ:
        return Path(os.environ["GOMODCACHE"])
    try:
        told = subprocess.run(["go", "env", "GOMODCACHE"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return Path("~/go/pkg/mod").expanduser()
    return Path(told.stdout.strip())


def newest(pattern: str) -> Path:
    found = sorted(module_cache().glob(pattern))
    if not found:
        pytest.skip(f"the Go module cache has no {pattern.partition('@')[0]}: `go mod download` brings it")
    return found[-1]


def kinds_with_a_rule() -> set[str]:
    own = {f"{kind}.{group}" if group else kind for group, kind in RULES}
    return own | set(shipped())


def customizations(root: Path) -> Iterator[tuple[str, Path, str]]:
    for file in sorted(root.glob("resource_customizations/*/*/health_test.yaml")):
        for case in yaml.safe_load(file.read_text())["tests"]:
            if "inputPath" in case:
                fixture = file.parent / case["inputPath"]
                name = f"{file.parent.parent.name}/{file.parent.name}/{fixture.name}"
                yield name, fixture, case["healthStatus"]["status"]


def judge(fixture: Path) -> tuple[str, dict[str, Any]]:
    live = json.loads(json.dumps(next(yaml.safe_load_all(fixture.read_text())), default=str))
    return str(health(live)[0]), live


def kind_of(live: dict[str, Any]) -> str:
    group = live["apiVersion"].rpartition("/")[0]
    return f"{live['kind']}.{group}" if group else str(live["kind"])


def test_operators_that_we_have_rules_for_are_judged_as_argo_cd_judges_them() -> None:
    differing, judged = differences(with_a_rule=True)
    assert differing == {name: found for name, found in DIFFERENCES.items() if not name.startswith("testdata/")}
    assert judged > 100


def test_kinds_without_a_rule_differ_from_argo_cd_where_it_is_said_alone() -> None:
    differing, judged = differences(with_a_rule=False)
    assert differing == WITHOUT_A_RULE
    assert judged > 500


def differences(*, with_a_rule: bool) -> tuple[dict[str, str], int]:
    """Give what we say of the fixtures that we judge otherwise, and how many fixtures there are."""
    known, found, judged = kinds_with_a_rule(), {}, 0
    for name, fixture, wanted in customizations(newest(ARGO_CD)):
        ours, live = judge(fixture)
        if (kind_of(live) in known) is with_a_rule:
            judged += 1
            if ours != wanted:
                found[name] = ours
    return found, judged


def test_built_in_kinds_are_judged_as_argo_cd_judges_them() -> None:
    caches = sorted(module_cache().glob("github.com/argoproj/*/gitops-engine@v*/pkg/health"))
    caches += sorted(module_cache().glob("github.com/argoproj/gitops-engine@v*/pkg/health"))
    if not caches:
        pytest.skip("the Go module cache has no gitops-engine: `go mod download` brings it")
    differing, judged = {}, 0
    for path, wanted in STATED.findall((caches[0] / "health_test.go").read_text()):
        found, live = judge(caches[0] / path)
        if kind_of(live) in kinds_with_a_rule():
            judged += 1
            if found != wanted:
                differing[path] = found
    assert differing == {name: found for name, found in DIFFERENCES.items() if name.startswith("testdata/")}
    assert judged > 20


def test_no_rule_of_ours_chokes_on_anything_that_operators_write() -> None:
    root = newest(ARGO_CD)
    for _, fixture, _ in customizations(root):
        judge(fixture)
