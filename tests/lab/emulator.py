"""The lab's emulators: Debian's QEMU and Bochs, unpacked beside the images, whatever this machine has installed.

Every machine tests with the same ones. Debian 12's QEMU 7.2 does not carry Linux 5.10 on SVM: within a minute or
two the lab's kernel panics in KVM_RUN or hangs. 10.0 does, and fails rarely: one panic was seen, after 200 s of guests
at work. Sid's 11.1 is no better: tests/lab/soak had guests at work for two hours on each, 10.0.13 never failed, 11.1.3
once, by a triple fault. A CPU of that host stood right behind VMRUN, before STGI, with a guest's GS still loaded; the
panic on 10.0 looked alike. The cause is unknown. Bochs is the one emulator in Debian that has VMX.
"""

from dataclasses import dataclass
from pathlib import Path

from cache import apt_mirror, built_once, run

# The Debian release whose QEMU the lab uses.
QEMU_RELEASE = "trixie"


@dataclass(frozen=True)
class Emulator:
    """An emulator's own files: `share` is its /usr/share, `libraries` where its plugins and libraries are."""

    program: str
    share: Path
    libraries: Path

    @property
    def command(self) -> list[str]:
        """The beginning of its command line: its own dynamic loader and libraries, no chroot; it sees our files."""
        usr = self.share.parent
        return [
            f"{usr}/lib64/ld-linux-x86-64.so.2",
            "--library-path",
            f"{self.libraries}:{self.libraries}/pulseaudio",
            f"{usr}/bin/{self.program}",
        ]


def find_qemu(release: str = QEMU_RELEASE, *, mirror: str = "") -> Emulator:
    """A Debian release's QEMU, whose TCG emulates SVM."""
    return _find("qemu-system-x86_64", release, "qemu-system-x86", mirror)


def find_arm64_qemu(release: str = QEMU_RELEASE, *, mirror: str = "") -> Emulator:
    """A Debian release's QEMU, whose TCG emulates EL2."""
    return _find("qemu-system-aarch64", release, "qemu-system-arm,qemu-user", mirror)


def find_qemu_user(*, mirror: str = "") -> Path:
    """QEMU's user mode for programs of arm64, linked statically. It is beside the emulator of machines."""
    return find_arm64_qemu(mirror=mirror).share.parent / "bin/qemu-aarch64"


def find_bochs(*, mirror: str = "") -> Emulator:
    """Bochs, which emulates VMX."""
    return _find("bochs-bin", "bookworm", "bochs,bochs-sdl", mirror)


def _find(program: str, release: str, packages: str, mirror: str) -> Emulator:
    def build(_: Path, result: Path) -> None:
        run(
            [
                "mmdebstrap",
                "--variant=minbase",
                '--aptopt=APT::Install-Recommends "false"',
                # A mirror of sid that lags behind by some weeks serves as well.
                '--aptopt=Acquire::Check-Valid-Until "false"',
                f"--include={packages}",
                release,
                str(result),
                mirror or apt_mirror(),
            ],
            {},
        )

    root = built_once(f"emulator-{program}-of-{release}", [Path(__file__)], 25, build)
    return Emulator(program, share=root / "usr/share", libraries=root / "usr/lib/x86_64-linux-gnu")
