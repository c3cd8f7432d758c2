"""Rules about guests that run guests of their own."""

from __future__ import annotations

from collections.abc import Sequence

from ...isa.known import X86
from ..rule import Rule, Step
from ..seen import Cause, Seen

_VMCS = ("VMREAD", "VMWRITE")
_VMX = (*_VMCS, "VMRESUME", "VMLAUNCH", "VMPTRLD", "VMPTRST", "VMCLEAR", "INVEPT", "INVVPID")
_GIF = ("VMLOAD", "VMSAVE", "STGI", "CLGI")
_SVM = (*_GIF, "VMRUN")


def _nested(seen: Seen) -> Sequence[Cause]:
    return seen.reasons(*_VMX, *_SVM)


def _unshadowed(seen: Seen) -> Sequence[Cause]:
    """What the CPU could do without an exit, where KVM is told not to let it."""
    host = seen.host
    if host.shadow_vmcs is False:
        return seen.reasons(*_VMCS)
    return seen.reasons(*_GIF) if host.virtual_gif is False or host.virtual_vmload is False else ()


def _windows_on_hyperv(seen: Seen) -> Sequence[Cause]:
    return _nested(seen) if seen.windows else ()


RULES = (
    Rule(
        name="nested",
        title="The guest runs guests of its own",
        looks_at="Exits at instructions of virtualization: `VMRESUME`, `VMREAD`, `VMRUN` and the like.",
        cause="Each exit of an inner guest is one of this guest too, and its hypervisor takes several more to"
        " handle it.",
        change=(
            Step("Run the inner guests on the host itself, or in containers."),
            Step(
                "On the host, see that all that helps is on:",
                "grep . /sys/module/kvm_*/parameters/*",
            ),
            Step("There `ept` and `enable_shadow_vmcs`, on AMD `npt`, `vgif` and `vls`, should be on."),
            Step("Inside the guest as well: fewer exits of the inner guests count most. Count them there."),
        ),
        price="None, but the move of the inner guests.",
        sources=(
            "Linux Documentation/virt/kvm/x86/running-nested-guests.rst",
            "Linux Documentation/virt/kvm/x86/nested-vmx.rst",
        ),
        when=_nested,
        isas=X86,
    ),
    Rule(
        name="nested-unaided",
        title="The guest's hypervisor takes exits that the host's CPU could save",
        looks_at="`VMREAD` and `VMWRITE` where the host's `enable_shadow_vmcs` is off; `VMLOAD`, `VMSAVE`, `STGI` and"
        " `CLGI` where its `vgif` or `vls` is off.",
        cause="The CPU does these instructions by itself when KVM lets it.",
        change=(
            Step(
                "On an Intel host:",
                "echo 'options kvm_intel enable_shadow_vmcs=1' \\\n  > /etc/modprobe.d/nested.conf",
            ),
            Step("On an AMD host:", "echo 'options kvm_amd vgif=1 vls=1' > /etc/modprobe.d/nested.conf"),
            Step("Then shut down all guests and load the module anew, or boot the host."),
        ),
        price="All guests of the host are down meanwhile. CPUs that are too old stay as they are.",
        sources=(
            "Linux Documentation/virt/kvm/x86/running-nested-guests.rst",
            "Linux arch/x86/kvm/svm/svm.c, vgif and vls",
        ),
        when=_unshadowed,
        silences=("nested", "windows-vbs"),
        isas=X86,
    ),
    Rule(
        name="windows-vbs",
        title="Windows runs on a hypervisor of its own, for its virtualization-based security",
        looks_at="Exits at instructions of virtualization, of a Windows guest.",
        cause="With VBS, Windows itself is an inner guest: each of its exits is handled twice.",
        change=(
            Step(
                "On Intel, let Windows and KVM work together. In the domain:",
                "<features>\n"
                "  <hyperv mode='custom'>\n"
                "    <vapic state='on'/>\n"
                "    <evmcs state='on'/>\n"
                "  </hyperv>\n"
                "</features>",
            ),
            Step(
                "Or, if it needs no VBS, hide virtualization from it (on AMD: svm). In the domain:",
                "<cpu mode='host-model'>\n  <feature policy='disable' name='vmx'/>\n</cpu>",
            ),
        ),
        price="`evmcs` turns posted interrupts off, so measure both ways. Without VBS, Windows is less secure, and"
        " WSL 2 and Hyper-V do not run.",
        sources=(
            "QEMU docs/system/i386/hyperv.rst, hv-evmcs",
            "libvirt formatdomain, Hypervisor features and CPU model and topology",
        ),
        when=_windows_on_hyperv,
        silences=("nested",),
        isas=X86,
    ),
)
