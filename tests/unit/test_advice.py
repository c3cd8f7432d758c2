"""The explanations of exit reasons: of reasons that exist, each by one of them, found without any door."""

import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from virt_exitstat.advice import reasons
from virt_exitstat.advice.explanation import sentences
from virt_exitstat.advice.reasons import GROUPS, explanation_of
from virt_exitstat.isa.arm64 import ARM64
from virt_exitstat.isa.known import ISAS
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX

LIB = Path(__file__).resolve().parents[2] / "lib"
EXPLANATIONS = [explanation for group in GROUPS for explanation in group.explanations]

every_explanation = pytest.mark.parametrize("explanation", EXPLANATIONS, ids=[each.names[0] for each in EXPLANATIONS])

# Those that administrators meet. New ones come in; none goes.
MET = {
    *("HLT", "IDLE_HLT", "PAUSE_INSTRUCTION", "PAUSE", "MWAIT_INSTRUCTION", "MONITOR_INSTRUCTION", "MWAIT", "MONITOR"),
    *("IO_INSTRUCTION", "IOIO", "EPT_MISCONFIG", "EXTERNAL_INTERRUPT", "INTR", "MSR_WRITE", "MSR_WRITE_IMM", "MSR"),
    *("MSR_READ", "MSR_READ_IMM", "PREEMPTION_TIMER", "INTERRUPT_WINDOW", "VINTR", "NMI_WINDOW", "IRET"),
    *("APIC_ACCESS", "APIC_WRITE", "AVIC_UNACCELERATED_ACCESS", "EOI_INDUCED", "AVIC_INCOMPLETE_IPI"),
    *("TPR_BELOW_THRESHOLD", "NMI", "EPT_VIOLATION", "NPF", "PML_FULL", "INVLPG", "INVPCID", "CR_ACCESS", "READ_CR0"),
    *("WRITE_CR3", "CR0_SEL_WRITE", "WBINVD", "INVD", "CPUID", "RDTSC", "RDTSCP", "RDPMC", "RDRAND", "RDSEED"),
    *("UMWAIT", "TPAUSE", "XSAVES", "XRSTORS", "XSETBV", "DR_ACCESS", "READ_DR0", "WRITE_DR7", "VMCALL", "VMMCALL"),
    *("EXCEPTION_NMI", "EXCP_PF", "EXCP_UD", "EXCP_GP", "EXCP_AC", "BUS_LOCK", "VMRESUME", "VMLAUNCH", "VMREAD"),
    *("VMWRITE", "VMPTRLD", "VMCLEAR", "INVEPT", "INVVPID", "VMRUN", "VMLOAD", "VMSAVE", "STGI", "CLGI", "VMGEXIT"),
    *("VMGEXIT_MMIO_READ", "VMGEXIT_PSC", "TDCALL", "SEAMCALL", "EFER_WRITE_TRAP", "CR0_WRITE_TRAP"),
    *("TRIPLE_FAULT", "SHUTDOWN", "INVALID_STATE", "MSR_LOAD_FAIL", "MCE_DURING_VMENTRY", "INVALID", "NOTIFY"),
    *("INIT_SIGNAL", "SIPI_SIGNAL", "INIT", "SMI", "IO_SMI", "OTHER_SMI", "TASK_SWITCH"),
    *("WFX", "IRQ", "DABT_LOW", "IABT_LOW", "SYS64", "HVC64", "SMC64", "SVE", "EL1_SERROR", "IL", "UNKNOWN", "ERET"),
}


@pytest.mark.parametrize("name", sorted(MET))
def test_a_reason_that_administrators_meet_is_explained(name):
    assert explanation_of(name).what


def test_a_reason_that_does_not_exist_is_not_explained():
    assert explanation_of("NOSUCH") is None
    assert explanation_of("hlt") is None
    assert explanation_of("") is None


@every_explanation
def test_each_name_is_one_of_its_isas(explanation):
    assert explanation.names
    for patterns, isa in ((explanation.vmx, VMX), (explanation.svm, SVM), (explanation.arm64, ARM64)):
        names = isa.reasons.names.values()
        assert [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)] == []


@pytest.mark.parametrize("name", sorted({name for isa in ISAS for name in isa.reasons.names.values()}))
def test_no_reason_has_two_explanations(name):
    assert len([each for each in EXPLANATIONS if each.explains(name)]) <= 1


@every_explanation
def test_a_name_that_both_isas_have_stands_with_both(explanation):
    for name in {*VMX.reasons.names.values()} & {*SVM.reasons.names.values()}:
        if explanation.explains(name):
            assert any(fnmatchcase(name, pattern) for pattern in explanation.vmx), name
            assert any(fnmatchcase(name, pattern) for pattern in explanation.svm), name


def test_arm64_shares_no_name_with_x86():
    """Else its explanation would stand with theirs."""
    assert not {*ARM64.reasons.names.values()} & {*VMX.reasons.names.values(), *SVM.reasons.names.values()}


@every_explanation
def test_the_texts_are_sentences(explanation):
    assert explanation.what
    for text in filter(None, (explanation.what, explanation.often, explanation.helps)):
        assert text == " ".join(text.split())
        assert text.isascii()
        assert text.count("`") % 2 == 0
        for sentence in sentences(text):
            assert sentence[0].isupper(), sentence
            assert sentence.endswith("."), sentence


def test_a_text_is_cut_where_a_sentence_ends():
    assert sentences("The guest stops. `a.b` is 1.5 times more, see perf(1).") == [
        "The guest stops.",
        "`a.b` is 1.5 times more, see perf(1).",
    ]
    assert sentences("") == []


def test_no_group_is_missing():
    modules = {path.stem for path in Path(reasons.__file__).parent.glob("*.py")} - {"__init__"}
    assert {name.lower() for name in vars(reasons) if name.isupper() and name != "GROUPS"} == modules
    assert [getattr(reasons, module.upper()) in GROUPS for module in sorted(modules)] == [True] * len(GROUPS)


def test_advice_imports_no_door():
    """`--about` prints it without root, libvirt or bcc."""
    script = "import sys, virt_exitstat.advice.reasons; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=LIB, capture_output=True, text=True, check=True, env={}
    )
    imported = set(done.stdout.split())
    assert "virt_exitstat.advice.reasons.devices" in imported
    ours = {name for name in imported if name.startswith("virt_exitstat.")}
    assert [name for name in sorted(ours) if not name.startswith("virt_exitstat.advice")] == []
    assert imported & {"libvirt", "bcc", "tabulate", "rich", "termios"} == set()
