"""attach_plan: what a kernel's own description says, and what to do when it says nothing."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from refusals import refuses
from watchdog import ends

from btf_writer import OTHER_ORDER, BtfWriter
from kvm_types import KvmTypes, before_5_16, since_5_16
from virt_exitstat.counts.origin import Attachment
from virt_exitstat.errors import ExitStatError
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.kernel.attach_plan import AttachPlan, Cast, ReasonIn, plan_attachment

DATA = Path(__file__).parent / "data"
PROGRAM = Path(__file__).parents[2] / "bpf/exitstat.bpf.c"
TRACEFS = "sys/kernel/tracing"
DEBUGFS = "sys/kernel/debug/tracing"
FORMAT = "events/kvm/kvm_exit/format"
INTEL, AMD = "fpu vme sse2 vmx ept", "fpu vme sse2 svm npt"
VENDOR = {INTEL: "kvm_intel", AMD: "kvm_amd"}

every_kernel = pytest.mark.parametrize("kernel", ["bullseye", "trixie", "sid"])
both_cpus = pytest.mark.parametrize("flags", [INTEL, AMD], ids=["vmx", "svm"])


def read_format(kernel="trixie"):
    return (DATA / f"kvm_exit.format.{kernel}").read_text()


def add_cpus(host, flags):
    cpu = (
        f"processor\t: N\nvendor_id\t: SomeVendor\nflags\t\t: {flags}\nvmx flags\t: vnmi svm\nbugs\t\t: spectre_v1\n\n"
    )
    host.add_file("proc/cpuinfo", cpu.replace("N", "0") + cpu.replace("N", "1"))


def add_kvm(host, flags, kernel="trixie"):
    """A host that can be counted on, without BTF."""
    add_cpus(host, flags)
    host.add_file(f"{TRACEFS}/{FORMAT}", read_format(kernel))


def add_btf(host, name, types):
    """`types` are a writer or bytes."""
    path = host.root / "sys/kernel/btf" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(types if isinstance(types, bytes) else types.data())


def load(host, *modules):
    """What sysfs shows of a module that was loaded; of a built-in one it shows parameters at most."""
    for module in modules:
        host.add_file(f"sys/module/{module}/initstate", "live\n")


def offset_in_record(host):
    """The offset that the last resort reads at."""
    return plan_attachment(host.root, Attachment.TRACEPOINT).plans[0].offsets[0]


def plan_raw(host):
    """The raw plan without its prose, after a look at what comes with it."""
    found = plan_attachment(host.root)
    raw, tracepoint = found.plans
    assert_tracepoint(tracepoint)
    assert found.not_raw == ""
    assert (raw.attachment, bool(raw.why)) == (Attachment.RAW, True)
    alone = plan_attachment(host.root, Attachment.RAW)
    assert (alone.plans, alone.not_raw) == ((raw,), "")
    return raw.reason_in, raw.offsets


def assert_tracepoint(plan):
    assert (plan.reason_in, plan.offsets, plan.attachment) == (ReasonIn.RECORD, (8,), Attachment.TRACEPOINT)


def why_not_raw(host):
    """Why only the tracepoint is left, after a look that --attach raw says the same."""
    found = plan_attachment(host.root)
    (tracepoint,) = found.plans
    assert_tracepoint(tracepoint)
    assert found.not_raw.isprintable()
    with refuses(ExitStatError, "the raw tracepoint cannot be used on this kernel", found.not_raw) as caught:
        plan_attachment(host.root, Attachment.RAW)
    assert "--attach" in caught.value.hint
    return found.not_raw


# -- the CPU and the tracepoint --


@every_kernel
@pytest.mark.parametrize(("flags", "isa"), [(INTEL, VMX), (AMD, SVM)], ids=["vmx", "svm"])
@pytest.mark.parametrize("wanted", Attachment)
def test_the_cpu_chooses_the_isa_on_every_kernel(host, kernel, flags, isa, wanted):
    add_kvm(host, flags, kernel)
    assert plan_attachment(host.root, wanted).isa == isa


@every_kernel
@both_cpus
def test_the_tracepoints_reason_is_at_8_on_every_kernel(host, kernel, flags):
    add_kvm(host, flags, kernel)
    assert_tracepoint(plan_attachment(host.root).plans[-1])


def test_the_offset_is_read_and_not_assumed(host):
    add_cpus(host, INTEL)
    text = read_format().replace("exit_reason;\toffset:8;", "exit_reason;\toffset:12;")
    host.add_file(f"{TRACEFS}/{FORMAT}", text)
    assert offset_in_record(host) == 12


@pytest.mark.parametrize("wanted", Attachment)
def test_a_reason_newer_than_this_program_has_the_kernels_name(host, wanted):
    add_cpus(host, AMD)
    host.add_file(f"{TRACEFS}/{FORMAT}", read_format().replace('"npf" }', '"npf" }, { 0x40a, "newest" }'))
    assert plan_attachment(host.root, wanted).isa.reasons.name_of(0x40A) == "NEWEST"


def test_debugfs_alone_will_do(host):
    add_cpus(host, INTEL)
    host.add_file(f"{DEBUGFS}/{FORMAT}", read_format())
    assert offset_in_record(host) == 8


def test_tracefs_comes_before_debugfs(host):
    add_cpus(host, INTEL)
    host.add_file(f"{TRACEFS}/{FORMAT}", read_format().replace("exit_reason;\toffset:8;", "exit_reason;\toffset:16;"))
    host.add_file(f"{DEBUGFS}/{FORMAT}", read_format())
    assert offset_in_record(host) == 16


@pytest.mark.parametrize("where", [TRACEFS, DEBUGFS])
@pytest.mark.parametrize("wanted", Attachment)
def test_tracefs_without_the_tracepoint_means_kvm_is_not_loaded(host, where, wanted):
    add_cpus(host, INTEL)
    host.add_file(f"{where}/events/sched/sched_switch/format", "name: sched_switch\n")
    with refuses(ExitStatError, "KVM is not loaded") as caught:
        plan_attachment(host.root, wanted)
    assert caught.value.hint == "load it with 'modprobe kvm_intel'"


def test_no_tracefs_means_mount_it(host):
    add_cpus(host, INTEL)
    # The kernel makes both mount points, mounted or not.
    (host.root / TRACEFS).mkdir(parents=True)
    (host.root / "sys/kernel/debug").mkdir(parents=True)
    with refuses(ExitStatError, "tracefs is not mounted") as caught:
        plan_attachment(host.root)
    assert "mount -t tracefs" in caught.value.hint


def test_a_cpu_without_virtualization_is_told_apart_from_a_kernel_without_kvm(host):
    add_cpus(host, "fpu vme sse2 vmxoff svm_lock")
    with refuses(ExitStatError, "neither VMX nor SVM"):
        plan_attachment(host.root)


@pytest.mark.parametrize(
    "cpuinfo",
    ["processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd vmx svm\nCPU implementer\t: 0x41\n", ""],
    ids=["arm", "empty"],
)
def test_another_architecture_is_refused(host, cpuinfo):
    host.add_file("proc/cpuinfo", cpuinfo)
    host.add_file(f"{TRACEFS}/{FORMAT}", read_format())
    with refuses(ExitStatError, "unsupported architecture"):
        plan_attachment(host.root)


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("offset:8;\tsize:4;", "offset:8;\tsize:8;"),
        ("offset:8;\tsize:4;", "offset:8;\tsize:40;"),
        ("int exit_reason;", "int reason;"),
        ("int exit_reason;", "int other_exit_reason;"),
    ],
)
@pytest.mark.parametrize("wanted", [Attachment.AUTO, Attachment.TRACEPOINT])
def test_a_field_of_another_size_or_name_is_refused(host, there, instead, wanted):
    add_cpus(host, INTEL)
    changed = read_format().replace(there, instead)
    assert changed != read_format()
    host.add_file(f"{TRACEFS}/{FORMAT}", changed)
    with refuses(ExitStatError, "no field exit_reason of 4 bytes"):
        plan_attachment(host.root, wanted)


def test_a_format_without_names_still_counts(host):
    add_cpus(host, AMD)
    host.add_file(f"{TRACEFS}/{FORMAT}", read_format().partition("print fmt:")[0])
    found = plan_attachment(host.root)
    assert found.isa == SVM
    assert_tracepoint(found.plans[-1])


# -- what was asked for --


def test_a_plan_attaches_to_the_tracepoint_that_its_reason_comes_with():
    attachments = {reason_in: AttachPlan(reason_in, (), "").attachment for reason_in in ReasonIn}
    records = [attachments.pop(reason_in) for reason_in in (ReasonIn.RECORD, ReasonIn.RECORD_PAIR)]
    assert set(records) == {Attachment.TRACEPOINT}
    assert set(attachments.values()) == {Attachment.RAW}


def test_the_kernel_program_knows_the_same_places_of_the_reason():
    text = PROGRAM.read_text()
    places = set(re.findall(r"REASON_IN == (\w+)", text))
    assert places <= {one.name for one in ReasonIn} and len(places) == len(ReasonIn) - 1  # the last is what is left


def test_raw_needs_no_record(host):
    add_cpus(host, INTEL)
    host.add_file(f"{TRACEFS}/{FORMAT}", read_format().replace("int exit_reason;", "int reason;"))
    (plan,) = plan_attachment(host.root, Attachment.RAW).plans
    assert plan.attachment is Attachment.RAW


def test_the_tracepoint_alone_is_planned_without_a_look_at_btf(host):
    add_kvm(host, AMD)
    load(host, "kvm", "kvm_amd")
    for name in ("vmlinux", "kvm", "kvm_amd"):
        add_btf(host, name, b"")
        (host.root / "sys/kernel/btf" / name).unlink()
        # Whoever opens this to read waits for a writer.
        os.mkfifo(host.root / "sys/kernel/btf" / name)
    with ends(5):
        found = plan_attachment(host.root, Attachment.TRACEPOINT)
    (plan,) = found.plans
    assert_tracepoint(plan)
    assert found.not_raw == "not wanted"


def test_the_tracepoint_alone_is_planned_where_raw_would_be_possible(host):
    add_kvm(host, AMD)
    add_btf(host, "vmlinux", since_5_16().with_svm())
    assert plan_attachment(host.root).plans[0].attachment is Attachment.RAW
    (plan,) = plan_attachment(host.root, Attachment.TRACEPOINT).plans
    assert_tracepoint(plan)


# -- SVM: the reason is in the VMCB --


def add_modules(host, flags, kvm=None, vendor=None, *, kernel=None):
    """KVM as modules; `kvm` and `vendor` make their types from a base, the kernel's own."""
    kernel = kernel or KvmTypes()
    add_kvm(host, flags)
    add_btf(host, "vmlinux", kernel)
    load(host, "kvm", VENDOR[flags])
    if kvm:
        add_btf(host, "kvm", kvm(kernel))
    if vendor:
        add_btf(host, VENDOR[flags], vendor(kernel))


