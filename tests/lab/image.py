"""The lab's disk image: a Debian with libvirt, QEMU/KVM, bcc and the guests, built once per recipe and release.

The image is cached below `/var/cache/virt-exitstat-lab` (or `$VIRT_EXITSTAT_LAB_CACHE`), keyed by a hash of everything
it is built from. It is never written to after it was built: each run boots a snapshot.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

_RECIPE = Path(__file__).parent / "image"
_HERE = Path(__file__)

# Documentation and translations are a third of a minimal Debian's files and nobody reads them in the lab.
_UNPACKED_WITHOUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/icons/*")


class LabError(Exception):
    """The lab cannot do what was asked; the message says why and what to do."""


@dataclass(frozen=True)
class Image:
    """A built image: the host's root disk (raw ext4), its kernel and its initramfs."""

    disk: Path
    kernel: Path
    initrd: Path


def build_image(release: str, *, mirror: str = "") -> Image:
    """Return the image of a Debian release, building it first when no run before has done so.

    `mirror` is the URI of a Debian mirror; by default the one that this machine's apt uses. Needs root, mmdebstrap and
    e2fsprogs. Raises LabError when a step fails; a half-built image is never left where a later run would take it.
    """
    cache = Path(os.environ.get("VIRT_EXITSTAT_LAB_CACHE", "/var/cache/virt-exitstat-lab"))
    cache.mkdir(parents=True, exist_ok=True)
    home = cache / f"{release}-{_key()}"
    with open(cache / f"{release}.lock", "w") as lock:
        # Two labs that start at once build one image, not two.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            _build(release, home, mirror or _apt_mirror())
    return Image(disk=home / "disk.img", kernel=home / "vmlinuz", initrd=home / "initrd")


def _key() -> str:
    recipe = hashlib.sha256()
    for path in [*sorted(_RECIPE.iterdir()), _HERE]:
        recipe.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return recipe.hexdigest()[:12]


def _apt_mirror() -> str:
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    if not targets:
        raise LabError("apt knows no Debian mirror; run 'apt-get update', or name one with --mirror URI")
    return targets[0]


def _build(release: str, home: Path, mirror: str) -> None:
    packages = [line for line in (_RECIPE / "packages").read_text().splitlines() if line and not line.startswith("#")]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"{home.name}.building-", dir=home.parent) as scratch:
        root, unfinished = Path(scratch, "root"), Path(scratch, "image")
        unfinished.mkdir()
        _say(f"building the Debian {release} image, once (about 90 s): packages ..")
        _run(
            [
                "mmdebstrap",
                "--variant=minbase",
                '--aptopt=APT::Install-Recommends "false"',
                *(f"--dpkgopt=path-exclude={pattern}" for pattern in _UNPACKED_WITHOUT),
                f"--include={','.join(packages)}",
                # No service is started while its package is installed.
                '--setup-hook=mkdir -p "$1/usr/sbin"; printf "#!/bin/sh\\nexit 101\\n" >"$1/usr/sbin/policy-rc.d"',
                '--setup-hook=chmod +x "$1/usr/sbin/policy-rc.d"',
                f'--customize-hook=mkdir "$1/lab"; cp {_RECIPE}/* "$1/lab/"',
                '--customize-hook=chroot "$1" /lab/finish',
                release,
                str(root),
                mirror,
            ],
            # The lab has an initramfs of its own; Debian's takes 20 s to make and longer to boot.
            {**os.environ, "INITRD": "No"},
        )
        _say(f"building the Debian {release} image: disk ..")
        for name in ("vmlinuz", "initrd"):
            shutil.move(str(root / "lab" / name), str(unfinished / name))
        disk = ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", str(root), str(unfinished / "disk.img"), "3G"]
        _run(disk, dict(os.environ))
        unfinished.rename(home)
    _say(f"built the Debian {release} image in {time.monotonic() - started:.0f} s")


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        last = "\n".join(done.stdout.splitlines()[-25:])
        raise LabError(f"{command[0]} failed with status {done.returncode}; its last lines:\n{last}")


def _say(message: str) -> None:
    print(f"lab: {message}", flush=True)
