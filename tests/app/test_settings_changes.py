"""What differs between two settings, and from when it counts."""

from typing import Any

import pytest

from copytrade.app.changes.settings_changes import ON_PAPER, SettingsChanges, compare
from copytrade.common.logs import Fields
from copytrade.settings import Settings

ALICE: dict[str, Any] = {"name": "alice", "client_id": "1000000101", "access_token": "canary-of-alice", "ratio": 1}
BOB: dict[str, Any] = {"name": "bob", "client_id": "1000000102", "access_token": "canary-of-bob", "ratio": "0.5"}


def settings(*followers: dict[str, Any], **tables: Any) -> Settings:
    raw: dict[str, Any] = {
        "leader": {"client_id": "1000000001", "access_token": "canary-of-leader"},
        "followers": list(followers or (ALICE, BOB)),
        "copy": {"sizing": "fixed_ratio"},
    }
    return Settings.model_validate(raw | tables)


def changes(new: Settings, *, can_join: bool = True) -> SettingsChanges:
    return compare(settings(), new, can_join=can_join)


def test_the_same_settings_change_nothing() -> None:
    found = changes(settings())
    assert found.lines({}) == ["Nothing has changed"]
    assert found.settings == settings()


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("ratio", "0.8", "ratio=0.5 -> 0.8"),
        ("sizing", "fixed_lots", "sizing=fixed_ratio -> fixed_lots"),
        ("max_lots", 3, "max_lots=none -> 3"),
        ("max_daily_loss", "3%", "max_daily_loss=none -> 3%"),
        ("blocked", ["nifty", "banknifty"], "blocked=none -> BANKNIFTY,NIFTY"),
        ("enabled", False, "enabled=True -> False"),
        ("mode", "fills", "mode=orders -> fills"),
        ("group_within", 2, "group_within=0.0 -> 2.0"),
        ("group_action", "send", "group_action=skip -> send"),
        ("access_token", "canary-of-another", "access_token=********** -> **********"),
    ],
)
def test_a_followers_key_is_taken_and_told(key: str, value: object, told: str) -> None:
    found = changes(settings(ALICE, BOB | {key: value}))
    assert found.lines({}) == [f"Follower changed follower=bob {told}"]
    assert getattr(found.settings.followers[1], key) == getattr(settings(ALICE, BOB | {key: value}).followers[1], key)


def test_a_key_of_copy_is_told_for_each_follower_that_has_inherited_it() -> None:
    new = settings(ALICE, BOB | {"max_lots": 2}, copy={"sizing": "fixed_ratio", "max_lots": 5})
    assert changes(new).lines({}) == [
        "Follower changed follower=alice max_lots=none -> 5",
        "Follower changed follower=bob max_lots=none -> 2",
    ]


def test_a_ratio_says_which_lines_keep_theirs_until_they_are_flat() -> None:
    found = changes(settings(ALICE, BOB | {"ratio": 2, "max_lots": 9}))
    assert found.lines({"bob": ["130 of 45674 MARGIN", "65 of 45675 MARGIN"]}) == [
        'Follower changed follower=bob ratio=0.5 -> 2 when_flat="130 of 45674 MARGIN"',
        'Follower changed follower=bob ratio=0.5 -> 2 when_flat="65 of 45675 MARGIN"',
        "Follower changed follower=bob max_lots=none -> 9",
    ]
    assert isinstance(line := found.lines({})[0], Fields)
    assert line.values == {"follower": "bob", "key": "ratio", "old": "0.5", "new": "2"}


@pytest.mark.parametrize(
    ("key", "value"),
    [("dry_run", True), ("capital", 500_000), ("source_address", "203.0.113.7"), ("instruments", ["EQUITY"])],
)
def test_what_the_actors_of_an_account_were_built_with_needs_a_restart(key: str, value: object) -> None:
    found = changes(settings(ALICE, BOB | {key: value}))
    assert found.lines({}) == [f"Needs a restart: followers.bob.{key}"]
    assert found.settings == settings()


def test_tables_need_a_restart_but_for_alerts_and_log() -> None:
    new = settings(
        mode="live", limits={"per_second": 5}, store={"backups": 1}, log={"level": "DEBUG", "json": True},
        alerts={"cooldown": 60},
    )  # fmt: skip
    found = changes(new)
    assert found.lines({}) == [
        "Setting changed alerts.cooldown=300.0 -> 60.0",
        "Setting changed log.json=False -> True",
        "Setting changed log.level=INFO -> DEBUG",
        "Needs a restart: limits.per_second",
        "Needs a restart: mode",
        "Needs a restart: store.backups",
    ]
    assert found.settings.log == new.log
    assert (found.settings.mode, found.settings.limits, found.settings.store) == (
        settings().mode,
        settings().limits,
        settings().store,
    )