@pytest.mark.parametrize("code", ["u32", "u64"])
@pytest.mark.parametrize(("vcpu_at", "vmcb_at"), [(0, 552), (64, 616), (552, 8)])
def test_on_svm_the_reason_is_behind_a_pointer(host, code, vcpu_at, vmcb_at):
    add_modules(
        host,
        AMD,
        since_5_16,
        lambda kernel: KvmTypes(kernel).with_svm(exit_code=code, vcpu_at=vcpu_at, vmcb_at=vmcb_at, code_at=112),
    )
    # The program gets the address of the vcpu, not of what is around it.
    assert plan_raw(host) == (ReasonIn.VCPU_POINTER, (vmcb_at - vcpu_at, 112))


def test_a_control_area_that_is_not_first_in_the_vmcb_adds_its_offset(host):
    def vendor(kernel):
        types = KvmTypes(kernel)
        control = types.structure("vmcb_control_area", 1024, [("pad", types.u64, 0), ("exit_code", types.u32, 96)])
        vmcb = types.structure("vmcb", 4096, [("save", types.u64, 0), ("control", control, 2048)])
        # As the kernel has it, behind a qualifier on each step.
        pointer = types.type("CONST", "", types.pointer(types.type("VOLATILE", "", types.typedef("vmcb_t", vmcb))))
        types.structure("vcpu_svm", 1024, [("vcpu", types.vcpu, 0), ("vmcb", pointer, 520)])
        return types

    add_modules(host, AMD, since_5_16, vendor)
    assert plan_raw(host) == (ReasonIn.VCPU_POINTER, (520, 2048 + 96))


