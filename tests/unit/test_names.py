"""names: what exits are about, in words."""

import pytest

from virt_exitstat.counts.details import Access, Detail, Kind, Mark
from virt_exitstat.isa.arm64 import ARM64
from virt_exitstat.isa.known import ISAS, X86
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.names.entry import Named, Table, in_a_row, in_order, one
from virt_exitstat.names.host import parse_header_msrs, parse_irq_lines
from virt_exitstat.names.known import TABLES, all_words, find_number, find_word
from virt_exitstat.names.namer import Namer
from virt_exitstat.names.tables import apic, cpuid, hypercalls, interrupts, memory, msrs, ports
from virt_exitstat.names.tables.arm64 import calls, registers
from virt_exitstat.names.tables.arm64 import memory as virt

READ, WRITE, FETCH = Access.READ, Access.WRITE, Access.FETCH

every_table = pytest.mark.parametrize("table", TABLES, ids=[table.heading for table in TABLES])


def found(word):
    return [entry.name for _, entry in find_word(word)]


# The tables


@every_table
def test_entries_are_sorted_and_do_not_overlap(table):
    assert table.entries
    assert all(entry.first <= entry.last for entry in table.entries)
    assert all(before.last < after.first for before, after in zip(table.entries, table.entries[1:]))


@every_table
def test_every_table_says_what_it_is_and_where_it_comes_from(table):
    assert table.heading
    assert table.source.endswith(".")


def test_headings_are_distinct():
    assert len({table.heading for table in TABLES}) == len(TABLES)


@every_table
def test_every_name_is_one_line_and_stands_once(table):
    names = [entry.name for entry in table.entries]
    assert [name for name in names if not name or name != " ".join(name.split())] == []
    assert sorted(names) == sorted(set(names))


@every_table
def test_what_is_said_about_an_entry_is_whole_sentences(table):
    for entry in table.entries:
        assert entry.about == " ".join(entry.about.split())
        assert entry.about[-1:] in ("", ".")


@every_table
def test_the_first_and_the_last_number_of_each_entry_are_found(table):
    for entry in table.entries:
        assert table.find(entry.first) == table.find(entry.last) == entry


def test_numbers_beside_the_entries_are_not_found():
    table = Table(Kind.MSR, "some", "None.", (one(2, "two"), Named(4, 6, "four"), one(9, "nine")))
    assert [n for n in range(12) if table.find(n)] == [2, 4, 5, 6, 9]
    assert Table(Kind.MSR, "none", "None.", ()).find(0) is None


def test_entries_in_a_row_and_in_order():
    assert in_a_row(3, "a b", step=2) == (Named(3, 3, "a"), Named(5, 5, "b"))
    assert in_order(one(2, "b"), one(1, "c")) == (one(1, "c"), one(2, "b"))


def test_tables_are_all_those_that_the_modules_have():
    modules = (apic, cpuid, hypercalls, interrupts, memory, msrs, ports, calls, registers, virt)
    made = [value for module in modules for value in vars(module).values() if isinstance(value, Table)]
    assert sorted(map(id, made)) == sorted(map(id, TABLES))


def test_no_msr_has_two_names():
    entries = sorted(entry for table in TABLES if table.kind is Kind.MSR for entry in table.entries)
    assert all(before.last < after.first for before, after in zip(entries, entries[1:]))


def test_ports_and_fixed_addresses_go_before_what_pci_devices_have():
    assert TABLES.index(ports.PORTS) < TABLES.index(ports.PCI_PORTS)
    assert TABLES.index(memory.REGIONS) < TABLES.index(memory.PCI_MEMORY)
    assert all(entry.last <= 0xFFFF for entry in ports.PORTS.entries)


