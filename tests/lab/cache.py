"""What the lab builds once and keeps: directories below the cache, each keyed by what it is built from.

The cache is `/var/cache/virt-exitstat-lab`, or `$VIRT_EXITSTAT_LAB_CACHE`.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

# Hexadecimal digits.
_KEY_LENGTH = 12
_ANY_KEY = "[0-9a-f]" * _KEY_LENGTH

_IN_ITS_OWN_NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


class LabError(Exception):
    """The lab cannot do what was asked; the message says why and what to do."""


def built_once(name: str, made_from: Iterable[Path], seconds: int, build: Callable[[Path, Path], None]) -> Path:
    """The directory `name` as `build(scratch, result)` fills it, built now unless a run before has done so.

    It is built anew when a file in `made_from` changes, and then the old one is removed. A build that is interrupted
    leaves nothing that a later run would take. `seconds` is what to tell the user to expect.
    """
    key = hashlib.sha256()
    for path in made_from:
        key.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    cache = cache_directory()
    home = cache / f"{name}-{key.hexdigest()[:_KEY_LENGTH]}"
    with open(cache / f"{name}.lock", "w") as lock:
        # Two labs that start at once build it once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            # Another name may begin with this one, as sid-slim with sid.
            for key_or_scratch in (_ANY_KEY, "building-*"):
                for old in cache.glob(f"{name}-{key_or_scratch}"):
                    _remove(old)
            started = time.monotonic()
            say(f"building {name}, once (about {seconds} s) ..")
            with tempfile.TemporaryDirectory(prefix=f"{name}-building-", dir=cache) as scratch:
                result = Path(scratch, "result")
                result.mkdir()
                build(Path(scratch), result)
                result.rename(home)
            say(f"built {name} in {time.monotonic() - started:.0f} s")
    return home


def _remove(directory: Path) -> None:
    """Remove a directory of the cache and nothing that is mounted in it."""
    listed = subprocess.run(
        ["findmnt", "--json", "--list", "--output", "target"], capture_output=True, text=True, check=True
    ).stdout
    mounts = [Path(mount["target"]) for mount in json.loads(listed)["filesystems"]]
    for mount in reversed(mounts):
        if directory.resolve() in mount.parents:
            subprocess.run(["umount", mount], check=True)
    shutil.rmtree(directory)


def cache_directory() -> Path:
    """Where the lab keeps things; made when it is not there."""
    cache = Path(os.environ.get("VIRT_EXITSTAT_LAB_CACHE", "/var/cache/virt-exitstat-lab"))
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def apt_mirror() -> str:
    """The URI of the Debian mirror that this machine's apt uses."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    if not targets:
        raise LabError("apt knows no Debian mirror; run 'apt-get update', or name one with --mirror URI")
    return targets[0]


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run a step of a build; LabError with its first error when it fails.

    What it mounts and what it starts are its own: they end with it, and it ends with this process, however that ends.
    """
    done = subprocess.run(
        ["setpriv", "--pdeathsig", "KILL", *_IN_ITS_OWN_NAMESPACES, *command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stdout.splitlines() or ["it said nothing"]
        error = next((line for line in lines if line.startswith("E: ")), lines[-1])
        raise LabError(f"{command[0]} failed with status {done.returncode}: {error}")


def say(message: str) -> None:
    """Tell the user what takes time; stdout is the command's."""
    print(f"lab: {message}", file=sys.stderr, flush=True)
