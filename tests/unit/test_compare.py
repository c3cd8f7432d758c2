"""Comparisons: what is claimed, what is warned of, and the samples that they take of reports."""

import ast
import json
import random
from pathlib import Path

import pytest

from loads import claims, kinds, poisson, run, samples, steady
from made_up_reports import WHEN_AND_WHERE, domain, lasted, report, snapshot, timed_report
from virt_exitstat.comparisons.compare import LEVEL, Presence, Verdict, Wanted, compare
from virt_exitstat.comparisons.doubts import doubt_sides
from virt_exitstat.comparisons.sides import Side
from virt_exitstat.counts.snapshot import State, Thread
from virt_exitstat.reports.collapse import make_report
from virt_exitstat.targets.target import Targets

PACKAGE = Path(__file__).resolve().parents[2] / "lib/virt_exitstat"


def test_of_a_domain_that_drifts_nothing_is_claimed_but_of_rows_that_are_chosen():
    chance = random.Random("withheld")
    before = samples({"A": steady(chance, 30, 5), "B": [100.0] * 15 + [900.0] * 15})
    after = samples({"A": steady(chance, 30, 9), "B": [900.0] * 16 + [2000.0] * 14})
    found = compare(before, after, Wanted())
    assert found.drift_p < 1e-6 and "dependent_intervals" in kinds(found)
    assert {(row.verdict, row.p, row.p_of_all) for row in found.measures[0].rows} == {(Verdict.NOTHING, None, None)}
    chosen = compare(before, after, Wanted(lambda name: name == "A"))
    assert claims(chosen) == {"A"} and "dependent_intervals" in kinds(chosen)


def test_one_row_that_drifts_among_many_that_do_not_withholds_nothing_from_these():
    chance = random.Random("one of many")
    rows = [{f"R{row}": steady(chance, 30) for row in range(40)} for _ in range(2)]
    for of, factor in zip(rows, (1, 2)):
        of["changed"] = steady(chance, 30, factor)
        of["drifts"] = [count + 2 * at for at, count in enumerate(steady(chance, 30))]
    found = compare(*map(samples, rows), Wanted())
    row = {row.reason_name: row for row in found.measures[0].rows}["drifts"]
    assert (row.verdict, row.p, row.p_of_all) == (Verdict.NOTHING, None, None) and row.correlation > 0.3
    assert claims(found) == {"changed", "total"} and found.drift_p > 0.01


def test_half_is_found_among_five_rows_and_named():
    chance = random.Random(7)
    before = samples({"A": steady(chance, 12), "B": steady(chance, 12), "C": steady(chance, 12)})
    after = samples({"A": steady(chance, 12, 0.5), "B": steady(chance, 12), "C": steady(chance, 12)})
    found = compare(before, after, Wanted())
    assert claims(found) == {"A", "total"}
    (row,) = [row for row in found.measures[0].rows if row.reason_name == "A"]
    assert row.verdict is Verdict.LESS and row.change == pytest.approx(-0.5, abs=0.05)
    assert row.p < row.p_of_all < LEVEL


def test_new_and_gone_rows_are_named():
    before = samples({"A": [5.0, 9, 7, 10, 6, 8], "B": [0.0] * 6})
    after = samples({"A": [0.0] * 6, "B": [5.0, 9, 7, 10, 6, 8]})
    rows = {row.reason_name: row for row in compare(before, after, Wanted()).measures[0].rows}
    assert (rows["A"].presence, rows["B"].presence) == (Presence.GONE, Presence.NEW)
    assert rows["B"].change is None and rows["B"].verdict is Verdict.MORE


def test_three_intervals_claim_nothing_and_say_so():
    found = compare(samples({"A": [1.0, 2, 3]}), samples({"A": [7.0, 8, 9]}), Wanted())
    assert not claims(found) and [doubt.kind for doubt in found.doubts] == ["too_few_intervals"]
    assert found.measures[0].rows[0].change == pytest.approx(3)


def test_few_intervals_for_many_rows_are_warned_of_and_fewer_rows_are_not():
    chance = random.Random(8)
    sides = [run(steady, chance, 5, rows=9) for _ in range(2)]
    assert "too_few_intervals" in kinds(compare(*sides, Wanted()))
    assert "too_few_intervals" not in kinds(compare(*sides, Wanted(top=1)))


