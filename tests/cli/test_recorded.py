"""What was recorded, shown again and compared: a recording is made by the program itself, in the same world."""

import gzip
import itertools
import json
import os
import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from fake_world import DB01, WEB01, World

from virt_exitstat.counts.snapshot import Lost, Thread

LIB = Path(__file__).resolve().parents[2] / "lib"
COMPARISON = json.loads((LIB / "virt_exitstat/formats/comparison/comparison.schema.json").read_text())

#: Exits a second of the first two domains, fewer than would fill it.
SOME = {Thread(1100, 1101): {12: 400, 48: 1500, 32: 1}, Thread(1100, 1102): {1: 2500}, Thread(1200, 1201): {30: 99}}


class Worlds:
    """Makes the same world again and again: its clock stands at the same time."""

    def __init__(self, tmp_path):
        self._tmp_path, self._made = tmp_path, 0
        self._reader = None

    def make(self):
        self._made += 1
        root = self._tmp_path / f"world{self._made}"
        root.mkdir()
        world = World(root)
        world.host.add_file("proc/cpuinfo", "flags\t\t: fpu vmx\n")
        world.connect(WEB01, DB01)
        world.counts = {thread: dict(counts) for thread, counts in SOME.items()}
        world.script()
        return world

    def run(self, *argv):
        """Status, stdout, stderr."""
        if argv[0] == "--replay":
            # It looks at none, so that one will do.
            self._reader = world = self._reader or self.make()
        else:
            world = self.make()
        status, _, rest = world.run(*argv).partition("\n--- stdout\n")
        out, _, err = rest.partition("--- stderr\n")
        return status, out, err

    def record(self, path, line, world=None):
        """What a run with `-o json` writes, as a file."""
        text = (world or self.make()).run(*shlex.split(line), "-o", "json")
        text = text.partition("\n--- stdout\n")[2].partition("--- stderr\n")[0]
        path.write_text(text.replace("THIS MACHINE'S", os.uname().nodename))
        return path


@pytest.fixture()
def worlds(tmp_path):
    return Worlds(tmp_path)


# -- shown again --

COUNTED = {"plain": "10", "timed": "-T 10", "detailed": "-D 10", "both": "-TD 10", "intervals": "-TD -i 2 6"}
CHOSEN = ["", "--total", "-n 1", "-a", "-r '!HLT'", "-s name --total -n 2", "--min-count 1000", "--no-header"]


@pytest.mark.parametrize("output", ["csv", "wide", "json", "table"])
@pytest.mark.parametrize("counted", COUNTED)
def test_a_recording_shown_again_is_the_report_to_the_byte(worlds, tmp_path, counted, output):
    path = worlds.record(tmp_path / "night.json", COUNTED[counted])
    for chosen in CHOSEN:
        options = shlex.split(chosen)
        _, live, _ = worlds.run(*shlex.split(COUNTED[counted]), *options, "-o", output)
        status, again, said = worlds.run("--replay", str(path), output, *options)
        assert (status, said) == ("status 0 OK", "")
        assert again.encode() == live.encode(), chosen
        assert live


@pytest.mark.parametrize("output", ["csv", "table"])
@pytest.mark.parametrize("host", ["run_on_arm64", "run_newer_kernel"])
def test_a_recording_of_another_host_is_shown_as_there(tmp_path, host, output):
    """Its ISA and its kernel's names of reasons are not this host's."""
    worlds = Worlds(tmp_path)

    def there():
        world = worlds.make()
        world.counts[Thread(1100, 1101)][71] = 5
        getattr(world, host)()
        return world

    path = worlds.record(tmp_path / "night.json", "-TD -i 2 6", there())
    live = there().run("-TD", "-i", "2", "6", "-o", output).partition("\n--- stdout\n")[2]
    assert ("HVC64" if host == "run_on_arm64" else "OF_A_NEWER_KERNEL") in live
    assert worlds.run("--replay", str(path), output)[1] == live.partition("--- stderr\n")[0]