def test_an_amd_host_does_not_ask_intels_module(host):
    add_modules(host, AMD, since_5_16, lambda kernel: KvmTypes(kernel).with_svm())
    load(host, "kvm_intel")
    add_btf(host, "kvm_intel", b"damaged")
    assert plan_raw(host) == (ReasonIn.VCPU_POINTER, (552, 112))


# -- VMX: the reason is beside the vCPU --


@pytest.mark.parametrize("vcpu_at", [0, 64])
@pytest.mark.parametrize(
    ("places", "offset"),
    [({"top_at": 700}, 700), ({"vt_at": 600}, 616), ({"top_at": 700, "vt_at": 800}, 816)],
    ids=["before 6.16", "since 6.16", "both: the newest"],
)
def test_on_vmx_the_reason_is_beside_the_vcpu(host, places, offset, vcpu_at):
    add_modules(host, INTEL, since_5_16, lambda kernel: KvmTypes(kernel).with_vmx(vcpu_at=vcpu_at, **places))
    assert plan_raw(host) == (ReasonIn.VCPU, (offset - vcpu_at,))


def test_on_vmx_the_reason_may_lie_before_the_vcpu(host):
    add_modules(host, INTEL, since_5_16, lambda kernel: KvmTypes(kernel).with_vmx(top_at=8, vcpu_at=64))
    assert plan_raw(host) == (ReasonIn.VCPU, (-56,))