def test_x2apic_msrs_are_the_registers_of_the_apic():
    for table, first in ((apic.REGISTERS, 0x20), (apic.REGISTERS, 0xB0), (apic.REGISTERS, 0x300)):
        assert apic.X2APIC.find(0x800 + first // 16).name == "x2" + table.find(first).name
    # It has no DFR, and no second half of the ICR.
    assert [apic.X2APIC.find(msr) for msr in (0x80E, 0x831, 0x840)] == [None, None, None]
    assert len(apic.X2APIC.entries) == 23


# Numbers against the manuals. Linux has the same in msr-index.h, kvm_para.h, hyperv-tlfs.h, apicdef.h, irq_vectors.h.
@pytest.mark.parametrize(
    ("kind", "number", "name"),
    [
        (Kind.MSR, 0x10, "TSC"),
        (Kind.MSR, 0x11, "KVM_WALL_CLOCK"),
        (Kind.MSR, 0x1B, "APIC_BASE"),
        (Kind.MSR, 0x3B, "TSC_ADJUST"),
        (Kind.MSR, 0x48, "SPEC_CTRL"),
        (Kind.MSR, 0x49, "PRED_CMD"),
        (Kind.MSR, 0x79, "UCODE_WRITE"),
        (Kind.MSR, 0x8B, "UCODE_REV"),
        (Kind.MSR, 0xC8, "PMC7"),
        (Kind.MSR, 0x187, "PERFEVTSEL1"),
        (Kind.MSR, 0x1A0, "MISC_ENABLE"),
        (Kind.MSR, 0x203, "MTRR_PHYSMASK1"),
        (Kind.MSR, 0x26F, "MTRR_FIX4K_F8000"),
        (Kind.MSR, 0x277, "PAT"),
        (Kind.MSR, 0x38F, "PERF_GLOBAL_CTRL"),
        (Kind.MSR, 0x48B, "VMX_PROCBASED_CTLS2"),
        (Kind.MSR, 0x491, "VMX_VMFUNC"),
        (Kind.MSR, 0x493, "VMX_EXIT_CTLS2"),
        (Kind.MSR, 0x6E0, "TSC_DEADLINE"),
        (Kind.MSR, 0x808, "x2APIC TPR"),
        (Kind.MSR, 0x80B, "x2APIC EOI"),
        (Kind.MSR, 0x817, "x2APIC ISR"),
        (Kind.MSR, 0x830, "x2APIC ICR"),
        (Kind.MSR, 0x838, "x2APIC timer count"),
        (Kind.MSR, 0x83F, "x2APIC self IPI"),
        (Kind.MSR, 0x40000020, "HV_TIME_REF_COUNT"),
        (Kind.MSR, 0x4000009F, "HV_SINT15"),
        (Kind.MSR, 0x400000B0, "HV_STIMER0_CONFIG"),
        (Kind.MSR, 0x400000B7, "HV_STIMER3_COUNT"),
        (Kind.MSR, 0x4B564D01, "KVM_SYSTEM_TIME_NEW"),
        (Kind.MSR, 0xC0000080, "EFER"),
        (Kind.MSR, 0xC0010114, "VM_CR"),
        (Kind.MSR, 0xC0010202, "PERF_CTL1"),
        (Kind.MSR, 0xC0010203, "PERF_CTR1"),
        (Kind.PORT, 0x71, "RTC and CMOS"),
        (Kind.PORT, 0x608, "ACPI PM timer"),
        (Kind.PORT, 0xB008, "ACPI PM timer of pc"),
        (Kind.PORT, 0xCDC, "CPU hot-plug of q35"),
        (Kind.PORT, 0xCFC, "PCI configuration"),
        (Kind.CPUID, 0x7, "more features"),
        (Kind.CPUID, 0x80000004, "model name"),
        (Kind.HYPERV_HYPERCALL, 0x5D, "SIGNAL_EVENT"),
        (Kind.XEN_HYPERCALL, 32, "event_channel_op"),
        (Kind.VECTOR, 0xFB, "call function on one CPU"),
        (Kind.VECTOR, 0xF2, "posted interrupt"),
        # op0, op1, CRn, CRm, op2 as `mrs x0, S3_0_C12_C11_5` has them: bits 20 to 5 of the instruction.
        (Kind.SYSTEM_REGISTER, 0xC65D, "ICC_SGI1R_EL1"),
        (Kind.SYSTEM_REGISTER, 0xC020, "ID_AA64PFR0_EL1"),
        (Kind.SYSTEM_REGISTER, 0xDCE8, "PMCCNTR_EL0"),
        (Kind.SYSTEM_REGISTER, 0xDF11, "CNTP_CTL_EL0"),
        (Kind.SYSTEM_REGISTER, 0xDF5E, "PMEVCNTR30_EL0"),
        (Kind.SYSTEM_REGISTER, 0xDF60, "PMEVTYPER0_EL0"),
        (Kind.SYSTEM_REGISTER, 0xC080, "SCTLR_EL1"),
        (Kind.SYSTEM_REGISTER, 0x8084, "OSLAR_EL1"),
        (Kind.SYSTEM_REGISTER, 0x43F2, "DC CISW"),
        (Kind.SMCCC_CALL, 0x84000000, "PSCI_VERSION"),
        (Kind.SMCCC_CALL, 0xC4000003, "PSCI_CPU_ON"),
        (Kind.SMCCC_CALL, 0xC5000021, "PV_TIME_ST"),
        (Kind.SMCCC_CALL, 0x86000001, "KVM_PTP"),
    ],
)
def test_known_numbers_have_their_names(kind, number, name):
    assert find_number(kind, number)[1].name == name


# What rows say


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        (Detail(Kind.NOTHING), "nothing told"),
        (Detail(Kind.NOTHING, by_qemu=True), "nothing told, by QEMU"),
        (Detail(Kind.MSR, 0x6E0, WRITE), "write 0x6e0 TSC_DEADLINE"),
        (Detail(Kind.MSR, 0x80B, WRITE), "write 0x80b x2APIC EOI"),
        (Detail(Kind.MSR, 0xDEAD, READ, mark=Mark.REFUSED), "read 0xdead (refused)"),
        (Detail(Kind.MSR, 0x611, READ, mark=Mark.REFUSED), "read 0x611 PKG_ENERGY_STATUS (refused)"),
        (Detail(Kind.MSR, 0x1234, READ), "read 0x1234 FROM_HEADER"),
        (Detail(Kind.MSR, 0x10, READ), "read 0x10 TSC"),
        (Detail(Kind.MSR, 0xBAD, WRITE, by_qemu=True), "write 0xbad, by QEMU"),
        (Detail(Kind.PORT, 0x3F8, WRITE, 1, by_qemu=True), "out 0x3f8 serial 1, by QEMU"),
        (Detail(Kind.PORT, 0x1F0, READ, 2, by_qemu=True), "in 0x1f0 IDE 1 (2 bytes), by QEMU"),
        (Detail(Kind.PORT, 0x21, READ, 1), "in 0x21 PIC 1"),
        (Detail(Kind.PORT, 0xC010, WRITE, 2), "out 0xc010 a PCI device (2 bytes)"),
        (Detail(Kind.PORT, 0x1234, READ, 4, by_qemu=True), "in 0x1234 (4 bytes), by QEMU"),
        (Detail(Kind.CPUID, 0xD), "leaf 0xd XSAVE"),
        (Detail(Kind.CPUID, 0x40000100), "leaf 0x40000100 KVM or Xen"),
        (Detail(Kind.CPUID, 0x77), "leaf 0x77"),
        (Detail(Kind.MMIO, 0xFEE000B0, WRITE), "write 0xfee000b0 local APIC EOI"),
        (Detail(Kind.MMIO, 0xFEE00004, READ), "read 0xfee00004 local APIC"),
        (Detail(Kind.MMIO, 0xFEC00010, READ), "read 0xfec00010 I/O APIC"),
        (Detail(Kind.MMIO, 0xFED000F0, READ, by_qemu=True), "read 0xfed000f0 HPET, by QEMU"),
        (Detail(Kind.MMIO, 0xFE003004, mark=Mark.DOORBELL), "doorbell 0xfe003004 virtio, queue 1"),
        (Detail(Kind.MMIO, 0xFE003004, WRITE, mark=Mark.DOORBELL), "doorbell 0xfe003004 virtio, queue 1"),
        (Detail(Kind.MMIO, 0xFE003FFC, WRITE, mark=Mark.DOORBELL), "doorbell 0xfe003ffc virtio, queue 1023"),
        (Detail(Kind.MMIO, 0x800000B008, mark=Mark.DOORBELL), "doorbell 0x800000b008 virtio, queue 2"),
        (Detail(Kind.MMIO, 0xFE001004, mark=Mark.DOORBELL), "doorbell 0xfe001004 a PCI device"),
        (Detail(Kind.MMIO, 0xFE003000, WRITE), "write 0xfe003000 virtio doorbell, queue 0"),
        (Detail(Kind.MMIO, 0xFE003000, WRITE, by_qemu=True), "write 0xfe003000 virtio doorbell, queue 0, by QEMU"),
        (Detail(Kind.MMIO, 0xFE003000, READ), "read 0xfe003000 a PCI device"),
        (Detail(Kind.MMIO, 0xFE003002, WRITE), "write 0xfe003002 a PCI device"),
        # An e1000 sends by this register.
        (Detail(Kind.MMIO, 0xFEB83818, WRITE, by_qemu=True), "write 0xfeb83818 a PCI device, by QEMU"),
        (Detail(Kind.MMIO, 0xFFC03000, WRITE, by_qemu=True), "write 0xffc03000 firmware flash, by QEMU"),
        (Detail(Kind.MMIO, 0xB0003000, WRITE, by_qemu=True), "write 0xb0003000 PCI configuration, by QEMU"),
        (Detail(Kind.MMIO, 0xC0000000, READ), "read 0xc0000000 a PCI device"),
        (Detail(Kind.MMIO, 0xA0000, WRITE, by_qemu=True), "write 0xa0000 VGA memory, by QEMU"),
        (Detail(Kind.MMIO, 0x90003000, WRITE), "write 0x90003000"),
        (Detail(Kind.PAGE_FAULT, 0, WRITE, mark=Mark.PAGE_THERE), "write, page there"),
        (Detail(Kind.PAGE_FAULT, 0, READ, mark=Mark.NO_PAGE), "read, no page"),
        (Detail(Kind.PAGE_FAULT, 0, FETCH, mark=Mark.PAGE_THERE), "fetch, page there"),
        (Detail(Kind.PAGE_FAULT, 0, READ, mark=Mark.RESERVED), "read, MMIO"),
        (Detail(Kind.PAGE_FAULT), "page fault"),
        (Detail(Kind.KVM_HYPERCALL, 5), "hypercall 5 KICK_CPU"),
        (Detail(Kind.KVM_HYPERCALL, 99), "hypercall 99"),
        (Detail(Kind.HYPERV_HYPERCALL, 8), "Hyper-V call 0x8 NOTIFY_LONG_SPIN_WAIT"),
        (Detail(Kind.XEN_HYPERCALL, 29), "Xen call 29 sched_op"),
        (Detail(Kind.CONTROL_REGISTER, 0, WRITE), "write CR0"),
        (Detail(Kind.CONTROL_REGISTER, 8, READ, by_qemu=True), "read CR8, by QEMU"),
        (Detail(Kind.CONTROL_REGISTER, 5, WRITE), "write CR5"),
        (Detail(Kind.APIC_REGISTER, 0x300, WRITE), "write 0x300 APIC ICR"),
        (Detail(Kind.AVIC_REGISTER, 0xD0, WRITE), "write 0xd0 APIC LDR"),
        (Detail(Kind.AVIC_IPI, 0), "IPI: invalid interrupt type"),
        (Detail(Kind.AVIC_IPI, 1), "IPI: target not running"),
        (Detail(Kind.AVIC_IPI, 4), "IPI: invalid IPI vector"),
        (Detail(Kind.AVIC_IPI, 9), "IPI: cause 9"),
        (Detail(Kind.VECTOR, 0xEC), "vector 0xec local timer"),
        (Detail(Kind.VECTOR, 0x31), "vector 0x31"),
        (Detail(Kind.IRQ, 45), "IRQ 45 nvme0q3"),
        (Detail(Kind.IRQ, 46), "IRQ 46"),
        (Detail(Kind.WAKEUP, 8, mark=Mark.SLEPT), "slept < 256us"),
        (Detail(Kind.WAKEUP, 4, mark=Mark.POLLED), "polled < 16us"),
        (Detail(Kind.WAKEUP, 0, mark=Mark.POLLED), "polled < 1us"),
        (Detail(Kind.WAKEUP, 9, mark=Mark.SLEPT), "slept < 512us"),
        (Detail(Kind.WAKEUP, 10, mark=Mark.SLEPT), "slept < 1ms"),
        (Detail(Kind.WAKEUP, 19, mark=Mark.SLEPT), "slept < 512ms"),
        (Detail(Kind.WAKEUP, 20, mark=Mark.SLEPT), "slept < 1s"),
        (Detail(Kind.WAKEUP, 23, mark=Mark.SLEPT), "slept < 8s"),
    ],
)
def test_a_detail_is_described(detail, words):
    namer = Namer(SVM.name, irq_lines={45: "nvme0q3"}, header_msrs={0x1234: "FROM_HEADER", 0x10: "AMD64_SOMETHING"})
    assert namer.describe(detail) == words


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        (Detail(Kind.SYSTEM_REGISTER, 0xC65D, WRITE), "write ICC_SGI1R_EL1"),
        (Detail(Kind.SYSTEM_REGISTER, 0xC03D, READ), "read S3_0_C0_C7_5"),
        (Detail(Kind.SMCCC_CALL, 0x84000000), "call 0x84000000 PSCI_VERSION"),
        (Detail(Kind.SMCCC_CALL, 0x84000008, by_qemu=True), "call 0x84000008 PSCI_SYSTEM_OFF, by QEMU"),
        (Detail(Kind.SMCCC_CALL, 0xC2000000), "call 0xc2000000"),
        (Detail(Kind.WAIT, 0), "WFI"),
        (Detail(Kind.WAIT, 1), "WFE"),
        (Detail(Kind.WAKEUP, 8, mark=Mark.SLEPT), "slept < 256us"),
        (Detail(Kind.IRQ, 9), "IRQ 9 kvm guest vtimer"),
        (Detail(Kind.IRQ, 3), "IRQ 3"),
        (Detail(Kind.MMIO, 0x09000000, WRITE, by_qemu=True), "write 0x9000000 serial port (PL011), by QEMU"),
        (Detail(Kind.MMIO, 0x09000018, READ, by_qemu=True), "read 0x9000018 serial port (PL011), by QEMU"),
        (Detail(Kind.MMIO, 0x0800010C, WRITE), "write 0x800010c GIC distributor"),
        (Detail(Kind.MMIO, 0x0A003E50, WRITE), "write 0xa003e50 virtio-mmio"),
        (Detail(Kind.MMIO, 0x3F008004, READ, by_qemu=True), "read 0x3f008004 PCI configuration, by QEMU"),
        (Detail(Kind.MMIO, 0x4010008004, READ, by_qemu=True), "read 0x4010008004 PCI configuration, high, by QEMU"),
        (Detail(Kind.MMIO, 0x8000003004, WRITE), "write 0x8000003004 virtio doorbell, queue 1"),
        (Detail(Kind.MMIO, 0x10003000, WRITE), "write 0x10003000 virtio doorbell, queue 0"),
        (Detail(Kind.MMIO, 0x10003000, READ), "read 0x10003000 a PCI device"),
        # A PC's devices are not there; this is memory, or nothing.
        (Detail(Kind.MMIO, 0xFED000F0, READ, by_qemu=True), "read 0xfed000f0, by QEMU"),
        (Detail(Kind.MMIO, 0xFEE000B0, WRITE), "write 0xfee000b0"),
        (Detail(Kind.MMIO, 0xFE003000, WRITE), "write 0xfe003000"),
        (Detail(Kind.MMIO, 0xA0000, WRITE, by_qemu=True), "write 0xa0000 firmware flash, by QEMU"),
    ],
)
def test_a_detail_of_arm64_is_described(detail, words):
    assert Namer(ARM64.name, irq_lines={9: "kvm guest vtimer"}).describe(detail) == words


