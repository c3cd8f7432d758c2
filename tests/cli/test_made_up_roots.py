"""Whatever becomes of a file below /proc, /sys, /run or /etc, the answer is a report or an error with a hint.

Each file and directory of a made-up host is spoilt in each way by itself, then many of them at a time by chance. What
main() raises besides our own errors fails the test: it would be an internal error.
"""

import contextlib
import io
import os
import random
import shutil
from pathlib import Path

import pytest
from fake_world import DB01, KVM_EXIT, WEB01, SetClock, SetCounter

from kvm_types import KvmTypes, since_5_16
from virt_exitstat import cli
from virt_exitstat.errors import ExitStatError
from virt_exitstat.host.needs.headers import explain_headers
from virt_exitstat.kernel import prerequisites
from virt_exitstat.kernel.attach_plan import plan_attachment
from virt_exitstat.world import World

DATA = Path(__file__).parents[1] / "unit/data"

LINES = (
    ["web01", ".01"],
    [".01"],
    ["--list"],
    ["--pid", "1100", "--reason", "12", ".01"],
    ["--pid", "all", ".01"],
    ["--tid", "1101,1201", ".01"],
    ["-i", ".01", "--count", "2"],
)


@pytest.fixture(params=["x86", "arm64"])
def whole(world, request):
    """The world of the command-line tests with all that a kernel tells, and what counting asks of it."""
    world.connect(WEB01, DB01)
    host = world.host
    if request.param == "x86":
        add_x86(host)
    else:
        add_arm64(host)
    host.add_file("proc/self/status", "NSpid:\t77\nCapEff:\t000001ffffffffff\n")
    host.add_file("proc/self/uid_map", "         0          0 4294967295\n")
    host.add_file("proc/self/mountinfo", "22 27 0:21 / /proc rw,relatime - proc proc rw\n")
    host.add_file("proc/self/ns/pid", "")
    host.add_file("proc/1/ns/pid", "")
    host.add_file("etc/os-release", 'ID=debian\nVERSION="13"\n')
    for pid in (1100, 1200):
        stat = " ".join(["S", *["1"] * 18, "4711", *["0"] * 30])
        (host.proc / str(pid) / "stat").write_text(f"{pid} (qemu) {stat}\n")
    (host.run_dir / "web01.pid").write_text("1100")
    host.add_file(f"lib/modules/{os.uname().release}/build/include/linux/sched.h", "")
    return world


def add_x86(host):
    host.add_file("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vmx\n")
    host.add_file("proc/modules", "kvm_intel 1 0 - Live 0x0\n")
    host.add_file(KVM_EXIT, (DATA / "kvm_exit.format.trixie").read_text())
    kernel = since_5_16()
    for name, types in (
        ("vmlinux", kernel),
        ("kvm", since_5_16(kernel)),
        ("kvm_intel", since_5_16(kernel).with_vmx(top_at=88)),
    ):
        add_btf(host, name, types)
        host.add_file(f"sys/module/{name}/initstate", "live\n")


def add_arm64(host):
    """KVM is built in, and its device shows whether it can run."""
    host.add_file("proc/sys/kernel/arch", "aarch64\n")
    host.add_file("proc/modules", "virtio_net 1 0 - Live 0x0\n")
    host.add_file("proc/cmdline", "quiet kvm-arm.mode=nvhe\n")
    host.add_file("dev/kvm", "")
    host.add_file(KVM_EXIT, (DATA / "kvm_exit.format.arm64.trixie").read_text())
    add_btf(host, "vmlinux", KvmTypes().with_arguments("int", "unsigned int", "unsigned long"))


def add_btf(host, name, types):
    path = host.root / "sys/kernel/btf" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(types.data())


class AnyCounter(SetCounter):
    """Does not mind threads that cannot be seen any more."""

    def free_rows(self, is_gone):
        for thread in self._world.counts:
            is_gone(thread)


