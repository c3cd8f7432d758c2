"""The lab's emulators: Debian's QEMU and Bochs, unpacked beside the images, whatever this machine has installed.

Every machine tests with the same ones. Debian 12's QEMU 7.2 does not carry Linux 5.10 on SVM: within a minute or
two the lab's kernel panics in KVM_RUN or hangs. The traces look as if an interrupt were taken between #VMEXIT and
STGI, with the guest's GS still loaded. 10.0 is better but not free of it (machine.py says what we do about it). Bochs
is the one emulator in Debian that has VMX.
"""

from dataclasses import dataclass
from pathlib import Path

from cache import apt_mirror, built_once, run


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


def find_qemu(*, mirror: str = "") -> Emulator:
    """QEMU, whose TCG emulates SVM."""
    return _find("qemu-system-x86_64", "trixie", "qemu-system-x86", mirror)


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
                f"--include={packages}",
                release,
                str(result),
                mirror or apt_mirror(),
            ],
            {},
        )

    root = built_once(f"emulator-{program}", [Path(__file__)], 25, build)
    return Emulator(program, share=root / "usr/share", libraries=root / "usr/lib/x86_64-linux-gnu")
