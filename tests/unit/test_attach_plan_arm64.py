"""attach_plan on arm64: raw where the kernel's description proves the arguments, refused where the event is another."""

from pathlib import Path

import pytest
from refusals import refuses

from kvm_types import KvmTypes
from virt_exitstat.counts.origin import Attachment
from virt_exitstat.errors import ExitStatError
from virt_exitstat.isa.arm64 import ARM64
from virt_exitstat.kernel.attach_plan import AttachPlan, ReasonIn, plan_attachment
from virt_exitstat.kernel.source import program_macros
from virt_exitstat.targets.thread_filter import ThreadFilter

DATA = Path(__file__).parent / "data"
FORMAT = "sys/kernel/tracing/events/kvm/kvm_exit/format"
ARGUMENTS = ("int", "unsigned int", "unsigned long")

every_kernel = pytest.mark.parametrize("kernel", ["bullseye", "bookworm", "trixie", "sid"])


def read_format(kernel="trixie"):
    return (DATA / f"kvm_exit.format.arm64.{kernel}").read_text()


@pytest.fixture()
def arm(host):
    """An arm64 host that can be counted on, without BTF."""
    host.add_file("proc/sys/kernel/arch", "aarch64\n")
    host.add_file("proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n")
    host.add_file("dev/kvm", "")
    host.add_file(FORMAT, read_format())
    return host


def describe(host, *arguments):
    path = host.root / "sys/kernel/btf/vmlinux"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(KvmTypes().with_arguments(*arguments).data())


def why_not_raw(host):
    """Why only the tracepoint is left, after a look that --attach raw says the same."""
    found = plan_attachment(host.root)
    (plan,) = found.plans
    assert (plan.reason_in, plan.attachment) == (ReasonIn.RECORD_PAIR, Attachment.TRACEPOINT)
    with refuses(ExitStatError, "the raw tracepoint cannot be used on this kernel", found.not_raw):
        plan_attachment(host.root, Attachment.RAW)
    return found.not_raw


@every_kernel
def test_the_record_of_every_kernel_has_both_numbers(arm, kernel):
    arm.add_file(FORMAT, read_format(kernel))
    found = plan_attachment(arm.root, Attachment.TRACEPOINT)
    assert found.isa == ARM64
    assert found.plans == (AttachPlan(ReasonIn.RECORD_PAIR, (8, 12), "the tracepoint's format"),)


@every_kernel
def test_raw_is_cheaper_where_types_and_names_prove_it(arm, kernel):
    arm.add_file(FORMAT, read_format(kernel))
    describe(arm, *ARGUMENTS)
    found = plan_attachment(arm.root)
    assert [(plan.reason_in, plan.offsets) for plan in found.plans] == [
        (ReasonIn.ARGUMENT_PAIR, ()),
        (ReasonIn.RECORD_PAIR, (8, 12)),
    ]
    assert found.not_raw == ""
    (raw,) = plan_attachment(arm.root, Attachment.RAW).plans
    assert raw.attachment is Attachment.RAW


def test_without_btf_nothing_proves_the_arguments(arm):
    assert why_not_raw(arm) == "the kernel has no BTF, which would tell its arguments"


@pytest.mark.parametrize(
    "arguments",
    [
        # As many as there are, in a patch of 2019 for vendors' kernels: (vcpu_id, ret, vcpu_pc).
        ("unsigned int", "int", "unsigned long"),
        ("int", "unsigned int"),
        ("int", "unsigned int", "unsigned long", "unsigned int"),
        ("int", "int", "unsigned long"),
        ("int", "unsigned int", "long"),
        ("long", "unsigned int", "unsigned long"),
        (),
    ],
)
def test_other_types_of_arguments_are_not_read(arm, arguments):
    describe(arm, *arguments)
    assert why_not_raw(arm).startswith("BTF shows other types of kvm_exit's arguments")


