"""What a chart sees of the machine that templates it, and what the machine does with one that misbehaves."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.engine.preparing import Workshop
from controller.engine.render_pool import RenderPool
from controller.engine.templating import Helm
from controller.model import (
    Invalid,
    Stalled,
    Unequipped,
)
from controller.render import ChartTemplate, Rendered, render
from controller.runtime.scratch import MEMORY
from tests.render.requests import request_of

from .charts import CHART, CONFIG, FILES, bodies, rendered

pytestmark = pytest.mark.helm


async def test_a_chart_sees_nothing_of_this_machine(helm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "tweet")
    monkeypatch.setenv("HELM_NAMESPACE", "tweet")
    asked = '{{ lookup "v1" "Namespace" "" "" }}{{ .Release.Namespace }}{{ .Files.Get "/etc/passwd" }}'
    text = CONFIG.format(value=f"""'{asked}{{{{ getHostByName "localhost" }}}}'""")
    files = {"deploy/Chart.yaml": CHART, "deploy/templates/map.yaml": text}
    (one,) = await bodies(helm, files)
    assert one["data"]["value"] == "map[]default"
    with pytest.raises(Invalid, match="env"):
        await bodies(helm, files | {"deploy/templates/env.yaml": '{{ env "CANARY" }}'})


async def test_a_missing_helm_is_not_kept_as_the_charts_fault(helm: Path, tmp_path: Path) -> None:
    program = tmp_path / "helm"
    workshop = Workshop({ChartTemplate: Helm(str(program))})

    async def do(prepared: Any) -> Rendered:
        return render(replace(request_of(FILES), prepared=prepared))

    with pytest.raises(Unequipped, match=r"deploy/Chart\.yaml: a Helm chart, and there is no"):
        await workshop.work(do)
    program.symlink_to(helm)
    assert (await workshop.work(do)).desired.manifests


async def test_a_helm_that_is_too_old_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "helm"
    program.write_text("#!/bin/sh\necho v3.9.4\n")
    program.chmod(0o755)
    with pytest.raises(Unequipped, match=r"3\.14"):
        await bodies(program, FILES)


async def test_a_chart_that_never_ends_is_stopped(helm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.engine.templating.MEMORY_BYTES", 200 << 20)
    text = '{{ $s := "xxxxxxxxxxxxxxxx" }}{{ range until 40 }}{{ $s = printf "%s%s" $s $s }}{{ end }}\n'
    with pytest.raises(Stalled):
        await bodies(helm, FILES | {"deploy/templates/a.yaml": text})


async def test_nothing_stays_behind(helm: Path) -> None:
    await bodies(helm, FILES)
    with pytest.raises(Invalid):
        await bodies(helm, FILES | {"deploy/templates/a.yaml": "{{ nothing }}"})
    folders = {MEMORY, Path(tempfile.gettempdir())}
    assert not [one for folder in folders for one in folder.glob(f"converge-{os.getpid()}-helm*")]


async def test_a_worker_process_renders_charts_too(helm: Path) -> None:
    request = request_of(FILES, namespace="x")
    pool = RenderPool(size=1)

    async def by_a_worker(prepared: Any) -> Rendered:
        return await pool.render(replace(request, prepared=prepared))

    try:
        assert await Workshop({ChartTemplate: Helm(str(helm))}).work(by_a_worker) == await rendered(helm, request)
    finally:
        await pool.close()
