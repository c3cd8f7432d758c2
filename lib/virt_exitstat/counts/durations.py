"""Durations: how long exits of one reason took, as a sum and as a log-linear histogram. Values and pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

#: The histogram's unit is 64 ns. Lengths of fewer than 8 units have a bucket each; from there on each power of two has
#: four. The last bucket holds all that is longer too.
UNIT_BITS = 6
BUCKETS = 120
LONGEST_UNITS = (1 << 31) - 1


def bucket_of(length_ns: int) -> int:
    """The bucket of a length in ns, as the kernel program finds it."""
    units = min(length_ns >> UNIT_BITS, LONGEST_UNITS)
    halvings = max(units.bit_length() - 3, 0)
    return 4 * halvings + (units >> halvings)


def lower_bound_ns(bucket: int) -> int:
    """The shortest length in a bucket, in ns; that of bucket N + 1 is the end of bucket N."""
    if bucket < 8:
        return bucket << UNIT_BITS
    return (4 + bucket % 4) << (bucket // 4 - 1) << UNIT_BITS


@dataclass(frozen=True)
class Durations:
    """The time that exits of one reason, or of several, took.

    `total_ns` is all time spent, that of exits in flight included, of which `qemu_ns` were spent in QEMU. The others
    are of exits that have finished: `finished_ns` is their sum, `buckets` their histogram, {bucket: exits}. `max_ns` is
    the longest; where it `is_bound`, none was longer. `in_flight` are those that have not finished; as a difference
    between two times it may be below 0.
    """

    total_ns: int = 0
    qemu_ns: int = 0
    finished_ns: int = 0
    max_ns: int = 0
    is_bound: bool = False
    in_flight: int = 0
    buckets: Mapping[int, int] = field(default_factory=dict)

    @property
    def finished(self) -> int:
        """The number of exits that have finished."""
        return sum(self.buckets.values())

    @property
    def has_finished(self) -> bool:
        """Whether one has finished."""
        return bool(self.buckets)

    @property
    def has_histogram(self) -> bool:
        """Whether `buckets` and `finished_ns` are known."""
        return True

    @property
    def mean_ns(self) -> float | None:
        """The mean of those that have finished; None when none has."""
        finished = self.finished
        return self.finished_ns / finished if finished else None

    def percentile_ns(self, part: float) -> float | None:
        """The length below which that part (0 .. 1) of the finished ones lies, a quarter more or less.

        It is interpolated within a bucket, and never above the longest. None when none has finished.
        """
        wanted, below = part * self.finished, 0
        for bucket, exits in sorted(self.buckets.items()):
            if below + exits >= wanted:
                lower, upper = lower_bound_ns(bucket), lower_bound_ns(bucket + 1)
                return min(lower + (upper - lower) * (wanted - below) / exits, self.max_ns)
            below += exits
        return None

    def __bool__(self) -> bool:
        return bool(self.total_ns or self.finished_ns or self.in_flight or self.buckets)

    def __add__(self, other: Durations) -> Durations:
        if isinstance(self, Told) or isinstance(other, Told):
            return _add_told(self, other)
        buckets = dict(self.buckets)
        for bucket, exits in other.buckets.items():
            buckets[bucket] = buckets.get(bucket, 0) + exits
        longest = _longest(self, other)
        return Durations(
            total_ns=self.total_ns + other.total_ns,
            qemu_ns=self.qemu_ns + other.qemu_ns,
            finished_ns=self.finished_ns + other.finished_ns,
            max_ns=longest.max_ns,
            is_bound=longest.is_bound,
            in_flight=self.in_flight + other.in_flight,
            buckets=buckets,
        )

    def __sub__(self, earlier: Durations) -> Durations:
        """What has come since `earlier`, of the same exits.

        The longest one is known when it is longer than any before; else it is bound by its bucket.
        """
        grown = {
            bucket: exits - earlier.buckets.get(bucket, 0)
            for bucket, exits in self.buckets.items()
            if exits != earlier.buckets.get(bucket, 0)
        }
        max_ns, is_bound = self.max_ns, self.is_bound
        if not grown:
            max_ns, is_bound = 0, False
        elif earlier.buckets and self.max_ns == earlier.max_ns:
            highest = max(grown)
            # The last bucket has no end.
            end_ns = self.max_ns if highest == BUCKETS - 1 else lower_bound_ns(highest + 1)
            max_ns, is_bound = min(self.max_ns, end_ns), True
        return Durations(
            total_ns=self.total_ns - earlier.total_ns,
            qemu_ns=self.qemu_ns - earlier.qemu_ns,
            finished_ns=self.finished_ns - earlier.finished_ns,
            max_ns=max_ns,
            is_bound=is_bound,
            in_flight=self.in_flight - earlier.in_flight,
            buckets=grown,
        )

    def not_before(self, earlier: Durations) -> Durations:
        """The same, with no less time than was told earlier: the part of an exit in flight may be missing now."""
        if self.total_ns >= earlier.total_ns and self.qemu_ns >= earlier.qemu_ns:
            return self
        return replace(self, total_ns=max(self.total_ns, earlier.total_ns), qemu_ns=max(self.qemu_ns, earlier.qemu_ns))


#: The durations of a reason that did not occur.
NO_TIME = Durations()


@dataclass(frozen=True)
class Told(Durations):
    """Durations without a histogram, as a recording of before there was one in it tells them.

    `mean` and `percentiles`, {part: ns}, were made when it was written. A sum of several has neither: they cannot be
    made again.
    """

    mean: float | None = None
    percentiles: Mapping[float, float] = field(default_factory=dict)

    @property
    def has_finished(self) -> bool:
        """Whether one has finished."""
        return self.max_ns > 0

    @property
    def has_histogram(self) -> bool:
        """They are known where they are empty."""
        return not self.has_finished

    @property
    def mean_ns(self) -> float | None:
        """The mean as it was told."""
        return self.mean

    def percentile_ns(self, part: float) -> float | None:
        """The percentile as it was told; None for one that was not."""
        return self.percentiles.get(part)


def _add_told(one: Durations, other: Durations) -> Durations:
    if not one or not other:
        return one or other
    longest = _longest(one, other)
    return Told(
        total_ns=one.total_ns + other.total_ns,
        qemu_ns=one.qemu_ns + other.qemu_ns,
        max_ns=longest.max_ns,
        is_bound=longest.is_bound,
        in_flight=one.in_flight + other.in_flight,
    )


def _longest(one: Durations, other: Durations) -> Durations:
    # Of two that are equally long, the one that was measured holds.
    return max(one, other, key=lambda each: (each.max_ns, not each.is_bound))
