"""Files that SOPS encrypted, through the real sops: read in the clear, wherever they are used, and told apart after."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from controller.documents import decode
from controller.engine import Sops, Workshop
from controller.model import (
    PLATFORM,
    ApplicationName,
    CommitId,
    ConvergeError,
    Decrypting,
    EnvironmentName,
    Invalid,
    MemoryTree,
    PlacementRef,
    RepositoryName,
    Revision,
    TargetName,
    Unequipped,
    parse_path,
)
from controller.render import Decryption, Rendered, RenderRequest, explain, overlay_paths, render
from controller.runtime import CredentialStore
from tests.fixtures.age import AgeKey
from tests.fixtures.gpg import PgpKey
from tests.fixtures.sops import Encryption

pytestmark = pytest.mark.sops

VALUE = 'k3y-0f/the "h0use"'
SECRET = f"""apiVersion: v1
kind: Secret
metadata:
  name: db
  labels: {{app: shop}}
stringData:
  password: '{VALUE}'
  # the answer
  port: "5432"
""".encode()
PLACE = PlacementRef(EnvironmentName("prod"), ApplicationName("shop"), TargetName("hz"))


@dataclass
class House:
    """A credential store with a key, and what is encrypted to it."""

    sops: Encryption
    key: AgeKey
    folder: Path

    def give(self, *keys: AgeKey, name: str = "sops") -> None:
        place = self.folder / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "age.key").write_text("".join(f"# a key\n{one.identity}\n" for one in keys))

    def request(self, files: dict[str, bytes], platform: dict[str, bytes] | None = None) -> RenderRequest:
        return RenderRequest(
            placement=PLACE,
            revision=Revision(CommitId("a" * 40), CommitId("b" * 40)),
            application=MemoryTree(files, RepositoryName("shop")),
            path="deploy",
            platform=MemoryTree(platform or {"converge.yaml": b""}, PLATFORM),
            overlays=overlay_paths(PLACE),
            namespace="shop",
        )

    def worked(self, do: Callable[[RenderRequest], Any], request: RenderRequest) -> Any:
        craft = Sops(CredentialStore(self.folder), str(self.sops.program))
        workshop = Workshop({Decryption: craft})

        async def once(prepared: Any) -> Any:
            return do(replace(request, prepared=prepared))

        return asyncio.run(workshop.work(once))

    def rendered(self, files: dict[str, bytes], platform: dict[str, bytes] | None = None) -> Rendered:
        found: Rendered = self.worked(render, self.request(files, platform))
        return found


@pytest.fixture
def house(sops: Encryption, tmp_path: Path) -> House:
    found = House(sops, AgeKey(), tmp_path / "credentials")
    found.give(found.key)
    return found


def bodies(found: Rendered) -> dict[str, Any]:
    return {f"{one.key.kind} {one.key.name.rpartition('-')[0] or one.key.name}": decode(one.body)
            for one in found.desired.manifests}  # fmt: skip


def kustomization(text: str) -> bytes:
    return f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n{text}".encode()


class TestInTheClear:
    def test_a_manifest_is_rendered_as_if_it_stood_there_in_the_clear(self, house: House) -> None:
        encrypted = house.rendered({"deploy/db.yaml": house.sops.manifest(SECRET, house.key)})
        clear = house.rendered({"deploy/db.yaml": SECRET})
        assert encrypted.desired.manifests[0].body == clear.desired.manifests[0].body
        assert encrypted.desired.digest == clear.desired.digest

    def test_a_file_that_is_encrypted_whole_is_a_manifest_all_the_same(self, house: House) -> None:
        whole = house.sops.encrypt(SECRET, house.key)
        assert b"kind: ENC[" in whole
        request = replace(house.request({"deploy/db.yaml": whole}), decryption=Decrypting(only_encrypted=True))
        clear = house.rendered({"deploy/db.yaml": SECRET})
        assert house.worked(render, request).desired.digest == clear.desired.digest

    def test_where_an_object_stands_is_told_by_the_encrypted_file(self, house: House) -> None:
        both = SECRET + b"---\n" + SECRET.replace(b"name: db", b"name: other")
        written = house.sops.manifest(both, house.key)
        found = house.rendered({"deploy/db.yaml": written})
        lines = written.decode().split("\n")
        starts = [0, lines.index("---") + 1]
        assert [one.origin.line for one in found.desired.manifests] == [start + 1 for start in starts]

    def test_many_files_are_asked_for_at_once(self, house: House) -> None:
        files = {f"deploy/{number:02}.yaml": house.sops.manifest(SECRET.replace(b": db", b": db%d" % number), house.key)
                 for number in range(20)}  # fmt: skip
        assert len(house.rendered(files).desired.manifests) == 20

    @pytest.mark.parametrize(
        ("name", "data", "entry"),
        [
            ("values.env", b"password=p4ss w0rd\nuser=shop\n", "envs: [values.env]"),
            ("password", b"p4ss w0rd", "files: [password]"),
            ("config.json", b'{"password": "p4ss w0rd"}', "files: [config.json]"),
            ("app.ini", b"[db]\npassword = p4ss w0rd\n", "files: [app.ini]"),
        ],
    )
    def test_generators_take_files_of_every_format(self, house: House, name: str, data: bytes, entry: str) -> None:
        text = f"secretGenerator:\n- name: made\n  {entry}\n"
        encrypted = house.sops.encrypt(data, house.key, path=f"deploy/{name}")
        found = house.rendered({"deploy/kustomization.yaml": kustomization(text), f"deploy/{name}": encrypted})
        (body,) = bodies(found).values()
        assert any("p4ss w0rd" in _decoded(one) for one in body["data"].values())
        assert "sops" not in body["data"]

    def test_patches_and_overlays_may_be_encrypted(self, house: House) -> None:
        patch = b"apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {token: from-the-overlay}\n"
        component = b"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: [{path: token.yaml}]\n"
        found = house.rendered(
            {"deploy/db.yaml": house.sops.manifest(SECRET, house.key)},
            {
                "converge.yaml": b"",
                "overlays/prod/shop/kustomization.yaml": component,
                "overlays/prod/shop/token.yaml": house.sops.manifest(patch, house.key),
            },
        )
        assert _decoded(bodies(found)["Secret db"]["data"]["token"]) == "from-the-overlay"

    def test_an_environment_may_have_a_key_of_its_own(self, house: House) -> None:
        other = AgeKey()
        house.give(other, name="prod-sops")
        request = house.request({"deploy/db.yaml": house.sops.manifest(SECRET, other)})
        found = house.worked(render, replace(request, decryption=Decrypting("prod-sops")))
        assert len(found.desired.manifests) == 1

    def test_another_key_gives_the_same_manifests(self, house: House) -> None:
        fresh = AgeKey()
        house.give(house.key, fresh)
        before = house.rendered({"deploy/db.yaml": house.sops.manifest(SECRET, house.key)})
        after = house.rendered({"deploy/db.yaml": house.sops.manifest(SECRET, fresh)})
        assert before.desired.digest == after.desired.digest

    def test_references_to_values_kept_elsewhere_pass_as_they_are(self, house: House) -> None:
        reference = (
            b"apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: db}\n"
            b"spec: {secretStoreRef: {name: vault}, data: [{secretKey: password, remoteRef: {key: shop/db}}]}\n"
        )
        request = house.request({"deploy/db.yaml": reference})
        found = house.worked(render, replace(request, decryption=Decrypting(only_encrypted=True)))
        assert [one.key.kind for one in found.desired.manifests] == ["ExternalSecret"]


class TestKeys:
    def refused(self, house: House, data: bytes, error: type[ConvergeError] = Unequipped) -> str:
        with pytest.raises(error) as caught:
            house.rendered({"deploy/db.yaml": data})
        assert VALUE not in str(caught.value)
        return str(caught.value)

    def test_a_missing_key_names_the_file_the_credential_and_what_to_do(self, house: House) -> None:
        (house.folder / "sops" / "age.key").unlink()
        encrypted = house.sops.manifest(SECRET, house.key)
        assert 'deploy/db.yaml:1: credential "sops" holds no key for SOPS' in self.refused(house, encrypted)
        (house.folder / "sops").rmdir()
        assert 'there is no credential "sops" for it' in self.refused(house, encrypted)

    def test_a_file_for_others_names_whose_it_is(self, house: House) -> None:
        other = AgeKey()
        said = self.refused(house, house.sops.manifest(SECRET, other))
        assert 'deploy/db.yaml:1: no key of credential "sops" opens it' in said
        assert other.recipient in said

    def test_a_key_that_is_none_is_told(self, house: House) -> None:
        (house.folder / "sops" / "age.key").write_text("a key\n")
        assert "is no age key" in self.refused(house, house.sops.manifest(SECRET, house.key))

    def test_a_file_that_was_changed_without_sops_is_refused(self, house: House) -> None:
        encrypted = house.sops.encrypt(SECRET, house.key, options=["--encrypted-regex", "^stringData$"])
        said = self.refused(house, encrypted.replace(b"app: shop", b"app: else"), Invalid)
        assert "changed without sops" in said

    def test_without_sops_the_program_is_named(self, house: House, tmp_path: Path) -> None:
        nowhere = replace(house, sops=Encryption(tmp_path / "sops"))
        with pytest.raises(Unequipped, match=r"there is no .*sops on PATH"):
            nowhere.rendered({"deploy/db.yaml": house.sops.manifest(SECRET, house.key)})


class TestSecrecy:
    def leak(self, house: House, files: dict[str, bytes], platform: dict[str, bytes] | None = None) -> str:
        with pytest.raises(Invalid) as caught:
            house.rendered(files, platform)
        assert VALUE not in str(caught.value)
        return str(caught.value)

    def test_a_decrypted_value_in_another_object_is_refused_by_its_place(self, house: House) -> None:
        body = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{password: '{VALUE}'}}\n".encode()
        said = self.leak(house, {"deploy/c.yaml": house.sops.manifest(body, house.key)})
        assert said.startswith("deploy/c.yaml:")
        assert "data.password: a value that was decrypted stands here" in said

    def test_an_object_that_is_encrypted_whole_and_is_no_secret_is_refused(self, house: House) -> None:
        web = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {x: why}\n"
        assert "data.x: a value that was" in self.leak(house, {"deploy/c.yaml": house.sops.encrypt(web, house.key)})

    def test_a_config_map_made_of_an_encrypted_file_is_refused(self, house: House) -> None:
        text = "configMapGenerator:\n- name: made\n  envs: [values.env]\n"
        encrypted = house.sops.encrypt(b"a=1\n", house.key, path="values.env")
        said = self.leak(house, {"deploy/kustomization.yaml": kustomization(text), "deploy/values.env": encrypted})
        assert "data.a: a value that was decrypted" in said

    def test_a_value_that_a_replacement_carries_elsewhere_is_refused(self, house: House) -> None:
        text = """resources: [db.yaml, web.yaml]
