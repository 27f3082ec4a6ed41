"""Pause and resume as commands: whom they concern, who paused, and how that ends."""

import getpass
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from tests.command.test_paths import a_database, asked, home  # noqa: F401 (a fixture)
from tests.support.asking import paused_by_command
from tests.support.copier import LEADER, accounts, running, settings_for

TWO = '[[followers]]\nname = "bob"\nclient_id = "1000000102"\naccess_token = "t"\nrelationship = "self"\n[copy]'


@pytest.fixture
def away(home: Path) -> Path:  # noqa: F811
    a_database(home / "copy_trading.db")
    settings = home / "settings.toml"
    settings.write_text(settings.read_text().replace("[copy]", TWO))
    return home.parent / "away"


def told(folder: Path, *arguments: str) -> tuple[int, list[str], str]:
    result = asked(folder, *arguments)
    return result.returncode, result.stdout.splitlines(), result.stderr


ON = "exits and cancellations go on"
NOT_NOW = "no copier is running: this counts from its next start"


def test_resume_without_a_name_ends_every_pause_and_says_whose(away: Path) -> None:
    assert told(away, "pause", "bob") == (0, [f"bob: entries paused, {ON}", NOT_NOW], "")
    assert told(away, "resume") == (0, [f"bob: entries resumed, {ON}", NOT_NOW], "")
    assert told(away, "resume") == (0, ["everybody: entries were not paused", NOT_NOW], "")
    told(away, "pause")
    told(away, "pause", "alice")
    everybody = [f"{name}: entries resumed, {ON}" for name in ("everybody", "alice")]
    assert told(away, "resume") == (0, [*everybody, NOT_NOW], "")


def test_who_is_resumed_but_paused_with_everybody_is_not_said_to_enter(away: Path) -> None:
    told(away, "pause")
    code, lines, words = told(away, "resume", "bob")
    assert (code, lines) == (1, ["bob: entries were not paused", NOT_NOW])
    assert words.startswith("entries of everybody are paused since ")
    assert words.endswith(f" by {getpass.getuser()}; run.py resume ends it\n")


@pytest.mark.parametrize("verb", ["pause", "resume", "flatten", "drift"])
def test_an_unknown_name_is_answered_with_those_that_there_are(away: Path, verb: str) -> None:
    assert told(away, verb, "bbo") == (2, [], "there is no follower bbo; there are: alice, bob\n")


@pytest.mark.parametrize(("whom", "ends"), [("alice", "resume alice"), ("", "resume")])
def test_a_skip_says_who_paused_since_when_and_how_it_ends(tmp_path: Path, whom: str, ends: str) -> None:
    a_database(tmp_path / "copy.db", "live", LEADER)
    with PaperBroker(accounts()) as broker, running(settings_for(broker, tmp_path), broker) as copier:
        paused_by_command(copier, whom)
        copier.logged("Entries paused follower=alice")
        reason, detail, *_ = copier.mapping(copier.buy(4), "alice", "skipped")
        assert reason == "copying_disabled"
        assert detail.startswith(f"entries of {whom or 'everybody'} are paused since ")
        assert detail.endswith(f" by {getpass.getuser()}; run.py {ends} ends it")
