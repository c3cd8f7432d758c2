"""Plain text with `backticks`, as mdoc source: the language that the man page is written in."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

from virt_exitstat.advice.explanation import sentences

# mandoc finds fault with lines above 80 bytes.
_WIDTH = 79

# A word; one with a part in backticks may hold spaces there.
_WORD = re.compile(r"[^\s`]*`[^`]+`[^\s`]*|\S+")
# mdoc puts no space between such punctuation and what it belongs to, when each mark is an argument of its own.
_OPENING, _CLOSING = r"[(\[]*", r"[.,:;?!)\]]*"
_LITERAL = re.compile(rf"({_OPENING})`(.+)`({_CLOSING})")
_PAGE = re.compile(rf"({_OPENING})([\w-]+)\((\d)\)({_CLOSING})")


def paragraph(text: str) -> list[str]:
    """The lines of a paragraph; each sentence begins a new one, as mdoc wants it."""
    return [line for sentence in sentences(text) for line in _sentence(sentence)]


def literals(words: Iterable[str]) -> str:
    """Words with commas between them, as arguments of a macro that takes literal text, such as `Li`."""
    return " , ".join(_argument(word) for word in words)


def _sentence(text: str) -> list[str]:
    lines: list[str] = []
    plain: list[str] = []

    def end_line() -> None:
        filled = textwrap.wrap(" ".join(plain), _WIDTH, break_long_words=False, break_on_hyphens=False)
        lines.extend(_plain(line) for line in filled)
        plain.clear()

    for word in _WORD.findall(text):
        macro = _macro(word)
        if macro:
            end_line()
            lines.append(macro)
        else:
            plain.append(word)
    end_line()
    return lines


def _macro(word: str) -> str | None:
    """The macro for a literal or for a manual page; None for any other word."""
    if "`" in word:
        match = _LITERAL.fullmatch(word)
        if not match:
            raise ValueError(f"only punctuation may touch the backticks: {word}")
        opening, literal, closing = match.groups()
        name = "Pa" if literal.startswith("/") else "Ql" if " " in literal else "Li"
        return " ".join([f".{name}", *opening, *map(_argument, literal.split()), *closing])
    match = _PAGE.fullmatch(word)
    if match:
        opening, page, section, closing = match.groups()
        return " ".join([".Xr", *opening, page, section, *closing])
    return None


def _plain(line: str) -> str:
    """A line of text, with nothing in it that mdoc would take for a macro or an escape."""
    line = line.replace("\\", "\\e")
    return "\\&" + line if line.startswith((".", "'")) else line


def _argument(word: str) -> str:
    """A word as an argument of a macro. A mark alone or a macro's name is only text behind `\\&`."""
    word = word.replace("\\", "\\e").replace('"', "\\(dq").replace("-", "\\-")
    return "\\&" + word if re.fullmatch(r"[A-Z][a-z]{1,2}|[^\w\s]", word) else word
