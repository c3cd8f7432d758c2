"""The lab's disk image: a Debian with libvirt, QEMU/KVM, bcc and the guests. Each run boots a snapshot of it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from cache import apt_mirror, built_once, run
from emulator import find_qemu_user

# What is in it on every architecture, and in a directory each what is on one.
_RECIPE = Path(__file__).parent / "image"

# How long it takes. The programs of arm64 run by QEMU's user mode.
_SECONDS = {"amd64": 80, "arm64": 360}

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

    On amd64 there is a CD that boots these two. `arch` is Debian's name of the architecture.
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
    recipe = [*_recipe(arch), Path(__file__)]
    name = release if arch == "amd64" else f"{arch}-{release}"
    home = built_once(
        name, recipe, _SECONDS[arch], lambda scratch, result: _build(release, arch, scratch, result, mirror)
    )
    return Image(home / "disk.img", home / "vmlinuz", home / "initrd", home / "boot.iso", arch)


def _recipe(arch: str) -> list[Path]:
    """Its files: those of every architecture, then those of one."""
    return [path for directory in (_RECIPE, _RECIPE / arch) for path in sorted(directory.iterdir()) if path.is_file()]


def _build(release: str, arch: str, scratch: Path, result: Path, mirror: str) -> None:
    lists = [path.read_text().splitlines() for path in _recipe(arch) if path.name == "packages"]
    packages = [line for lines in lists for line in lines if line and not line.startswith("#")]
    files = " ".join(str(path) for path in _recipe(arch) if path.name != "packages")
    # Programs of arm64 do not run here by themselves. mmdebstrap would look for a binfmt_misc of everybody's.
    by_qemu = [Path(__file__).with_name("foreign.py"), find_qemu_user(mirror=mirror)] if arch == "arm64" else []
    root = scratch / "root"
    run(
        [
            *map(str, by_qemu),
            "mmdebstrap",
            f"--arch={arch}",
            *(["--skip=check/qemu"] if by_qemu else []),
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
