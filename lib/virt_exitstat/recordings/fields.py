"""Fields of a document, taken with the type that they must have. Values only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

#: The kernel counts in 64 bits.
_BOUND = 1 << 64


class MisfitError(Exception):
    """A field is missing, or is not what the schema says. Whoever reads the file makes an error for the user of it."""


class Fields:
    """The fields of one object. `where` names it for an error: `domains[0].reasons[3]`."""

    def __init__(self, value: Any, where: str = "") -> None:
        if not isinstance(value, dict):
            raise MisfitError(f"{where or 'the document'} must be an object")
        self._value, self._where = value, where

    def __contains__(self, key: str) -> bool:
        return key in self._value

    def text(self, key: str) -> str:
        """A text."""
        value = self._get(key)
        return value if isinstance(value, str) else self._refuse(key, "a text")

    def text_or_none(self, key: str) -> str | None:
        """A text, or None for null and for a field that is missing."""
        return None if self._value.get(key) is None else self.text(key)

    def flag(self, key: str) -> bool:
        """A truth value."""
        value = self._get(key)
        return value if isinstance(value, bool) else bool(self._refuse(key, "true or false"))

    def whole(self, key: str, *, negative: bool = False) -> int:
        """A whole number, of 0 or more unless it may be `negative`."""
        value = self._get(key)
        fits = isinstance(value, int) and not isinstance(value, bool) and -_BOUND * negative <= value < _BOUND
        if not fits:
            self._refuse(key, "a whole number" + " of 0 or more" * (not negative))
        return int(value)

    def whole_or_none(self, key: str) -> int | None:
        """A whole number, or None for null and for a field that is missing."""
        return None if self._value.get(key) is None else self.whole(key)

    def number(self, key: str) -> float:
        """A number of 0 or more."""
        value = self._get(key)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < math.inf:
            self._refuse(key, "a number of 0 or more")
        return float(value)

    def time(self, key: str) -> datetime:
        """A time in UTC, as in `2026-11-22T20:53:01.250Z`."""
        try:
            # Python before 3.11 knows no Z.
            return datetime.fromisoformat(self.text(key).replace("Z", "+00:00")).astimezone(timezone.utc)
        except (ValueError, OverflowError):
            raise self.refuse(key, "a time in UTC") from None

    def part(self, key: str) -> Fields:
        """An object."""
        return Fields(self._get(key), self._name(key))

    def part_or_none(self, key: str) -> Fields | None:
        """An object, or None for null and for a field that is missing."""
        return None if self._value.get(key) is None else self.part(key)

    def parts(self, key: str) -> Iterator[Fields]:
        """The objects of a list."""
        value = self._get(key)
        if not isinstance(value, list):
            self._refuse(key, "a list")
        return (Fields(one, f"{self._name(key)}[{at}]") for at, one in enumerate(value))

    def whole_numbers(self, key: str) -> Mapping[int, int]:
        """An object of whole numbers, by numbers."""
        value = self.part(key)._value
        try:
            found = {int(name): number for name, number in value.items()}
        except ValueError:
            raise self.refuse(key, "an object of numbers") from None
        if not all(isinstance(number, int) and number >= 0 <= name for name, number in found.items()):
            self._refuse(key, "an object of numbers")
        return found

    def numbers_or_nulls(self, key: str) -> Iterator[int | None]:
        """The whole numbers of a list, some of which may be null."""
        value = self._get(key)
        if not isinstance(value, list) or not all(one is None or isinstance(one, int) for one in value):
            self._refuse(key, "a list of whole numbers")
        return iter(value)

    def texts(self, key: str) -> Iterator[str]:
        """The texts of a list."""
        value = self._get(key)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self._refuse(key, "a list of texts")
        return iter(value)

    def refuse(self, key: str, what: str) -> MisfitError:
        """The error for a field that must be something else."""
        return MisfitError(f"{self._name(key)} must be {what}")

    def _refuse(self, key: str, what: str) -> Any:
        raise self.refuse(key, what)

    def _get(self, key: str) -> Any:
        if key not in self._value:
            raise MisfitError(f"{self._name(key)} is missing")
        return self._value[key]

    def _name(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key
