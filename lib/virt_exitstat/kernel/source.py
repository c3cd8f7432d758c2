"""The kernel program's source and its inputs: where bpf/exitstat.bpf.c is, and the macros it is compiled with."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from ..counts.layout import layout_macros
from ..errors import ExitStatError
from ..host.files import is_there
from ..isa.instruction_set import Isa, ReasonPair
from ..targets.thread_filter import ThreadFilter
from .attach_plan import AttachPlan, ReasonIn
from .events import DetailEvents


def find_program() -> Path:
    """The C file, in a checkout or installed. Raises ExitStatError when it is nowhere."""
    # In a checkout and below PREFIX/share/virt-exitstat, bpf/ stands beside lib/; pip puts it below sys.prefix.
    for home in (Path(__file__).resolve().parents[3], Path(sys.prefix, "share/virt-exitstat")):
        program = home / "bpf/exitstat.bpf.c"
        if is_there(program):
            return program
    raise ExitStatError("bpf/exitstat.bpf.c is missing", "install virt-exitstat again, completely")


def program_macros(
    thread_filter: ThreadFilter,
    isa: Isa,
    plan: AttachPlan,
    capacity: int,
    *,
    timed: bool = False,
    events: DetailEvents | None = None,
) -> list[str]:
    """The compiler's arguments: numbers and expressions of numbers only, nothing that a user typed.

    `events` are None unless details are wanted.
    """
    table = isa.reasons
    namespace = thread_filter.namespace
    ranges = " ".join(f"RANGE({run.first:#x}ULL, {run.length}, {slot})" for run, slot in table.first_slots())
    return [
        # bcc's own headers warn, in the thousands with older clangs.
        "-w",
        "-DFOLLOW=1" if thread_filter.changes else f"-DTHREAD_FILTER={thread_filter.skip_expression()}",
        *layout_macros(table.slots, capacity, timed=timed, detailed=events is not None),
        *(_detail_macros(isa, events) if events else ()),
        f"-DSLOT_RANGES={ranges}",
        f"-DREASON_MASK={table.mask:#x}",
        *(f"-D{one.name}={one.value}" for one in ReasonIn),
        f"-DREASON_IN={plan.reason_in.value}",
        *(_pair_macros(isa.place) if isinstance(isa.place, ReasonPair) else ()),
        *([f"-DPID_NS_DEV={namespace.device}", f"-DPID_NS_INO={namespace.inode}"] if namespace else []),
        *(f"-DOFFSET_{index}={offset}" for index, offset in enumerate(plan.offsets)),
        *(f"-DCAST_{name.upper()}={btf_id}" for name, btf_id in (asdict(plan.cast) if plan.cast else {}).items()),
    ]


def _pair_macros(pair: ReasonPair) -> list[str]:
    return [f"-DCODE_MASK={pair.code_mask:#x}", f"-DTRAP={pair.trap}", f"-DCODES={pair.codes:#x}"]


def _detail_macros(isa: Isa, events: DetailEvents) -> list[str]:
    fault = isa.fault
    macros = {
        "INTERRUPT": isa.interrupt,
        "FAULT_BITS": fault.mask,
        "FAULT_WRITE": fault.write,
        "FAULT_FETCH": fault.fetch,
        "FAULT_THERE": fault.there,
        **events.macros,
    }
    return [f"-D{name}={value}" for name, value in macros.items()]
