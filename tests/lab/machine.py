"""The lab's hosts: the command lines of the two emulators that have hardware virtualization."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emulator import Emulator
from image import Image


@dataclass(frozen=True)
class Scratch:
    """The files of one boot, all in one directory."""

    directory: Path

    @property
    def job(self) -> Path:
        """The host's second disk."""
        return self.directory / "job.tar"

    @property
    def console(self) -> Path:
        """What the host's kernel says."""
        return self.directory / "console.log"

    @property
    def keys(self) -> Path:
        """The socket for keys that are typed on that console, where the emulator has one."""
        return self.directory / "keys"

    @property
    def output(self) -> Path:
        """A copy of what the job prints."""
        return self.directory / "output.log"

    @property
    def emulator(self) -> Path:
        """What the emulator says itself."""
        return self.directory / "emulator.log"

    @property
    def monitor(self) -> Path:
        """QEMU's monitor, a socket."""
        return self.directory / "monitor"

    @property
    def registers(self) -> Path:
        """The CPUs of a host that failed."""
        return self.directory / "registers.txt"


@dataclass(frozen=True)
class Machine:
    """A kind of host. `start` starts its emulator, whose job writes to our stdout; `has_monitor`: it speaks QMP.

    `arch` is that of its image.
    """

    start: Callable[[Image, Scratch], subprocess.Popen]
    has_monitor: bool
    arch: str = "amd64"


# The host's first program is systemd then (host-init looks for the unit). Without an id of the machine, systemd would
# take the boot for its very first, and enable services by its presets.
_UNDER_SYSTEMD = "systemd.unit=lab.target systemd.machine_id=00000000000000000000000000000001"

_TWO_CPUS = ["-accel", "tcg,thread=multi", "-smp", "2"]


def svm_machine(qemu: Emulator, *, icount: bool = False, systemd: bool = False, arguments: str = "") -> Machine:
    """An AMD host, by QEMU's TCG: two CPUs, or with `icount` one whose time stamp counter counts instructions.

    The latter is slow, and the same in each run. With `systemd` that is the host's first program. `arguments` are more
    for its kernel.
    """
    cpus = ["-icount", "shift=0,sleep=off", "-smp", "1"] if icount else _TWO_CPUS
    words = ["-L", str(qemu.share / "seabios"), *cpus, "-cpu", "EPYC-v1,+svm,+npt"]
    return Machine(_starter(qemu, words, f"{_UNDER_SYSTEMD if systemd else ''} {arguments}"), has_monitor=True)


def arm64_machine(qemu: Emulator, *, el2: bool = True, arguments: str = "") -> Machine:
    """An arm64 host with two CPUs, by QEMU's TCG: a server's CPU, with EL2 and VHE, without SVE.

    Without `el2` KVM cannot run on it. `arguments` are more for its kernel, as `kvm-arm.mode=nvhe`.
    """
    board = f"virt,virtualization={'on' if el2 else 'off'},gic-version=3"
    words = ["-machine", board, *_TWO_CPUS, "-cpu", "neoverse-n1"]
    return Machine(_starter(qemu, words, arguments), has_monitor=True, arch="arm64")


def _starter(qemu: Emulator, words: list[str], arguments: str) -> Callable[[Image, Scratch], subprocess.Popen]:
    """What starts QEMU: `words` of its command line tell what machine it is, `arguments` are its kernel's."""

    def start(image: Image, scratch: Scratch) -> subprocess.Popen:
        command = [
            *qemu.command,
            "-L", str(qemu.share / "qemu"),
            *words,
            "-nodefaults",
            "-no-user-config",
            "-display", "none",
            # The host stands still at its end, whatever that is, until the monitor has been asked about it.
            "-no-reboot",
            "-no-shutdown",
            "-qmp", f"unix:{scratch.monitor},server=on,wait=off",
            "-m", "3G",
            "-kernel", str(image.kernel),
            "-initrd", str(image.initrd),
            "-append", f"{image.kernel_arguments} sysrq_always_enabled {arguments}",
            "-drive", f"file={image.disk},format=raw,if=virtio,snapshot=on",
            "-drive", f"file={scratch.job},format=raw,if=virtio,readonly=on",
            "-chardev", f"socket,id=console,path={scratch.keys},server=on,wait=off,logfile={scratch.console}",
            "-serial", "chardev:console",
            "-chardev", f"stdio,id=output,signal=off,logfile={scratch.output}",
            "-serial", "chardev:output",
        ]  # fmt: skip
        with open(scratch.emulator, "ab") as log:
            environment = {**os.environ, "QEMU_MODULE_DIR": str(qemu.libraries / "qemu")}
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, env=environment)

    return start


def vmx_machine(bochs: Emulator) -> Machine:
    """An Intel host with one CPU, by Bochs. With two it hangs, and of its CPU models this one has a sound clock."""

    def start(image: Image, scratch: Scratch) -> subprocess.Popen:
        # Bochs opens a file by its path and truncates it, so the job's output comes through a pipe.
        output = subprocess.Popen(["tee", scratch.output], stdin=subprocess.PIPE)
        assert output.stdin
        (scratch.directory / "bochsrc").write_text(
            f"""\
cpu: model=corei7_haswell_4770, count=1, ips=50000000, reset_on_triple_fault=0
clock: sync=none
memory: guest=1536, host=1536
romimage: file={bochs.share}/bochs/BIOS-bochs-latest
vgaromimage: file={bochs.share}/bochs/VGABIOS-lgpl-latest
display_library: sdl2
ata0-master: type=disk, path={image.disk}, mode=volatile, cylinders=0, journal=disk
ata0-slave: type=disk, path={scratch.job.name}, mode=volatile, cylinders=0, journal=job
ata1-master: type=cdrom, path={image.cdrom}, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={scratch.console.name}
com2: enabled=1, mode=file, dev=/proc/self/fd/{output.stdin.fileno()}
log: /dev/null
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
panic: action=fatal
"""
        )
        # Debian's Bochs has its debugger compiled in, which waits for a command first.
        (scratch.directory / "continue").write_text("continue\n")
        command = [*bochs.command, "-q", "-f", "bochsrc", "-rc", "continue"]
        environment = {
            **os.environ,
            "LTDL_LIBRARY_PATH": str(bochs.libraries / "bochs/plugins"),
            "BXSHARE": str(bochs.share / "bochs"),
            "SDL_VIDEODRIVER": "dummy",
        }
        with output.stdin as pipe, open(scratch.emulator, "ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=scratch.directory,
                env=environment,
                pass_fds=[pipe.fileno()],
            )

    return Machine(start, has_monitor=False)