def test_arm64s_devices_are_no_pcs():
    details = [Detail(Kind.MMIO, address, WRITE) for address in (0x09000000, 0x0A000050, 0x10003000)]
    assert [Namer(isa.name).name_of(detail) for isa in (SVM, VMX) for detail in details] == [""] * 6


def test_tables_are_of_isas_that_there_are():
    names = {isa.name for isa in ISAS}
    assert {name for table in TABLES for name in table.isas} <= names
    assert names - {*X86} == {ARM64.name}


def test_a_name_that_every_register_has_is_its_number():
    for number in (0xC65D, 0xDF5E, 0x43F2, 0, 0xFFFF):
        assert registers.parse_generic(registers.generic_name(number)) == number
    assert registers.generic_name(0xC65D) == "S3_0_C12_C11_5"
    assert [registers.parse_generic(word) for word in ("S3_0_C16_C0_0", "S4_0_C0_C0_0", "S3_0_C0_C0", "")] == [None] * 4


@pytest.mark.parametrize("isa", ISAS, ids=[isa.name for isa in ISAS])
@pytest.mark.parametrize("number", [0, 0x6E0, (1 << 64) - 1])
@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_described_whatever_its_number(kind, number, isa):
    if kind is Kind.WAKEUP:
        number %= 64
    for access in Access:
        for mark in Mark:
            words = Namer(isa.name).describe(Detail(kind, number, access, 4, mark))
            assert words == " ".join(words.split()) != ""
            assert Namer(isa.name).describe(Detail(kind, number, access, 4, mark, by_qemu=True)) == f"{words}, by QEMU"


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.MORE, Kind.NOTHING, Kind.PAGE_FAULT, Kind.IRQ, Kind.WAKEUP}))
def test_every_kind_with_numbers_has_a_table(kind):
    assert [table for table in TABLES if table.kind is kind]


