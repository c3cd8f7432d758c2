"""Fixtures of the unit tests."""

import pytest

from fake_host import FakeHost


@pytest.fixture()
def host(tmp_path):
    return FakeHost(tmp_path)
