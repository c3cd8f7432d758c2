"""The rules of --explain: each speaks where it should and nowhere else, and what it says can be read and pasted."""

import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_guests import (
    ARM_GUESTS,
    ARM_QUIET,
    GUESTS,
    PINNED,
    QUIET,
    SILENCED,
    WINDOWS,
    arm_guest,
    cause,
    domain,
    guest,
    mmio,
    msr,
    port,
    register,
    wakeup,
    wfe,
)

from advice_page import advice_page
from required import give_up
from virt_exitstat.advice import rules
from virt_exitstat.advice.explanation import sentences
from virt_exitstat.advice.judge import Judgement, judge
from virt_exitstat.advice.rules import RULES, SUBJECTS, find_rule, nested
from virt_exitstat.advice.seen import Seen
from virt_exitstat.counts.details import Kind, Mark
from virt_exitstat.formats.findings import findings_document, render_findings, render_rule
from virt_exitstat.isa.arm64 import ARM64
from virt_exitstat.isa.known import ISAS, X86
from virt_exitstat.isa.svm import SVM
from virt_exitstat.isa.vmx import VMX
from virt_exitstat.names.tables.arm64 import registers
from virt_exitstat.targets.host_facts import HostFacts

TREE = Path(__file__).resolve().parents[2]
SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")
QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"

every_rule = pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])


def describe(detail):
    return f"{detail.access.value or detail.mark.value} {detail.kind.name.lower()} {detail.number:#x}"


def names(findings):
    return [finding.rule.name for finding in findings]


# -- when they speak --


@every_rule
def test_a_rule_speaks_on_its_own_guest_and_no_other_does(rule):
    assert names(judge(GUESTS[rule.name]).findings) == [rule.name]


@every_rule
def test_whoever_else_would_speak_there_is_silenced_on_purpose(rule):
    unsilenced = [replace(each, silences=()) for each in RULES]
    expected = {rule.name} | SILENCED.get(rule.name, set())
    assert set(names(judge(GUESTS[rule.name], unsilenced).findings)) == expected
    assert SILENCED.get(rule.name, set()) <= set(rule.silences)


def test_no_rule_speaks_on_a_quiet_guest():
    assert judge(QUIET).findings == ()
    assert not judge(QUIET).too_short


@every_rule
def test_a_tenth_of_the_threshold_is_nothing(rule):
    seen = GUESTS[rule.name]
    least = min(
        weight for finding in judge(seen).findings for weight in [rule.weigh(finding.share, finding.per_second)]
    )
    causes = [
        replace(each, per_second=each.per_second / least / 10, share=each.share / least / 10) for each in seen.causes
    ]
    assert judge(replace(seen, causes=tuple(causes), seconds=10000.0)).findings == ()


@every_rule
def test_nothing_fails_when_nothing_else_is_known(rule):
    """A domain whose XML libvirt did not give, on a host that tells nothing."""
    seen = GUESTS[rule.name]
    bare = Seen(seen.causes, seen.seconds, seen.isa_name)
    assert set(names(judge(bare).findings)) <= {rule.name, *rule.silences}


NEED_MORE = {
    *("windows-timers", "own-cpus", "overcommit", "lock-fight", "apicv-off", "avic-inhibited", "host-tick"),
    *("host-ipi", "host-irq", "ksm-cow", "nx-split", "no-nested-paging", "emulated-nic", "usb-polling"),
    *("wrong-model", "nested-unaided", "windows-vbs", "wfi-trapped"),
}


@every_rule
def test_rules_that_need_no_xml_speak_without_it(rule):
    seen = GUESTS[rule.name]
    bare = Seen(seen.causes, seen.seconds, seen.isa_name)
    assert (rule.name in names(judge(bare).findings)) == (rule.name not in NEED_MORE)


def test_rules_that_need_the_xml_do_not_guess():
    without = replace(GUESTS["windows-timers"], xml=None)
    assert "windows-timers" not in names(judge(without).findings)
    assert (without.windows, without.pinned, without.has("cpu"), without.feature("hyperv/stimer")) == (None,) * 4
    assert (without.timer("hpet"), without.cpu_feature("x2apic"), without.isolated) == (None,) * 3


# -- arm64 --

every_arm_rule = pytest.mark.parametrize("name", ARM_GUESTS)


@every_arm_rule
def test_on_arm64_a_rule_speaks_on_its_own_guest_and_no_other_does(name):
    assert names(judge(ARM_GUESTS[name]).findings) == [name]


