"""account: the parts of a vCPU's time add up to the time that passed."""

from virt_exitstat.counts.durations import Durations
from virt_exitstat.counts.snapshot import State
from virt_exitstat.counts.tally import Tally
from virt_exitstat.reports.account import Account, account_for

HLT, MSR, IO = 12, 32, 30


def lasted(total_ns, qemu_ns=0):
    return Tally(1, Durations(total_ns=total_ns, qemu_ns=qemu_ns))


def account(waited_ns=7, **more):
    tallies = {
        HLT: lasted(300_000),
        MSR: lasted(20_000),
        IO: lasted(50_000, 40_000),
        State.GUEST: lasted(500_000),
        State.STOPPED: lasted(100_000),
    }
    return account_for(
        {**tallies, **{getattr(State, key): tally for key, tally in more.items()}}, 0.001, {HLT}, waited_ns
    )


def parts(one):
    return one.guest_ns + one.kvm_ns + one.qemu_ns + one.idle_ns + one.stopped_ns + one.unseen_ns


def test_each_part_is_what_it_is_and_the_rest_was_not_seen():
    assert account() == Account(1_000_000, 500_000, 30_000, 40_000, 300_000, 100_000, 7)
    assert account().exits_ns == 70_000
    assert account().unseen_ns == 30_000
    assert parts(account()) == 1_000_000


def test_exits_without_a_slot_are_kvms_time():
    assert account(UNSLOTTED=lasted(10_000)).kvm_ns == 40_000
    assert parts(account(UNSLOTTED=lasted(10_000))) == 1_000_000


def test_a_reading_that_was_late_is_of_a_longer_time():
    assert account(AHEAD=lasted(500)).wall_ns == 1_000_500
    assert parts(account(AHEAD=lasted(500))) == 1_000_500


def test_a_thread_that_was_not_seen_has_nothing_else():
    one = account_for({}, 2.5, {HLT}, None)
    assert one == Account(wall_ns=2_500_000_000, waited_ns=None)
    assert one.unseen_ns == one.wall_ns


def test_accounts_add_up():
    both = account() + account(waited_ns=3)
    assert both == Account(2_000_000, 1_000_000, 60_000, 80_000, 600_000, 200_000, 10)
    assert parts(both) == 2_000_000


def test_a_sum_of_waits_is_known_when_each_is():
    assert (account() + account(waited_ns=None)).waited_ns is None
    assert (account(waited_ns=None) + account()).waited_ns is None
    assert (Account() + account(waited_ns=0)).waited_ns == 0
