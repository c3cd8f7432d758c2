"""A clean root as a machine of its own: processes, network and devices; thrown away when it ends."""

import subprocess
import tempfile
from contextlib import contextmanager

from clean_root import clean_root

# Sees the root below it as a machine's own; $1 is the root, $2 a directory to put an overlay in. Says its pid as the
# host counts, then waits as the namespace's init.
_BOOT = """
set -e
mount -t tmpfs tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
read -r pid rest </proc/self/stat
cd "$2/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
for directory in dev run tmp; do mount -t tmpfs tmpfs "$directory"; done
chmod 1777 tmp
mkdir dev/pts dev/shm run/lock
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
while read -r name major minor; do mknod -m 666 "dev/$name" c "$major" "$minor"; done <<END
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
kvm 10 232
END
ln -s /proc/self/fd dev/fd
ip link set lo up 2>/dev/null || true
exec chroot . sh -c 'echo "$1"; exec tini -s -- sleep infinity' init "$pid"
"""


class Machine:
    """A clean root that runs: commands see it as their machine, without a network."""

    def __init__(self, pid):
        self._pid = pid

    def run(self, *command, check=True, **options):
        """Run a command in it; what it prints on stdout, with stderr behind it when it fails."""
        done = subprocess.run(
            ["nsenter", f"--target={self._pid}", "--mount", "--pid", "--net", "--root", "--wd", "--", *command],
            env={
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": "/root",
                "LANG": "C.UTF-8",
            },
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        assert done.returncode == 0 or not check, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def copy_in(self, path, to):
        """Put a file of ours into it."""
        with open(path, "rb") as content:
            self.run("sh", "-c", f"cat >{to}", stdin=content)


@contextmanager
def machine(release):
    """A Machine of a fresh clean root."""
    root = clean_root(release)
    with tempfile.TemporaryDirectory(prefix="virt-exitstat-install-") as scratch:
        init = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "--pid",
                "--net",
                "--fork",
                "--kill-child",
                "sh",
                "-c",
                _BOOT,
                "boot",
                root,
                scratch,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            pid = init.stdout.readline().strip()
            assert pid, "the root cannot be mounted; see above"
            yield Machine(int(pid))
        finally:
            init.kill()  # unshare holds SIGTERM back; its init and all below it die with it
            init.wait()
