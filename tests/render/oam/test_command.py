"""`converge oam render`, run as users run it."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from controller.cli import main
from controller.documents import Dialect, read

from .applications import CASES

SHOP = CASES / "shop-in-two-regions" / "application.yaml"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["oam", "render", *arguments])


def test_the_objects_are_printed_as_yaml_documents() -> None:
    done = run(str(SHOP), "--topology", "south")
    assert done.exit_code == 0
    printed = [one.value for one in read(done.stdout.encode(), path="stdout", dialect=Dialect.KUBERNETES)]
    expected = SHOP.with_name("objects@south.yaml").read_bytes()
    assert printed == [one.value for one in read(expected, path="expected", dialect=Dialect.KUBERNETES)]


def test_a_mistake_is_told_with_its_line_and_ends_with_one(tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    file.write_text(SHOP.read_text().replace("type: gateway,", "type: gatway,", 1))
    done = run(str(file))
    assert done.exit_code == 1
    assert done.stdout == ""
    assert f"{file}:18: spec.components[0].traits[1].type" in done.stderr
    assert 'Did you mean "gateway"?' in done.stderr


def test_a_file_without_an_application_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    file.write_text("kind: ConfigMap\n")
    done = run(str(file))
    assert done.exit_code == 1
    assert "there is no Application in it" in done.stderr


def test_what_is_rendered_elsewhere_is_told_on_stderr(tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    file.write_text("""\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: a}
spec:
  components:
    - {name: cache, type: helm, properties: {url: "https://charts.example.com", chart: redis}}
""")
    done = run(str(file))
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "elsewhere: component cache: chart redis of https://charts.example.com\n"
