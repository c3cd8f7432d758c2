"""packages: hints for the host at hand, by the os-release files of distributions."""

import os
import sys

import pytest

from virt_exitstat.host.needs.packages import Need, install_hint, start_hint

#: What stands in the file, and the family that comes of it.
RELEASES = {
    "debian": ("ID=debian\nVERSION_ID=12\n", "apt install"),
    "ubuntu": ('NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n', "apt install"),
    "mint": ("ID=linuxmint\nID_LIKE='ubuntu debian'\n", "apt install"),
    "fedora": ("ID=fedora\n", "dnf install"),
    "rhel": ('ID="rhel"\nID_LIKE="fedora"\n', "dnf install"),
    "rocky": ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf install"),
    "leap": ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "zypper install"),
    "sles": ('ID="sles"\nID_LIKE="suse"\n', "zypper install"),
    "arch": ("ID=arch\n", "pacman -S"),
    "manjaro": ("ID=manjaro\nID_LIKE=arch\n", "pacman -S"),
    "alpine": ("ID=alpine\n", "apk add"),
}
UNKNOWN = ["", "ID=plan9\n", "ID\n=\n\0\n", "NAME=debian\n", "ID_LIKE=\n"]


@pytest.mark.parametrize("need", Need)
@pytest.mark.parametrize("name", RELEASES)
def test_the_hint_has_the_hosts_own_command(host, name, need):
    text, command = RELEASES[name]
    host.add_file("etc/os-release", text)
    hint = install_hint(need, host.root)
    assert hint.startswith(f"install it with '{command}")
    others = {other for _, other in RELEASES.values()} - {command}
    assert not any(other in hint for other in others)
    # A package by its name, or in words.
    assert hint.startswith(f"install it with '{command} ") != (f"'{command}': the package of {need.value}" in hint)


@pytest.mark.parametrize(
    ("name", "need", "package"),
    [
        ("debian", Need.BCC, "python3-bpfcc"),
        ("ubuntu", Need.HEADERS, f"linux-headers-{os.uname().release}"),
        ("fedora", Need.BCC, "python3-bcc"),
        ("rocky", Need.HEADERS, f"kernel-devel-{os.uname().release}"),
        ("leap", Need.BCC, "python3-bcc"),
        ("arch", Need.BCC, "python-bcc"),
        ("alpine", Need.BCC, "py3-bcc"),
    ],
)
def test_packages_have_the_hosts_own_names(host, name, need, package):
    text, command = RELEASES[name]
    host.add_file("etc/os-release", text)
    assert f"'{command} {package}'" in install_hint(need, host.root)


@pytest.mark.parametrize("text", UNKNOWN)
def test_an_unknown_distribution_gets_words(host, text):
    host.add_file("etc/os-release", text)
    assert install_hint(Need.RICH, host.root).startswith("install it: the package of the Python module rich")
    assert start_hint("libvirtd", host.root) == "systemctl start libvirtd"


def test_the_vendors_file_serves_where_etc_has_none(host):
    assert install_hint(Need.RICH, host.root).startswith("install it: the package of")
    host.add_file("usr/lib/os-release", "ID=alpine\n")
    assert "apk add" in install_hint(Need.RICH, host.root)
    host.add_file("etc/os-release", "ID=arch\n")
    assert "pacman -S" in install_hint(Need.RICH, host.root)


def test_services_are_started_as_the_host_starts_them(host):
    host.add_file("etc/os-release", "ID=alpine\n")
    assert start_hint("libvirtd", host.root) == "rc-service libvirtd start"
    host.add_file("etc/os-release", "ID=fedora\n")
    assert start_hint("libvirtd", host.root) == "systemctl start libvirtd"


def test_what_is_broken_is_installed_again(host):
    host.add_file("etc/os-release", "ID=debian\n")
    assert install_hint(Need.BCC, host.root, again=True).startswith(
        "install it again with 'apt reinstall python3-bpfcc'"
    )


def test_a_venv_must_see_the_distributions_packages(host, monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/somewhere/venv")
    assert install_hint(Need.BCC, host.root).endswith(", and make the venv with --system-site-packages")
    assert "venv" not in install_hint(Need.HEADERS, host.root)


def test_the_headers_of_a_kernel_of_proxmox_are_told_in_words(host, monkeypatch):
    uname = os.uname()
    fields = (uname.sysname, uname.nodename, "6.8.12-4-pve", uname.version, uname.machine)
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(fields))
    host.add_file("etc/os-release", "ID=debian\n")
    assert (
        install_hint(Need.HEADERS, host.root)
        == "install it with 'apt install': the package of the running kernel's headers"
    )
