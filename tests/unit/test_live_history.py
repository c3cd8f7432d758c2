"""history: what is remembered from report to report."""

from made_up_reports import domain, report, timed_report
from virt_exitstat.counts.details import Cost, Detail, Kind
from virt_exitstat.counts.tally import Tally
from virt_exitstat.live.history import INTERVALS, History, Key

GUEST01 = domain("guest01", 100, vcpus=2)


def test_counts_add_up_and_rates_are_of_each_interval():
    history = History()
    history.add(report([GUEST01], {101: {"HLT": 10}, 102: {"HLT": 30}}, seconds=2.0))
    history.add(report([GUEST01], {101: {"HLT": 5}}, seconds=1.0))
    hlt = history.tracks[Key(100)].reasons["HLT"]
    assert (hlt.total.exits, list(hlt.rates), hlt.row(hlt).per_second) == (45, [20.0, 5.0], 5.0)
    assert [list(vcpu.total.rates) for vcpu in history.vcpus()] == [[5.0, 5.0], [15.0, 0.0]]


def test_a_reason_that_took_no_exits_stays_with_a_rate_of_0():
    history = History()
    history.add(report([GUEST01], {101: {"HLT": 10}}))
    history.add(report([GUEST01], {101: {"MSR": 1}}))
    reasons = history.tracks[Key(100)].reasons
    assert {name: (series.total.exits, list(series.rates)) for name, series in reasons.items()} == {
        "HLT": (10, [10.0, 0.0]),
        "MSR": (1, [1.0]),
    }


def test_only_the_last_intervals_are_kept_but_all_counts():
    history = History()
    for number in range(INTERVALS + 5):
        history.add(report([GUEST01], {101: {"HLT": number + 1}}))
    hlt = history.tracks[Key(100)].reasons["HLT"]
    assert list(hlt.rates) == [number + 1 for number in range(5, INTERVALS + 5)]
    assert hlt.total.exits == sum(range(INTERVALS + 6))


def test_what_has_ended_or_is_not_reported_is_forgotten():
    other, third = domain("guest02", 200), domain("guest03", 300)
    history = History()
    history.add(report([GUEST01, other, third], {201: {"HLT": 1}}))
    history.add(report([GUEST01, other], {201: {"HLT": 1}}, ended=[(200, 0)]))
    assert [record.label for record in history.domains()] == ["guest01"]
    assert {key.pid for key in history.tracks} == {100}


def test_a_domain_that_comes_back_starts_at_0():
    history = History()
    for running in ([GUEST01], [], [GUEST01]):
        history.add(report(running, {101: {"HLT": 3}}))
    assert history.tracks[Key(100)].total.total.exits == 3


def test_a_vcpu_that_is_plugged_in_is_known_from_then_on():
    history = History()
    history.add(report([domain("guest01", 100)], {101: {"HLT": 1}}))
    history.add(report([GUEST01], {101: {"HLT": 1}, 102: {"HLT": 2}}))
    assert history.tracks[Key(100)].vcpus == (0, 1)
    assert list(history.tracks[Key(100, 1)].total.rates) == [2.0]


def test_a_thread_without_a_name_is_a_line_of_its_own():
    history = History()
    history.add(report([GUEST01], {150: {"HLT": 1}}))
    assert Key(100, None, 150) in history.tracks
    assert history.tracks[Key(100, None, 150)].description == "guest01: thread 100/150"
    assert len(history.domains()) == 1


def test_lost_exits_add_up():
    history = History()
    history.add(report([], lost=(1, 2, 3)))
    history.add(report([], lost=(4, 0, 0)))
    assert history.lost == 10


def test_details_add_up_and_only_those_that_occurred_are_kept():
    first, second = Detail(Kind.CPUID, 1), Detail(Kind.CPUID, 2)
    history = History()
    history.add(timed_report([GUEST01], {101: {10: Tally(5, details={first: Cost(4, 40)})}}))
    history.add(timed_report([GUEST01], {102: {10: Tally(3, details={first: Cost(1, 10), second: Cost(2, 20)})}}))
    cpuid = history.tracks[Key(100)].reasons["CPUID"]
    assert cpuid.total.details == {first: Cost(5, 50), second: Cost(2, 20)}
    assert cpuid.newest.details == {first: Cost(1, 10), second: Cost(2, 20)}
    assert [line.detail for line in cpuid.details()] == [first, second, None]
    assert history.tracks[Key(100, 1)].reasons["CPUID"].total.details == {first: Cost(1, 10), second: Cost(2, 20)}


def test_what_is_frozen_does_not_change():
    history = History()
    history.add(report([GUEST01], {101: {"HLT": 10}}, lost=(1,)))
    frozen = history.freeze()
    for _ in range(2):
        history.add(report([GUEST01], {101: {"HLT": 5, "MSR": 1}}, lost=(1,)))
    track = frozen.tracks[Key(100)]
    assert (frozen.lost, track.total.total.exits, list(track.total.rates)) == (1, 10, [10.0])
    assert {name: list(series.rates) for name, series in track.reasons.items()} == {"HLT": [10.0]}
