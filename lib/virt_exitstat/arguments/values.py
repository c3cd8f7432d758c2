"""Parsers of single options' values. A value that does not fit raises a UsageError that says what would fit."""

from __future__ import annotations

import enum
import ipaddress
import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from ..counts.layout import ID_BITS, MOST_ROWS
from ..errors import UsageError
from ..targets.selection import guess_duration
from ..text import escape
from .requests import Address

_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)")

#: Shortest --interval, in seconds: reading the counts takes milliseconds itself.
_SHORTEST_S = 0.01

#: Longest DURATION and --interval, in seconds: 31 years. The kernel's timers end somewhere above.
_LONGEST_S = 1e9

#: No domain has more; libvirt's own limit is far below.
_HIGHEST_VCPU = 65535

_LOOPBACK = "127.0.0.1"

_HIGHEST_PORT = 65535

_Enum = TypeVar("_Enum", bound=enum.Enum)


def split_duration(words: Sequence[str]) -> tuple[tuple[str, ...], float | None]:
    """The domains and the duration in seconds: a last word that is a number is the duration."""
    if not words or not _NUMBER.fullmatch(words[-1]):
        return tuple(words), None
    duration_s = float(words[-1])
    if not duration_s > 0 or math.isinf(duration_s) or duration_s > _LONGEST_S:
        raise UsageError(
            f"DURATION is {words[-1]}, but must be more than 0 and at most {_LONGEST_S:.0f} seconds",
            f"leave it out to count until Ctrl-C; a domain of that name or id is given with '-d {words[-1]}'",
        )
    return tuple(words[:-1]), duration_s


def parse_name(text: str) -> str:
    """A domain's name as libvirt has it, which is UTF-8: what was typed in UTF-8 is taken so whatever the locale."""
    try:
        return os.fsencode(text).decode()
    except UnicodeError:
        return text


def parse_interval(text: str) -> float:
    """--interval, in seconds."""
    if not _NUMBER.fullmatch(text) or not _SHORTEST_S <= float(text) <= _LONGEST_S:
        raise UsageError(
            f"--interval: '{escape(text)}' must be a number from {_SHORTEST_S:g} to {_LONGEST_S:.0f}, in seconds",
            f"did you mean {guess_duration(text)}?" if guess_duration(text) else "give one such as 1 or 0.5",
        )
    return float(text)


def one_of(option: str, kind: type[_Enum]) -> Callable[[str], _Enum]:
    """A parser of one of an enumeration's values."""
    parse = one_of_names(option, [one.value for one in kind])
    return lambda text: kind(parse(text))


def one_of_names(option: str, names: Iterable[str]) -> Callable[[str], str]:
    """A parser of one of some names."""
    known = list(names)

    def parse(text: str) -> str:
        if text not in known:
            raise UsageError(f"{option}: there is no '{escape(text)}'", f"give {', '.join(known[:-1])} or {known[-1]}")
        return text

    return parse


def positive(option: str) -> Callable[[str], int]:
    """A parser of a whole number from 1."""

    def parse(text: str) -> int:
        if not re.fullmatch("[0-9]{1,18}", text) or not int(text):
            raise UsageError(
                f"{option}: '{escape(text)}' must be a whole number of 1 or more", f"leave {option} out, or give one"
            )
        return int(text)

    return parse


def parse_vcpus(text: str) -> frozenset[int]:
    """The numbers of a list such as `0,2-5`."""
    numbers: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", part.strip())
        if not found:
            raise UsageError(
                f"--vcpu: '{escape(part)}' must be a vCPU's number, or two as in 2-5", "give a list such as 0 or 0,2-5"
            )
        first, last = int(found.group(1)), int(found.group(2) or found.group(1))
        if first > last:
            raise UsageError(f"--vcpu: {part} runs backwards", f"did you mean {last}-{first}?")
        if last > _HIGHEST_VCPU:
            raise UsageError(f"--vcpu: no domain has a vCPU {last}", "'virt-exitstat --list' shows the vCPUs there are")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


def parse_max_vcpus(text: str) -> int:
    """--max-vcpus."""
    if not re.fullmatch("[0-9]{1,7}", text) or not 0 < int(text) <= MOST_ROWS:
        raise UsageError(
            f"--max-vcpus: '{escape(text)}' must be a whole number from 1 to {MOST_ROWS}", "the default is 4096"
        )
    return int(text)


def parse_address(text: str) -> Address:
    """--listen: a port, or an IP address and a port, `[::1]:19969`. Loopback unless it says otherwise."""
    found = re.fullmatch(r"(?:(?:\[(?P<v6>[^\]]+)\]|(?P<v4>[^:\[\]]+)):)?(?P<port>[0-9]{1,5})", text)
    if not found or int(found["port"]) > _HIGHEST_PORT:
        raise UsageError(
            f"--listen: '{escape(text)}' must be a port from 0 to {_HIGHEST_PORT}, or an IP address and a port",
            "give one such as 19969, 192.0.2.1:19969 or [::1]:19969",
        )
    host = found["v6"] or found["v4"] or _LOOPBACK
    # A zone (fe80::1%eth0) is the kernel's to judge.
    kind = ipaddress.IPv6Address if found["v6"] else ipaddress.IPv4Address
    try:
        kind(host)
    except ValueError:
        raise UsageError(
            f"--listen: '{escape(text)}' must have an IP address, not a name",
            "give one such as 127.0.0.1:19969 or [::1]:19969; every address is 0.0.0.0 or [::]",
        ) from None
    return Address(host, int(found["port"]))


def parse_id(option: str, text: str) -> int:
    """A pid or a tid."""
    if not re.fullmatch(r"[0-9]{1,7}", text) or not 0 < int(text) <= 1 << ID_BITS:
        hint = "'virt-exitstat --list' shows pids and tids" + (", 'all' means every KVM process" * (option == "--pid"))
        raise UsageError(
            f"{option}: '{escape(text)}' must be the id of a {'process' if option == '--pid' else 'thread'}", hint
        )
    return int(text)
