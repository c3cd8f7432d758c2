"""The programs that these tests need, and a Prometheus with made-up data."""

import os
import shutil

import pytest

import made_up_world


def find_program(name, package):
    """Where a program is; without it a test fails where all tests were asked for, and else is skipped."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    found = shutil.which(name, path=path)
    if not found:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing(f"no {name}: 'apt install {package}', or tests/setup, installs it")
    return found


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
