from __future__ import annotations

import json
import subprocess
import sys

import pytest

CODE = """
import sys, structlog
from controller.model import Secret
from controller.runtime import configure_logging
configure_logging(json=sys.argv[1] == "json")
log = structlog.get_logger().bind(environment="prod")
log.debug("nothing.said")
log.info("object.applied", path=__file__ if False else "x", secret=Secret("canary-1"), deep={"a": [Secret("canary-2")]})
try:
    hidden = "canary-3"
    raise ValueError("told")
except ValueError:
    log.exception("placement.crashed")
"""


def logged(form: str) -> str:
    done = subprocess.run([sys.executable, "-c", CODE, form], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


def test_machines_get_one_json_object_per_event() -> None:
    events = [json.loads(line) for line in logged("json").splitlines()]
    assert [event["event"] for event in events] == ["object.applied", "placement.crashed"]
    assert events[0]["environment"] == "prod"
    assert "ValueError: told" in events[1]["exception"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_show_themselves_nowhere(form: str) -> None:
    text = logged(form)
    assert "object.applied" in text
    assert "canary" not in text
