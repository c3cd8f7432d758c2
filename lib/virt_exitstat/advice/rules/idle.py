"""Rules about vCPUs that sleep, and about vCPUs that wait for each other."""

from __future__ import annotations

from collections.abc import Sequence

from ...counts.details import Kind, Mark
from ...isa.arm64 import ARM64
from ...isa.known import X86
from ..rule import Rule, Step
from ..seen import Cause, Seen

# A wake-up's number is the power of two of microseconds that it came before: 2 ** 8 is 256 us. haltpoll's limit and
# KVM's own (guest_halt_poll_ns, halt_poll_ns) are 200 us.
_SHORT = (0, 8)

#: A vCPU that waits longer for a CPU is on a host with too few of them.
_WAITS = 0.05

#: WFE, of the instructions that wait.
_WFE = (1, 1)

#: KVM_HC_KICK_CPU, KVM_HC_SCHED_YIELD; Hyper-V's HvCallNotifyLongSpinWait.
_KVM_SPIN = ((5, 5), (11, 11))
_HYPERV_SPIN = (8, 8)


def _short_sleeps(seen: Seen) -> Sequence[Cause]:
    """The vCPUs' short sleeps, where these are at least half of all."""
    sleeps = seen.at(Kind.WAKEUP)
    short = [cause for cause in seen.at(Kind.WAKEUP, _SHORT) if cause.detail.mark is Mark.SLEPT]
    return [
        cause
        for cause in short
        if 2 * sum(each.per_second for each in short if each.vcpu == cause.vcpu)
        >= sum(each.per_second for each in sleeps if each.vcpu == cause.vcpu)
    ]


def _short_sleeps_on_own_cpus(seen: Seen) -> Sequence[Cause]:
    return _short_sleeps(seen) if seen.isolated else ()


def _polls(seen: Seen) -> Sequence[Cause]:
    return [cause for cause in seen.at(Kind.WAKEUP) if cause.detail.mark is Mark.POLLED]


def _spinning(seen: Seen) -> Sequence[Cause]:
    return (
        *seen.reasons("PAUSE", "PAUSE_INSTRUCTION"),
        *seen.at(Kind.KVM_HYPERCALL, *_KVM_SPIN),
        *seen.at(Kind.HYPERV_HYPERCALL, _HYPERV_SPIN),
        *seen.at(Kind.WAIT, _WFE),
    )


def _overcommit(seen: Seen) -> Sequence[Cause]:
    return _spinning(seen) if seen.most_waited is not None and seen.most_waited > _WAITS else ()


def _lock_fight(seen: Seen) -> Sequence[Cause]:
    return _spinning(seen) if seen.most_waited is not None and seen.most_waited <= _WAITS else ()


