"""The value that explains exit reasons, and the groups that the explanations stand in."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Explanation:
    """Explains one exit reason, or several that mean the same.

    The texts are whole sentences of plain text. `Backticks` mark words that are typed or read as they stand: a reason,
    an option, a path. name(8) is a manual page. `often` and `helps` may be empty.
    """

    #: What the guest does, or what happened to it. The first sentence can stand alone.
    what: str
    #: Why there are many, and how many are normal.
    often: str = ""
    #: What to do about them.
    helps: str = ""
    #: Intel's names, as reports show them. `*` stands for any characters: `VMGEXIT_*`.
    vmx: tuple[str, ...] = ()
    #: AMD's names, likewise.
    svm: tuple[str, ...] = ()
    #: arm64's names.
    arm64: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Intel's names before AMD's, arm64's last; one that several have stands once."""
        return tuple(dict.fromkeys(self.vmx + self.svm + self.arm64))

    @property
    def text(self) -> str:
        """All of it, as one paragraph."""
        return " ".join(filter(None, (self.what, self.often, self.helps)))

    @property
    def first_sentence(self) -> str:
        """The first sentence of `what`."""
        return sentences(self.what)[0]

    def explains(self, name: str) -> bool:
        """Whether one of the names, on any ISA, is this reason's."""
        return any(fnmatchcase(name, pattern) for pattern in self.names)


@dataclass(frozen=True)
class Group:
    """Explanations about one subject."""

    heading: str
    explanations: tuple[Explanation, ...]


def sentences(text: str) -> list[str]:
    """The sentences of a text of ours. A full stop before a space ends one: our texts have no abbreviations."""
    parts = text.split(". ")
    return [part + "." for part in parts[:-1]] + parts[-1:] if text else []