def test_on_vmx_a_plain_number_will_do(host):
    add_modules(
        host, INTEL, since_5_16, lambda kernel: KvmTypes(kernel).with_vmx(top_at=700, top_reason="u32", vcpu_at=8)
    )
    assert plan_raw(host) == (ReasonIn.VCPU, (692,))


def test_an_intel_host_does_not_ask_amds_module(host):
    add_modules(host, INTEL, since_5_16, lambda kernel: KvmTypes(kernel).with_vmx(top_at=700))
    load(host, "kvm_amd")
    add_btf(host, "kvm_amd", b"damaged")
    assert plan_raw(host) == (ReasonIn.VCPU, (700,))


# -- the reason is an argument --


@both_cpus
def test_before_5_16_the_reason_is_an_argument(host, flags):
    # Whatever the structures look like: they are not needed.
    add_modules(host, flags, before_5_16, KvmTypes)
    assert plan_raw(host) == (ReasonIn.ARGUMENT, ())


@both_cpus
@pytest.mark.parametrize(
    "kvm_has", ["no BTF", "BTF of the kernel alone", "BTF of kvm alone", "BTF of the vendor's alone", "modules' alone"]
)
def test_where_kvm_has_no_btf_the_kernel_tells_by_attaching(host, flags, kvm_has):
    add_kvm(host, flags)
    load(host, "kvm", VENDOR[flags])
    kernel = KvmTypes()
    if kvm_has not in ("no BTF", "modules' alone"):
        add_btf(host, "vmlinux", kernel)
    if kvm_has in ("BTF of kvm alone", "modules' alone"):
        add_btf(host, "kvm", before_5_16(kernel))
    if kvm_has in ("BTF of the vendor's alone", "modules' alone"):
        add_btf(host, VENDOR[flags], KvmTypes(kernel).with_svm().with_vmx(top_at=700))
    assert plan_raw(host) == (ReasonIn.ARGUMENT, ())


@both_cpus
def test_a_kernel_without_btf_and_modules_is_asked_by_attaching_too(host, flags):
    add_kvm(host, flags)
    assert plan_raw(host) == (ReasonIn.ARGUMENT, ())


# -- built in --


def test_kvm_and_svm_may_be_built_in(host):
    add_kvm(host, AMD)
    # /sys/module shows what is built in and has parameters.
    host.add_file("sys/module/kvm_amd/parameters/npt", "Y\n")
    add_btf(host, "vmlinux", since_5_16().with_svm(vcpu_at=8))
    assert plan_raw(host) == (ReasonIn.VCPU_POINTER, (544, 112))


def test_kvm_and_vmx_may_be_built_in(host):
    add_kvm(host, INTEL)
    host.add_file("sys/module/kvm/parameters/halt_poll_ns", "200000\n")
    add_btf(host, "vmlinux", since_5_16().with_vmx(vt_at=600))
    assert plan_raw(host) == (ReasonIn.VCPU, (616,))


@both_cpus
def test_before_5_16_it_may_be_built_in(host, flags):
    add_kvm(host, flags)
    add_btf(host, "vmlinux", before_5_16().with_vmx(top_at=700).with_svm())
    assert plan_raw(host) == (ReasonIn.ARGUMENT, ())


def test_kvm_may_be_built_in_and_the_vendors_part_a_module(host):
    add_modules(
        host, AMD, vendor=lambda kernel: KvmTypes(kernel).with_svm(vcpu_at=16), kernel=since_5_16().with_svm(vmcb_at=0)
    )
    (host.root / "sys/module/kvm/initstate").unlink()
    assert plan_raw(host) == (ReasonIn.VCPU_POINTER, (536, 112))


# -- only the tracepoint is left --

