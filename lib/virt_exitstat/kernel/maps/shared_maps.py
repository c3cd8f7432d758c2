"""The maps of a compiled program: bcc's, and arrays of one value that the program addresses without a look-up."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
from collections.abc import Callable
from typing import Any

from ...counts.layout import CACHE_LINE, MAPS, block_structure, blocks_for, row_structure
from ...host.files import fdinfo

#: The verifier follows an offset up to this one (BPF_MAX_VAR_OFF in include/linux/bpf_verifier.h).
FARTHEST = 1 << 29

_MACROS = {"rows": "ROWS_FD", "cache": "CACHE_FD", "blocks": "BLOCKS_FD"}


class DirectMaps:
    """Arrays of one value each for `rows` rows of `slots` slots, made before the program is compiled.

    `create(name, size)` makes one and returns its descriptor, or a number below 0; CPUs have numbers below `cpus`.
    `fds` is empty where the kernel takes no value of that size: Linux 5.10 takes 4 MB, later ones 2 GB.
    """

    def __init__(
        self, slots: int, rows: int, *, timed: bool, detailed: bool, cpus: int, create: Callable[[str, int], int]
    ) -> None:
        self.cpus = cpus
        self.fds: dict[str, int] = {}
        self.sizes = {
            "rows": rows * row_structure(slots, timed=timed, detailed=detailed).size,
            "cache": self.cpus * CACHE_LINE,
        }
        if timed:
            self.sizes["blocks"] = blocks_for(rows) * block_structure().size
        for name, size in self.sizes.items():
            fd = create(name, size) if size <= FARTHEST else -1
            if fd < 0:
                self.close()
                break
            self.fds[name] = fd

    def macros(self) -> list[str]:
        """What the program is compiled with to use them."""
        fds = [f"-D{_MACROS[name]}={fd}" for name, fd in self.fds.items()]
        return [*fds, f"-DCPUS={self.cpus}"] if fds else []

    def close(self) -> None:
        """Let them go; a program that is loaded goes on with them."""
        for fd in self.fds.values():
            os.close(fd)
        self.fds = {}


class Maps:
    """The maps of a program that is loaded, by name; `bpf` is bcc's BPF object."""

    def __init__(self, bpf: Any, direct: DirectMaps) -> None:
        self._bpf, self._direct = bpf, direct
        self._cache: memoryview | None = self.memory("cache") if direct.fds else None

    def __getitem__(self, name: str) -> Any:
        """bcc's table."""
        return self._bpf[name.encode()]

    def memory(self, name: str) -> memoryview:
        """The bytes of a map that may be mapped, which are shared with the kernel."""
        size = -(-self._direct.sizes[name] // mmap.PAGESIZE) * mmap.PAGESIZE
        return memoryview(mmap.mmap(self._fd(name), size, mmap.MAP_SHARED))

    def clear_cache(self) -> None:
        """Have each thread looked up anew when it exits next, on every CPU."""
        if self._cache is None:
            cache = self["cache"]
            cache[ctypes.c_uint32(0)] = cache.Leaf()
            return
        words = self._cache.cast("Q")
        for at in range(0, self._direct.cpus * CACHE_LINE // 8, CACHE_LINE // 8):
            words[at] = 0

    def memory_bytes(self) -> int:
        """Kernel memory that the maps take, in bytes, as the kernel accounts for it."""
        total = 0
        for name in MAPS:
            with contextlib.suppress(KeyError):  # it is not in every program
                total += fdinfo(self._fd(name), "memlock")
        return total

    def release(self) -> None:
        """Let the mapped memory and the arrays go: the kernel keeps these as long as a descriptor is open."""
        if self._cache is not None:
            self._cache.release()
        self._direct.close()

    def _fd(self, name: str) -> int:
        return self._direct.fds[name] if name in self._direct.fds else int(self[name].map_fd)
