"""A chart's values may be encrypted: they reach its Secrets, nothing else, and no error."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.documents import decode
from controller.engine import Helm, Sops, Workshop
from controller.model import ChartOptions, Decrypting, Invalid
from controller.render import ChartTemplate, Decryption, Rendered, render
from controller.runtime import CredentialStore
from tests.fixtures.age import AgeKey
from tests.fixtures.sops import Encryption
from tests.render.test_encrypted import House

pytestmark = [pytest.mark.helm, pytest.mark.sops]

VALUE = 's3cr3t "of" the house'
HEAD = "apiVersion: v1\nmetadata: {name: db}\n"


async def rendered(
    sops: Encryption, helm: Path, folder: Path, template: str, *, only_encrypted: bool = False
) -> Rendered:
    house = House(sops, AgeKey(), folder)
    house.give(house.key)
    values = f"password: '{VALUE}'\nname: shop\n".encode()
    files = {
        "deploy/Chart.yaml": b"apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "deploy/secret.enc.yaml": sops.encrypt(values, house.key),
        "deploy/templates/it.yaml": template.encode(),
    }
    chart = ChartOptions(values_files=("secret.enc.yaml",))
    request = replace(house.request(files), chart=chart, decryption=Decrypting(only_encrypted=only_encrypted))
    crafts = {
        Decryption: Sops(CredentialStore(house.folder), str(sops.program)),
        ChartTemplate: Helm(str(helm)),
    }

    async def do(prepared: Any) -> Rendered:
        return render(replace(request, prepared=prepared))

    return await Workshop(crafts).work(do)


async def test_encrypted_values_reach_a_charts_secret(sops: Encryption, helm: Path, tmp_path: Path) -> None:
    template = HEAD + "kind: Secret\nstringData: {password: {{ .Values.password | quote }}}\n"
    (found,) = (await rendered(sops, helm, tmp_path, template, only_encrypted=True)).desired.manifests
    body: Any = decode(found.body)
    assert base64.b64decode(body["data"]["password"]).decode() == VALUE


async def test_a_chart_that_puts_them_elsewhere_is_refused(sops: Encryption, helm: Path, tmp_path: Path) -> None:
    template = HEAD + "kind: ConfigMap\ndata: {password: {{ .Values.password | quote }}}\n"
    with pytest.raises(Invalid, match=r"templates/it\.yaml.*data\.password: a value that was decrypted") as caught:
        await rendered(sops, helm, tmp_path, template)
    assert VALUE not in str(caught.value)


async def test_a_chart_that_says_them_in_an_error_says_them_masked(
    sops: Encryption, helm: Path, tmp_path: Path
) -> None:
    template = '{{ fail (printf "bad %s for %s" .Values.password (b64enc .Values.password)) }}\n'
    with pytest.raises(Invalid, match="bad ••••••") as caught:
        await rendered(sops, helm, tmp_path, template)
    assert VALUE not in str(caught.value)
    assert base64.b64encode(VALUE.encode()).decode() not in str(caught.value)


async def test_a_charts_own_plain_secret_is_refused_where_they_must_be_encrypted(
    sops: Encryption, helm: Path, tmp_path: Path
) -> None:
    template = HEAD + "kind: Secret\nstringData: {password: in-the-clear}\n"
    with pytest.raises(Invalid, match="stand in git in the clear"):
        await rendered(sops, helm, tmp_path, template, only_encrypted=True)
