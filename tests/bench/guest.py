"""The smallest KVM guest: one vCPU that executes CPUIDs and reads the time stamp counter before and after."""

import fcntl
import mmap
import os
import struct

CPUIDS = 2000

# ioctls of /dev/kvm (include/uapi/linux/kvm.h).
_CREATE_VM, _GET_VCPU_MMAP_SIZE, _CREATE_VCPU, _RUN = 0xAE01, 0xAE04, 0xAE41, 0xAE80
_SET_USER_MEMORY_REGION, _SET_REGS, _GET_SREGS, _SET_SREGS = 0x4020AE46, 0x4090AE82, 0x8138AE83, 0x4138AE84
_EXIT_HLT = 5

# 16-bit code at 0x1000: the counter's lower half to 0x500, the CPUIDs, the counter to 0x504, HLT.
_CODE = bytes.fromhex(
    "0f31 66a30005"  # rdtsc; mov [0x500], eax
    f"be{struct.pack('<H', CPUIDS).hex()}"  # mov si, CPUIDS
    "6631c0 6631c9 0fa2 4e 75f5"  # 1: xor eax, eax; xor ecx, ecx; cpuid; dec si; jnz 1b
    "0f31 66a30405 f4"  # rdtsc; mov [0x504], eax; hlt
)


class Guest:
    """Runs on the calling thread, which is its vCPU thread."""

    def __init__(self):
        kvm = os.open("/dev/kvm", os.O_RDWR)
        self._vm = fcntl.ioctl(kvm, _CREATE_VM, 0)
        self._memory = mmap.mmap(-1, 0x10000, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
        address = _address_of(self._memory)
        fcntl.ioctl(self._vm, _SET_USER_MEMORY_REGION, struct.pack("=IIQQQ", 0, 0, 0, len(self._memory), address))
        self._memory[0x1000 : 0x1000 + len(_CODE)] = _CODE
        self._vcpu = fcntl.ioctl(self._vm, _CREATE_VCPU, 0)
        self._run = mmap.mmap(self._vcpu, fcntl.ioctl(kvm, _GET_VCPU_MMAP_SIZE, 0))
        sregs = bytearray(fcntl.ioctl(self._vcpu, _GET_SREGS, bytes(312)))
        struct.pack_into("=QIH", sregs, 0, 0, 0xFFFF, 0)  # cs: base, limit, selector
        fcntl.ioctl(self._vcpu, _SET_SREGS, bytes(sregs))
        os.close(kvm)

    def ticks_per_exit(self):
        """TSC ticks that one CPUID costs the guest, the loop's own four instructions included."""
        registers = [0] * 16 + [0x1000, 2]  # rip, rflags
        fcntl.ioctl(self._vcpu, _SET_REGS, struct.pack("=18Q", *registers))
        fcntl.ioctl(self._vcpu, _RUN, 0)
        (reason,) = struct.unpack_from("=I", self._run, 8)
        assert reason == _EXIT_HLT, f"KVM_RUN ended with exit reason {reason}"
        before, after = struct.unpack_from("=II", self._memory, 0x500)
        return (after - before & 0xFFFFFFFF) / CPUIDS


def _address_of(memory):
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(memory))