WHOLE = since_5_16().with_svm().with_vmx(top_at=700)

DAMAGES = {
    "empty": lambda data: data[:0],
    "cut in the header": lambda data: data[:20],
    "header alone": lambda data: data[:24],
    "cut in the types": lambda data: data[:101],
    "cut in the strings": lambda data: data[:-1],
    "other magic": lambda data: b"\x7fELF" + data[4:],
    "other version": lambda data: data[:2] + b"\x02" + data[3:],
    "zeros": lambda data: bytes(len(data)),
    "other order": lambda data: BtfWriter(order=OTHER_ORDER).data() + data,
    "words of ones": lambda data: data[:24] + b"\xff" * (len(data) - 24),
}


@both_cpus
@pytest.mark.parametrize("damaged", ["vmlinux", "kvm", "vendor"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_btf_leaves_the_tracepoint(host, flags, damaged, damage):
    kernel = KvmTypes()
    add_modules(host, flags, since_5_16, lambda kernel: KvmTypes(kernel).with_svm().with_vmx(top_at=700), kernel=kernel)
    path = host.root / "sys/kernel/btf" / (VENDOR[flags] if damaged == "vendor" else damaged)
    assert plan_attachment(host.root).plans[0].reason_in in (ReasonIn.VCPU, ReasonIn.VCPU_POINTER)
    path.write_bytes(damage(path.read_bytes()))
    assert why_not_raw(host).startswith("BTF: ")


@both_cpus
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_btf_of_a_kernel_with_kvm_built_in_leaves_the_tracepoint(host, flags, damage):
    add_kvm(host, flags)
    add_btf(host, "vmlinux", damage(WHOLE.data()))
    assert why_not_raw(host).startswith("BTF: ")


@pytest.mark.parametrize("name", ["vmlinux", "kvm", "kvm_amd"])
def test_btf_that_cannot_be_read_leaves_the_tracepoint(host, name):
    add_modules(host, AMD, since_5_16, lambda kernel: KvmTypes(kernel).with_svm())
    (host.root / "sys/kernel/btf" / name).unlink()
    (host.root / "sys/kernel/btf" / name).mkdir()
    assert "Is a directory" in why_not_raw(host)


@both_cpus
@pytest.mark.parametrize("arguments", [(), ("vcpu",), ("exit_reason", "vcpu", "isa", "more")], ids=len)
def test_another_number_of_parameters_leaves_the_tracepoint(host, flags, arguments):
    add_kvm(host, flags)
    add_btf(host, "vmlinux", KvmTypes().with_tracepoint(*arguments).with_svm().with_vmx(top_at=700))
    assert f"BTF shows {1 + len(arguments)} parameters" in why_not_raw(host)


@both_cpus
def test_a_tracepoint_that_is_not_described_leaves_the_tracepoint(host, flags):
    add_kvm(host, flags)
    add_btf(host, "vmlinux", KvmTypes().with_svm().with_vmx(top_at=700))
    assert why_not_raw(host) == "BTF: no type 'btf_trace_kvm_exit'"


def test_a_tracepoint_that_is_no_pointer_to_a_function_leaves_the_tracepoint(host):
    add_kvm(host, AMD)
    for of, words in (
        ("u32", "is not a pointer"),
        ("void_pointer", "no type with id 0"),
        ("pointer", "is not a function"),
    ):
        types = KvmTypes()
        types.pointer_to_vcpu = types.pointer(types.vcpu)
        types.typedef("btf_trace_kvm_exit", types.pointer_to_vcpu if of == "pointer" else getattr(types, of))
        add_btf(host, "vmlinux", types.with_svm())
        assert words in why_not_raw(host)


def test_the_kernels_own_types_are_not_those_of_a_module(host):
    # A module that lacks them: what else has these names is another structure.
    add_modules(host, AMD, since_5_16, KvmTypes, kernel=KvmTypes().with_svm())
    assert why_not_raw(host) == "BTF: no type 'vcpu_svm'"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"vcpu": None}, "no member 'vcpu'"),
        ({"vmcb": None}, "no member 'vmcb'"),
        ({"vmcb": "u64"}, "is not a pointer"),
        ({"vmcb": "void_pointer"}, "no type with id 0"),
        ({"vmcb": "u32_pointer"}, "no member 'control'"),
        ({"control": None}, "no member 'control'"),
        ({"control": "void_pointer"}, "no member 'exit_code'"),
        ({"exit_code": None}, "no member 'exit_code'"),
        ({"exit_code": "u16"}, "exit_code is [0-9]+ bytes wide, not 4 or 8"),
        ({"exit_code": "u128"}, "exit_code is [0-9]+ bytes wide, not 4 or 8"),
        ({"exit_code": 9999}, "no type with id 9999"),
    ],
    ids=str,
)
def test_on_svm_a_structure_of_another_shape_leaves_the_tracepoint(host, other, words):
    add_kvm(host, AMD)
    add_btf(host, "vmlinux", since_5_16().with_svm(**other))
    assert re.match(f"BTF: .*{words}", why_not_raw(host))