def test_an_argument_that_is_no_number_is_not_read(arm):
    types = KvmTypes()
    path = arm.root / "sys/kernel/btf/vmlinux"
    path.parent.mkdir(parents=True)
    path.write_bytes(types.with_arguments("int", types.void_pointer, "unsigned long").data())
    assert "is not an integer" in why_not_raw(arm)


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("int ret;", "int code;"),
        ("unsigned long vcpu_pc;", "unsigned long pc;"),
        ("unsigned long vcpu_pc;\toffset:16;\tsize:8;\tsigned:0;\n", ""),
    ],
)
def test_types_that_are_right_by_chance_are_not_read_where_a_name_is_another(arm, there, instead):
    """The record of the first lacks what counts, that of the others has it."""
    describe(arm, *ARGUMENTS)
    changed = read_format().replace(there, instead)
    assert changed != read_format()
    arm.add_file(FORMAT, changed)
    if "ret" in there:
        for wanted in (Attachment.AUTO, Attachment.TRACEPOINT):
            with refuses(ExitStatError, "no field ret of 4 bytes"):
                plan_attachment(arm.root, wanted)
    else:
        assert why_not_raw(arm) == "kvm_exit has other fields than ret, esr_ec, vcpu_pc"


def test_fields_in_another_order_are_found_by_their_names_and_not_as_arguments(arm):
    describe(arm, *ARGUMENTS)
    ret, esr_ec = "field:int ret;\toffset:8;", "field:unsigned int esr_ec;\toffset:12;"
    text = read_format().replace(ret, "A").replace(esr_ec, ret.replace(":8;", ":12;"))
    arm.add_file(FORMAT, text.replace("A", esr_ec.replace(":12;", ":8;")))
    assert why_not_raw(arm) == "kvm_exit has other fields than ret, esr_ec, vcpu_pc"
    assert plan_attachment(arm.root).plans[0].offsets == (12, 8)


@pytest.mark.parametrize(
    ("there", "instead", "name"),
    [
        ("int ret;\toffset:8;\tsize:4;", "int ret;\toffset:8;\tsize:8;", "ret"),
        ("unsigned int esr_ec;", "unsigned int esr;", "esr_ec"),
        ("unsigned int esr_ec;\toffset:12;\tsize:4;", "u64 esr_ec;\toffset:16;\tsize:8;", "esr_ec"),
        ("int ret;", "unsigned int vcpu_id;", "ret"),
    ],
)
def test_a_record_without_what_counts_is_refused_and_never_misread(arm, there, instead, name):
    changed = read_format().replace(there, instead)
    assert changed != read_format()
    arm.add_file(FORMAT, changed)
    describe(arm, "unsigned int", "int", "unsigned long")
    for wanted in (Attachment.AUTO, Attachment.TRACEPOINT):
        with refuses(ExitStatError, f"no field {name} of 4 bytes"):
            plan_attachment(arm.root, wanted)
    with refuses(ExitStatError, "the raw tracepoint cannot be used on this kernel"):
        plan_attachment(arm.root, Attachment.RAW)


@pytest.mark.parametrize("wanted", Attachment)
def test_kvm_that_cannot_run_is_told_though_its_event_is_there(arm, wanted):
    describe(arm, *ARGUMENTS)
    (arm.root / "dev/kvm").unlink()
    with refuses(ExitStatError, "KVM cannot run on this host"):
        plan_attachment(arm.root, wanted)


def test_32_bit_arm_is_refused(arm):
    arm.add_file("proc/sys/kernel/arch", "armv7l\n")
    with refuses(ExitStatError, "unsupported architecture armv7l") as caught:
        plan_attachment(arm.root)
    assert "aarch64" in caught.value.hint


def test_the_program_is_told_how_two_numbers_are_one_reason(arm):
    describe(arm, *ARGUMENTS)
    for plan in plan_attachment(arm.root).plans:
        macros = program_macros(ThreadFilter(everything=True), ARM64, plan, 64)
        assert {"-DCODE_MASK=0x7fffffff", "-DTRAP=2", "-DCODES=0x100", "-DSLOTS=71"} <= set(macros)
        assert f"-DREASON_IN={plan.reason_in.value}" in macros
        assert ("-DOFFSET_1=12" in macros) == (plan.reason_in is ReasonIn.RECORD_PAIR)
