"""The root of a Debian host that has libvirt and nothing of ours, made once for each release."""

import re
from pathlib import Path

from cache import apt_mirror, built_once, run

CHECKOUT = Path(__file__).resolve().parents[2]

#: What virt-exitstat is installed for, and what these tests need to run it without an init. No Python.
_HOST = "libvirt-daemon-system,libvirt-daemon-driver-qemu,libvirt-clients,qemu-system-x86,tini,bash-completion"

# Domains of a libvirtd that runs in a chroot, without udev and cgroups.
_QEMU_CONF = 'namespaces = [ ]\\nsecurity_driver = "none"\\ncgroup_controllers = [ ]\\n'


def clean_root(release):
    """The root of a Debian `release` with libvirt; what our package depends on lies in apt's cache, not installed."""
    control = CHECKOUT / "debian/control"
    return (
        built_once(f"install-{release}", [Path(__file__), control], 120, lambda _, home: _build(release, home)) / "root"
    )


def dependencies():
    """The packages that the Debian packages depend on."""
    fields = re.findall(r"^Depends:((?:\n .*)+)", (CHECKOUT / "debian/control").read_text(), re.MULTILINE)
    return [line.split()[0].rstrip(",") for field in fields for line in field.splitlines() if line and "$" not in line]


def _build(release, home):
    run(
        [
            "mmdebstrap",
            "--variant=minbase",
            '--aptopt=APT::Install-Recommends "false"',
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            f"--include={_HOST}",
            "--skip=cleanup/apt",
            # No service is started while its package is installed.
            '--setup-hook=mkdir -p "$1/usr/sbin"; printf "#!/bin/sh\\nexit 101\\n" >"$1/usr/sbin/policy-rc.d"',
            '--setup-hook=chmod +x "$1/usr/sbin/policy-rc.d"',
            f"--customize-hook=printf '{_QEMU_CONF}' >>\"$1/etc/libvirt/qemu.conf\"",
            '--customize-hook=chroot "$1" apt-get clean',
            f'--customize-hook=chroot "$1" apt-get install -y --download-only {" ".join(dependencies())}',
            release,
            str(home / "root"),
            apt_mirror(),
        ],
        {},
    )
