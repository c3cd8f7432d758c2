"""Tables for the shells' completions: options and their values, from the table that the parser is made from."""

from __future__ import annotations

from virt_exitstat.arguments.option import Option
from virt_exitstat.arguments.table import OPTIONS

# {kind of candidates: message and action for zsh's _arguments}.
_ZSH_ACTIONS = {
    "domains": "domain:_virt_exitstat_domains",
    "vcpus": "vCPUs: _sequence _virt_exitstat_vcpus",
    "pids": "pid: _sequence _virt_exitstat_pids",
    "reasons": "reasons:_virt_exitstat_reasons",
    "words": "word:_virt_exitstat_words",
    "uris": "URI:_virt_exitstat_uris",
    "file": "file:_files",
    "number": "number: ",
}


def bash_options() -> str:
    """A line for each option: short form (or -), long form, what it takes (- is nothing), + when it may be repeated."""
    lines = [" ".join([option.short or "-", option.long, _kind(option), *["+"] * option.repeats]) for option in OPTIONS]
    return "_virt_exitstat_options='\n" + "\n".join(lines) + "'\n"


def zsh_options() -> str:
    """The arguments of _arguments, a word for each form of an option."""
    return "".join(f"\t\t{_zsh_option(option)}\n" for option in OPTIONS)


def fish_options() -> str:
    """A row for each option: the same columns as in bash, but with the repeat at its kind, and what it is."""
    rows = []
    for option in OPTIONS:
        names = f"{option.short[1:] or '-'} {option.long[2:]}"
        kind = _kind(option) + "+" * option.repeats
        rows.append(f"{names} {kind} {option.help}".replace("\\", "\\\\").replace("'", "\\'"))
    return " \\\n".join(["set -g __virt_exitstat_options", *(f"    '{row}'" for row in rows)]) + "\n"


def _kind(option: Option) -> str:
    if option.choices:
        return "|".join(option.choices)
    return option.completes if option.takes else "-"


def _zsh_option(option: Option) -> str:
    known = {other.long: other.forms for other in OPTIONS}
    excluded = [form for other in option.excludes for form in known.get(other, (other,))]
    if option.short and not option.repeats and not option.excludes:
        excluded += option.forms
    about = option.help.replace("[", "\\[").replace("]", "\\]")
    value = ""
    if option.choices:
        value = f":{option.long[2:]}:({' '.join(option.choices)})"
    elif option.takes:
        value = ":" * option.optional + f":{_ZSH_ACTIONS[option.completes]}"
    forms = [form + ("" if not option.takes else "+" if form == option.short else "=") for form in option.forms]
    lead = (f"({' '.join(excluded)})" if excluded else "") + "*" * option.repeats
    rest = f"[{about}]{value}"
    if len(forms) == 1:
        return _quoted(f"{lead}{forms[0]}{rest}")
    return f"{_quoted(lead) if lead else ''}{{{','.join(forms)}}}{_quoted(rest)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