@every_arm_rule
def test_on_arm64_no_step_is_of_x86(name):
    """Intel's and AMD's modules, and what libvirt has for x86 only."""
    (finding,) = judge(ARM_GUESTS[name]).findings
    text = " ".join(f"{step.say} {step.paste}" for step in finding.change)
    assert text
    assert not re.search(r"kvm_intel|kvm_amd|kvm_\*|haltpoll|poll-control|enable_ipiv|cpu-pm", text)


def test_no_rule_speaks_on_a_quiet_guest_of_arm64():
    """The host's timers and IPIs are interrupt lines there."""
    assert judge(ARM_QUIET).findings == ()


@every_rule
def test_a_rule_speaks_on_no_other_isa_than_its_own(rule):
    seen = GUESTS[rule.name]
    for isa in ISAS:
        if rule.isas and isa.name not in rule.isas:
            assert rule.name not in names(judge(replace(seen, isa_name=isa.name)).findings)


def test_rules_and_steps_are_of_isas_that_there_are():
    known = {isa.name for isa in ISAS}
    assert {name for rule in RULES for name in rule.isas} == known
    assert {name for rule in RULES for step in rule.change for name in step.isas} <= known
    assert {rule.name for rule in RULES if not rule.isas or ARM64.name in rule.isas} == set(ARM_GUESTS)
    assert {*X86, ARM64.name} == known


def test_a_wfe_costs_what_it_takes_and_a_wfi_nothing():
    seen = arm_guest(wfe(share=0.03), cause("WFX", Kind.WAIT, 0, share=0.9), cause("WFX", share=0.9))
    assert [(each.is_idle, each.cost) for each in seen.causes] == [(False, 0.03), (True, 0.0), (True, 0.0)]


def test_a_wfi_of_which_no_wake_up_is_told_is_no_spinning():
    waited = {0: 0.2, 1: None}
    assert judge(arm_guest(cause("WFX", Kind.WAIT, 0, rate=9000, share=0.5), waited=waited)).findings == ()


def test_each_register_of_arm64s_counters_is_monitoring_and_no_other_is():
    # PMMIR_EL1 tells what the counters are; it is read once.
    counters = {one.name for one in registers.REGISTERS.entries if one.name.startswith("PM")} - {"PMMIR_EL1"}
    found = {
        one.name
        for one in registers.REGISTERS.entries
        if "monitoring" in names(judge(arm_guest(register(one.first))).findings)
    }
    assert found == counters and len(counters) > 70


def test_addresses_of_a_pc_mean_nothing_on_arm64():
    devices = (0xFED000F0, 0xFEE000B0, 0xB8000, 0xFEBC0008)
    causes = [cause("DABT_LOW", Kind.MMIO, address, share=0.05, by_qemu=True) for address in devices]
    xml = "<devices><interface type='network'><model type='e1000e'/></interface></devices>"
    assert judge(arm_guest(*causes, xml=xml)).findings == ()


# -- the judge --


def test_the_dearest_comes_first_and_five_times_the_threshold_is_serious():
    findings = judge(guest(port(0x3F8, share=0.02), port(0x1F7, share=0.07), port(0x5658, share=0.009))).findings
    assert [(each.rule.name, each.serious) for each in findings] == [("emulated-disk", True), ("serial-console", False)]


def test_the_busiest_vcpu_counts_not_the_sum():
    spread = [port(0x3F8, share=0.006, vcpu=vcpu) for vcpu in range(8)]
    assert judge(guest(*spread)).findings == ()
    (finding,) = judge(guest(*spread, port(0x3F9, share=0.02, vcpu=3), port(0x3F8, share=0.011, vcpu=None))).findings
    assert (finding.vcpu, finding.also) == (3, (None,))
    assert [each.detail.number for each in finding.causes] == [0x3F9, 0x3F8]
    assert finding.share == pytest.approx(0.026)
    assert finding.per_second == 10000


def test_time_asleep_costs_nothing_and_polling_does():
    (finding,) = judge(GUESTS["short-sleeps"]).findings
    assert (finding.share, finding.serious) == (0, False)
    (finding,) = judge(GUESTS["poll-waste"]).findings
    assert finding.share == 0.3


def test_a_guest_that_mostly_sleeps_long_is_left_alone():
    assert judge(guest(wakeup(7, Mark.SLEPT, rate=2500), wakeup(14, Mark.SLEPT, rate=2600))).findings == ()


def test_too_little_is_not_judged():
    seen = GUESTS["serial-console"]
    assert judge(replace(seen, seconds=2.9)).findings == ()
    assert judge(replace(seen, seconds=2.9)).too_short
    few = guest(port(0x3F8, rate=9.9, share=0.02))
    assert judge(few).findings == ()
    assert judge(few).too_short
    assert not judge(seen).too_short


