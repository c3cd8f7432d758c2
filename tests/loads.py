"""Loads of a domain, simulated interval by interval, as the samples that a comparison takes."""

import math
from array import array

from virt_exitstat.comparisons.compare import Verdict
from virt_exitstat.comparisons.samples import Samples


def poisson(chance, mean):
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, number, product = math.exp(-mean), 0, chance.random()
    while product > limit:
        number, product = number + 1, product * chance.random()
    return number


def steady(chance, number, factor=1.0):
    return [poisson(chance, 200 * factor) for _ in range(number)]


def bursty(chance, number, factor=1.0, bursts=5, size=50):
    """Of each interval: bursts come as Poisson, and so do exits in each; and 200 others. Variance over mean: 28."""
    return [
        sum(poisson(chance, size) for _ in range(poisson(chance, bursts * factor))) + poisson(chance, 200 * factor)
        for _ in range(number)
    ]


def rare_bursts(chance, number, factor=1.0):
    """Variance over mean: 1,600."""
    return bursty(chance, number, factor, 0.5, 2000)


def heavy_tailed(chance, number, factor=1.0):
    """Without a variance."""
    return [200 * factor * chance.paretovariate(1.2) for _ in range(number)]


def phased(chance, number, factor=1.0):
    """2,000 or 200 a second, for ten intervals each on average."""
    is_on, found = chance.random() < 0.5, []
    for _ in range(number):
        is_on ^= chance.random() < 0.1
        found.append(poisson(chance, (2000 if is_on else 200) * factor))
    return found


def samples(rows, seconds=1.0, recordings=None):
    """Samples of {row: values}, with their total."""
    number = len(next(iter(rows.values())))
    total = [sum(values) for values in zip(*rows.values())]
    made = Samples("guest01", timed=False)
    made.seconds = array("d", [seconds] * number)
    made.recordings = array("L", recordings or [0] * number)
    made.values = {(name, "per_second"): array("d", values) for name, values in {**rows, "total": total}.items()}
    made.exits = {name: round(sum(values) * seconds) for name, values in {**rows, "total": total}.items()}
    made.intervals, made.all_seconds = number, number * seconds
    return made


def claims(comparison):
    return {row.reason_name for row in comparison.measures[0].rows if row.verdict is not Verdict.NOTHING}


def kinds(comparison):
    return {doubt.kind for doubt in comparison.doubts}


def run(load, chance, number, rows=1, factor=1.0):
    return samples({f"R{row}": load(chance, number, factor) for row in range(rows)})
