"""Where the lab itself runs programs of arm64: on Linux 6.7 and later; before, it is told in a sentence."""

import os
import re
import subprocess

from kvm_host import CHECKOUT

LINUX = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))


def test_a_kernel_without_private_binfmt_misc_is_told_by_its_version():
    """/bin/true stands in for QEMU's user mode, which is opened here and not run."""
    registered = ["cat", "/proc/sys/fs/binfmt_misc/qemu-aarch64"]
    command = [CHECKOUT / "tests/lab/foreign.py", "/bin/true", *registered]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if LINUX < (6, 7):
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith(
            f"E: this kernel, {os.uname().release}, gives no namespace a binfmt_misc of its own (Linux 6.7 does)"
        )
    else:
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("enabled\ninterpreter /bin/true\nflags: F\n")
    assert subprocess.run(registered, capture_output=True, check=False).returncode, "nothing is registered for others"
