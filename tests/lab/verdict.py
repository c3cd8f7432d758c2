"""What became of one boot of the lab's host, told from what the emulator, its monitor and the console left behind."""

from __future__ import annotations

import enum
import re
import signal
from dataclasses import dataclass

# The last line that image/boot writes on the console before it switches off.
_STATUS = re.compile(r"^lab: exit status (\d+)$", re.MULTILINE)
_PANIC = re.compile(r"Kernel panic - not syncing|\bOops: |BUG: unable to handle")
# A command of the job may crash the host on purpose, and does so again in the next boot.
_WANTED_PANIC = re.compile(r"sysrq: Trigger a crash|Kernel panic - not syncing: sysrq triggered")
_SWITCHED_OFF = re.compile(r"reboot: (?:Power down|Restarting system|System halted)")

# Signals that a program brings on itself. Any other one came from somebody else.
_OWN_SIGNALS = frozenset(
    getattr(signal, name) for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS")
)


class Kind(enum.Enum):
    """How a boot ended; the value is how a message begins."""

    STATUS = "the command ended"
    TIMED_OUT = "time-out"
    RESET = "the host was reset"
    PANIC = "the host panicked"
    WANTED_PANIC = "the command crashed the host"
    SWITCHED_OFF = "the host switched off or rebooted without the command's status"
    EMULATOR_DIED = "the emulator died"
    KILLED = "the emulator was killed from outside"
    REFUSED = "the emulator refused to start"


# What the emulator did to us; the next boot may go well. The rest would come again, or somebody wanted it.
_EMULATORS_OWN = frozenset({Kind.RESET, Kind.PANIC, Kind.EMULATOR_DIED})


@dataclass(frozen=True)
class Evidence:
    """What is known when a boot is over.

    `returncode` is the emulator's as subprocess gives it, None when it ran on and we ended it. `shutdown` is the reason
    in the SHUTDOWN event of QEMU's monitor, "" when none came; Bochs has no monitor. `cpus` tells where the host's CPUs
    were and `answers` whether its kernel still did, when somebody looked.
    """

    returncode: int | None
    console: str
    output: str = ""
    emulator: str = ""
    shutdown: str = ""
    timed_out_after_s: float | None = None
    cpus: str = ""
    answers: bool | None = None


@dataclass(frozen=True)
class Outcome:
    """How a boot ended. `status` is the command's, for Kind.STATUS only; the message is for people, of many lines."""

    kind: Kind
    status: int | None
    message: str

    @property
    def worth_another_boot(self) -> bool:
        """Whether the emulator is to blame, so that the same command may pass in the next boot."""
        return self.kind in _EMULATORS_OWN


def judge(evidence: Evidence) -> Outcome:
    """The outcome, from the surest witness to the weakest. A status on the console holds whatever came after it."""
    statuses = _STATUS.findall(evidence.console)
    if statuses:
        return Outcome(Kind.STATUS, int(statuses[-1]), Kind.STATUS.value)
    kind, detail = _kind(evidence)
    return Outcome(
        kind, None, "\n".join([f"{kind.value}: {detail}" if detail else kind.value, *_surroundings(evidence)])
    )


def _kind(evidence: Evidence) -> tuple[Kind, str]:
    panic = _PANIC.search(evidence.console)
    code = evidence.returncode
    if _WANTED_PANIC.search(evidence.console):
        return Kind.WANTED_PANIC, "it asked for a panic by SysRq"
    if panic:
        return Kind.PANIC, _line_of(evidence.console, panic.start())
    if evidence.timed_out_after_s is not None:
        alive = "whether the host was alive is not known"
        if evidence.answers is not None:
            alive = "the host was alive" if evidence.answers else "the host no longer answered"
        return Kind.TIMED_OUT, f"the command had not ended after {evidence.timed_out_after_s:g} s; {alive}"
    if evidence.shutdown == "guest-shutdown" or _SWITCHED_OFF.search(evidence.console):
        return Kind.SWITCHED_OFF, ""
    if evidence.shutdown == "guest-reset":
        return Kind.RESET, "a triple fault or a reboot, without a word of panic on the console"
    if evidence.shutdown in ("host-signal", "host-qmp-quit"):
        return Kind.KILLED, f"it ended by {evidence.shutdown}"
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        if -code in _OWN_SIGNALS:
            return Kind.EMULATOR_DIED, f"by {name}"
        return Kind.KILLED, f"by {name}" + ("; perhaps for want of memory, see dmesg" if name == "SIGKILL" else "")
    if code and not evidence.console:
        return Kind.REFUSED, f"status {code}"
    if evidence.shutdown or code == 0:
        return Kind.EMULATOR_DIED, f"status {code}, shutdown reason '{evidence.shutdown or 'none'}'"
    # Bochs says no more than this of a triple fault.
    return Kind.RESET, f"the emulator ended with status {code}, without a word of panic on the console"


def _surroundings(evidence: Evidence) -> list[str]:
    panic = _PANIC.search(evidence.console)
    parts = [
        ("where its CPUs were", evidence.cpus),
        ("its last output", _last_lines(evidence.output)),
        # Of a panic the first lines tell most.
        ("its console", evidence.console[panic.start() :][:2000] if panic else _last_lines(evidence.console)),
        ("the emulator said", _last_lines(evidence.emulator)),
    ]
    lines = []
    for title, text in parts:
        if text.strip():
            lines += [f"{title}:", *(f"  {line}" for line in text.splitlines())]
    return lines


def _last_lines(text: str) -> str:
    return "\n".join(text.splitlines()[-15:])


def _line_of(text: str, position: int) -> str:
    return text[text.rfind("\n", 0, position) + 1 :].partition("\n")[0].strip()