replacements:
- source: {kind: Secret, fieldPath: stringData.password}
  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.x]}]
"""
        said = self.leak(
            house,
            {
                "deploy/kustomization.yaml": kustomization(text),
                "deploy/db.yaml": house.sops.manifest(SECRET, house.key),
                "deploy/web.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {x: y}\n",
            },
        )
        assert "data.x: a value that was decrypted" in said

    def test_a_value_that_stands_elsewhere_by_chance_is_no_leak(self, house: House) -> None:
        secret = SECRET.replace(VALUE.encode(), b"postgres")
        web = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {image: 'postgres:16', user: postgres}\n"
        found = house.rendered({"deploy/db.yaml": house.sops.manifest(secret, house.key), "deploy/web.yaml": web})
        assert len(found.desired.manifests) == 2

    def test_a_secret_that_is_still_encrypted_is_refused(self, house: House) -> None:
        encrypted = house.sops.manifest(SECRET, house.key)
        cut = encrypted[: encrypted.index(b"\nsops:")] + b"\n"
        assert "still encrypted after rendering" in self.leak(house, {"deploy/db.yaml": cut})

    @pytest.mark.parametrize(
        ("files", "line"),
        [
            ({"deploy/db.yaml": SECRET}, "deploy/db.yaml:7"),
            ({"deploy/kustomization.yaml": kustomization("secretGenerator:\n- {name: x, literals: [a=b]}\n")},
             "deploy/kustomization.yaml:4"),
        ],
    )  # fmt: skip
    def test_a_plain_secret_is_refused_where_the_environment_wants_them_encrypted(
        self, house: House, files: dict[str, bytes], line: str
    ) -> None:
        request = replace(house.request(files), decryption=Decrypting(only_encrypted=True))
        with pytest.raises(Invalid, match=rf"{line}.*in the clear"):
            house.worked(render, request)

    def test_an_encrypted_and_an_empty_secret_are_what_such_an_environment_wants(self, house: House) -> None:
        empty = b"apiVersion: v1\nkind: Secret\nmetadata: {name: e}\ntype: kubernetes.io/service-account-token\n"
        request = house.request({"deploy/db.yaml": house.sops.manifest(SECRET, house.key), "deploy/e.yaml": empty})
        found = house.worked(render, replace(request, decryption=Decrypting(only_encrypted=True)))
        assert len(found.desired.manifests) == 2


class TestExplained:
    def test_a_value_is_explained_by_its_line_in_the_encrypted_file(self, house: House) -> None:
        written = house.sops.manifest(SECRET, house.key)
        request = house.request({"deploy/db.yaml": written})
        found = house.rendered({"deploy/db.yaml": written})
        field = parse_path("data.password")
        (setting,) = house.worked(lambda one: explain(one, found.desired.manifests[0].key, field), request)
        line = next(n for n, text in enumerate(written.decode().split("\n"), start=1) if "password: ENC[" in text)
        assert (setting.origin.path, setting.origin.line, setting.text) == ("deploy/db.yaml", line, "")

    def test_a_generated_value_is_explained_by_its_line_too(self, house: House) -> None:
        text = "secretGenerator:\n- name: made\n  envs: [values.env]\n"
        encrypted = house.sops.encrypt(b"user=shop\npassword=p4ss\n", house.key, path="values.env")
        files = {"deploy/kustomization.yaml": kustomization(text), "deploy/values.env": encrypted}
        found = house.rendered(files)
        field = parse_path("data.password")
        settings = house.worked(lambda one: explain(one, found.desired.manifests[0].key, field), house.request(files))
        assert [(one.origin.path, one.origin.line) for one in settings] == [("deploy/values.env", 2)]

    def test_a_plain_field_beside_it_is_explained_as_ever(self, house: House) -> None:
        web = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {x: why}\n"
        files = {"deploy/db.yaml": house.sops.manifest(SECRET, house.key), "deploy/web.yaml": web}
        key = next(one.key for one in house.rendered(files).desired.manifests if one.key.kind == "ConfigMap")
        (setting,) = house.worked(lambda one: explain(one, key, parse_path("data.x")), house.request(files))
        assert str(setting.origin) == "deploy/web.yaml:4"


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()


def test_pgp_keys_open_files_without_gpg(
    sops: Encryption, pgp_key: PgpKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(sops, AgeKey(), tmp_path)
    data = sops.encrypt(SECRET, options=["--pgp", pgp_key.fingerprint], env=pgp_key.env)
    monkeypatch.setenv("PATH", "/nowhere")
    house.give(house.key)
    with pytest.raises(Unequipped, match=pgp_key.fingerprint):
        house.rendered({"deploy/db.yaml": data})
    (tmp_path / "sops" / "pgp.asc").write_bytes(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAA==\n")
    with pytest.raises(Unequipped, match="holds no PGP private key"):
        house.rendered({"deploy/db.yaml": data})
    (tmp_path / "sops" / "pgp.asc").write_bytes(pgp_key.armored)
    (secret,) = house.rendered({"deploy/db.yaml": data}).desired.manifests
    body: Any = decode(secret.body)
    assert base64.b64decode(body["data"]["password"]).decode() == VALUE