def test_sums_of_a_replayed_recording_have_percentiles_of_their_own(worlds, tmp_path):
    """(others) of all domains: no line of the recording has it."""
    path = worlds.record(tmp_path / "night.json", "-T 10")
    line = ["--total", "-n", "1", "-o", "csv"]
    _, live, _ = worlds.run("-T", "10", *line)
    (others,) = [row for row in live.splitlines() if ",all domains," in row and "(others)" in row]
    assert others.split(",")[11:17] != [""] * 6
    assert worlds.run("--replay", str(path), *line)[1] == live


@pytest.mark.parametrize("output", ["table", "json"])
def test_findings_are_shown_again(worlds, tmp_path, output):
    def busy():
        world = worlds.make()
        world.counts[Thread(1200, 1201)] = {30: 9_900}
        return world

    path = worlds.record(tmp_path / "night.json", "--explain 10", busy())
    live = busy().run("--explain", "10", "-o", output)
    again = worlds.run("--replay", str(path), "--explain", "-o", output)[1]
    assert "serial-console" in again
    assert again == live.partition("--- stdout\n")[2].partition("--- stderr\n")[0]


def test_a_recording_without_findings_is_judged_by_its_exits(worlds, tmp_path):
    world = worlds.make()
    world.counts[Thread(1200, 1201)] = {30: 9_900}
    path = worlds.record(tmp_path / "night.json", "-TD -i 5 10", world)
    status, out, _ = worlds.run("--replay", str(path), "--explain", "-d", "db01")
    assert status == "status 0 OK" and out.count("serious: The guest writes to a serial port") == 2
    assert "web01" not in out
    assert all(len(line) < 80 for line in out.splitlines())


def test_what_was_left_out_when_it_was_recorded_stays_left_out(worlds, tmp_path):
    path = worlds.record(tmp_path / "night.json", "-TD -n 1 10")
    for output in ("csv", "json", "table"):
        _, live, _ = worlds.run("-TD", "-n", "1", "10", "-o", output)
        assert worlds.run("--replay", str(path), output)[1] == live
    total = worlds.run("--replay", str(path), "json", "--total")[1]
    exits = json.loads(worlds.run("10", "--total", "-o", "json")[1])["all_domains"]["total"]
    assert json.loads(total)["all_domains"]["total"] == exits
    # web01 may have left out what db01 shows: a row of db01's alone would be no sum.
    names = [row["name"] for row in json.loads(total)["all_domains"]["reasons"]]
    assert names == ["EXTERNAL_INTERRUPT", "HLT"]


def test_a_sum_that_was_recorded_is_kept_whole(worlds, tmp_path):
    path = worlds.record(tmp_path / "night.json", "-T -n 1 --total 10")
    _, live, _ = worlds.run("-T", "-n", "1", "--total", "10", "-o", "csv")
    assert worlds.run("--replay", str(path), "csv", "--total")[1] == live


