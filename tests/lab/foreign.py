#!/usr/bin/python3
"""Run a command where programs of arm64 run: by QEMU's user mode, in a binfmt_misc of a user namespace's own.

    foreign.py QEMU COMMAND [ARGUMENT..]     QEMU: the path of a static qemu-aarch64

Nothing outside changes, and nothing needs undoing: what a user namespace mounts stays in it. Linux has such namespaces
since 6.7. Ids map onto themselves.
"""

import contextlib
import ctypes
import os
import subprocess
import sys
from pathlib import Path

_NEWNS, _NEWUSER = 0x20000, 0x10000000

# An ELF file of 64 bits, little-endian, that is a program (ET_EXEC or ET_DYN) for EM_AARCH64, and which bits count. The
# flag F: the interpreter is opened now, so that it is found in a chroot too.
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


def main() -> None:
    qemu, *command = sys.argv[1:]
    try:
        _enter_namespaces()
        registry = Path("/proc/sys/fs/binfmt_misc")
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", registry], check=True, stderr=subprocess.DEVNULL)
        (registry / "register").write_bytes(f":qemu-aarch64:M::{_MAGIC}:{_MASK}:{qemu}:F".encode())
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(
            f"E: this kernel, {os.uname().release}, gives no namespace a binfmt_misc of its own (Linux 6.7 does), and"
            f" programs of arm64 do not run here: {error}"
        )
    os.execvp(command[0], command)


def _enter_namespaces() -> None:
    """Be root of a new user namespace with the first 65536 ids. Its maps must be written from outside."""
    ready, written = os.pipe(), os.pipe()
    writer = os.fork()
    if writer == 0:
        os.close(ready[1])
        # Nothing comes where the parent has no namespace.
        if os.read(ready[0], 1):
            with contextlib.suppress(OSError):
                for name in ("uid_map", "gid_map"):
                    Path(f"/proc/{os.getppid()}/{name}").write_text("0 0 65536\n")
                os.write(written[1], b"x")
        os._exit(0)
    os.close(written[1])
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEWNS | _NEWUSER):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    os.write(ready[1], b"x")
    if not os.read(written[0], 1):
        raise PermissionError("only root may map ids")
    os.waitpid(writer, 0)
    os.setgid(0)
    os.setuid(0)


if __name__ == "__main__":
    main()