def test_nobody_is_asked_to_wait_for_a_rule_that_has_nothing_to_say():
    assert not judge(guest(port(0x3F8, rate=0.1, share=0.001))).too_short


# -- what they look at --


def test_windows_is_told_by_its_mark_by_its_features_and_by_what_it_does():
    assert guest(xml=WINDOWS).windows
    assert guest(xml="<features><hyperv><relaxed state='on'/></hyperv></features>").windows
    assert guest(msr(0x40000073)).windows
    linux = WINDOWS.replace("microsoft.com/win/10", "debian.org/debian/12")
    assert guest(xml=linux).windows is False
    assert guest().windows is False


def test_hyperv_modes_that_take_all_of_the_host_have_each_feature():
    seen = guest(xml="<features><hyperv mode='passthrough'/></features>")
    assert seen.feature("hyperv/stimer")
    assert seen.feature("acpi") is False
    off = guest(xml="<features><hyperv mode='host-model'><stimer state='off'/></hyperv></features>")
    assert off.feature("hyperv/stimer") is False


def test_a_domain_is_pinned_when_each_vcpu_has_one_host_cpu():
    assert guest(xml=PINNED).pinned
    assert not guest(xml=PINNED.replace("'4'", "'4-7'")).pinned
    assert not guest(xml="<cputune><vcpupin vcpu='0' cpuset='4'/></cputune>").pinned
    assert not guest().pinned
    assert guest(xml=PINNED).isolated is None
    assert guest(xml=PINNED, host=HostFacts(isolated=frozenset({4}))).isolated is False


def test_a_timer_is_present_unless_it_says_no():
    seen = guest(xml="<clock><timer name='hpet' present='no'/><timer name='kvmclock'/></clock>")
    assert (seen.timer("hpet"), seen.timer("kvmclock"), seen.timer("pit")) == (False, True, None)


def test_a_cd_rom_on_sata_is_no_emulated_disk():
    disk = "<devices><disk device='{}'><target dev='sda' bus='sata'/></disk></devices>"
    assert names(judge(guest(mmio(0xFEBD5000), xml=disk.format("disk"))).findings) == ["emulated-disk"]
    assert judge(guest(mmio(0xFEBD5000), xml=disk.format("cdrom"))).findings == ()


def test_a_young_guest_may_touch_its_memory():
    assert judge(replace(GUESTS["first-touch"], up_seconds=30)).findings == ()


def test_avic_wants_a_guest_without_x2apic():
    seen = replace(GUESTS["xapic"], isa_name="SVM", host=HostFacts(apicv=True, cpu_flags=frozenset({"avic"})))
    assert judge(seen).findings == ()


def test_a_cpu_that_cannot_is_not_told_to():
    seen = replace(GUESTS["apicv-off"], host=HostFacts(apicv=False, cpu_flags=frozenset({"vmx"})))
    assert judge(seen).findings == ()


def test_the_reasons_that_rules_name_exist():
    known = {*VMX.reasons.names.values(), *SVM.reasons.names.values()}
    for module in Path(rules.__file__).parent.glob("*.py"):
        called = re.findall(r"reasons\(((?:\s*\"[^\"]+\",?)+)\s*\)", module.read_text())
        for name in re.findall(r'"([^"]+)"', " ".join(called)):
            assert any(re.fullmatch(name.replace("*", ".*"), each) for each in known), name
    assert set(nested._VMX) <= {*VMX.reasons.names.values()}
    assert set(nested._SVM) <= {*SVM.reasons.names.values()}


# -- the registry --


def test_every_module_is_in_the_registry():
    modules = {path.stem for path in Path(rules.__file__).parent.glob("*.py")} - {"__init__"}
    assert {subject.rules for subject in SUBJECTS} == {getattr(rules, module).RULES for module in modules}
    assert len(SUBJECTS) == len(modules)


def test_every_rule_has_a_guest_and_every_guest_a_rule():
    assert [rule.name for rule in RULES] == list(GUESTS)


def test_names_are_unique_and_typed_easily():
    assert len({rule.name for rule in RULES}) == len(RULES) >= 24
    for rule in RULES:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
        assert find_rule(rule.name.upper()) is rule
    assert find_rule("no-such-rule") is None


def test_rules_silence_rules_that_exist():
    assert {name for rule in RULES for name in rule.silences} <= {rule.name for rule in RULES}


# -- what they say --


