"""The Debian package, in clean Debian 12 and 13 with libvirt: it installs, works on a real domain, and goes."""

import os
import re
import shutil
import subprocess

import pytest

from chroot_machine import machine
from clean_root import CHECKOUT
from file_trees import files_below
from local_libvirt import domain_xml
from virt_exitstat import __version__

# bash loads a completion when a command is first completed, and asks again.
_COMPLETE = """
. /usr/share/bash-completion/bash_completion
loader=$(complete -p -D) loader=${loader##*-F }
${loader%% *} virt-exitstat gue virt-exitstat
completion=$(complete -p virt-exitstat) completion=${completion##*-F }
COMP_WORDS=(virt-exitstat "$1") COMP_CWORD=1 COMP_LINE="virt-exitstat $1" COMP_POINT=$((14 + ${#1}))
${completion%% *} virt-exitstat "$1" virt-exitstat
printf '%s\\n' "${COMPREPLY[@]}"
"""


def changes():
    return subprocess.run(
        ["git", "-C", CHECKOUT, "status", "--porcelain"], capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture(scope="session")
def deb(tmp_path_factory):
    """Built as a user builds it."""
    dist, before = tmp_path_factory.mktemp("dist"), changes()
    done = subprocess.run(
        ["make", "-s", "-C", CHECKOUT, "deb", f"DIST={dist}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert changes() == before
    return dist / f"virt-exitstat_{__version__}_all.deb"


def exporter_of(deb):
    """The package of the service, which is built with it."""
    return deb.with_name(deb.name.replace("virt-exitstat", "virt-exitstat-exporter"))


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def host(request, deb):
    """A clean host with the package on it."""
    assert os.geteuid() == 0, "these tests mount and chroot: run them as root"
    with machine(request.param) as clean:
        clean.copy_in(exporter_of(deb), "/root/virt-exitstat-exporter.deb")
        assert clean.run("dpkg-query", "--show", "python3-bpfcc", check=False).returncode != 0
        clean.copy_in(deb, "/root/virt-exitstat.deb")
        clean.run("apt-get", "install", "--yes", "--no-install-recommends", "/root/virt-exitstat.deb")
        yield clean


@pytest.fixture(scope="module")
def domain(host):
    """A real domain under a real libvirtd of that host; its name."""
    host.run("sh", "-c", "mkdir -p /run/libvirt; virtlogd -d; libvirtd -d")
    host.run("sh", "-c", "for i in $(seq 600); do virsh -q list 2>/dev/null && exit; sleep 0.1; done; exit 1")
    host.run("sh", "-c", "cat >/tmp/domain.xml; virsh -q create /tmp/domain.xml", input=domain_xml("guest01", 2, 2))
    return "guest01"


def test_lintian_has_nothing_to_say(deb):
    if not shutil.which("lintian"):
        pytest.skip("no lintian; tests/setup installs it")
    done = subprocess.run(
        ["lintian", "--allow-root", deb, exporter_of(deb)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_command_runs(host):
    assert host.run("virt-exitstat", "--version").stdout == f"virt-exitstat {__version__}\n"


def test_what_counting_imports_is_there(host):
    host.run("/usr/bin/python3", "-c", "import bcc, libvirt, tabulate; bcc.BPF")


def test_list_shows_the_real_domain(host, domain):
    pid = host.run("cat", f"/run/libvirt/qemu/{domain}.pid").stdout.strip()
    header, *rows = host.run("virt-exitstat", "--list").stdout.splitlines()
    assert header.split() == ["domain", "id", "uuid", "pid", "vcpu", "tid"]
    assert [[row.split()[n] for n in (0, 3, 4)] for row in rows] == [[domain, pid, "0"], [domain, pid, "1"]]


def test_bash_completes_the_domains_name(host, domain):
    assert host.run("bash", "-c", _COMPLETE, "bash", "gue").stdout.split() == [domain]


def test_every_file_lies_where_debian_looks_for_it(host):
    files = set(host.run("dpkg", "--listfiles", "virt-exitstat").stdout.split())
    assert {"/usr/bin/virt-exitstat", "/usr/share/man/man8/virt-exitstat.8.gz"} <= files
    package = files_below(CHECKOUT / "lib/virt_exitstat")
    assert {f"/usr/share/virt-exitstat/lib/virt_exitstat/{path}" for path in package} <= files
    places = {
        "virt-exitstat": "/usr/share/bash-completion/completions/",
        "_virt-exitstat": "/usr/share/zsh/vendor-completions/",
        "virt-exitstat.fish": "/usr/share/fish/vendor_completions.d/",
    }
    for completion in (CHECKOUT / "completions").iterdir():
        assert places[completion.name] + completion.name in files


def test_the_readmes_pages_lie_beside_it(host):
    files = host.run("dpkg", "--listfiles", "virt-exitstat").stdout.split()
    pages = ["README.md", *(f"docs/{path}" for path in files_below(CHECKOUT / "docs"))]
    assert [page for page in pages if f"/usr/share/doc/virt-exitstat/{page}" not in files] == []


def test_the_exporter_is_a_package_of_its_own(host):
    """The command's package does without the exporter's dependencies."""
    assert host.run("/usr/bin/python3", "-c", "import prometheus_client", check=False).returncode != 0
    assert "/systemd/system/" not in host.run("dpkg", "--listfiles", "virt-exitstat").stdout


def test_the_service_is_there_with_its_user_and_disabled(host):
    host.run("apt-get", "install", "--yes", "--no-install-recommends", "/root/virt-exitstat-exporter.deb")
    host.run("/usr/bin/python3", "-c", "import prometheus_client")
    for unit in ("virt-exitstat.service", "virt-exitstat.socket"):
        assert host.run("systemctl", "is-enabled", unit, check=False).stdout == "disabled\n"
    user = host.run("getent", "passwd", "_virt-exitstat").stdout.strip().split(":")
    assert user[-1] == "/usr/sbin/nologin"
    assert host.run("systemd-analyze", "verify", "--man=no", "virt-exitstat.service").stderr == ""


def test_to_enable_the_service_enables_its_socket(host):
    host.run("systemctl", "enable", "virt-exitstat.service")
    for unit in ("virt-exitstat.service", "virt-exitstat.socket"):
        assert host.run("systemctl", "is-enabled", unit).stdout == "enabled\n"


def test_the_exporters_rules_dashboard_and_examples_are_where_the_page_says(host):
    files = set(host.run("dpkg", "--listfiles", "virt-exitstat-exporter").stdout.split())
    share, examples = "/usr/share/virt-exitstat-exporter", "/usr/share/doc/virt-exitstat-exporter/examples"
    assert {f"{share}/{path}" for path in files_below(CHECKOUT / "monitoring")} <= files
    assert {f"{examples}/{path}" for path in files_below(CHECKOUT / "systemd/examples")} <= files


def test_the_exporter_removed_leaves_nothing_but_its_user(host):
    host.run("apt-get", "purge", "--yes", "virt-exitstat-exporter")
    left = host.run("find", "/etc", "/usr", "/var/lib", "-name", "*exitstat*").stdout.split()
    assert left
    of_exporter = [path for path in left if "exporter" in path or "systemd" in path or "sysusers" in path]
    assert of_exporter == []


def test_removed_it_leaves_nothing(host):
    """Root has run the program before it."""
    host.run("apt-get", "purge", "--yes", "virt-exitstat")
    assert host.run("find", "/etc", "/usr", "/var/lib", "-name", "*exitstat*").stdout == ""


def test_apt_takes_the_headers_along_by_itself(host):
    """The last test of a host: there the package is gone again."""
    plan = host.run("apt-get", "install", "--simulate", "-oAPT::Install-Recommends=true", "/root/virt-exitstat.deb")
    assert {"Inst virt-exitstat", "Inst linux-headers-amd64"} <= set(re.findall(r"^Inst [\w-]+", plan.stdout, re.M))