def test_what_has_no_name_is_nameless():
    namer = Namer(VMX.name)
    nameless = [Detail(Kind.NOTHING), Detail(Kind.MSR, 0xDEAD, READ), Detail(Kind.PAGE_FAULT), Detail(Kind.IRQ, 1)]
    assert [namer.name_of(detail) for detail in nameless] == ["", "", "", ""]
    assert namer.name_of(Detail(Kind.WAKEUP, 8, mark=Mark.SLEPT)) == ""


def test_avic_is_of_svm_only():
    detail = Detail(Kind.AVIC_IPI, 1)
    assert [Namer(isa.name).name_of(detail) for isa in (SVM, VMX)] == ["target not running", ""]


# What words mean


@pytest.mark.parametrize(
    "word", ["0x6e0", "0X6E0", "1760", " 0x6E0 ", "msr 0x6e0", "MSR 1760", "TSC_DEADLINE", "tsc_deadline"]
)
def test_tsc_deadline_is_found(word):
    assert find_word(word) == [(msrs.MSRS, msrs.MSRS.find(0x6E0))]


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("0x608", ["ACPI PM timer"]),
        ("0x10", ["TSC"]),
        ("0x70", ["RTC and CMOS"]),
        ("port 0x70", ["RTC and CMOS"]),
        ("msr 0x70", []),
        ("0x1b0", ["ENERGY_PERF_BIAS"]),
        # An MSR and a port.
        ("0x277", ["PAT"]),
        ("0x3f8", ["PKG_C3_RESIDENCY", "serial 1"]),
        ("port 0x3f8", ["serial 1"]),
        ("0xfed000f0", ["HPET"]),
        ("mmio 0xfed000f0", ["HPET"]),
        ("0xfee000b0", ["local APIC", "APIC EOI"]),
        ("0xfe003000", ["a PCI device"]),
        ("0xc123", ["a PCI device"]),
        ("port 0x10000", []),
        ("leaf 0xd", ["XSAVE"]),
        ("leaf 13", ["XSAVE"]),
        ("CPUID 0xd", ["XSAVE"]),
        ("hypercall 5", ["KICK_CPU"]),
        ("Hyper-V call 0x8", ["NOTIFY_LONG_SPIN_WAIT"]),
        ("xen call 29", ["sched_op"]),
        ("vector 0xec", ["local timer"]),
        ("x2apic eoi", ["x2APIC EOI"]),
        ("hpet", ["HPET"]),
        (
            "serial",
            [
                *("serial 4", "serial 2", "serial 3", "serial 1", "serial number"),
                *("serial port (PL011)", "second serial port (PL011)"),
            ],
        ),
        ("Serial 1", ["serial 1"]),
        ("IDE 1", ["IDE 1", "IDE 1 control"]),
        ("ICC_SGI1R_EL1", ["ICC_SGI1R_EL1"]),
        ("S3_0_C12_C11_5", ["ICC_SGI1R_EL1"]),
        ("s3_0_c12_c11_4", []),
        ("register 0xc65d", ["ICC_SGI1R_EL1"]),
        ("call 0x84000000", ["PSCI_VERSION"]),
        ("wfe", ["WFE"]),
        ("0x9000000", ["serial port (PL011)"]),
        # A PC's and arm64's.
        ("0x8000003000", ["a PCI device", "a PCI device, high"]),
        ("mmio 0x100", ["firmware flash"]),
        ("0xd00000", ["firmware flash"]),
        ("local timer", ["local timer"]),
        ("kick_cpu", ["KICK_CPU"]),
        # Exact names, then those that begin with it, then those that contain it.
        ("EFER", ["EFER"]),
        ("deadline", ["TSC_DEADLINE"]),
        ("local apic", ["local APIC"]),
        ("cr4", ["CR4", "VMX_CR4_FIXED0", "VMX_CR4_FIXED1"]),
    ],
)
def test_a_word_is_found(word, names):
    assert found(word) == names


