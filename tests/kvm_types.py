"""KVM's types as kernels describe them in BTF, as far as kvm_exit's reason goes."""

from btf_writer import BtfWriter

_BASIC = ("u16", "u32", "u64", "u128", "void_pointer", "u32_pointer")


class KvmTypes(BtfWriter):
    """The kernel's own types when there is no `base`, else those of one of KVM's modules.

    The kernel's strings hold some of the names that the modules need, the modules' own hold the rest. Members can be
    given another type by keyword: an id, the name of one of ours ("u64"), or None for a member that is not there.
    """

    def __init__(self, base=None):
        super().__init__(base)
        if base:
            for name in _BASIC:
                setattr(self, name, getattr(base, name))
            self.type("FWD", "first_string_of_this_module")
        else:
            self.u16 = self.integer("short unsigned int", 2)
            self.u32 = self.typedef("u32", self.typedef("__u32", self.integer("unsigned int", 4)))
            self.u64 = self.typedef("u64", self.typedef("__u64", self.integer("long long unsigned int", 8)))
            self.u128 = self.integer("__int128 unsigned", 16)
            self.void_pointer, self.u32_pointer = self.pointer(0), self.pointer(self.u32)
            self.structure("other_user_of_names", 12, [("vcpu", self.u32, 0), ("exit_reason", self.u32, 4)])
        self.vcpu = self.structure("kvm_vcpu", 512, [("kvm", self.void_pointer, 0), ("vcpu_id", self.u32, 8)])

    def with_tracepoint(self, *arguments):
        """kvm_exit's declaration; `arguments` stand behind `void *__data`."""
        kinds = {"vcpu": self.pointer(self.vcpu)}
        function = self.function_type(
            [("__data", self.void_pointer), *((name, kinds.get(name, self.u32)) for name in arguments)]
        )
        self.typedef("btf_trace_kvm_exit", self.pointer(function))
        return self

    def with_arguments(self, *types):
        """arm64's kvm_exit; `types` are ids or names as below, that of `void *__data` comes by itself."""
        named = {
            "int": lambda: self.integer("int", 4, signed=True),
            "unsigned int": lambda: self.integer("unsigned int", 4),
            "long": lambda: self.integer("long int", 8, signed=True),
            "unsigned long": lambda: self.integer("long unsigned int", 8),
        }
        ids = [named[of]() if of in named else of for of in types]
        function = self.function_type([("", self.void_pointer), *(("", of) for of in ids)])
        self.typedef("btf_trace_kvm_exit", self.pointer(function))
        return self

    def with_svm(self, *, vcpu_at=0, vmcb_at=552, code_at=112, **other):
        """vcpu_svm.vmcb -> control.exit_code."""
        of = {"vcpu": self.vcpu, "exit_code": self.u32, **other}
        control = self._of_members("vmcb_control_area", [("exit_code", of["exit_code"], code_at)])
        of.setdefault("control", control)
        vmcb = self._of_members("vmcb", [("control", of["control"], 0), ("save", self.u64, 1024)])
        of.setdefault("vmcb", self.pointer(vmcb))
        self._of_members("vcpu_svm", [("vcpu", of["vcpu"], vcpu_at), ("vmcb", of["vmcb"], vmcb_at)])
        return self

    def with_vmx(self, *, vcpu_at=0, top_at=None, vt_at=None, **other):
        """vcpu_vmx with exit_reason at `top_at`, and 16 bytes behind the start of a vcpu_vt at `vt_at`."""
        reason = self.exit_reason()
        of = {"vcpu": self.vcpu, "top_reason": reason, "vt_reason": reason, **other}
        members = [("vcpu", of["vcpu"], vcpu_at)]
        if vt_at is not None:
            vt = self._of_members("vcpu_vt", [("pi_desc", self.u64, 0), ("exit_reason", of["vt_reason"], 16)])
            members.append(("vt", vt, vt_at))
        if top_at is not None:
            members.append(("exit_reason", of["top_reason"], top_at))
        self._of_members("vcpu_vmx", members)
        return self

    def with_cast(self, *, function="bpf_rdonly_cast", kref=("refcount", 4), time=("stime", "u64")):
        """The function of vmlinux, and the structures that begin with a number of 4 and of 8 bytes."""
        self.cast = self.type("FUNC", function, self.function_type([("obj", self.void_pointer), ("id", self.u32)]))
        name, size = kref
        count = self.structure("refcount_struct", size, [("refs", self.u32, 0)])
        self.kref = self.structure("kref", size, [(name, self.typedef("refcount_t", count), 0)])
        name, of = time
        self.task_cputime = self.structure("task_cputime", 24, [(name, getattr(self, of), 0), ("utime", self.u64, 8)])
        return self

    def exit_reason(self, size=4):
        """union vmx_exit_reason: 16 bits of reason and some flags, and all of it at once."""
        bits = [("basic", self.u32, (0, 16)), ("reserved16", self.u32, (16, 1)), ("failed_vmentry", self.u32, (31, 1))]
        return self.union("vmx_exit_reason", size, [("", self.structure("", size, bits)), ("full", self.u32)])

    def _of_members(self, name, members):
        """A structure of the members that there are, in the order of their offsets."""
        there = [
            (member, getattr(self, of) if isinstance(of, str) else of, at)
            for member, of, at in members
            if of is not None
        ]
        return self.structure(name, 4096, sorted(there, key=lambda member: member[2]))


def since_5_16(base=None):
    """kvm_exit(vcpu, isa)."""
    return KvmTypes(base).with_tracepoint("vcpu", "isa")


def before_5_16(base=None):
    """kvm_exit(exit_reason, vcpu, isa)."""
    return KvmTypes(base).with_tracepoint("exit_reason", "vcpu", "isa")