def without_histograms(value):
    """A document as it was written before there were histograms in it."""
    if isinstance(value, list):
        return [without_histograms(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: without_histograms(one) for key, one in value.items() if key not in ("histogram", "finished_ns")}


def test_of_a_recording_without_histograms_percentiles_are_its_own_or_not_known(worlds, tmp_path):
    path = worlds.record(tmp_path / "night.json", "web01 -T 10")
    path.write_text(json.dumps(without_histograms(json.loads(path.read_text()))))
    whole = worlds.run("web01", "-T", "10")[1]
    assert (
        worlds.run("--replay", str(path), "table", "--no-header")[1]
        == worlds.run("web01", "-T", "10", "--no-header")[1]
    )
    assert whole
    (others,) = [
        line for line in worlds.run("--replay", str(path), "-n", "1")[1].splitlines() if line.startswith("(others)")
    ]
    _, count, _rate, share, mean, p99, longest, qemu = others.split()
    assert (mean, p99) == ("-", "-") and "-" not in (count, share, longest, qemu)
    (again,) = json.loads(worlds.run("--replay", str(path), "json")[1])["domains"]
    assert {(reason["histogram"], reason["finished_ns"]) for reason in again["reasons"]} == {(None, None)}


def test_lost_exits_are_shown_again(worlds, tmp_path):
    world = worlds.make()
    world.script((5, setattr, world, "lost", Lost(no_row=300)))
    path = worlds.record(tmp_path / "night.json", "db01 10", world)
    assert "lost: 300 exits of vCPUs above --max-vcpus; raise it" in worlds.run("--replay", str(path))[1]


@pytest.mark.parametrize("output", ["csv", "json", "table"])
def test_what_was_recorded_on_arm64_is_shown_again_anywhere(worlds, tmp_path, output):
    def live(*options):
        world = worlds.make()
        world.run_on_arm64()
        return world.run("-TD", "10", *options).partition("\n--- stdout\n")[2].partition("--- stderr\n")[0]

    path = tmp_path / "night.json"
    path.write_text(live("-o", "json").replace("THIS MACHINE'S", os.uname().nodename))
    status, again, _ = worlds.run("--replay", str(path), output)
    assert (status, again) == ("status 0 OK", live("-o", output))
    assert "WFX" in again
    assert worlds.run("--replay", str(path), "--explain")[0] == "status 0 OK"


def test_another_host_is_named_once(worlds, tmp_path):
    path = worlds.record(tmp_path / "night.json", "db01 -i 2 6")
    path.write_text(path.read_text().replace(f'"host": "{os.uname().nodename}"', '"host": "kvm7"'))
    _, _, said = worlds.run("--replay", str(path))
    assert said == f"virt-exitstat: {path} was recorded on kvm7, Linux {os.uname().nodename}, VMX\n"


def test_a_recording_is_read_without_libvirt_and_bcc(worlds, tmp_path):
    path = worlds.record(tmp_path / "night.json", "-i 1 8")
    other = worlds.record(tmp_path / "day.json", "-i 1 8")
    for words in (["--replay", str(path)], ["--compare", str(path), str(other)]):
        code = (
            f"import sys; sys.path.insert(0, {str(LIB)!r})\n"
            "from virt_exitstat import cli\n"
            f"cli.main({words!r})\n"
            "assert not {'libvirt', 'bcc'} & set(sys.modules), 'imported'\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


# -- files that are not as they should be --


def test_a_file_that_is_cut_off_is_read_up_to_there_and_says_so(worlds, tmp_path):
    path = worlds.record(tmp_path / "night.json", "db01 -i 2 6")
    path.write_bytes(path.read_bytes()[:-100])
    status, out, said = worlds.run("--replay", str(path), "csv")
    assert status == "status 0 OK" and len(out.splitlines()) == 1 + 2
    assert said.endswith(f"virt-exitstat: {path} is cut off in the middle of a report, and is read up to there\n")


def test_a_broken_line_is_left_out_and_said(worlds, tmp_path):
    path = worlds.record(tmp_path / "night.json", "db01 -i 2 6")
    first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:80] + b"\n" + b"\0" * 64 + b"\n" + third)
    status, out, said = worlds.run("--replay", str(path), "csv")
    assert status == "status 0 OK" and len(out.splitlines()) == 1 + 2
    assert said.endswith(f"virt-exitstat: {path}: 1 broken report left out, at line 2\n")


def test_a_log_of_single_reports_is_read(worlds, tmp_path):
    """Each is indented, and --log has appended them; one was cut off."""
    text = worlds.record(tmp_path / "night.json", "db01 10").read_text()
    (tmp_path / "log").write_text(text + text[: text.index("\n", 300) + 1] + text)
    status, out, said = worlds.run("--replay", str(tmp_path / "log"), "csv")
    assert (status, len(out.splitlines())) == ("status 0 OK", 1 + 2)
    assert "1 broken report left out" in said


REPORT = '{"format_version": 1, "time": "2026-11-22T19:53:01.000Z", "host": "h", "kernel": "k", "isa": "vmx", '
REST = '"attachment": "raw", "seconds": 1.0, "lost": {"no_row": 0, "no_reason": 0, "recursion": 0}, '
NO_DOMAIN = '"domains": [], "all_domains": null}\n'

