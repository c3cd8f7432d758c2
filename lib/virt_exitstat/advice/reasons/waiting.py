"""Exits of vCPUs that are idle or wait for each other."""

from __future__ import annotations

from virt_exitstat.advice.explanation import Explanation, Group

WAITING = Group(
    "Idle and busy waiting",
    (
        Explanation(
            vmx=("HLT",),
            svm=("HLT", "IDLE_HLT"),
            what="The guest's CPU goes idle.",
            often="This is normal. Many a second mean many short sleeps, and each is paid for with a wake-up.",
            helps="The guest's `haltpoll` governor helps. So does `-overcommit cpu-pm=on`, on host CPUs that nobody"
            " else needs.",
        ),
        Explanation(
            vmx=("PAUSE_INSTRUCTION",),
            svm=("PAUSE",),
            what="The guest spins for a lock whose holder does not run.",
            often="The host has fewer CPUs than its vCPUs want.",
            helps="Give the domains fewer vCPUs, or pin them.",
        ),
        Explanation(
            vmx=("MWAIT_INSTRUCTION", "MONITOR_INSTRUCTION"),
            svm=("MWAIT", "MONITOR"),
            what="The guest goes idle in another way, which KVM refuses or emulates.",
            helps="See `HLT`.",
        ),
        Explanation(
            arm64=("WFX",),
            what="The guest's CPU goes idle (WFI), or spins for a lock (WFE). The details tell which: only a WFI"
            " sleeps.",
            often="WFIs are normal. Many a second mean many short sleeps, and each is paid for with a wake-up. By"
            " default a WFE is an exit only while others want the same host CPU.",
            helps="WFEs become fewer with fewer vCPUs, or pinned ones. On host CPUs that nobody else needs, the host's"
            " `kvm-arm.wfi_trap_policy=notrap` ends the exits at WFI.",
        ),
    ),
)