def test_exact_names_go_first_and_words_within_last():
    names = found("tsc")
    assert names[0] == "TSC"
    assert names.index("TSC_DEADLINE") < names.index("TSC_AUX") < names.index("HV_REFERENCE_TSC")
    assert names.index("TSC frequency") < names.index("HV_TSC_FREQUENCY")


def test_parts_of_words_are_not_found():
    assert found("DEADLIN") == found("SC_DEADLINE") == []


@pytest.mark.parametrize(
    "word",
    [
        "",
        " ",
        "0x",
        "nothing",
        "HLT",
        "0xdead0000dead0000dead",
        "-1",
        "nosuchleaf",
        "leaf 0x77",
        "teapot 0x10",
        "TSC_DEAD",
        "(",
        "9" * 5000,
    ],
)
def test_words_without_a_meaning_find_nothing(word):
    assert find_word(word) == []


def test_every_word_that_completion_offers_is_found():
    words = all_words()
    assert words == sorted(set(words))
    assert {"TSC_DEADLINE", "x2APIC EOI", "HPET", "KICK_CPU", "local timer"} <= set(words)
    for word in words:
        assert found(word)[0] == word


# The host's files

INTERRUPTS = """\
            CPU0       CPU1       CPU2       CPU3
   0:         38          0          0          0  IR-IO-APIC    2-edge      timer
   1:          0          0          9          0   IO-APIC   1-edge      i8042
   2:          0          0          0          0    XT-PIC      cascade
   8:          0          1          0          0  IR-IO-APIC    8-edge      rtc0
   9:          0          0          0          0  IR-IO-APIC    9-fasteoi   acpi
  16:          0         27          0          0  IR-IO-APIC   16-fasteoi   ehci_hcd:usb1, uhci_hcd:usb3
  17:          0          0          0          0  IR-IO-APIC   17-fasteoi
  18:          1          2          3          4  IR-IO-APIC   18-fasteoi   8139cp
  24:          0          0          0          0  DMAR-MSI    0-edge      dmar0
  27:          0          0          0          0  IR-PCI-MSI 458752-edge      PCIe PME, pciehp
  28:          0          0          0         12  IR-PCI-MSIX-0000:00:01.0   0-edge      virtio0-req.0
  45:  123456789 4123456789          0          7  IR-PCI-MSIX-0000:3b:00.0   3-edge      nvme0q3
 120:          0          0          0          0  IR-PCI-MSI 1572864-edge      eth0-TxRx-0
 121:          0          0          0          0  IR-PCI-MSIX-0000:5e:00.1  12-edge      mlx5_comp11@pci:0000:5e:00.1
 122:          0          0          0          0  IR-PCI-MSI 524288-edge      vfio-msix[0](0000:3b:00.0)
 123:          0          0          0          0  IR-PCI-MSI 524289-edge      16-edge x
 124:          0          0          0          0   GICv3  27 Level     arch_timer
 125:          0          0          0          0   None            dma-x
 126:          0          0          0          0  IR-PCI-MSI 9-edge      caf\udce9 \u2028 \x1b[31m
 NMI:          1          1          1          1   Non-maskable interrupts
 LOC:     700000     700000     700000     700000   Local timer interrupts
 ERR:          0
"""