BROKEN = {
    "empty": b"",
    "blank": b"\n\0\0\n",
    "binary": bytes(range(256)) * 40,
    "compressed": gzip.compress(b"{}" * 9),
    "long-line": b"\x7fELF" + b"x" * 9000,
    "text": b"counting exits of web01\nreason  count\n",
    "csv": b"time,seconds,domain\r\n2026,1,web01\r\n",
    "half": REPORT[:60].encode(),
    "a-list": b"[1, 2]\n",
    "another-program": b'{"a": 1}\n',
    "comparison": b'{"format_version": 1, "compared": []}\n',
    "newer": (REPORT + REST + NO_DOMAIN).replace('version": 1', 'version": 2').encode(),
    "isa": (REPORT + REST + NO_DOMAIN).replace("vmx", "arm").encode(),
    "attachment": (REPORT + REST + NO_DOMAIN).replace("raw", "glue").encode(),
    "seconds": (REPORT + REST + NO_DOMAIN).replace('"seconds": 1.0', '"seconds": "1"').encode(),
    "nan": (REPORT + REST + NO_DOMAIN).replace('"seconds": 1.0', '"seconds": NaN').encode(),
    "time": (REPORT + REST + NO_DOMAIN).replace("19:53", "soon").encode(),
    "domains": (REPORT + REST + NO_DOMAIN).replace("[]", "7").encode(),
    "domain": (REPORT + REST + NO_DOMAIN).replace("[]", '[{"pid": true}]').encode(),
    "deep": b'{"a":' * 100_000 + b"\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_recording_is_one_line_and_a_hint(worlds, tmp_path, golden, name):
    path = tmp_path / "file"
    path.write_bytes(BROKEN[name])
    before = str(worlds.record(tmp_path / "before", "-i 2 4"))
    (shown, compared) = (worlds.make().run(*words, str(path)) for words in (["--replay"], ["--compare", before]))
    assert shown == compared
    golden(f"recorded-{name}", shown.replace(str(path), "FILE"))


@pytest.mark.parametrize("number", [64, 10**18, 10**30, -1, 1.5, True, "1"])
def test_a_number_that_cannot_be_is_refused(worlds, tmp_path, number):
    path = worlds.record(tmp_path / "night.json", "web01 -D 10")
    document = json.loads(path.read_text())
    (halt,) = [row for row in document["domains"][0]["reasons"] if row["name"] == "HLT"]
    halt["details"][0]["number"] = number
    path.write_text(json.dumps(document))
    status, out, said = worlds.run("--replay", str(path))
    assert (status, out) == ("status 1 FAILURE", "") and ".details[0].number must be a " in said


FAILURES = {
    "missing": "--replay /nowhere/file",
    "directory": "--replay /",
    "format": "--replay FILE xml",
    "two-formats": "--replay FILE csv -o json",
    "duration": "--replay FILE csv 10",
    "time": "--replay FILE -T",
    "and-pid": "--replay FILE --pid 7",
    "domain": "--replay FILE -d nosuch",
    "reason": "--replay FILE -r HTL",
    "sort-time": "--replay FILE -s time",
    "explain": "--replay FILE --explain",
    "explain-csv": "--replay FILE --explain csv",
    "one-file": "--compare FILE",
    "one-domain": "--compare FILE -d web01",
    "three-files": "--compare FILE OTHER THIRD",
    "compare-domain": "--compare FILE -d web01:nosuch",
    "compare-empty": "--compare FILE OTHER -d :",
    "compare-wide": "--compare FILE OTHER -o wide",
    "compare-reason": "--compare FILE OTHER -r HTL",
    "prometheus": "--replay FILE -o prometheus",
    "compare-prometheus": "--compare FILE OTHER -o prometheus",
    "listen": "--replay FILE --listen 19969",
    "compare-total": "--compare FILE OTHER --total",
    "compare-missing": "--compare FILE /nowhere/file",
    "both": "--compare FILE OTHER --replay FILE",
    "twice": "--compare FILE /nowhere/file FILE /nowhere/file",
    "same-file": "--compare FILE /proc/self/root/FILE",
    "input-twice": "--compare - -",
}


@pytest.mark.parametrize("name", FAILURES)
def test_failure(worlds, tmp_path, golden, name):
    path = worlds.record(tmp_path / "file", "-i 2 4")
    for other in ("OTHER", "THIRD"):
        (tmp_path / other).write_text(path.read_text())
    words = FAILURES[name].replace("FILE", str(path)).replace("OTHER", str(tmp_path / "OTHER"))
    text = worlds.make().run(*shlex.split(words.replace("THIRD", str(tmp_path / "THIRD"))))
    text = text.replace(str(path), "FILE").replace(f"{tmp_path}/", "")
    assert not text.startswith("status 0")
    assert "--- stdout\n--- stderr\nvirt-exitstat: " in text
    assert "\nhint: " in text
    golden(f"recorded-failure-{name}", text)


# -- compared --


def vary(worlds, path, line, seed, factor=1.0, extra=None, *, late=1.0):
    """A recording of loads that vary by a tenth; reason 48 by `factor`, and from the seventh second on by `late`."""
    world, chance = worlds.make(), random.Random(seed)
    seconds = itertools.count()

    def load():
        world.count_until_now()
        of_48 = factor * (late if next(seconds) > 6 else 1)
        for thread, counts in SOME.items():
            world.counts[thread] = {
                reason: max(0, round(chance.gauss(exits, exits / 10) * (of_48 if reason == 48 else 1)))
                for reason, exits in counts.items()
            }
        world.counts[Thread(1100, 1101)].update(extra or {})

    world.script(*((second + 0.0001, load) for second in range(33)))
    return set_hour(worlds.record(path, line, world), seed)


def set_hour(path, hour):
    """The same recording of another time: all of these worlds begin at the same one."""
    path.write_text(re.sub(r'("time": "[-0-9]+T)[0-9]+:', rf"\g<1>{hour:02}:", path.read_text()))
    return path


@pytest.fixture()
def pair(worlds, tmp_path):
    """Before and after: EPT_VIOLATION is halved, CPUID is new, and the last interval is cut short."""
    return (
        vary(worlds, tmp_path / "before.json", "-i 1 30", 1),
        vary(worlds, tmp_path / "after.json", "-i 1 30.4", 2, 0.5, {10: 40}),
    )


COMPARED = {
    "all": "BEFORE AFTER",
    "one": "BEFORE AFTER -d web01",
    "top": "BEFORE AFTER -d web01 -n 2",
    "reason": "BEFORE AFTER -d web01 -r hlt",
    "without": "BEFORE AFTER -d web01 -r '!HLT,!CPUID'",
    "no-header": "BEFORE AFTER -d web01 --no-header",
    "two-domains": "BEFORE -d web01:db01",
    "csv": "BEFORE AFTER -d web01 -o csv",
    "document": "BEFORE AFTER -d web01 -o json",
    "alternated": "BEFORE AFTER AGAIN LATER -d db01",
}


@pytest.mark.parametrize("name", COMPARED)
def test_comparison(worlds, pair, golden, name):
    files = dict(zip(("BEFORE", "AFTER"), pair))
    if name == "alternated":
        files["AGAIN"] = vary(worlds, pair[0].parent / "again.json", "-i 1 30", 3)
        files["LATER"] = vary(worlds, pair[0].parent / "later.json", "-i 1 30", 4, 0.5, {10: 40})
    words = [str(files.get(word, word)) for word in shlex.split(COMPARED[name])]
    text = worlds.make().run("--compare", *words).replace(f"{pair[0].parent}/", "")
    assert text.startswith("status 0 OK\n")
    if name not in ("csv", "document", "no-header"):
        assert all(len(line) < 80 for line in text.splitlines())
    golden(f"compared-{name}", text)


@pytest.mark.parametrize("recordings", [1, 6])
def test_of_a_load_with_phases_nothing_is_claimed_but_by_recordings(worlds, tmp_path, golden, recordings):
    """EPT_VIOLATION takes a fifth of its exits half of the time: before the change in the second half, then in the
    first.
    """
    files = []
    for turn in range(recordings):
        files.append(vary(worlds, tmp_path / f"before{turn}", "web01 -i 1 12", 2 * turn, late=0.2))
        files.append(vary(worlds, tmp_path / f"after{turn}", "web01 -i 1 12", 2 * turn + 1, 0.3, late=5))
    text = worlds.make().run("--compare", *map(str, files)).replace(f"{tmp_path}/", "")
    assert all(len(line) < 80 for line in text.splitlines())
    golden(f"compared-phases-{recordings}", text)
    _, out, _ = worlds.run("--compare", *map(str, files), "-o", "json")
    jsonschema.validate(json.loads(out), COMPARISON, cls=jsonschema.Draft7Validator)


def test_a_comparison_in_json_follows_its_schema(worlds, pair):
    _, out, _ = worlds.run("--compare", *map(str, pair), "-o", "json")
    document = json.loads(out)
    jsonschema.Draft7Validator.check_schema(COMPARISON)
    jsonschema.validate(document, COMPARISON, cls=jsonschema.Draft7Validator)
    rows = {row["reason"]: row for row in document["compared"][0]["measures"][0]["rows"]}
    assert (rows["EPT_VIOLATION"]["claimed"], rows["CPUID"]["presence"], rows["HLT"]["claimed"]) == (
        *("less", "new", "nothing"),
    )


def test_times_are_compared_where_both_have_them(worlds, tmp_path, golden):
    paths = [vary(worlds, tmp_path / name, "web01 -T -i 1 12", seed) for seed, name in enumerate(("a", "b"))]
    text = worlds.make().run("--compare", *map(str, paths))
    assert all(len(line) < 80 for line in text.splitlines())
    golden("compared-times", text.replace(str(tmp_path), "DIRECTORY"))


def test_other_hosts_are_told(worlds, pair):
    here = os.uname().nodename
    pair[1].write_text(
        pair[1].read_text().replace(f'"host": "{here}"', '"host": "kvm7"').replace('"raw"', '"tracepoint"')
    )
    _, out, _ = worlds.run("--compare", *map(str, pair))
    assert f"warning: the reports are of several hosts: {here}, kvm7\n" in out
    assert "warning: the reports are of several attachments: raw, tracepoint\n" in out


def test_of_recordings_of_the_same_time_nothing_is_claimed(worlds, pair):
    """A copy of a recording is no other one."""
    copies = [path.parent / f"copy of {path.name}" for path in pair]
    for path, copy in zip(pair, copies):
        copy.write_text(path.read_text())
    set_hour(copies[1], 9)

    def changes(*paths):
        out = worlds.run("--compare", *map(str, paths), "-d", "web01")[1]
        warned = "warning: recordings of web01 are of the same time, so nothing is claimed" in out.replace("\n  ", " ")
        return warned, any("<0.001" in line and "~" not in line for line in out.splitlines())

    assert changes(*pair) == (False, True)
    assert changes(*pair, *copies) == (True, False)


def test_standard_input_is_a_file_as_well(pair):
    def run(*words, given):
        done = subprocess.run(
            [sys.executable, str(LIB.parent / "virt-exitstat"), *map(str, words)],
            capture_output=True,
            input=given,
            text=True,
            check=False,
        )
        return done.stdout, done.stderr

    texts = [path.read_text() for path in pair]
    for output in ("csv", "table"):
        assert run("--replay", "-", output, given=texts[0]) == run("--replay", pair[0], output, given="")
    assert run("--compare", pair[0], "-", given=texts[1]) == run("--compare", *pair, given="")
    assert run("--compare", pair[0], "-", given="") == (
        "",
        "virt-exitstat: standard input is empty\nhint: record with 'virt-exitstat -i 1 -o json >FILE'\n",
    )


def test_what_was_not_counted_on_both_sides_is_told(worlds, tmp_path):
    before = vary(worlds, tmp_path / "a", "web01 -T -i 1 12", 1)
    after = vary(worlds, tmp_path / "b", "web01 --vcpu 0 -i 1 12", 2)
    _, out, _ = worlds.run("--compare", str(before), str(after))
    assert "warning: web01 has vCPUs 0-1 before and vCPU 0 after, as it was counted\n" in out
    assert "warning: web01 was recorded without times after, so only rates are compared\n" in out
    _, out, _ = worlds.run("--compare", str(before), str(vary(worlds, tmp_path / "c", "web01 -T -i 1 12", 3)))
    assert "as it was counted" not in out and "without times" not in out


def test_reports_that_leave_out_reasons_are_compared_where_they_show_them(worlds, tmp_path):
    paths = [vary(worlds, tmp_path / name, "web01 -n 2 -i 1 12", seed) for seed, name in enumerate(("a", "b"))]
    _, out, _ = worlds.run("--compare", *map(str, paths))
    assert "warning: reports of web01 leave out reasons" in out
    assert "gone" not in out and "new" not in out
