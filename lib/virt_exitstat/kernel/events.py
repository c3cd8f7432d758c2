"""The events that tell what caused an exit: a row each, and where a kernel's own format says that arguments stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..host.files import HostFileError
from ..isa.host import read_format


@dataclass(frozen=True)
class DetailEvent:
    """A tracepoint, and the kernel program's function for it, which reads its raw arguments.

    `forms` are the fields that its format may show, behind the common ones: {fields: macros of that form}. All raw
    arguments that are read stand at the same place in each form, but for those that the macros tell. Sources:
    arch/x86/kvm/trace.h, include/trace/events/kvm.h and irq.h, arch/x86/include/asm/trace/irq_vectors.h,
    arch/arm64/kvm/trace_arm.h and trace_handle_exit.h.
    """

    system: str
    name: str
    function: str
    forms: Mapping[tuple[str, ...], Mapping[str, int]]


def _kvm(name: str, *forms: str, **macro: tuple[int, ...]) -> DetailEvent:
    """An event of KVM; a macro has a value for each form."""
    of_forms = {
        tuple(fields.split()): {word: values[at] for word, values in macro.items()} for at, fields in enumerate(forms)
    }
    return DetailEvent("kvm", name, f"on_{name}", of_forms)


def _vector(name: str) -> DetailEvent:
    return DetailEvent("irq_vectors", f"{name}_entry", "on_vector", {("vector",): {}})


EVENTS = (
    _kvm("kvm_msr", "write ecx data exception"),
    _kvm("kvm_pio", "rw port size count val"),
    _kvm("kvm_mmio", "type len gpa val"),
    _kvm("kvm_fast_mmio", "gpa"),
    # Linux commit faa03b39722a (v6.0) put the vCPU in front.
    _kvm(
        "kvm_page_fault",
        "vcpu_id guest_rip fault_address error_code",
        "fault_address error_code",
        FAULT_ERROR_AT=(2, 1),
    ),
    _kvm("kvm_cpuid", "function index rax rbx rcx rdx found used_max_basic"),
    _kvm("kvm_hypercall", "nr a0 a1 a2 a3"),
    _kvm(
        "kvm_hv_hypercall", "rep_cnt rep_idx ingpa outgpa code fast", "rep_cnt rep_idx ingpa outgpa code var_cnt fast"
    ),
    _kvm("kvm_xen_hypercall", "cpl nr a0 a1 a2 a3 a4 a5", "nr a0 a1 a2 a3 a4 a5", XEN_CALL_AT=(1, 0)),
    _kvm("kvm_cr", "rw cr val"),
    _kvm("kvm_apic", "rw reg val"),
    _kvm("kvm_avic_incomplete_ipi", "vcpu icrh icrl id index"),
    _kvm("kvm_avic_unaccelerated_access", "vcpu offset ft rw vec"),
    _kvm("kvm_vcpu_wakeup", "ns waited valid"),
    _kvm("kvm_guest_fault", "vcpu_pc hsr hxfar ipa"),
    _kvm("kvm_handle_sys_reg", "hsr"),
    _kvm("kvm_hvc_arm64", "vcpu_pc r0 imm"),
    _kvm("kvm_wfx_arm64", "vcpu_pc is_wfe"),
    DetailEvent("irq", "irq_handler_entry", "on_irq_handler_entry", {("irq", "name"): {}}),
    *map(
        _vector,
        (
            *("local_timer", "reschedule", "call_function", "call_function_single", "irq_work", "x86_platform_ipi"),
            *("thermal_apic", "threshold_apic", "deferred_error_apic", "error_apic", "spurious_apic"),
        ),
    ),
)

#: What stands for a macro of an event that this kernel lacks; its function is compiled, and never attached.
_ABSENT = 0


class DetailEvents(NamedTuple):
    """The events that this kernel has, `macros` that tell where their arguments stand, and those that are not known."""

    events: tuple[DetailEvent, ...]
    macros: Mapping[str, int]
    unknown: tuple[str, ...]


def find_events(root: Path) -> DetailEvents:
    """The events of the kernel whose tracefs lies below `root`; those with fields of no known form are left out."""
    return choose_events(lambda event: _read_fields(event, root))


def choose_events(fields_of: Callable[[DetailEvent], tuple[str, ...] | None]) -> DetailEvents:
    """The same, of an event's fields; None for an event that there is not."""
    found, unknown = [], []
    macros = {name: _ABSENT for event in EVENTS for form in event.forms.values() for name in form}
    for event in EVENTS:
        fields = fields_of(event)
        if fields is None:
            continue
        if fields not in event.forms:
            unknown.append(f"{event.system}:{event.name}")
            continue
        macros.update(event.forms[fields])
        found.append(event)
    return DetailEvents(tuple(found), macros, tuple(unknown))


def parse_fields(text: str) -> tuple[str, ...]:
    """The names of an event's own fields, in order, from its format."""
    names = re.findall(r"field:[^;]*?(\w+)(?:\[\w*\])?;", text)
    return tuple(name for name in names if not name.startswith("common_"))


def _read_fields(event: DetailEvent, root: Path) -> tuple[str, ...] | None:
    try:
        return parse_fields(read_format(event.system, event.name, root))
    except HostFileError:
        return None
