"""How to attach on this kernel, and where the exit reason lies. The door to the kernel's description of itself."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .btf import STRUCT, TYPEDEF, Btf, BtfError
from .counts.origin import Attachment
from .errors import ExitStatError
from .exit_reasons import TABLES, Isa, ReasonTable, parse_kernel_names
from .host_files import AbsentFileError, HostFileError, is_there, read_bytes, read_text

_EVENT = "events/kvm/kvm_exit/format"


class ReasonIn(enum.IntEnum):
    """Where the kernel program finds the reason. The values are its macro REASON_IN."""

    #: In the regular tracepoint's record, at offsets[0].
    RECORD = 0
    #: It is the raw tracepoint's first argument.
    ARGUMENT = 1
    #: In the structure around the vCPU, the raw tracepoint's first argument: at offsets[0].
    VCPU = 2
    #: In a structure that the one around the vCPU points to: the pointer is at offsets[0], the reason at offsets[1].
    VCPU_POINTER = 3


@dataclass(frozen=True)
class AttachPlan:
    """One way to attach. `offsets` are bytes; `why` says what speaks for it, for --debug."""

    reason_in: ReasonIn
    offsets: tuple[int, ...]
    why: str

    @property
    def attachment(self) -> Attachment:
        """Raw or regular tracepoint."""
        return Attachment.TRACEPOINT if self.reason_in is ReasonIn.RECORD else Attachment.RAW


@dataclass(frozen=True)
class AttachPlans:
    """The ways to attach on this kernel, the cheapest first, each tried when the one before it is refused.

    `kernel_names` are the running kernel's own names of reasons, {raw reason: name}. `not_raw` says why no raw way is
    among `plans`; it is empty when one is.
    """

    table: ReasonTable
    plans: tuple[AttachPlan, ...]
    not_raw: str
    kernel_names: Mapping[int, str] = field(repr=False)


def plan_attachment(root: Path, wanted: Attachment = Attachment.AUTO) -> AttachPlans:
    """Find out how to count exits on the kernel whose `/proc` and `/sys` lie below `root`.

    Raises ExitStatError when this host cannot be counted on (not x86 with VMX or SVM, KVM not loaded, tracefs not
    mounted or not readable) or not in the wanted way.
    """
    isa = find_isa(root)
    text = _read_format(root)
    raw, not_raw = (None, "not wanted") if wanted is Attachment.TRACEPOINT else _plan_raw(isa, root)
    plans = [raw] if raw else []
    if wanted is Attachment.RAW and not raw:
        raise ExitStatError(
            f"the raw tracepoint cannot be used on this kernel: {not_raw}", "leave --attach out, or --attach tracepoint"
        )
    if wanted is not Attachment.RAW:
        plans.append(_plan_tracepoint(text))
    names = parse_kernel_names(text.partition("print fmt:")[2], isa)
    return AttachPlans(table=TABLES[isa], plans=tuple(plans), not_raw=not_raw, kernel_names=names)


def _plan_tracepoint(text: str) -> AttachPlan:
    found = re.search(r"\bexit_reason;\s*offset:(\d+);\s*size:4;", text)
    if not found:
        raise ExitStatError(
            "this kernel's kvm:kvm_exit has no field exit_reason of 4 bytes",
            "please report this with the kernel's version and its events/kvm/kvm_exit/format",
        )
    return AttachPlan(ReasonIn.RECORD, (int(found.group(1)),), "the tracepoint's format")


def _plan_raw(isa: Isa, root: Path) -> tuple[AttachPlan | None, str]:
    """The raw way, if it is proven, else None and why it is not."""
    try:
        vmlinux = _read_btf(root, "vmlinux")
        kvm = _module_btf(root, "kvm", vmlinux)
        vendor = _module_btf(root, "kvm_intel" if isa is Isa.VMX else "kvm_amd", vmlinux)
        if not kvm:
            # Before Linux 5.11 modules had no BTF, and before 5.16 the reason was an argument. Whether it is one is
            # told by attaching: the program reads a third argument, which the kernel refuses where there are two.
            return AttachPlan(ReasonIn.ARGUMENT, (), "KVM has no BTF; this attaches only where it is right"), ""
        # `void *__data` and the arguments. Since Linux commit 0a62a0319abb (v5.16) these are (vcpu, isa); before,
        # (exit_reason, vcpu, isa).
        parameters = kvm.parameters(kvm.pointee(kvm.find("btf_trace_kvm_exit", TYPEDEF)))
        if parameters == 3 and vendor:
            return _plan_vcpu(isa, vendor), ""
        if parameters == 3:
            return None, "the reason is no argument, and the vendor's module has no BTF"
        if parameters == 4:
            return AttachPlan(ReasonIn.ARGUMENT, (), "BTF: the reason is an argument"), ""
        return None, f"BTF shows {parameters} parameters of btf_trace_kvm_exit, not 3 or 4"
    except (BtfError, HostFileError) as error:
        return None, f"BTF: {error}"


def _plan_vcpu(isa: Isa, vendor: Btf) -> AttachPlan:
    if isa is Isa.VMX:
        outer = vendor.find("vcpu_vmx", STRUCT)
        vcpu, _ = vendor.member(outer, "vcpu")
        # Since Linux 6.16 it is in the part that VMX and TDX share, vcpu_vt.
        for path in ("vt.exit_reason", "exit_reason"):
            try:
                offset, reason_type = vendor.member(outer, path)
            except BtfError:
                continue
            if vendor.size(reason_type) != 4:
                raise BtfError(f"vcpu_vmx.{path} is not 4 bytes wide")
            return AttachPlan(ReasonIn.VCPU, (offset - vcpu,), f"BTF: vcpu_vmx.{path} at {offset}")
        raise BtfError("no exit_reason in vcpu_vmx")
    outer = vendor.find("vcpu_svm", STRUCT)
    vcpu, _ = vendor.member(outer, "vcpu")
    pointer, pointer_type = vendor.member(outer, "vmcb")
    offset, code_type = vendor.member(vendor.pointee(pointer_type), "control.exit_code")
    # u64 since 2026, u32 before; the lower half is all there is to know, and it comes first on x86.
    if vendor.size(code_type) not in (4, 8):
        raise BtfError("vmcb_control_area.exit_code is neither 4 nor 8 bytes wide")
    why = f"BTF: vcpu_svm.vmcb at {pointer}, control.exit_code at {offset}"
    return AttachPlan(ReasonIn.VCPU_POINTER, (pointer - vcpu, offset), why)


def _module_btf(root: Path, module: str, vmlinux: Btf | None) -> Btf | None:
    """The module's types, the kernel's own when the module is built in, None when there are none."""
    if vmlinux is None:
        return None
    # What was loaded as a module has a state; what is built in has parameters at most.
    if is_there(root / "sys/module" / module / "initstate"):
        return _read_btf(root, module, vmlinux)
    return vmlinux


def _read_btf(root: Path, name: str, base: Btf | None = None) -> Btf | None:
    try:
        return Btf(read_bytes(root / "sys/kernel/btf" / name), base)
    except AbsentFileError:
        return None


def find_isa(root: Path) -> Isa:
    """Whose virtualization the CPUs of the host below `root` have. Raises ExitStatError when it is none known."""
    for line in read_text(root / "proc/cpuinfo").splitlines():
        if line.startswith("flags"):
            flags = line.partition(":")[2].split()
            if "vmx" in flags:
                return Isa.VMX
            if "svm" in flags:
                return Isa.SVM
            raise ExitStatError(
                "this CPU offers neither VMX nor SVM",
                "enable virtualization in the firmware, or nested virtualization if this host is itself a guest",
            )
    raise ExitStatError(
        "unsupported architecture: /proc/cpuinfo shows no x86 CPU",
        "virt-exitstat knows the exit reasons of x86-64 with VMX (Intel) or SVM (AMD)",
    )


def _read_format(root: Path) -> str:
    # /sys/kernel/tracing since Linux 4.1; before, and where only debugfs is mounted, below it.
    directories = (root / "sys/kernel/tracing", root / "sys/kernel/debug/tracing")
    for directory in directories:
        try:
            return read_text(directory / _EVENT)
        except AbsentFileError:
            continue
    if any(is_there(directory / "events") for directory in directories):
        raise ExitStatError(
            "this kernel has no tracepoint kvm:kvm_exit: KVM is not loaded",
            "load it with 'modprobe kvm_intel' or 'modprobe kvm_amd'",
        )
    raise ExitStatError("tracefs is not mounted", "mount it with 'mount -t tracefs tracefs /sys/kernel/tracing'")
