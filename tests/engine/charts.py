"""A chart, and what renders it as the engine does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from controller.engine.preparing import Workshop
from controller.engine.templating import Helm
from controller.model import (
    Capabilities,
)
from controller.render import ChartTemplate, Rendered, RenderRequest, facts_of, render
from tests.render.requests import request_of

CHART = "apiVersion: v2\nname: web\nversion: 1.2.3\n"
DEPLOYMENT = """\
{{- if .Values.enabled }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "web.name" . }}
  labels:
    release: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: "{{ .Values.image.name }}:{{ .Values.image.tag }}"
{{- end }}
"""
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{value: {value}}}\n"
FILES = {
    "deploy/Chart.yaml": CHART,
    "deploy/values.yaml": "enabled: true\nreplicas: 1\nimage:\n  name: example.com/web\n  tag: '1'\nREGION: none\n",
    "deploy/templates/_helpers.tpl": '{{- define "web.name" -}}{{ .Release.Name }}-web{{- end -}}\n',
    "deploy/templates/deployment.yaml": DEPLOYMENT,
}


async def rendered(helm: Path, request: RenderRequest, capabilities: Capabilities | None = None) -> Rendered:
    async def facts() -> bytes:
        return facts_of(capabilities or Capabilities())

    async def do(prepared: Any) -> Rendered:
        return render(replace(request, prepared=prepared))

    return await Workshop({ChartTemplate: Helm(str(helm))}).work(do, facts)


async def bodies(
    helm: Path, files: Mapping[str, str], overlays: Mapping[str, str] | None = None, **more: Any
) -> list[dict[str, Any]]:
    capabilities = more.pop("capabilities", None)
    result = await rendered(helm, request_of(files, overlays, **more), capabilities)
    return [json.loads(one.body) for one in result.desired.manifests]
