"""The sandbox's knowledge of Kubernetes' types is what the control plane says today."""

from __future__ import annotations

import pytest

from tests.cluster import schema
from tests.cluster.api import Api

pytestmark = pytest.mark.cluster


async def test_the_data_file_is_up_to_date(api: Api) -> None:
    """Else: `python -m tests.cluster.schema` writes it anew."""
    assert schema.written(await schema.describe(api)) == schema.DATA.read_text()
