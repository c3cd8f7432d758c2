"""The lab's emulator: Debian 13's QEMU, unpacked beside the images, whatever QEMU this machine has.

Every machine tests with the same one, and Debian 12's 7.2 does not carry Linux 5.10: within a minute or two the lab's
kernel panics in KVM_RUN or hangs. The traces look as if an interrupt were taken between #VMEXIT and STGI, with the
guest's GS still loaded. 10.0 is better but not free of it (machine.py says what we do about it).
"""

from pathlib import Path

from cache import apt_mirror, built_once, run

_RELEASE = "trixie"


def emulator_command(*, mirror: str = "") -> list[str]:
    """The beginning of QEMU's command line, as far as it says where QEMU's own files are."""
    root = built_once("emulator", [Path(__file__)], 20, lambda _, result: _build(result, mirror))
    libraries = root / "usr/lib/x86_64-linux-gnu"
    # Its own dynamic loader and libraries: no chroot, so it sees this machine's files.
    return [
        "env",
        f"QEMU_MODULE_DIR={libraries}/qemu",
        f"{root}/usr/lib64/ld-linux-x86-64.so.2",
        "--library-path",
        str(libraries),
        f"{root}/usr/bin/qemu-system-x86_64",
        *(word for name in ("qemu", "seabios") for word in ("-L", f"{root}/usr/share/{name}")),
    ]


def _build(result: Path, mirror: str) -> None:
    run(
        [
            "mmdebstrap",
            "--variant=minbase",
            '--aptopt=APT::Install-Recommends "false"',
            "--include=qemu-system-x86",
            _RELEASE,
            str(result),
            mirror or apt_mirror(),
        ],
        {},
    )
