"""The lab's disk image: a Debian with libvirt, QEMU/KVM, bcc and the guests. Each run boots a snapshot of it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from cache import apt_mirror, built_once, run

_RECIPE = Path(__file__).parent / "image"

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
    """A built image: the host's root disk (raw ext4), its kernel and its initramfs, and a CD that boots these two."""

    disk: Path
    kernel: Path
    initrd: Path
    cdrom: Path

    @property
    def kernel_arguments(self) -> str:
        """The kernel's command line, the same on each machine."""
        return (_RECIPE / "kernel-arguments").read_text().strip()


def build_image(release: str, *, mirror: str = "") -> Image:
    """The image of a Debian release, by default from the mirror that this machine's apt uses.

    Needs root, mmdebstrap and e2fsprogs. Raises LabError when a step fails.
    """
    recipe = [*sorted(_RECIPE.iterdir()), Path(__file__)]
    home = built_once(release, recipe, 80, lambda scratch, result: _build(release, scratch, result, mirror))
    return Image(disk=home / "disk.img", kernel=home / "vmlinuz", initrd=home / "initrd", cdrom=home / "boot.iso")


def _build(release: str, scratch: Path, result: Path, mirror: str) -> None:
    packages = [line for line in (_RECIPE / "packages").read_text().splitlines() if line and not line.startswith("#")]
    root = scratch / "root"
    run(
        [
            "mmdebstrap",
            "--variant=minbase",
            '--aptopt=APT::Install-Recommends "false"',
            # A mirror of sid that lags behind by some weeks serves as well.
            '--aptopt=Acquire::Check-Valid-Until "false"',
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in _UNPACKED_WITHOUT),
            f"--include={','.join(packages)}",
            # No service is started while its package is installed.
            '--setup-hook=mkdir -p "$1/usr/sbin"; printf "#!/bin/sh\\nexit 101\\n" >"$1/usr/sbin/policy-rc.d"',
            '--setup-hook=chmod +x "$1/usr/sbin/policy-rc.d"',
            f'--customize-hook=mkdir "$1/lab"; cp {_RECIPE}/* "$1/lab/"',
            '--customize-hook=chroot "$1" /lab/finish',
            release,
            str(root),
            mirror or apt_mirror(),
        ],
        # The lab has an initramfs of its own; Debian's takes 20 s to make and longer to boot.
        {"INITRD": "No"},
    )
    for name in ("vmlinuz", "initrd", "boot.iso"):
        shutil.move(str(root / "lab" / name), str(result / name))
    disk = result / "disk.img"
    run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-L", "lab", "-d", str(root), str(disk), "3G"], {})
    os.truncate(disk, whole_cylinders(3 << 30))


def whole_cylinders(size: int) -> int:
    """The smallest disk of at least `size` bytes whose geometry Bochs guesses: 16 heads, 63 sectors a track."""
    cylinder = 16 * 63 * 512
    return -(-size // cylinder) * cylinder