def test_interrupt_lines_have_the_names_of_their_devices():
    assert parse_irq_lines(INTERRUPTS) == {
        0: "timer",
        1: "i8042",
        2: "cascade",
        8: "rtc0",
        9: "acpi",
        16: "ehci_hcd:usb1, uhci_hcd:usb3",
        18: "8139cp",
        24: "dmar0",
        27: "PCIe PME, pciehp",
        28: "virtio0-req.0",
        45: "nvme0q3",
        120: "eth0-TxRx-0",
        121: "mlx5_comp11@pci:0000:5e:00.1",
        122: "vfio-msix[0](0000:3b:00.0)",
        123: "16-edge x",
        124: "arch_timer",
        125: "dma-x",
        126: "caf\udce9 \u2028 \x1b[31m",
    }


ARM64_INTERRUPTS = """\
           CPU0       CPU1
  9:          0          0     GICv3  25 Level     vgic
 11:        311        208     GICv3  30 Level     kvm guest ptimer
 12:       4121       3904     GICv3  27 Level     kvm guest vtimer
 13:      53123      50211     GICv3  26 Level     arch_timer
 16:       1004          0     GICv3  33 Level     uart-pl011
 45:     123456        789   ITS-MSI 524288 Edge      nvme0q1
 46:         12          0  ITS-PCI-MSIX-0000:01:00.0   1 Edge      eth0-rx-0
IPI0:     12345      23456       Rescheduling interrupts
IPI1:       123        234       Function call interrupts
Err:          0
"""


