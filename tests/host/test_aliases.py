"""libvirt.conf may give names to URIs: they lead to this host's daemon, or are refused as their URIs are."""

import shlex
import subprocess

import pytest

from local_libvirt import CHECKOUT, URI, tool

pytestmark = pytest.mark.usefixtures("libvirtd")


@pytest.fixture()
def by_alias(tmp_path):
    """Run the tool at an alias of a URI; only the tool sees the libvirt.conf that has it."""

    def run(uri, *arguments):
        conf = tmp_path / "libvirt.conf"
        conf.write_text(f'uri_aliases = [ "lab={uri}" ]\n')
        command = shlex.join([str(CHECKOUT / "virt-exitstat"), "-c", "lab", *arguments])
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", f"mount --bind {conf} /etc/libvirt/libvirt.conf && exec {command}"],
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_an_alias_of_this_hosts_daemon_is_taken(by_alias):
    done = by_alias(URI, "--list")
    assert (done.returncode, done.stdout) == (0, tool("-c", URI, "--list").stdout)


@pytest.mark.parametrize("arguments", [("--list",), ("-i", "1")])
def test_an_alias_of_a_driver_of_our_own_is_refused_before_it_does_anything(by_alias, tmp_path, arguments):
    done = by_alias(f"qemu:///embed?root={tmp_path}/embedded", *arguments)
    assert done.returncode == 1 and "\nhint: " in done.stderr
    assert not (tmp_path / "embedded").exists()


def test_an_alias_of_another_driver_is_refused(by_alias):
    done = by_alias("test:///default", "--list")
    assert done.returncode == 1
    assert "'test:///default' is not a URI of libvirt's QEMU driver" in done.stderr
