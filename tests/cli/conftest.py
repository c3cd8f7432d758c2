"""Fixtures of the command-line tests: the world that main() is given, and golden files."""

from pathlib import Path

import pytest
from fake_world import World

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser):
    parser.addoption("--rewrite-golden", action="store_true", help="write the golden files anew; then read the diff")


@pytest.fixture()
def world(tmp_path):
    return World(tmp_path)


@pytest.fixture()
def golden(request):
    """Compare a text with the golden file of a name; --rewrite-golden writes it instead."""

    def compare(name, text):
        path = GOLDEN / f"{name}.txt"
        if request.config.getoption("--rewrite-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text.encode())
        # Bytes, for CSV ends its lines in CR LF.
        assert text == path.read_bytes().decode()

    return compare
