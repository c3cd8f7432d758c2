"""Rules about what the host does on the CPUs of a guest that is pinned to them."""

from __future__ import annotations

from collections.abc import Sequence

from ...counts.details import Kind
from ...isa.known import X86
from ..rule import Rule, Step
from ..seen import Cause, Range, Seen

# The host kernel's vectors (arch/x86/include/asm/irq_vectors.h), the same from Linux 5.10 to 7.2.
_LOCAL_TIMER: Range = (0xEC, 0xEC)
_CALL_FUNCTION_SINGLE: Range = (0xFB, 0xFB)
_CALL_FUNCTION: Range = (0xFC, 0xFC)
_RESCHEDULE: Range = (0xFD, 0xFD)


def _ticks(seen: Seen) -> Sequence[Cause]:
    return seen.at(Kind.VECTOR, _LOCAL_TIMER) if seen.pinned else ()


def _ipis(seen: Seen) -> Sequence[Cause]:
    return seen.at(Kind.VECTOR, _CALL_FUNCTION_SINGLE, _CALL_FUNCTION, _RESCHEDULE) if seen.pinned else ()


def _device_interrupts(seen: Seen) -> Sequence[Cause]:
    return seen.at(Kind.IRQ) if seen.pinned else ()


RULES = (
    Rule(
        name="host-tick",
        title="The host's timer interrupts a guest that has host CPUs of its own",
        looks_at="The host's local timer interrupts, where each vCPU is pinned to one host CPU.",
        cause="The host's tick runs on these CPUs as on any other. On AMD the guest's own timers end this way too: see"
        " how often the guest sets its timer first.",
        change=(
            Step(
                "On the host's kernel command line, for the CPUs that the vCPUs are pinned to:",
                "nohz_full=4-7 rcu_nocbs=4-7 isolcpus=managed_irq,domain,4-7",
            ),
            Step("Then leave each of these CPUs to one vCPU's thread: two that can run there bring the tick back."),
        ),
        price="The host's own work needs CPUs that are not among these. An entry into the kernel takes a bit longer.",
        sources=(
            "Linux Documentation/timers/no_hz.rst",
            "Linux Documentation/admin-guide/kernel-parameters.txt, nohz_full, rcu_nocbs, isolcpus",
            "seapath/ansible issue 865 (such a command line in use)",
        ),
        when=_ticks,
        at_least_per_second=1200,
        isas=X86,
    ),
    Rule(
        name="host-ipi",
        title="Other host CPUs interrupt a guest that has host CPUs of its own",
        looks_at="The host's reschedule and function call interrupts, where each vCPU is pinned to one host CPU.",
        cause="Something else runs on these CPUs, or the kernel changes memory that is mapped there: NUMA balancing and"
        " KSM do that.",
        change=(
            Step("On the host, keep other tasks off these CPUs: `isolcpus`, or cpusets of systemd(1)."),
            Step(
                "And stop what moves and merges the guest's memory:",
                "sysctl kernel.numa_balancing=0\necho 2 > /sys/kernel/mm/ksm/run",
            ),
        ),
        price="Without KSM the guests of the host take more memory, and `echo 2` takes it at once.",
        sources=(
            "Linux Documentation/admin-guide/sysctl/kernel.rst, numa_balancing",
            "Linux Documentation/admin-guide/mm/ksm.rst",
            "Linux Documentation/admin-guide/kernel-parameters.txt, isolcpus",
        ),
        when=_ipis,
        at_least_per_second=1000,
        isas=X86,
    ),
    Rule(
        name="host-irq",
        title="A device of the host interrupts a guest that has host CPUs of its own",
        looks_at="Interrupts of the host's devices, where each vCPU is pinned to one host CPU.",
        cause="The device's interrupt is routed to a CPU that the guest runs on, and takes the guest off it each time.",
        change=(
            Step(
                "On the host, send it elsewhere, here the interrupt 45 to the CPUs 0 to 3:",
                "echo 0-3 > /proc/irq/45/smp_affinity_list",
            ),
            Step(
                "And keep irqbalance(1) from undoing that, in its environment file:",
                "IRQBALANCE_BANNED_CPULIST=4-7",
            ),
        ),
        price="Other CPUs take the interrupts. Those that the kernel manages stay: `isolcpus=managed_irq` moves them.",
        sources=(
            "Linux Documentation/core-api/irq/irq-affinity.rst",
            "irqbalance(1), IRQBALANCE_BANNED_CPULIST",
        ),
        when=_device_interrupts,
        at_least_per_second=1000,
        isas=X86,
    ),
)
