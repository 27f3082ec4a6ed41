"""How each follower copies, in the words of ``run.py check``: only what is not the usual way is told."""

from copytrade.app.checks import ways
from copytrade.settings import Settings


def account(number: int, **more: object) -> dict[str, object]:
    return {"client_id": str(number), "access_token": "t", **more}


def test_modes_and_groups_are_told_by_leader_where_they_differ() -> None:
    settings = Settings.model_validate(
        {
            "leaders": [account(1, name="asha"), account(2, name="dev")],
            "followers": [
                account(3, name="bina"),
                account(4, name="chetan", mode="fills", group_within=2, group_action="send"),
                account(5, name="dina", of={"dev": {"mode": "monitor"}}),
            ],
        }
    )
    assert ways(settings) == [
        "chetan: mode fills, legs within 2 s are one group, send after 30 s",
        "dina: of asha: mode orders; of dev: mode monitor",
    ]
