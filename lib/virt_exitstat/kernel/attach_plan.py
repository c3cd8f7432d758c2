"""Plans to attach on this kernel and to find the exit reason. The door to the kernel's description of itself."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace
from pathlib import Path

from ..counts.origin import Attachment
from ..errors import ExitStatError
from ..host.files import AbsentFileError, HostFileError, is_there, read_bytes
from ..isa.host import check_kvm, host_isa, read_event_format
from ..isa.instruction_set import Isa, ReasonPair, ReasonPlace
from .btf import FUNC, STRUCT, TYPEDEF, Btf, BtfError
from .events import parse_fields

# What speaks for the regular tracepoint.
_FORMAT = "the tracepoint's format"


class ReasonIn(enum.IntEnum):
    """The places where the kernel program finds the reason. The values are its macro REASON_IN."""

    #: In the regular tracepoint's record, at offsets[0].
    RECORD = 0
    #: It is the raw tracepoint's first argument.
    ARGUMENT = 1
    #: In the structure around the vCPU, the raw tracepoint's first argument: at offsets[0].
    VCPU = 2
    #: In a structure that the one around the vCPU points to: the pointer is at offsets[0], the reason at offsets[1].
    VCPU_POINTER = 3
    #: arm64: a code and a trap's class, in the regular tracepoint's record, at offsets[0] and offsets[1].
    RECORD_PAIR = 4
    #: arm64: a code and a trap's class, the raw tracepoint's first two arguments.
    ARGUMENT_PAIR = 5


#: Those for which the regular tracepoint is needed.
_RECORDS = (ReasonIn.RECORD, ReasonIn.RECORD_PAIR)


@dataclass(frozen=True)
class Cast:
    """What reading memory by a cast takes, as ids of vmlinux' BTF: bpf_rdonly_cast(), and structures that begin with a
    number of 4 and of 8 bytes.
    """

    function: int
    u32: int
    u64: int


@dataclass(frozen=True)
class AttachPlan:
    """One way to attach. `offsets` are bytes; `why` says what speaks for it, for --debug.

    With a `cast` the kernel program reads memory by a load, which costs a tenth of a helper's call.
    """

    reason_in: ReasonIn
    offsets: tuple[int, ...]
    why: str
    cast: Cast | None = None

    @property
    def attachment(self) -> Attachment:
        """Raw or regular tracepoint."""
        return Attachment.TRACEPOINT if self.reason_in in _RECORDS else Attachment.RAW


@dataclass(frozen=True)
class AttachPlans:
    """The ways to attach on this kernel, the cheapest first, each tried when the one before it is refused.

    `isa` has the running kernel's own names of reasons too. `not_raw` says why no raw way is among `plans`; it is empty
    when one is.
    """

    isa: Isa
    plans: tuple[AttachPlan, ...]
    not_raw: str


def plan_attachment(root: Path, wanted: Attachment = Attachment.AUTO) -> AttachPlans:
    """Find out how to count exits on the kernel whose `/proc` and `/sys` lie below `root`.

    Raises ExitStatError when this host cannot be counted on (an ISA that is not known, KVM not loaded or not usable,
    tracefs not mounted or not readable) or not in the wanted way.
    """
    isa = host_isa(root)
    text = read_event_format(isa, root)
    check_kvm(isa, root)
    plans, not_raw = ([], "not wanted") if wanted is Attachment.TRACEPOINT else _plan_raw(isa, text, root)
    if wanted is Attachment.RAW and not plans:
        raise ExitStatError(
            f"the raw tracepoint cannot be used on this kernel: {not_raw}", "leave --attach out, or --attach tracepoint"
        )
    if wanted is not Attachment.RAW:
        plans.append(_plan_tracepoint(isa.place, text))
    return AttachPlans(isa=isa, plans=tuple(plans), not_raw=not_raw)


def _plan_tracepoint(place: ReasonPlace | ReasonPair, text: str) -> AttachPlan:
    if isinstance(place, ReasonPair):
        code, trap_class = (one.name for one in place.arguments[:2])
        return AttachPlan(ReasonIn.RECORD_PAIR, (_offset(code, text), _offset(trap_class, text)), _FORMAT)
    return AttachPlan(ReasonIn.RECORD, (_offset("exit_reason", text),), _FORMAT)


def _offset(field: str, text: str) -> int:
    """Where a field of the record stands. Raises ExitStatError where there is none of that name and 4 bytes."""
    found = re.search(rf"\b{field};\s*offset:(\d+);\s*size:4;", text)
    if not found:
        raise ExitStatError(
            f"this kernel's kvm:kvm_exit has no field {field} of 4 bytes",
            "please report this with the kernel's version and its events/kvm/kvm_exit/format",
        )
    return int(found.group(1))


def _plan_raw(isa: Isa, text: str, root: Path) -> tuple[list[AttachPlan], str]:
    """The raw ways that are proven, the cheapest first, or none and why not."""
    try:
        vmlinux = _read_btf(root, "vmlinux")
        if isinstance(isa.place, ReasonPair):
            return _plan_arguments(isa.place, text, vmlinux)
        return _plan_structures(isa.place, isa.module, vmlinux, root)
    except (BtfError, HostFileError) as error:
        return [], f"BTF: {error}"


def _plan_arguments(pair: ReasonPair, text: str, vmlinux: Btf | None) -> tuple[list[AttachPlan], str]:
    """The raw way where types and names prove that the arguments are those known.

    A count of them proves nothing: a patch of 2019 for vendors' kernels has as many, (vcpu_id, ret, vcpu_pc).
    """
    if not vmlinux:
        return [], "the kernel has no BTF, which would tell its arguments"
    names = parse_fields(text)
    if names != tuple(one.name for one in pair.arguments):
        return [], f"kvm_exit has other fields than {', '.join(one.name for one in pair.arguments)}"
    # The first one is `void *__data`.
    types = vmlinux.parameter_types(vmlinux.pointee(vmlinux.find("btf_trace_kvm_exit", TYPEDEF)))[1:]
    if [vmlinux.integer(of) for of in types] != [(one.size, one.signed) for one in pair.arguments]:
        return [], "BTF shows other types of kvm_exit's arguments than int, unsigned int, unsigned long"
    return [AttachPlan(ReasonIn.ARGUMENT_PAIR, (), "BTF: code and class are arguments")], ""


def _plan_structures(place: ReasonPlace, module: str, vmlinux: Btf | None, root: Path) -> tuple[list[AttachPlan], str]:
    """The raw ways where KVM keeps the reason in its structures, or gives it as an argument by itself."""
    kvm = _module_btf(root, "kvm", vmlinux)
    vendor = _module_btf(root, module, vmlinux)
    if not kvm:
        # Before Linux 5.11 modules had no BTF, and before 5.16 the reason was an argument. Whether it is one is
        # told by attaching: the program reads a third argument, which the kernel refuses where there are two.
        return [AttachPlan(ReasonIn.ARGUMENT, (), "KVM has no BTF; this attaches only where it is right")], ""
    # `void *__data` and the arguments. Since Linux commit 0a62a0319abb (v5.16) these are (vcpu, isa); before,
    # (exit_reason, vcpu, isa).
    parameters = kvm.parameters(kvm.pointee(kvm.find("btf_trace_kvm_exit", TYPEDEF)))
    if parameters == 3 and vendor:
        plan = _plan_vcpu(place, vendor)
        cast = _find_cast(vmlinux) if vmlinux else None
        return [*([replace(plan, cast=cast, why=f"{plan.why}, read by a cast")] if cast else []), plan], ""
    if parameters == 3:
        return [], "the reason is no argument, and the vendor's module has no BTF"
    if parameters == 4:
        return [AttachPlan(ReasonIn.ARGUMENT, (), "BTF: the reason is an argument")], ""
    return [], f"BTF shows {parameters} parameters of btf_trace_kvm_exit, not 3 or 4"


def _find_cast(vmlinux: Btf) -> Cast | None:
    """What a cast takes, where the kernel has it: since Linux 6.2, for all types of programs in 6.12 and 7.2."""
    try:
        # Any structure does that begins with a number of that width: a reference count, a task's time.
        kref, times = vmlinux.find("kref", STRUCT), vmlinux.find("task_cputime", STRUCT)
        starts = [vmlinux.member(kref, "refcount"), vmlinux.member(times, "stime")]
        if [(at, vmlinux.size(of)) for at, of in starts] != [(0, 4), (0, 8)]:
            return None
        return Cast(vmlinux.find("bpf_rdonly_cast", FUNC), kref, times)
    except BtfError:
        return None


def _plan_vcpu(place: ReasonPlace, vendor: Btf) -> AttachPlan:
    """The plan to read the reason where the ISA's vendor keeps it. Raises BtfError when it is not there."""
    outer = vendor.find(place.struct, STRUCT)
    vcpu, _ = vendor.member(outer, "vcpu")
    if not place.pointer:
        path, offset = _find_reason(place, vendor, outer)
        return AttachPlan(ReasonIn.VCPU, (offset - vcpu,), f"BTF: {place.struct}.{path} at {offset}")
    pointer, pointer_type = vendor.member(outer, place.pointer)
    path, offset = _find_reason(place, vendor, vendor.pointee(pointer_type))
    why = f"BTF: {place.struct}.{place.pointer} at {pointer}, {path} at {offset}"
    return AttachPlan(ReasonIn.VCPU_POINTER, (pointer - vcpu, offset), why)


