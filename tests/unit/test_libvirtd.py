"""libvirtd: what libvirt says, asked of its own test driver."""

from pathlib import Path

import libvirt
import pytest
from refusals import refuses

from virt_exitstat.domains import libvirtd


@pytest.mark.parametrize(
    "ask", [lambda connection: libvirtd.run_directory(connection, Path("/")), libvirtd.describe_address]
)
def test_a_connection_that_has_broken_off_is_one_of_our_errors(ask):
    connection = libvirt.open("test:///default")
    connection.close()
    with refuses(libvirtd.NoAnswerError, "cannot ask libvirt for its URI"):
        ask(connection)