def test_interrupt_lines_of_arm64_have_names_and_its_ipis_no_lines():
    assert parse_irq_lines(ARM64_INTERRUPTS) == {
        9: "vgic",
        11: "kvm guest ptimer",
        12: "kvm guest vtimer",
        13: "arch_timer",
        16: "uart-pl011",
        45: "nvme0q1",
        46: "eth0-rx-0",
    }


@pytest.mark.parametrize("cpus", [1, 2, 640])
def test_interrupt_lines_are_read_whatever_the_number_of_cpus(cpus):
    head = "           " + "".join(f"{f'CPU{cpu}':<11}" for cpu in range(cpus))
    counts = "".join(f"{cpu * 7919:10} " for cpu in range(cpus))
    text = f"{head}\n  45: {counts} IR-PCI-MSI 1048579-edge      nvme0q3\n  46: {counts} IR-PCI-MSI 1048580-edge    \n"
    assert parse_irq_lines(text) == {45: "nvme0q3"}


@pytest.mark.parametrize(
    "text", ["", "\n", "           CPU0\n", "garbage", "45:", "45: 1 2 3", "x: 1 IO-APIC 2-edge timer"]
)
def test_text_without_lines_of_interrupts_names_none(text):
    assert parse_irq_lines(text) == {}


HEADER = """\
#define MSR_EFER\t\t0xc0000080 /* extended feature register */
#define MSR_K6_EFER\t\t0xc0000080
#define _EFER_SCE\t\t0  /* a bit */
#define MSR_P6_PERFCTR0\t\t\t0x000000c1
#define MSR_IA32_PERFCTR0\t\t0x000000c1
#define MSR_AMD64_SNP_VMSA_REG_PROT_BIT\t16
#define MSR_AMD64_SNP_VMSA_REG_PROT\tBIT_ULL(MSR_AMD64_SNP_VMSA_REG_PROT_BIT)
#define MSR_IA32_TSC\t\t\t0x00000010
#define MSR_IA32_UMWAIT_CONTROL\t\t\t0xe1
#define MSR_IA32_APICBASE_BASE\t\t(0xfffff<<12)
#define MSR_IA32_BNDCFGS_RSVD\t\t0x00000ffc
#define MSR_F15H_PERF_CTL1\t\t(MSR_F15H_PERF_CTL + 2)
#define MSR_CONFIG_TDP_LEVEL_2\t\t0x0000064A
#define MSR_IA32_MCx_CTL(x)\t\t(MSR_IA32_MC0_CTL + 4*(x))
#define MSR_LONGER\t\t0x0000001234
#define MSR_SUM\t\t0x00000500 + 1
#define MSR_F16H_DR1_ADDR_MASK\t\t0xc0011019
#define SPEC_CTRL_IBRS\t\t\t0x00000001
/* MSR_IN_COMMENT 0x00000007 */
"""


def test_the_header_names_msrs_and_no_bits():
    assert parse_header_msrs(HEADER) == {
        0xC0000080: "EFER",
        0xC1: "IA32_PERFCTR0",
        0x10: "IA32_TSC",
        0x64A: "CONFIG_TDP_LEVEL_2",
        0xC0011019: "F16H_DR1_ADDR_MASK",
    }
    assert parse_header_msrs("") == {}