RULES = (
    Rule(
        name="short-sleeps",
        title="The guest goes to sleep for a moment, thousands of times a second",
        looks_at="Halts that ended within 256 microseconds while the vCPU's thread slept,"
        " where at least half of the vCPU's halts do.",
        cause="Each sleep is an exit, a switch to another task and back, and a wake-up that the waker pays for.",
        change=(
            Step(
                "Linux, in the guest: let it poll for a while before it sleeps.",
                "modprobe cpuidle_haltpoll force=Y\necho haltpoll > /sys/devices/system/cpu/cpuidle/current_governor",
                X86,
            ),
            Step(
                "In the domain, so that KVM does not poll as well:",
                "<features>\n  <kvm>\n    <poll-control state='on'/>\n  </kvm>\n</features>",
                X86,
            ),
            Step(
                "On an arm64 host, let KVM poll for the guest, for the usual 500000 ns.",
                "echo 500000 > /sys/module/kvm/parameters/halt_poll_ns",
                (ARM64.name,),
            ),
        ),
        price="The vCPU takes its host CPU while it polls, also from others that could use it.",
        sources=(
            "Linux Documentation/virt/guest-halt-polling.rst",
            "Linux Documentation/virt/kvm/halt-polling.rst",
            "libvirt formatdomain, Hypervisor features",
            "Linux arch/arm64/include/asm/kvm_host.h, KVM_HALT_POLL_NS_DEFAULT",
        ),
        when=_short_sleeps,
        at_least=None,
        at_least_per_second=2000,
    ),
    Rule(
        name="own-cpus",
        title="A guest with host CPUs of its own leaves them for a moment, thousands of times a second",
        looks_at="The same halts as `short-sleeps`, where each vCPU is pinned to one host CPU"
        " and the host's kernel isolates these.",
        cause="Nobody else needs these host CPUs, so the exit at each halt buys nothing.",
        change=(
            Step(
                "In the domain, let the guest halt its CPU by itself (libvirt has no element for this):",
                "<qemu:commandline\n"
                "    xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
                "  <qemu:arg value='-overcommit'/>\n"
                "  <qemu:arg value='cpu-pm=on'/>\n"
                "</qemu:commandline>",
            ),
            Step(
                "And tell the guest that its CPUs are its own:",
                "<features>\n  <kvm>\n    <hint-dedicated state='on'/>\n  </kvm>\n</features>",
            ),
        ),
        price="Nobody else gets these host CPUs, and they look 100% busy. In libvirt's words the domain is tainted.",
        sources=(
            "QEMU docs/system/invocation, -overcommit cpu-pm",
            "libvirt formatdomain, Hypervisor features",
        ),
        when=_short_sleeps_on_own_cpus,
        at_least=None,
        at_least_per_second=2000,
        silences=("short-sleeps",),
        isas=X86,
    ),
    Rule(
        name="wfi-trapped",
        title="An arm64 guest with host CPUs of its own leaves them for a moment, thousands of times a second",
        looks_at="The same halts as `short-sleeps`, at WFI, where each vCPU is pinned to one host CPU"
        " and the host's kernel isolates these.",
        cause="Nobody else needs these host CPUs, so the exit at each halt buys nothing.",
        change=(
            Step(
                "On the host's kernel command line, let guests halt by themselves (since Linux 6.11).",
                "kvm-arm.wfi_trap_policy=notrap",
            ),
        ),
        price="It holds for all guests of the host: one that sleeps holds its host CPU, which looks 100% busy.",
        sources=(
            "Linux Documentation/admin-guide/kernel-parameters.txt, kvm-arm.wfi_trap_policy",
            "Linux arch/arm64/kvm/arm.c, kvm_vcpu_should_clear_twi",
        ),
        when=_short_sleeps_on_own_cpus,
        at_least=None,
        at_least_per_second=2000,
        silences=("short-sleeps",),
        isas=(ARM64.name,),
    ),
    Rule(
        name="poll-waste",
        title="KVM keeps a host CPU busy while the guest sleeps",
        looks_at="Halts at which KVM polled until they ended.",
        cause="KVM polls for up to `halt_poll_ns` before it lets the vCPU's thread sleep. That makes wake-ups faster."
        " It takes power, and speed from the sibling thread of the same core.",
        change=(
            Step(
                "On the host, poll for less time than the usual 200000 ns (500000 on arm64):",
                "echo 50000 > /sys/module/kvm/parameters/halt_poll_ns",
            ),
        ),
        price="Wake-ups get slower, for all guests of the host.",
        sources=("Linux Documentation/virt/kvm/halt-polling.rst",),
        when=_polls,
        at_least=0.10,
    ),
    Rule(
        name="overcommit",
        title="The guest spins for locks whose holders have no host CPU",
        looks_at="Exits with the reasons `PAUSE_INSTRUCTION` and `PAUSE`, the hypercalls of paravirtual spinlocks, and"
        " WFEs on arm64, where a vCPU waited for a host CPU for more than 5% of the time.",
        cause="The host has fewer CPUs than its vCPUs want: a vCPU that holds a lock is off its CPU, and others spin.",
        change=(
            Step("Give the domains of this host fewer vCPUs.", "virsh setvcpus DOMAIN COUNT --config --maximum"),
            Step(
                "Or give each vCPU of this domain a host CPU that others do not use:",
                "<cputune>\n  <vcpupin vcpu='0' cpuset='4'/>\n  <vcpupin vcpu='1' cpuset='5'/>\n</cputune>",
            ),
            Step(
                "Windows, in the domain:",
                "<features>\n"
                "  <hyperv mode='custom'>\n"
                "    <spinlocks state='on' retries='8191'/>\n"
                "  </hyperv>\n"
                "</features>",
            ),
        ),
        price="Fewer vCPUs do less at the same time. A pinned vCPU cannot use a host CPU that is idle elsewhere.",
        sources=(
            "QEMU docs/system/i386/hyperv.rst, hv-spinlocks",
            "Linux Documentation/virt/kvm/x86/hypercalls.rst, KVM_HC_KICK_CPU and KVM_HC_SCHED_YIELD",
            "libvirt formatdomain, CPU Tuning",
            "Linux arch/arm64/kvm/handle_exit.c, kvm_handle_wfx",
        ),
        when=_overcommit,
        at_least_per_second=1000,
        silences=("lock-fight",),
    ),
    Rule(
        name="lock-fight",
        title="The guest's vCPUs fight for a lock",
        looks_at="The same exits as `overcommit`, where each vCPU has a host CPU whenever it wants one.",
        cause="A thread in the guest spins for a lock that another one holds for long. The host is not the reason.",
        change=(Step("Linux, in the guest: find the lock.", "perf lock contention -a -b sleep 10"),),
        price="None: this only looks.",
        sources=(
            "Linux tools/perf/Documentation/perf-lock.txt",
            "Linux Documentation/virt/kvm/x86/hypercalls.rst, KVM_HC_KICK_CPU",
            "Linux arch/arm64/kvm/handle_exit.c, kvm_handle_wfx",
        ),
        when=_lock_fight,
        at_least_per_second=1000,
    ),
)