@every_rule
def test_the_texts_are_sentences(rule):
    assert rule.title[0].isupper()
    assert rule.title[-1] not in ".:"
    texts = [rule.looks_at, rule.cause, rule.price, rule.speaks_from, *(step.say for step in rule.change)]
    for text in texts:
        assert text == " ".join(text.split())
        assert text.isascii()
        assert text.count("`") % 2 == 0
        for sentence in sentences(text):
            assert sentence[0].isupper() or sentence[0] == "`", sentence
            assert sentence.endswith((".", ":")), sentence


@every_rule
def test_a_rule_says_where_it_knows_it_from_and_what_to_do(rule):
    assert rule.sources
    assert all(source and source == source.strip() for source in rule.sources)
    assert rule.change
    assert rule.at_least or rule.at_least_per_second


@every_rule
def test_what_is_pasted_is_short_and_stands_behind_a_colon_or_a_sentence(rule):
    for step in rule.change:
        assert all(len(line) <= 67 for line in step.paste.splitlines()), step.paste
        if step.is_xml:
            # Well-formed, whatever stands beside it.
            ET.fromstring(f"<domain>{step.paste}</domain>")


def xmllint():
    found = shutil.which("xmllint")
    for missing, where in ((not found, "xmllint"), (not SCHEMA.exists(), str(SCHEMA))):
        if missing:
            give_up(f"no {where}: install libxml2-utils and libvirt-daemon-system or libvirt0")
    return found


