"""A host as it boots: no libvirtd, no domains."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _at_rest():
    """There is nothing to suspend."""
