"""The programs that these tests need, and a Prometheus with made-up data."""

import pytest

import made_up_world
from required import find_program


@pytest.fixture(scope="session")
def promtool():
    return find_program("promtool", "prometheus")


@pytest.fixture(scope="session")
def prometheus(promtool, tmp_path_factory):
    with made_up_world.running(
        promtool, find_program("prometheus", "prometheus"), tmp_path_factory.mktemp("prometheus")
    ) as one:
        yield one


@pytest.fixture(scope="session")
def systemd_analyze():
    return find_program("systemd-analyze", "systemd")
