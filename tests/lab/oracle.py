"""The domain `oracle`: firmware that does known numbers of known things, then halts for good.

The numbers stand once, in an architecture's WORK: the firmware is assembled from it, and a report is compared with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROM = Path("/lab/guest/oracle.rom")

#: Kinds that the host and the mode switch add: no numbers of them are known.
_BESIDE = ("page_fault", "vector", "irq", "wakeup", "wait", "control_register", "nothing", None)


class Work(NamedTuple):
    """What the guest does so many `times`: its instructions, and the detail that tells of it.

    `detail` is (kind, access, number, size, mark, by), as JSON has them; None where the kernel tells nothing.
    """

    times: int
    code: str
    detail: tuple | None


def domain_xml(xml: str, name: str) -> str:
    """The domain's XML, from that of the one named `name`, which has a firmware of that name."""
    return xml.replace(f"<name>{name}</name>", "<name>oracle</name>").replace(f"{name}.rom", ROM.name)


def differences(reasons: list[dict], done: Iterable[Work]) -> list[str]:
    """Where details of a table in JSON are other than what the guest did; [] when each number is right.

    An address may be told below two reasons: KVM on Intel marks its page at the first fault.
    """
    told: Counter = Counter()
    for reason in reasons:
        for one in reason["details"]:
            what = tuple(one[field] for field in ("kind", "access", "number", "size", "mark", "by"))
            if one["kind"] not in _BESIDE:
                told[what] += one["count"]
    known: Counter = Counter()
    for work in done:
        known[work.detail] += work.times
    return [f"{what}: told {told[what]}, done {known[what]}" for what in {**told, **known} if told[what] != known[what]]
