"""What counting needs of the host: rights and headers, asked of a host made of files."""

import os

import pytest
from refusals import refuses

from virt_exitstat.errors import ExitStatError
from virt_exitstat.prerequisites import check_headers, check_privileges

SYS_ADMIN, PERFMON, BPF = 1 << 21, 1 << 38, 1 << 39


def capabilities(host, effective):
    host.add_file("proc/self/status", f"Name:\tpython3\nCapPrm:\tffffffffffffffff\nCapEff:\t{effective:016x}\n")


@pytest.mark.parametrize("effective", [SYS_ADMIN, BPF | PERFMON, 0x1FFFFFFFFFF])
def test_root_or_the_two_capabilities_may_count(host, effective):
    capabilities(host, effective)
    check_privileges(host.root)


@pytest.mark.parametrize(
    ("effective", "missing"),
    [
        (0, "CAP_PERFMON and CAP_BPF"),
        (BPF, "CAP_PERFMON"),
        (PERFMON, "CAP_BPF"),
        (0x1FFFFFFFFFF & ~SYS_ADMIN & ~BPF, "CAP_BPF"),
    ],
)
def test_less_may_not_and_is_told_what_is_missing(host, effective, missing):
    capabilities(host, effective)
    with refuses(ExitStatError, "needs root") as caught:
        check_privileges(host.root)
    assert f"or add {missing};" in caught.value.hint


def test_missing_headers_name_their_package(host):
    release = os.uname().release
    with refuses(ExitStatError, release) as caught:
        check_headers(host.root)
    assert f"apt install linux-headers-{release}" in caught.value.hint


@pytest.mark.parametrize("name", ["build", "source"])
def test_headers_are_found_where_bcc_looks(host, name):
    (host.root / "lib/modules" / os.uname().release / name).mkdir(parents=True)
    check_headers(host.root)


def test_a_link_to_headers_that_were_removed_is_no_headers(host):
    modules = host.root / "lib/modules" / os.uname().release
    modules.mkdir(parents=True)
    (modules / "build").symlink_to("/usr/src/linux-headers-gone")
    with refuses(ExitStatError, "no headers"):
        check_headers(host.root)


def test_headers_that_the_kernel_carries_itself_will_do(host):
    host.add_file("sys/kernel/kheaders.tar.xz", "")
    check_headers(host.root)
