"""Faults of the settings are told once, by the follower's name, in plain words; live mode asks for more."""

from pathlib import Path

import pytest

from tests.settings.test_settings import MINIMUM, faults, load

BOB = '[[followers]]\nname = "bob"\nclient_id = "3"\naccess_token = "t"\n'
STATED = MINIMUM + 'relationship = "self"\n'


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADER_TOKEN", "t")


def test_a_fault_in_copy_is_told_once_and_a_followers_own_by_its_name(tmp_path: Path) -> None:
    text = MINIMUM + BOB + "lots = 0\n[copy]\nratio = -1\nlots = 0\n"
    assert faults(tmp_path, text) == [
        "followers.bob.lots: must be 1 or more",
        "copy.ratio: must be greater than 0",
        "copy.lots: must be 1 or more",
    ]
    window = '[copy]\ntrade_from = "10:00"\ntrade_until = "09:00"\n'
    assert faults(tmp_path, MINIMUM + BOB + window) == ["copy: trade_from must be before trade_until"]


def test_a_block_without_a_name_of_its_own_is_called_by_its_number(tmp_path: Path) -> None:
    nameless = MINIMUM.replace('name = "alice"\n', "lots = 0\n")
    assert faults(tmp_path, nameless)[0].startswith("followers[0].")
    twins = MINIMUM + BOB.replace("bob", "alice") + "lots = 0\n"
    assert faults(tmp_path, twins)[0] == "followers[1].lots: must be 1 or more"


def test_a_reference_that_is_not_set_is_told_by_name_too(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, MINIMUM.replace('"secret-alice"', '"${ALICE_ZORK}"'))
    assert fault.startswith("followers.alice.access_token: ${ALICE_ZORK} is set neither")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sizng = 1\n", "followers.alice.sizng: is not a setting (sizing?)"),
        ("[limits]\nreads = { per_secnd = 1 }\n", "limits.reads.per_secnd: is not a setting (per_second?)"),
        ("[marke]\n", "marke: is not a setting (market?)"),
        ("[copy]\nmax_lot = 3\n", "copy.max_lot: is not a setting (max_lots?)"),
        ("[log]\nxyz = 1\n", "log.xyz: is not a setting"),
    ],
)
def test_an_unknown_key_says_what_was_meant(tmp_path: Path, text: str, fault: str) -> None:
    assert faults(tmp_path, MINIMUM + text) == [fault]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('sizing = "all"\n', "sizing: must be 'capital_proportional', 'fixed_ratio', 'fixed_lots' or 'risk_based'"),
        ('lots = "many"\n', "lots: must be a whole number, or a table with a factor for each underlying"),
        ("lots = { NIFTY = 0 }\n", "lots: NIFTY must be a number greater than 0"),
        ('ratio = "half"\n', "ratio: must be a number"),
        ("group_within = -1\n", "group_within: must be 0 or more"),
        ('group_action = "wait"\n', "group_action: must be 'skip' or 'send'"),
        ("enabled = 3\n", "enabled: must be true or false"),
        ('instruments = "OPTIDX"\n', "instruments: must be a list"),
        ("instruments = []\n", "instruments: must not be empty"),
        ('trade_from = "dawn"\n', "trade_from: must be a time of day like 09:15"),
        ('capital = "all"\n', "capital: must be 'sod' or 'sod_and_collateral', or a number"),
        ('source_address = "here"\n', "source_address: must be an IP address"),
        ("late_after = 0\n", "late_after: must be greater than 0"),
        ("risk_percent = 101\n", "risk_percent: must be 100 or less"),
        (
            'proxy = "zork"\n',
            "proxy: must be a URL like http://proxy.example:3128, with user:password@ if it wants them",
        ),
    ],
)
def test_no_fault_has_a_librarys_words(tmp_path: Path, text: str, fault: str) -> None:
    assert faults(tmp_path, MINIMUM + text) == [f"followers.alice.{fault}"]


def test_live_mode_wants_each_relationship_stated(tmp_path: Path) -> None:
    found = faults(tmp_path, 'mode = "live"\n' + STATED + BOB)
    assert [fault.split(":")[0] for fault in found] == ["followers.bob.relationship"]
    assert "self, spouse, child, parent or other" in found[0]
    assert load(tmp_path, 'mode = "live"\n' + STATED + BOB + 'relationship = "child"\n').mode == "live"
    assert load(tmp_path, MINIMUM).mode == "paper"


def test_limits_beyond_the_brokers_are_refused_in_live_mode_at_a_real_broker(tmp_path: Path) -> None:
    limits = "[limits]\nper_second = 11\nper_minute = 251\nper_hour = 1001\nper_day = 7001\n"
    assert faults(tmp_path, 'mode = "live"\n' + STATED + limits) == [
        "limits.per_second: 11 is more than the broker takes from an account, 10",
        "limits.per_minute: 251 is more than the broker takes from an account, 250",
        "limits.per_hour: 1001 is more than the broker takes from an account, 1000",
        "limits.per_day: 7001 is more than the broker takes from an account, 7000",
    ]
    local = '[dhan]\nrest_url = "http://127.0.0.1:1/v2"\n'
    assert load(tmp_path, 'mode = "live"\n' + MINIMUM + limits + local).limits.per_second == 11
    assert load(tmp_path, MINIMUM + limits).limits.per_day == 7001


def test_a_group_of_legs_has_time_to_be_known(tmp_path: Path) -> None:
    text = MINIMUM + "group_wait = 2\ngroup_within = 2.5\n"
    fault = "followers.alice: group_wait is 2 s: it must be longer than group_within, 2.5 s"
    assert faults(tmp_path, text) == [fault]
