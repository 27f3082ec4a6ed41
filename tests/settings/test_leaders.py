"""Several leaders: who follows whom, and how each is copied."""

from decimal import Decimal
from pathlib import Path

import pytest

from copytrade.app.policies import policy_of_leader
from copytrade.settings import Settings, SettingsUnusable, load_settings

LEADERS = """
[[leaders]]
name = "asha"
client_id = "1"
access_token = "a"
[[leaders]]
name = "dev"
client_id = "2"
access_token = "d"
"""

BINA = """
[[followers]]
name = "bina"
client_id = "11"
access_token = "b"
"""


def load(folder: Path, *blocks: str) -> Settings:
    path = folder / "settings.toml"
    path.write_text("\n".join(blocks))
    return load_settings(path)


def faults(folder: Path, *blocks: str) -> list[str]:
    with pytest.raises(SettingsUnusable) as caught:
        load(folder, *blocks)
    return caught.value.faults


def names(settings: Settings, number: int = 0) -> list[str]:
    return [leader.name for leader in settings.leaders_of(settings.followers[number])]


def test_one_leader_in_either_table_is_the_same(tmp_path: Path) -> None:
    short = load(tmp_path, '[leader]\nclient_id = "1"\naccess_token = "a"', BINA)
    long = load(tmp_path, '[[leaders]]\nclient_id = "1"\naccess_token = "a"', BINA)
    assert short == long
    assert short.leader_ids == {"leader": "1"}
    assert names(short) == ["leader"]


def test_a_follower_follows_all_if_his_block_names_none_and_each_may_be_copied_otherwise(
    tmp_path: Path,
) -> None:
    settings = load(
        tmp_path,
        LEADERS,
        BINA,
        "max_open_lots = 10\n[followers.of.asha]\nratio = 0.5\nmax_open_lots = 20\nenabled = false",
        BINA.replace("bina", "chetan").replace('"11"', '"12"'),
        'leaders = ["dev"]\nratio = 3',
        '[copy]\nsizing = "fixed_ratio"\nratio = 2\nmax_lots = 7',
    )
    bina, chetan = settings.followers
    assert (names(settings), names(settings, 1)) == (["asha", "dev"], ["dev"])
    asha, dev = (policy_of_leader(bina, leader, settings.recovery) for leader in ("asha", "dev"))
    assert (asha.sizing.ratio, asha.sizing.max_lots, asha.enabled) == (Decimal("0.5"), 7, False)
    assert (dev.sizing.ratio, dev.sizing.max_lots, dev.enabled) == (Decimal(2), 7, True)
    assert asha.risk_limits is not None
    assert asha.risk_limits.max_open_lots == 10, "the account's limit is not widened for one leader"
    assert chetan.copying_of("dev").ratio == 3


def test_a_leader_may_follow_others_and_has_his_credentials_once(tmp_path: Path) -> None:
    chain = '[[leaders]]\nname = "bina"\nclient_id = "11"\n'
    chetan = BINA.replace("bina", "chetan").replace('"11"', '"12"')
    settings = load(tmp_path, LEADERS, chain, BINA, chetan)
    assert settings.leaders[2].access_token == settings.followers[0].access_token
    assert (names(settings), names(settings, 1)) == (["asha", "dev"], ["asha", "dev", "bina"])
    assert faults(tmp_path, LEADERS, chain + 'access_token = "other"', BINA, chetan) == [
        "settings: follower bina is leader bina too, with another access_token: one account has one"
    ]


@pytest.mark.parametrize(
    ("blocks", "fault"),
    [
        (
            (LEADERS, '[leader]\nclient_id = "3"\naccess_token = "x"', BINA),
            "[leader] is short for one [[leaders]] block",
        ),
        ((LEADERS.replace("dev", "asha"), BINA), "leader asha: that name is taken"),
        ((LEADERS.replace('"2"', '"1"'), BINA), "leader dev has the same client_id as leader asha"),
        ((LEADERS, BINA.replace('"11"', '"2"')), "follower bina has the same client_id as leader dev"),
        ((LEADERS, BINA, 'leaders = ["emil"]'), "follower bina: there is no leader emil; there are: asha, dev"),
        ((LEADERS, BINA, "leaders = []"), "followers.bina.leaders: must not be empty"),
        ((LEADERS, BINA, "[followers.of.emil]\nratio = 1"), "follower bina: there is no leader emil"),
        (
            (LEADERS, BINA, 'leaders = ["dev"]\n[followers.of.asha]\nratio = 1'),
            "follower bina: of.asha is for a leader whom he does not follow",
        ),
        ((LEADERS, BINA, "[followers.of.asha]\nratio = 0"), "followers.bina.of.asha.ratio: must be greater than 0"),
        ((LEADERS, BINA, "[followers.of.asha]\nrato = 1"), "followers.bina.of.asha.rato: is not a setting (ratio?)"),
        ((LEADERS, BINA, "[followers.of.asha]\ndry_run = true"), "of.asha.dry_run is for the whole account"),
        ((LEADERS, BINA, "[followers.of.asha]\nmax_daily_loss = 5"), "of.asha.max_daily_loss is for the whole account"),
        (
            (
                '[[leaders]]\nname = "bina"\nclient_id = "11"\n[[leaders]]\nname = "chetan"\nclient_id = "12"',
                BINA,
                BINA.replace("bina", "chetan").replace('"11"', '"12"'),
            ),
            "orders would go in a circle: bina follows chetan follows bina",
        ),
        (
            ('[[leaders]]\nname = "bina"\nclient_id = "11"', LEADERS, BINA, 'leaders = ["bina"]'),
            "orders would go in a circle: bina follows bina",
        ),
        (('[[leaders]]\nname = "asha"\naccess_token = "a"', BINA), "leaders.asha.client_id: is missing"),
    ],
)
def test_what_cannot_be_followed_is_a_fault(tmp_path: Path, blocks: tuple[str, ...], fault: str) -> None:
    found = faults(tmp_path, *blocks)
    assert len(found) == 1, found
    assert fault in found[0]


def test_a_fault_in_copy_is_told_once_and_not_of_every_leader(tmp_path: Path) -> None:
    copy = "[copy]\nratio = -1"
    assert faults(tmp_path, LEADERS, BINA, "[followers.of.asha]\nlots = 2", copy) == [
        "copy.ratio: must be greater than 0"
    ]