def _find_reason(place: ReasonPlace, vendor: Btf, holder: int) -> tuple[str, int]:
    """The path to the reason in the structure `holder`, and its offset there."""
    # When no path exists, the last one gives the error.
    path = next((path for path in place.paths if _has_member(vendor, holder, path)), place.paths[-1])
    offset, reason_type = vendor.member(holder, path)
    size = vendor.size(reason_type)
    if size not in place.sizes:
        raise BtfError(f"{path} is {size} bytes wide, not {' or '.join(map(str, place.sizes))}")
    return path, offset


def _has_member(btf: Btf, holder: int, path: str) -> bool:
    try:
        btf.member(holder, path)
    except BtfError:
        return False
    return True


def _module_btf(root: Path, module: str, vmlinux: Btf | None) -> Btf | None:
    """The module's types, the kernel's own when the module is built in, None when there are none."""
    if vmlinux is None:
        return None
    # A loaded module has a state; a built-in one has parameters at most.
    if is_there(root / "sys/module" / module / "initstate"):
        return _read_btf(root, module, vmlinux)
    return vmlinux


def _read_btf(root: Path, name: str, base: Btf | None = None) -> Btf | None:
    try:
        return Btf(read_bytes(root / "sys/kernel/btf" / name), base)
    except AbsentFileError:
        return None