def test_the_leaders_token_counts_at_once() -> None:
    new = settings(leader={"client_id": "1000000001", "access_token": "canary-of-another"})
    found = changes(new)
    assert found.lines({}) == ["Setting changed leader.access_token=********** -> **********"]
    assert found.settings.leader.access_token == new.leader.access_token


def test_the_token_of_another_leader_waits_for_him() -> None:
    found = changes(settings(leader={"client_id": "1000000009", "access_token": "canary-of-another"}))
    assert found.lines({}) == ["Needs a restart: leader.access_token", "Needs a restart: leader.client_id"]
    assert found.settings == settings()


@pytest.mark.parametrize(
    ("together", "waiting"),
    [
        ({"dry_run": True, "ratio": 10, "enabled": False}, ["dry_run", "enabled", "ratio"]),
        ({"capital": 500_000, "sizing": "risk_based", "risk_percent": 5}, ["capital", "risk_percent", "sizing"]),
        ({"capital": 500_000, "max_daily_loss": "9%"}, ["capital", "max_daily_loss"]),
    ],
)
def test_what_was_written_for_a_key_that_waits_is_not_taken_without_it(
    together: dict[str, Any], waiting: list[str]
) -> None:
    new = settings(ALICE, BOB | together | {"access_token": "canary-of-another"})
    found = changes(new)
    assert found.lines({}) == [
        "Follower changed follower=bob access_token=********** -> **********",
        *(f"Needs a restart: followers.bob.{key}" for key in waiting),
    ]
    assert found.settings == settings(ALICE, BOB | {"access_token": "canary-of-another"})


def test_a_name_with_another_client_id_is_another_follower() -> None:
    other = BOB | {"client_id": "1000000109"}
    found = changes(settings(ALICE, other))
    assert found.lines({}) == ["Follower added follower=bob", "Follower removed follower=bob"]
    assert [one.client_id for one in found.settings.followers] == ["1000000101", "1000000109"]


def test_where_nobody_can_join_followers_come_and_go_at_a_restart() -> None:
    found = changes(settings(ALICE | {"max_lots": 1}), can_join=False)
    assert found.lines({}) == [
        "Follower changed follower=alice max_lots=none -> 1",
        f"Needs a restart: followers ({ON_PAPER})",
    ]
    assert [one.name for one in found.settings.followers] == ["alice", "bob"]


def test_a_strategy_waits_for_open_lines_but_between_two_that_size_each_order() -> None:
    open_lines = {"bob": ["130 of 45674 MARGIN"]}
    was = settings(ALICE, BOB | {"sizing": "fixed_lots"})
    assert compare(was, settings(ALICE, BOB), can_join=True).lines(open_lines) == [
        'Follower changed follower=bob sizing=fixed_lots -> fixed_ratio when_flat="130 of 45674 MARGIN"'
    ]
    new = settings(ALICE, BOB | {"sizing": "risk_based"})
    assert compare(was, new, can_join=True).lines(open_lines) == [
        "Follower changed follower=bob sizing=fixed_lots -> risk_based"
    ]


def test_leaders_come_and_go_at_a_restart_and_how_one_is_copied_counts_at_once() -> None:
    leaders = [{"name": name, "client_id": name, "access_token": f"canary-of-{name}"} for name in ("asha", "dev")]
    several = {"followers": [ALICE | {"of": {"dev": {"ratio": 3, "lots": 2}}}], "leaders": leaders}
    running = Settings.model_validate(several)
    of = {"asha": {"max_lots": 4}, "dev": {"ratio": 2, "lots": 2, "enabled": False}}
    another = [
        leaders[0],
        leaders[1] | {"access_token": "canary-of-another"},
        leaders[0] | {"name": "e", "client_id": "e"},
    ]
    new = Settings.model_validate({"followers": [ALICE | {"of": of, "leaders": ["asha", "dev"]}], "leaders": another})
    found = compare(running, new, can_join=True)
    assert found.lines({"alice": ["130 of 7"]}) == [
        "Follower changed follower=alice of.dev.enabled=True -> False",
        'Follower changed follower=alice of.dev.ratio=3 -> 2 when_flat="130 of 7"',
        "Follower changed follower=alice of.asha.max_lots=none -> 4",
        "Setting changed leaders.dev.access_token=********** -> **********",
        "Needs a restart: followers.alice.leaders",
        "Needs a restart: leaders",
    ]
    assert found.settings.leader_ids == {"asha": "asha", "dev": "dev"}
    (alice,) = found.settings.followers
    assert (alice.leaders, alice.copying_of("dev").lots, alice.copying_of("asha").max_lots) == (None, 2, 4)
    assert compare(found.settings, new, can_join=True).changed == {}, "what was taken is not news again"