@pytest.mark.parametrize("size", [1, 2, 8])
def test_on_vmx_a_reason_that_is_not_4_bytes_leaves_the_tracepoint(host, size):
    add_kvm(host, INTEL)
    kernel = since_5_16()
    add_btf(host, "vmlinux", kernel.with_vmx(top_at=700, top_reason=kernel.exit_reason(size)))
    assert why_not_raw(host) == f"BTF: exit_reason is {size} bytes wide, not 4"


def test_on_vmx_the_newest_place_is_the_one_that_is_measured(host):
    add_kvm(host, INTEL)
    add_btf(host, "vmlinux", since_5_16().with_vmx(top_at=700, vt_at=600, vt_reason="u64"))
    assert why_not_raw(host) == "BTF: vt.exit_reason is 8 bytes wide, not 4"
    add_btf(host, "vmlinux", since_5_16().with_vmx(top_at=700, vt_at=600, top_reason="u64"))
    assert plan_raw(host) == (ReasonIn.VCPU, (616,))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({}, "no member 'exit_reason'"),
        ({"vt_at": 600, "vt_reason": None}, "no member 'exit_reason'"),
        ({"top_at": 700, "vcpu": None}, "no member 'vcpu'"),
        ({"top_at": 700, "top_reason": 9999}, "no type with id 9999"),
        ({"top_at": 700, "top_reason": 0}, "no type with id 0"),
    ],
    ids=str,
)
def test_on_vmx_a_structure_of_another_shape_leaves_the_tracepoint(host, shape, words):
    add_kvm(host, INTEL)
    add_btf(host, "vmlinux", since_5_16().with_vmx(**shape))
    assert re.match(f"BTF: .*{words}", why_not_raw(host))


def test_a_structure_that_is_not_there_leaves_the_tracepoint(host):
    add_kvm(host, INTEL)
    add_btf(host, "vmlinux", since_5_16().with_svm())
    assert why_not_raw(host) == "BTF: no type 'vcpu_vmx'"
    add_kvm(host, AMD)
    add_btf(host, "vmlinux", since_5_16().with_vmx(top_at=700))
    assert why_not_raw(host) == "BTF: no type 'vcpu_svm'"


# -- a kernel that has the cast --


def add_typed_host(host, flags, vmlinux):
    add_kvm(host, flags)
    load(host, "kvm", VENDOR[flags])
    add_btf(host, "vmlinux", vmlinux)
    add_btf(host, "kvm", since_5_16(vmlinux))
    vendor = KvmTypes(vmlinux)
    add_btf(host, VENDOR[flags], vendor.with_svm() if flags == AMD else vendor.with_vmx(top_at=64))


@both_cpus
def test_where_the_kernel_has_the_cast_it_is_tried_first(host, flags):
    vmlinux = KvmTypes().with_cast()
    add_typed_host(host, flags, vmlinux)
    cast, raw, tracepoint = plan_attachment(host.root).plans
    assert cast.cast == Cast(vmlinux.cast, vmlinux.kref, vmlinux.task_cputime)
    assert replace(cast, cast=None, why=raw.why) == raw and raw.cast is None
    assert "cast" in cast.why and "cast" not in raw.why
    assert_tracepoint(tracepoint)
    assert plan_attachment(host.root, Attachment.RAW).plans == (cast, raw)
    assert [plan.cast for plan in plan_attachment(host.root, Attachment.TRACEPOINT).plans] == [None]


@pytest.mark.parametrize(
    "other",
    [{"function": "another"}, {"kref": ("refcount", 8)}, {"kref": ("count", 4)}, {"time": ("stime", "u32")}],
)
def test_where_a_part_of_the_cast_is_another_it_is_not_tried(host, other):
    add_typed_host(host, AMD, KvmTypes().with_cast(**other))
    assert [plan.cast for plan in plan_attachment(host.root).plans] == [None, None]