@every_rule
def test_the_xml_is_valid_by_libvirts_schema(rule, tmp_path):
    tool = xmllint()
    for step in rule.change:
        if not step.is_xml:
            continue
        document = tmp_path / "domain.xml"
        document.write_text(
            "<domain type='kvm'><name>x</name><memory>1</memory>"
            f"<os><type arch='x86_64' machine='q35'>hvm</type></os>{step.paste}</domain>"
        )
        done = subprocess.run(
            [tool, "--noout", "--relaxng", SCHEMA, document], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{step.paste}\n{done.stderr}"


def test_the_schema_does_refuse(tmp_path):
    document = tmp_path / "domain.xml"
    document.write_text(
        "<domain type='kvm'><name>x</name><memory>1</memory><os><type>hvm</type></os><features><no/></features>"
        "</domain>"
    )
    assert subprocess.run([xmllint(), "--noout", "--relaxng", SCHEMA, document], capture_output=True).returncode


# -- how it looks --


@every_rule
def test_text_stays_below_80_columns(rule):
    text = render_rule(rule) + render_findings("guest01", "vCPUs 0-1", judge(GUESTS[rule.name]), describe)
    assert [line for line in text.splitlines() if len(line) >= 80 or line != line.rstrip()] == []
    for step in rule.change:
        for line in step.paste.splitlines():
            assert re.search(rf"^ *{re.escape(line)}$", text, re.MULTILINE), line


def test_a_report_of_findings():
    seen = guest(port(0x70, rate=2048, share=0.041), port(0x71, rate=3, share=0.0004, vcpu=1), xml=WINDOWS)
    text = render_findings("win10", "vCPUs 0-3, 10.004 s, 41,800 exits", judge(seen), describe)
    assert text.startswith(
        "win10: vCPUs 0-3, 10.004 s, 41,800 exits: 1 finding\n"
        "\n"
        "1. Windows ticks by RTC or HPET instead of Hyper-V's synthetic timers\n"
        "   [windows-timers]\n"
        "   seen:   read port 0x70, 2,048/s: 4.1% of a CPU on vCPU 0\n"
        "   why:    Without synthetic timers, Windows falls back to timers that QEMU\n"
        "           emulates, also when it is idle.\n"
        "   change: In the domain:\n"
        "             <features>\n"
        "               <hyperv mode='custom'>\n"
    )
    assert text.endswith("\nvirt-exitstat --about windows-timers tells more.\n")


def test_many_causes_are_summed_up():
    causes = [port(0x1F0 + at, rate=100 * (at + 1), share=0.01 * (at + 1)) for at in range(6)]
    text = render_findings("a", "b", judge(guest(*causes, port(0x1F7, share=0.011, vcpu=1))), describe)
    assert "1. serious: A disk is emulated IDE or SATA [emulated-disk]" in text
    seen = " ".join(text.split())
    assert "read port 0x1f5, 600/s; read port 0x1f4, 500/s; read port 0x1f3, 400/s; 3 more, 600/s:" in seen
    assert "21.0% of a CPU on vCPU 0 (less on 1)" in seen


def test_exits_without_a_detail_have_their_reasons_name():
    text = render_findings("a", "b", judge(GUESTS["tsc-trapped"]), describe)
    assert "seen:   RDTSC, 5,000/s: 3.0% of a CPU on vCPU 0\n" in text


def test_nothing_found_is_an_answer():
    assert render_findings("guest01", "vCPU 0, 10.000 s, 12 exits", Judgement(), describe) == (
        "guest01: vCPU 0, 10.000 s, 12 exits: 0 findings\nnothing takes 1% of a CPU by any one cause; look elsewhere\n"
    )


def test_too_short_is_said():
    text = render_findings("guest01", "vCPU 0, 1.000 s, 12 exits", Judgement(too_short=True), describe)
    assert text.splitlines()[1:] == ["This was too short to judge all: count for 3 s or more, better 10 s."]


def test_hostile_text_reaches_no_terminal():
    seen = guest(port(0x3F8), xml="<name>\u202e</name>")
    text = render_findings("a\x1b[2J\u202e", "b\n", judge(seen), lambda _: "\x1b]0;x\x07")
    assert [char for char in text if not char.isprintable() and char != "\n"] == []
    assert "a\\x1b[2J\\u202e" in text


def test_the_findings_as_a_document():
    (found,) = findings_document(judge(GUESTS["acpi-pm-timer"]), describe)["findings"]
    (row,) = found.pop("causes")
    assert row == {
        "reason": "IOIO",
        "kind": "port",
        "number": 0x608,
        "access": "read",
        "size": 1,
        "mark": None,
        "by": "qemu",
        "what": "read port 0x608",
        "per_second": 5000,
        "share": 0.03,
    }
    assert {name: found[name] for name in ("rule", "serious", "vcpu", "per_second", "share")} == {
        "rule": "acpi-pm-timer",
        "serious": False,
        "vcpu": 0,
        "per_second": 5000,
        "share": 0.03,
    }
    assert {"title", "why", "change", "price", "sources"} <= set(found)
    assert "`" not in str(found)


def test_xml_is_cut_between_elements_only():
    rule = replace(
        find_rule("vmware-backdoor"), change=(replace(RULES[0].change[1], paste="<a>" + "<b c='d'/>" * 9 + "</a>"),)
    )
    lines = [line.strip() for line in render_rule(rule).splitlines()]
    assert lines.count("<b c='d'/>") == 9


def test_the_manual_page_is_fresh():
    assert (TREE / "man/virt-exitstat-advice.7").read_text(encoding="utf-8") == advice_page(), "stale: run 'make docs'"


def test_the_manual_page_has_no_faults():
    if not shutil.which("mandoc"):
        pytest.skip("no mandoc here")
    done = subprocess.run(
        ["mandoc", "-Tlint", TREE / "man/virt-exitstat-advice.7"], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stdout.splitlines() if "referenced manual not found" not in line] == []


def test_rules_reach_no_door():
    script = "import sys, virt_exitstat.advice.judge, virt_exitstat.formats.findings; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=TREE / "lib", capture_output=True, text=True, check=True, env={}
    )
    ours = {name for name in done.stdout.split() if name.startswith("virt_exitstat.")}
    doors = ("virt_exitstat.host", "virt_exitstat.domains", "virt_exitstat.kernel", "virt_exitstat.live")
    assert [name for name in ours if name.startswith(doors)] == []
    assert set(done.stdout.split()) & {"libvirt", "bcc", "tabulate", "rich"} == set()


def test_a_domain_with_a_kind_that_no_rule_knows_is_judged():
    seen = guest(*(cause("X", kind) for kind in Kind))
    assert judge(seen).findings is not None
    assert domain() is not None


@pytest.mark.parametrize(("windows", "words"), [(False, "Linux"), (True, "Windows"), (None, "")])
def test_a_finding_has_the_steps_that_are_for_its_guest(windows, words):
    (finding,) = [one for one in judge(GUESTS["acpi-pm-timer"]).findings if one.rule.name == "acpi-pm-timer"]
    steps = [step.say.partition(",")[0] for step in replace(finding, windows=windows).change]
    others = {"Linux", "Windows"} - {words} if words else set()
    assert not others & set(steps) and (words in steps or not words)


def test_where_no_step_is_for_the_guest_all_are_shown():
    (finding,) = [one for one in judge(GUESTS["acpi-pm-timer"]).findings if one.rule.name == "acpi-pm-timer"]
    rule = replace(finding.rule, change=finding.rule.change[:1])
    assert replace(finding, rule=rule, windows=True).change == rule.change
