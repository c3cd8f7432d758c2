"""events: which tell details, where their arguments stand, and what is said of those that are not known."""

import re
from pathlib import Path

import pytest

from virt_exitstat.kernel.events import EVENTS, choose_events, find_events, parse_fields

CODE = (Path(__file__).resolve().parents[2] / "bpf/exitstat.bpf.c").read_text()

FORMAT = """\
name: kvm_msr
ID: 1423
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:unsigned write;\toffset:8;\tsize:4;\tsigned:0;
\tfield:u32 ecx;\toffset:12;\tsize:4;\tsigned:0;
\tfield:u64 data;\toffset:16;\tsize:8;\tsigned:0;
\tfield:u8 exception;\toffset:24;\tsize:1;\tsigned:0;
"""

# The fields that the events have which are not the same on all kernels, as Debian's kernels show them.
OF_KERNELS = {
    "5.10": {"kvm_page_fault": "fault_address error_code", "kvm_xen_hypercall": None},
    "6.1": {
        "kvm_page_fault": "vcpu_id guest_rip fault_address error_code",
        "kvm_xen_hypercall": "nr a0 a1 a2 a3 a4 a5",
    },
    "6.12": {
        "kvm_page_fault": "vcpu_id guest_rip fault_address error_code",
        "kvm_xen_hypercall": "cpl nr a0 a1 a2 a3 a4 a5",
    },
}


def fields_of(kernel):
    def of_event(event):
        if event.name in OF_KERNELS[kernel]:
            fields = OF_KERNELS[kernel][event.name]
            return None if fields is None else tuple(fields.split())
        return next(iter(event.forms))

    return of_event


@pytest.mark.parametrize(
    ("kernel", "macros", "missing"),
    [
        ("5.10", {"FAULT_ERROR_AT": 1, "XEN_CALL_AT": 0}, {"kvm_xen_hypercall"}),
        ("6.1", {"FAULT_ERROR_AT": 2, "XEN_CALL_AT": 0}, set()),
        ("6.12", {"FAULT_ERROR_AT": 2, "XEN_CALL_AT": 1}, set()),
    ],
)
def test_arguments_that_moved_are_found_by_the_fields(kernel, macros, missing):
    chosen = choose_events(fields_of(kernel))
    assert chosen.macros == macros
    assert {event.name for event in EVENTS} - {event.name for event in chosen.events} == missing
    assert chosen.unknown == ()


def test_an_event_with_other_fields_is_left_out_and_named():
    chosen = choose_events(lambda event: ("new",) if event.name == "kvm_pio" else next(iter(event.forms)))
    assert chosen.unknown == ("kvm:kvm_pio",)
    assert "kvm_pio" not in [event.name for event in chosen.events]
    assert len(chosen.events) == len(EVENTS) - 1


def test_a_format_tells_the_fields_behind_the_common_ones():
    assert parse_fields(FORMAT) == ("write", "ecx", "data", "exception")
    assert parse_fields("\tfield:int irq;\toffset:8;\n\tfield:__data_loc char[] name;\toffset:12;\n") == ("irq", "name")
    assert parse_fields("\tfield:u8 opcode[15];\toffset:8;\n") == ("opcode",)
    assert parse_fields("") == ()


def test_events_are_those_of_the_hosts_tracefs(host):
    host.add_file("sys/kernel/tracing/events/kvm/kvm_msr/format", FORMAT)
    host.add_file("sys/kernel/tracing/events/kvm/kvm_cpuid/format", FORMAT)
    found = find_events(host.root)
    assert [event.name for event in found.events] == ["kvm_msr"]
    assert found.unknown == ("kvm:kvm_cpuid",)
    # Older hosts have it elsewhere.
    host.add_file("sys/kernel/debug/tracing/events/kvm/kvm_apic/format", "field:u rw; field:u reg; field:u64 val;")
    assert [event.name for event in find_events(host.root).events] == ["kvm_msr", "kvm_apic"]


def test_an_arm64_host_has_events_of_its_own_and_lacks_none(host):
    """As Debian's 5.10, 6.1, 6.12 and 7.2 have them."""
    fields = {
        "kvm_mmio": "type len gpa val",
        "kvm_vcpu_wakeup": "ns waited valid",
        "kvm_guest_fault": "vcpu_pc hsr hxfar ipa",
        "kvm_handle_sys_reg": "hsr",
        "kvm_hvc_arm64": "vcpu_pc r0 imm",
        "kvm_wfx_arm64": "vcpu_pc is_wfe",
    }
    for event, names in fields.items():
        text = "".join(f"\tfield:unsigned long {name};\toffset:8;\tsize:8;\n" for name in names.split())
        host.add_file(f"sys/kernel/tracing/events/kvm/{event}/format", text)
    found = find_events(host.root)
    assert ({event.name for event in found.events}, found.unknown) == (set(fields), ())


def test_each_event_has_its_function_in_the_program_and_none_is_missing():
    functions = {f"on_{name}" for name in re.findall(r"^EVENT\((\w+),", CODE, re.MULTILINE)}
    assert functions == {event.function for event in EVENTS}


def test_each_macro_of_a_form_is_used_by_the_program():
    for event in EVENTS:
        forms = list(event.forms.values())
        assert all(form.keys() == forms[0].keys() for form in forms)
        assert all(re.search(rf"\b{macro}\b", CODE) for macro in forms[0])
