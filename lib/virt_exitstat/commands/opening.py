"""The beginning of counting, for reports and for the live view: names resolved, a counter made, a session opened."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..arguments.requests import MAX_VCPUS, TIMED_VCPUS, Counting, Timing
from ..domains import libvirtd
from ..domains.asker import Asker
from ..domains.resolve import LeftOut, resolve
from ..domains.sources import EveryProcess, KnownTargets, RunningDomains
from ..errors import ExitStatus
from ..run.schedule import Schedule
from ..run.session import Session, TargetSource
from ..targets.selection import Selection
from ..targets.target import Target, Targets, describe_vcpus
from ..text import escape
from ..world import World


@dataclass(frozen=True)
class Found:
    """The targets to be counted. `source` finds them again later; with `follows`, others may be counted then.

    `status` is what to end with when all goes well. `asker` asks libvirt. `run_dir` has libvirt's status files, None
    when it is not asked.
    """

    targets: Targets
    source: TargetSource
    follows: bool
    status: ExitStatus
    asker: Asker
    run_dir: Path | None = None


@contextlib.contextmanager
def find_targets(selection: Selection, timing: Timing, world: World) -> Iterator[Found]:
    """Find the targets of a selection; libvirt is asked as long as the block lasts. Raises ExitStatError."""
    # Only libvirt tells what has come; a single report is of what was there when it began.
    follows = bool(selection.by_libvirt and timing.interval_s)
    left_out = LeftOut(world.note)
    with world.make_asker(selection, watches=follows) as asker:
        run_dir = find_run_dir(selection, asker, world)
        resolved = resolve(
            selection,
            asker,
            run_dir,
            world.root,
            note=world.note,
            left_out=left_out,
            duration_s=timing.duration_s,
            may_be_none=follows and not selection.vcpus,
        )
        source: TargetSource = KnownTargets(run_dir, world.root)
        if resolved.targets.everything:
            source = EveryProcess(world.root)
        elif follows and run_dir:
            source = RunningDomains(
                selection,
                resolved.named,
                asker,
                run_dir=run_dir,
                root=world.root,
                clock=world.clock,
                note=world.note,
                left_out=left_out,
            )
        yield Found(resolved.targets, source, follows, resolved.status, asker, run_dir)


@contextlib.contextmanager
def open_session(found: Found, counting: Counting, world: World, *, waits: bool = True) -> Iterator[Session]:
    """A session that counts them, not started yet. Nothing is left attached behind the block. Raises ExitStatError.

    `waits`: where exits are timed, it also reads for how long each thread has waited for a CPU.
    """
    counting = replace(counting, max_vcpus=counting.max_vcpus or room_for(found.targets, counting))
    with world.make_counter(found.targets.thread_filter(changes=found.follows), counting) as counter:
        yield Session(
            counter,
            found.targets,
            found.source,
            clock=world.clock,
            root=world.root,
            follows=found.follows,
            timed=counting.timed and waits,
            detailed=counting.detailed,
        )


def room_for(targets: Targets, counting: Counting) -> int:
    """How many threads to make room for when the user does not say. Times and details take ten times as much memory."""
    known = sum(len(target.vcpus) for target in targets.targets)
    return max(TIMED_VCPUS, 2 * known) if counting.timed or counting.detailed else MAX_VCPUS


def find_run_dir(selection: Selection, asker: Asker, world: World) -> Path | None:
    """The directory of libvirt's status files; None when libvirt is not asked."""
    if not selection.by_libvirt:
        return None
    return asker.ask(functools.partial(libvirtd.run_directory, root=world.root))


def make_schedule(timing: Timing, world: World) -> Schedule:
    """When reports are due, from now on."""
    return Schedule(world.clock.monotonic_s(), timing.interval_s, timing.duration_s)


def describe_run(targets: Targets, timing: Timing) -> str:
    """The line that says that counting has begun: `counting exits of guest01 for 10 s, Ctrl-C to stop`."""
    return f"counting exits of {describe_targets(targets)} {_describe_time(timing)}"


def describe_targets(targets: Targets) -> str:
    """What is counted, in few words: `guest01`, `3 domains`, `every KVM process`."""
    if targets.everything:
        return "every KVM process"
    if not targets.targets:
        return "every domain that starts"
    names = ", ".join(
        escape(target.label) + (f" {_describe_threads(target)}" if target.tids else "") for target in targets.targets
    )
    if len(targets.targets) == 1 or len(names) <= 32:  # the line stays below 80 columns
        return names
    return f"{len(targets.targets)} {'domains' if targets.targets[0].domain else 'processes'}"


def _describe_threads(target: Target) -> str:
    if target.vcpus:
        return describe_vcpus(vcpu.number for vcpu in target.vcpus)
    return "tid " + ",".join(map(str, sorted(target.tids or ())))


def _describe_time(timing: Timing) -> str:
    every = f"every {timing.interval_s:g} s, " if timing.interval_s else ""
    times = "" if timing.reports is None else "once, " if timing.reports == 1 else f"{timing.reports} times, "
    return every + times + (f"for {timing.duration_s:g} s, Ctrl-C to stop" if timing.duration_s else "until Ctrl-C")
