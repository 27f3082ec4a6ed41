"""Who follows whom: the leaders of each follower, and chains of leaders who follow others."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from copytrade.settings.accounts import Account, Follower, Leader
from copytrade.settings.copying import Copying

#: What one account that leads and follows has once, in whichever of its blocks it stands.
_OF_THE_ACCOUNT = ("broker", "access_token", "pin", "totp_secret", "source_address", "proxy")

#: Keys of [copy] that are about the whole account of a follower.
_OF_ALL_LEADERS = ("max_daily_loss", "on_breach", "dry_run")


def with_leaders(raw: dict[str, Any]) -> dict[str, Any]:
    """Return settings with [leader], which is short for one of [[leaders]], in its place.

    Raises ValueError if there are both.
    """
    if "leader" not in raw:
        return raw
    if "leaders" in raw:
        raise ValueError("[leader] is short for one [[leaders]] block: use one of them")
    return {key: value for key, value in raw.items() if key != "leader"} | {"leaders": [raw["leader"]]}


def with_one_account_each(raw: dict[str, Any]) -> dict[str, Any]:
    """Return settings in which an account that leads and follows has its credentials in both blocks."""
    blocks = [block for key in ("leaders", "followers") for block in _blocks(raw, key)]
    of_client: dict[str, dict[str, Any]] = {}
    for block in blocks:
        known = of_client.setdefault(str(block.get("client_id")), {})
        known.update({key: block[key] for key in _OF_THE_ACCOUNT if key in block and key not in known})

    def whole(block: Any) -> Any:
        is_one = isinstance(block, dict) and "client_id" in block
        return of_client[str(block["client_id"])] | block if is_one else block

    shared = {str(block.get("client_id")) for block in _blocks(raw, "leaders")}
    shared &= {str(block.get("client_id")) for block in _blocks(raw, "followers")}
    if not shared:
        return raw
    return raw | {key: [whole(block) for block in raw[key]] for key in ("leaders", "followers")}


def inherited(shared: Mapping[str, Any], follower: dict[str, Any]) -> dict[str, Any]:
    """Return a follower's block with the keys of [copy] that it does not set, and ``of`` with all keys of copying."""
    whole = {**shared, **follower}
    of = follower.get("of")
    if not isinstance(of, dict):
        return whole
    copying = {key: value for key, value in whole.items() if key in Copying.model_fields}
    overlaid = {name: copying | keys if isinstance(keys, dict) else keys for name, keys in of.items()}
    return whole | {"of": overlaid}


def followed_by(follower: Follower, leaders: Sequence[Leader]) -> tuple[Leader, ...]:
    """Return the leaders of a follower: all but himself, if his block names none."""
    if follower.leaders is None:
        return tuple(leader for leader in leaders if leader.client_id != follower.client_id)
    return tuple(leader for leader in leaders if leader.name in follower.leaders)


def faults_of(leaders: Sequence[Leader], followers: Sequence[Follower]) -> list[str]:
    """Return what is wrong with who follows whom."""
    names = {leader.name for leader in leaders}
    faults = []
    for follower in followers:
        whose, his = f"follower {follower.name}", {leader.name for leader in followed_by(follower, leaders)}
        unknown = sorted({*(follower.leaders or ()), *follower.of} - names)
        faults += [f"{whose}: there is no leader {name}; there are: {', '.join(sorted(names))}" for name in unknown]
        strange = sorted(follower.of.keys() & names - his)
        faults += [f"{whose}: of.{name} is for a leader whom he does not follow" for name in strange]
        if not his and not unknown:
            faults.append(f"{whose} follows no leader")
        faults += [
            fault for name, copying in follower.of.items() for fault in _not_his_alone(whose, name, copying, follower)
        ]
    return faults + _different_accounts(leaders, followers) + _circles(leaders, followers)


def _blocks(raw: Mapping[str, Any], key: str) -> Iterable[dict[str, Any]]:
    blocks = raw.get(key)
    return [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []


def _not_his_alone(whose: str, leader: str, copying: Copying, follower: Follower) -> list[str]:
    """Return a fault for each key that cannot be different for one leader."""
    keys = [key for key in _OF_ALL_LEADERS if getattr(copying, key) != getattr(follower, key)]
    if isinstance(copying.capital, str) and copying.capital != follower.capital:
        keys.append("capital")
    return [f"{whose}: of.{leader}.{key} is for the whole account: set it in the follower's block" for key in keys]


def _different_accounts(leaders: Iterable[Leader], followers: Iterable[Follower]) -> list[str]:
    """Return a fault for each account that leads and follows, and has something else in either block."""
    by_client: dict[str, Account] = {leader.client_id: leader for leader in leaders}
    return [
        f"follower {one.name} is leader {one.name} too, with another {key}: one account has one"
        for one in followers
        if (leader := by_client.get(one.client_id)) is not None
        for key in _OF_THE_ACCOUNT
        if getattr(leader, key) != getattr(one, key)
    ]


def _circles(leaders: Sequence[Leader], followers: Sequence[Follower]) -> list[str]:
    """Return a fault for the first circle: a leader whose orders would come back to him."""
    by_client = {follower.client_id: follower for follower in followers}

    def leads_to(leader: Leader, path: tuple[str, ...]) -> tuple[str, ...]:
        if leader.client_id in path:
            return (*path[path.index(leader.client_id) :], leader.client_id)
        follower = by_client.get(leader.client_id)
        upwards = followed_by(follower, leaders) if follower is not None else ()
        return next((found for one in upwards if (found := leads_to(one, (*path, leader.client_id)))), ())

    circle = next((found for leader in leaders if (found := leads_to(leader, ()))), ())
    names = [by_client[client_id].name for client_id in circle]
    return [f"orders would go in a circle: {' follows '.join(names)}; see the followers' leaders"] if names else []