def test_intervals_of_other_lengths_on_each_side_claim_nothing():
    found = compare(samples({"A": [1.0] * 9}, 1.0), samples({"A": [9.0] * 9}, 10.0), Wanted())
    assert not claims(found) and "other_lengths" in kinds(found)


def test_intervals_of_another_length_than_the_others_are_left_out_and_counted():
    made = samples({"A": [float(at) for at in range(9)]})
    made.seconds[8] = 0.4
    found = compare(made, samples({"A": [1.0] * 9}), Wanted())
    assert found.before.intervals == 8 and "left_out" in kinds(found)


def test_the_most_frequent_rows_of_both_sides_are_shown_first():
    before, after = samples({"A": [1.0] * 6, "B": [5.0] * 6, "C": [2.0] * 6}), samples({"A": [9.0] * 6})
    found = compare(before, after, Wanted(top=2))
    assert [row.reason_name for row in found.measures[0].rows] == ["A", "B", "total"]


# -- samples of reports --


def side(*reports):
    made = Side()
    made.begin_recording()
    for one in reports:
        made.add(one)
    return made


def test_a_reason_that_does_not_occur_in_an_interval_has_none_there():
    of = side(*(report([domain("a", 100)], {101: counts}) for counts in ({"x": 4}, {"x": 2, "y": 3}, {"y": 1})))
    made = of.samples["a"]
    assert {key[0]: list(values) for key, values in made.values.items() if key[1] == "per_second"} == {
        "x": [4, 2, 0],
        "y": [0, 3, 1],
        "total": [4, 5, 1],
    }


def test_two_raw_reasons_of_one_name_are_one_row():
    a = domain("a", 100)
    delta = snapshot(1.0, {Thread(100, 101): {"x": 4, "X": 2, "y": 1}})
    made = side(make_report(Targets((a,)), delta, str.upper, **WHEN_AND_WHERE)).samples["a"]
    assert {key[0]: list(values) for key, values in made.values.items()} == {"X": [6], "Y": [1], "total": [7]}
    assert made.exits == {"X": 6, "Y": 1, "total": 7}


def test_intervals_in_which_a_domain_begins_or_ends_are_left_out():
    a, b = domain("a", 100), domain("b", 200)
    first = report([a], {101: {"x": 1}})
    with_b = report([a, b], {101: {"x": 1}, 201: {"x": 7}})
    ended = report([a, b], {101: {"x": 1}, 201: {"x": 7}}, ended=[(200, 0)])
    of = side(first, with_b, with_b, with_b, ended)
    assert (len(of.samples["a"].seconds), of.samples["a"].came_and_went) == (5, 0)
    assert (len(of.samples["b"].seconds), of.samples["b"].came_and_went) == (2, 2)


def test_a_domain_that_comes_back_as_another_process_begins_anew():
    of = side(*(report([domain("a", pid)], {pid + 1: {"x": 1}}) for pid in (100, 100, 200, 200)))
    assert (len(of.samples["a"].seconds), of.samples["a"].came_and_went) == (3, 1)


def long_side(number, counts_of, others=()):
    """A recording of so many intervals with room for 1,500, whose first ones also have `others`."""
    made = Side(most_numbers=6000)
    made.begin_recording()
    for at in range(number):
        domains, counts = [domain("a", 100)], {101: counts_of(at)}
        if at < len(others):
            domains.append(domain("b", 200))
            counts[201] = {"x": others[at]}
        made.add(report(domains, counts))
    return made


