"""The lab's disk image: a Debian with libvirt, QEMU/KVM, bcc and the guests. Each run boots a snapshot of it."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from cache import apt_mirror, built_once, run
from emulator import find_qemu_user

# What is in it on every architecture, and in a directory each what is on one.
_RECIPE = Path(__file__).parent / "image"

#: {Debian's name of an architecture: seconds that building takes}. arm64's programs run by QEMU's user mode.
ARCHITECTURES = {"amd64": 80, "arm64": 360}

# Documentation and translations are a third of a minimal Debian's files and nobody reads them in the lab; nor does
# anybody look at the pages of Prometheus, whose list of time zones takes 200 MB.
_UNPACKED_WITHOUT = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/icons/*",
    "/usr/share/javascript/*",
)


@dataclass(frozen=True)
class Image:
    """A built image: the host's root disk (raw ext4), its kernel and its initramfs.

    `cdrom` boots these two, where the architecture has an emulator that cannot be given them.
    """

    disk: Path
    kernel: Path
    initrd: Path
    cdrom: Path
    arch: str = "amd64"

    @property
    def kernel_arguments(self) -> str:
        """The kernel's command line, the same on each machine of an architecture."""
        return (_RECIPE / self.arch / "kernel-arguments").read_text().strip()


def build_image(release: str, arch: str = "amd64", *, mirror: str = "") -> Image:
    """The image of a Debian release, by default from the mirror that this machine's apt uses.

    Needs root, mmdebstrap and e2fsprogs. Raises LabError when a step fails.
    """
    recipe = [*_files(_RECIPE), *_files(_RECIPE / arch), Path(__file__)]
    name = release if arch == "amd64" else f"{arch}-{release}"
    home = built_once(
        name, recipe, ARCHITECTURES[arch], lambda scratch, result: _build(release, arch, scratch, result, mirror)
    )
    parts = {name: home / file for name, file in _PARTS.items()}
    return Image(**parts, arch=arch)


_PARTS = {"disk": "disk.img", "kernel": "vmlinuz", "initrd": "initrd", "cdrom": "boot.iso"}


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_file())


def _build(release: str, arch: str, scratch: Path, result: Path, mirror: str) -> None:
    lines = [
        line for directory in (_RECIPE, _RECIPE / arch) for line in (directory / "packages").read_text().splitlines()
    ]
    packages = [line for line in lines if line and not line.startswith("#")]
    files = " ".join(str(path) for path in [*_files(_RECIPE), *_files(_RECIPE / arch)] if path.name != "packages")
    root = scratch / "root"
    # Debian's name of this machine's architecture is its kernel's, but for two.
    here = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine)
    foreign = Path(__file__).with_name("foreign.py")
    run(
        [
            *([] if arch == here else [sys.executable, str(foreign), str(find_qemu_user(mirror=mirror))]),
            "mmdebstrap",
            f"--arch={arch}",
            # It would look for a binfmt_misc of everybody's.
            *([] if arch == here else ["--skip=check/qemu"]),
            "--variant=minbase",
            '--aptopt=APT::Install-Recommends "false"',
            # A mirror of sid that lags behind by some weeks serves as well.
            '--aptopt=Acquire::Check-Valid-Until "false"',
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in _UNPACKED_WITHOUT),
            f"--include={','.join(packages)}",
            # No service is started while its package is installed.
            '--setup-hook=mkdir -p "$1/usr/sbin"; printf "#!/bin/sh\\nexit 101\\n" >"$1/usr/sbin/policy-rc.d"',
            '--setup-hook=chmod +x "$1/usr/sbin/policy-rc.d"',
            f'--customize-hook=mkdir "$1/lab"; cp {files} "$1/lab/"',
            '--customize-hook=chroot "$1" /lab/finish',
            release,
            str(root),
            mirror or apt_mirror(),
        ],
        # The lab has an initramfs of its own; Debian's takes 20 s to make and longer to boot.
        {"INITRD": "No"},
    )
    for name in ("vmlinuz", "initrd", *(["boot.iso"] if arch == "amd64" else [])):
        shutil.move(str(root / "lab" / name), str(result / name))
    disk = result / "disk.img"
    run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-L", "lab", "-d", str(root), str(disk), "3G"], {})
    os.truncate(disk, whole_cylinders(3 << 30))


def whole_cylinders(size: int) -> int:
    """The smallest disk of at least `size` bytes whose geometry Bochs guesses: 16 heads, 63 sectors a track."""
    cylinder = 16 * 63 * 512
    return -(-size // cylinder) * cylinder