def answer(world, words):
    """Do what the command line says on this host, with everything but the kernel program; "" or our own error."""

    def counter(thread_filter, counting):
        prerequisites.check_privileges(world.root)
        explain_headers("Unable to find kernel headers", world.root)
        plan_attachment(world.root)
        return AnyCounter(world, thread_filter, counting)

    world.opened = world.attached = 0
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            cli.main(words, World(connection=world.connection, make_counter=counter, root=world.root, clock=SetClock()))
    except ExitStatError as error:
        assert error.hint.strip() and str(error).isprintable() and error.hint.isprintable()
        return str(error)
    assert out.getvalue().strip(), "neither a report nor an error"
    return ""


def empty(path):
    path.write_bytes(b"")


def directory(path):
    path.unlink()
    path.mkdir()


def loop(path):
    path.unlink()
    path.symlink_to(path.name)


def gone(path):
    path.unlink()


def zeros(path):
    path.write_bytes(b"\0" * 100)


def no_text(path):
    path.write_bytes(bytes(range(255, 127, -1)) * 3)


def cut(path):
    text = path.read_bytes()
    path.write_bytes(text[: len(text) * 2 // 3])


def numbers(path):
    path.write_bytes(b"99999999999999999999 -1 1e9 \xd9\xa3\n")


SPOIL_A_FILE = (gone, empty, directory, loop, zeros, no_text, cut, numbers)


def a_file_instead(path):
    shutil.rmtree(path)
    path.write_text("no directory\n")


def a_loop_instead(path):
    shutil.rmtree(path)
    path.symlink_to(path.name)


SPOIL_A_DIRECTORY = (shutil.rmtree, a_file_instead, a_loop_instead)


def parts(root):
    """What may be spoilt: libvirt's test driver, which stands for the daemon, keeps its own file."""
    found = [path for path in sorted(root.rglob("*")) if path.name != "node.xml"]
    files = [path for path in found if path.is_file() and not path.is_symlink()]
    return files, [path for path in found if path.is_dir()]


def test_a_whole_host_is_counted(whole):
    assert [answer(whole, words) for words in LINES] == [""] * len(LINES)


@pytest.mark.parametrize("spoil", [*SPOIL_A_FILE, *SPOIL_A_DIRECTORY], ids=lambda spoil: spoil.__name__)
def test_one_spoilt_part_never_is_an_internal_error(whole, tmp_path_factory, spoil):
    kept = tmp_path_factory.mktemp("kept") / "root"
    shutil.copytree(whole.root, kept, symlinks=True)
    files, directories = parts(whole.root)
    errors = set()
    for number, path in enumerate(files if spoil in SPOIL_A_FILE else directories):
        # The main command each time, and one of the others in turn.
        words = LINES[1 + number % (len(LINES) - 1)]
        spoil(path)
        try:
            errors |= {answer(whole, LINES[0]), answer(whole, words)}
        except Exception as error:
            raise AssertionError(f"{spoil.__name__} {path.relative_to(whole.root)}, {words}: {error!r}") from error
        mend(path, kept / path.relative_to(whole.root))
    assert len(errors) > 3, "hardly anything that was spoilt has been noticed"


def test_many_spoilt_parts_never_are_an_internal_error(whole, tmp_path_factory):
    kept = tmp_path_factory.mktemp("kept") / "root"
    shutil.copytree(whole.root, kept, symlinks=True)
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    for turn in range(60):
        spoilt = []
        for _ in range(dice.randint(2, 6)):
            files, directories = parts(whole.root)
            if dice.random() < 0.8:
                path, spoil = dice.choice(files), dice.choice(SPOIL_A_FILE)
            else:
                path, spoil = dice.choice(directories), dice.choice(SPOIL_A_DIRECTORY)
            spoil(path)
            spoilt.append(path)
        words = dice.choice(LINES)
        try:
            answer(whole, words)
        except Exception as error:
            raise AssertionError(f"seed {seed}, turn {turn}, {words}: {error!r}") from error
        # The last one first: it may have been below one that was spoilt before.
        for path in reversed(spoilt):
            mend(path, kept / path.relative_to(whole.root))


def mend(path, kept):
    """Put back what was there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if kept.is_dir():
        shutil.copytree(kept, path, symlinks=True)
    else:
        shutil.copy(kept, path)
