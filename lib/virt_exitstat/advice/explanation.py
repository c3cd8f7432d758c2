"""The value that explains exit reasons, and the groups that the explanations stand in."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Explanation:
    """What reasons that mean the same are about.

    The texts are whole sentences of plain text. `backticks` mark what is typed or read as it stands: a reason, an
    option, a path; `name(8)` is a manual page. `often` and `helps` are empty where there is nothing to say.
    """

    #: What happened, or what the guest did. The first sentence can stand alone.
    what: str
    #: Why there are many, and how many are normal.
    often: str = ""
    #: What to do about them.
    helps: str = ""
    #: Intel's names, as reports show them. `*` stands for any characters: `VMGEXIT_*`.
    vmx: tuple[str, ...] = ()
    #: AMD's names, likewise.
    svm: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Intel's names before AMD's; one that both have stands once."""
        return tuple(dict.fromkeys(self.vmx + self.svm))

    @property
    def first_sentence(self) -> str:
        """The first sentence of `what`."""
        return sentences(self.what)[0]

    def explains(self, name: str) -> bool:
        """Whether the reason of this name, on either ISA, is among them."""
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