def test_of_a_long_recording_one_of_each_group_of_intervals_is_kept_and_memory_stays_flat():
    made = long_side(9000, lambda at: {"x": at + 1}, others=range(1, 101)).samples
    a = made["a"]
    kept = list(a.values["x", "per_second"])
    assert (a.intervals, a.stride) == (9000, 8)
    assert a.size + made["b"].size <= 6000 and len(kept) == len(a.seconds) == 9000 // 8
    # Chosen by chance: a rhythm of the load that is as long as a group misleads nobody.
    places = [int(count) - 1 for count in kept]
    assert [place // 8 for place in places] == list(range(len(places)))
    assert {place % 8 for place in places} == set(range(8))
    assert list(made["b"].values["x", "per_second"]) == list(range(1, 101))


def test_a_reason_of_intervals_that_are_not_kept_is_a_row_and_not_new_on_the_other_side():
    often, once = long_side(3000, lambda _at: {"x": 5, "y": 1}), long_side(3000, lambda at: {"x": 5, "y": int(at == 7)})
    found = compare(often.samples["a"], once.samples["a"], Wanted())
    rows = {row.reason_name: row for row in found.measures[0].rows}
    assert rows["y"].presence is Presence.BOTH and rows["y"].verdict is Verdict.LESS
    assert "sampled" in kinds(found) and found.before.intervals == 3000 // 4


def test_of_domains_that_come_and_go_those_with_most_intervals_are_remembered():
    made = Side(most_numbers=6000)
    made.begin_recording()
    for at in range(300):
        guests = [domain("stays", 100), domain(f"goes{at // 3}", 1000 + at // 3)]
        made.add(report(guests, {101: {"x": at}, 1001 + at // 3: {"x": 1}}))
    assert sum(samples.size for samples in made.samples.values()) <= 6000
    assert len(made.samples["stays"].seconds) == 300
    assert made.forgotten == 101 - len(made.samples) > 50
    assert [doubt.kind for doubt in doubt_sides(made, made)] == ["forgotten"]


def test_domains_that_run_at_once_are_not_forgotten_however_many():
    made = Side(most_numbers=100)
    made.begin_recording()
    guests = [domain(f"g{at}", 1000 * at) for at in range(1, 20)]
    for at in range(40):
        made.add(report(guests, {1000 * guest + 1: {"x": at} for guest in range(1, 20)}))
    assert {len(samples.seconds) for samples in made.samples.values()} == {40} and not made.forgotten


def test_a_side_keeps_the_domains_that_are_wanted_and_knows_the_others_names():
    made = Side(lambda label: label == "b")
    made.begin_recording()
    made.add(report([domain("a", 100), domain("b", 200)], {101: {"x": 1}, 201: {"x": 1}}))
    assert (list(made.samples), sorted(made.labels)) == (["b"], ["a", "b"])


def test_two_long_recordings_that_are_thinned_show_a_change_of_three_per_cent():
    chance = random.Random("thinned")
    before, after = (long_side(8000, lambda _at, of=of: {"x": poisson(chance, of)}) for of in (200, 206))
    assert claims(compare(before.samples["a"], after.samples["a"], Wanted())) == {"x", "total"}


def test_exits_per_second_that_the_guest_ran_do_not_grow_with_its_work():
    def busy(part):
        guest = {State.GUEST: lasted(round(part * 1e9), 1)}
        return timed_report([domain("a", 100)], {101: {30: lasted(1000, round(1000 * part)), **guest}})

    before, after = (side(*(busy(part) for _ in range(6))).samples["a"] for part in (0.2, 0.8))
    tables = {one.measure.key: one.rows[0] for one in compare(before, after, Wanted()).measures}
    assert tables["per_second"].change == pytest.approx(3)
    assert tables["per_guest_second"].change == pytest.approx(0)
    assert tables["mean_ns"].before.middle == 1000
    assert list(tables) == ["per_second", "per_guest_second", "time_share", "mean_ns", "p99_ns"]


def test_other_hosts_and_lost_exits_are_doubts():
    before, after = side(report([domain("a", 100)])), side(report([domain("a", 100)], lost=(5, 0, 0)))
    assert [doubt.kind for doubt in doubt_sides(before, before)] == []
    after.origins = {origin._replace(host="other", isa="SVM"): None for origin in after.origins}
    assert [doubt.kind for doubt in doubt_sides(before, after)] == ["other_host", "other_isa", "lost_exits"]


def test_each_kind_of_doubt_is_in_the_schema():
    schema = json.loads((PACKAGE / "formats/comparison/comparison.schema.json").read_text())
    trees = [ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")]
    made = {
        call.args[0].value if isinstance(call.args[0], ast.Constant) else "other_"
        for tree in trees
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Doubt"
    }
    known = set(schema["definitions"]["warnings"]["items"]["properties"]["kind"]["enum"])
    assert made == {kind for kind in known if not kind.startswith("other_")} | {"other_", "other_lengths"}
