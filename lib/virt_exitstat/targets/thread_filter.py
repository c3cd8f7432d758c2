"""Which threads the kernel program counts, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PidNamespace:
    """A pid namespace, as the kernel tells two apart: device and inode of its file below /proc (pid_namespaces(7))."""

    device: int
    inode: int


@dataclass(frozen=True)
class ThreadFilter:
    """Which threads the kernel program counts.

    Whole processes by `tgids`, single threads by (tgid, tid) in `threads`; everything when `everything` is set. A
    filter that `changes` while counting is kept in a map, not compiled in (Counter.follow). All ids are those of
    `namespace`, None for the first one; threads outside of it are not counted.
    """

    tgids: frozenset[int] = frozenset()
    threads: frozenset[tuple[int, int]] = frozenset()
    everything: bool = False
    changes: bool = False
    namespace: PidNamespace | None = None

    def keys(self) -> frozenset[int]:
        """The keys of the kernel program's map `wanted`: tgid << 32 | tid, tid 0 for a whole process."""
        return frozenset(tgid << 32 for tgid in self.tgids) | {tgid << 32 | tid for tgid, tid in self.threads}

    def skip_expression(self) -> str:
        """A C expression on `tgid` and `tid`, true for threads to skip. Numbers and operators only."""
        if self.everything:
            return "0"
        wanted = [f"tgid == {tgid}" for tgid in sorted(self.tgids)]
        for tgid in sorted({tgid for tgid, _ in self.threads}):
            tids = " || ".join(f"tid == {tid}" for owner, tid in sorted(self.threads) if owner == tgid)
            wanted.append(f"(tgid == {tgid} && ({tids}))")
        return f"!({' || '.join(wanted)})" if wanted else "1"
