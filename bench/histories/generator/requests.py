"""Mishaps of single requests: lost answers, refusals, and orders that are accepted and not carried out or shown."""

from collections.abc import Iterator
from typing import Any

from bench.histories.generator.writer import Writer, step
from bench.histories.history import Step


def lost_answer(writer: Writer, at: float) -> Iterator[Step]:
    """Yield a fault by which the answer to a request is lost or cannot be read; the request may be carried out."""
    chance = writer.chance
    terms: dict[str, Any] = {"mischief": chance.choice(["reset", "hang", "truncate", "answer"])}
    if terms["mischief"] == "answer":
        terms |= chance.choice(
            [
                {"status": 502, "body": "<html>Bad Gateway</html>"},
                {
                    "status": 500,
                    "body": '{"errorType":"Internal_Server_Error","errorCode":"DH-908","errorMessage":"x"}',
                },
                {"status": 200, "body": ""},
                {"status": 202, "body": ""},
            ]
        )
    yield step(
        at,
        "broker",
        method="fault",
        **terms,
        kind=chance.choice(["place", "place", "modify", "cancel", "read"]),
        client_id=writer.some_account(),
        accepted=chance.random() < 0.5,
        times=chance.choice([1, 1, 2, 4]),
    )


def refused(writer: Writer, at: float) -> Iterator[Step]:
    """Yield refusals that say nothing about the order itself, of any kind of request, for a while or some times."""
    chance = writer.chance
    code, kind = chance.choice(
        [
            ("DH-901", "place"),
            ("DH-901", "cancel"),
            ("DH-904", None),
            ("DH-904", "read"),
            ("DH-906", "cancel"),
            ("DH-906", "modify"),
            ("DH-908", "place"),
            ("DH-908", "modify"),
            ("DH-908", "cancel"),
            ("DH-908", "read"),
            ("DH-909", "read"),
            ("DH-909", "place"),
            ("DH-905", "modify"),
            ("DH-910", "cancel"),
        ]
    )
    account, times = writer.some_account(), 1 if code == "DH-901" else chance.choice([1, 2, 5, None])
    yield step(at, "broker", method="refuse", code=code, kind=kind, client_id=account, times=times)


def refused_entry(writer: Writer, at: float) -> Iterator[Step]:
    """Yield refusals of the order itself, on a line on which the side alone tells that it is an entry."""
    chance = writer.chance
    code = chance.choice(["DH-905", "DH-906", "DH-907", "DH-910"])
    line, side = chance.choice([("45674", "BUY"), ("51000", "SELL")])
    where = {"securityId": line, "transactionType": side}
    yield step(
        at, "broker", method="refuse", code=code, kind="place", client_id=writer.some_follower().client_id, where=where
    )


def refused_exit(writer: Writer, at: float) -> Iterator[Step]:
    """Yield the same refusals of exits, which have to be sent again."""
    chance = writer.chance
    code = chance.choice(["DH-905", "DH-906", "DH-907", "DH-910"])
    line, side = chance.choice([("45674", "SELL"), ("51000", "BUY")])
    where = {"securityId": line, "transactionType": side}
    follower, times = writer.some_follower().client_id, chance.choice([1, 2])
    yield step(at, "broker", method="refuse", code=code, kind="place", client_id=follower, where=where, times=times)


def swallowed(writer: Writer, at: float) -> Iterator[Step]:
    """Yield a request that is accepted and never carried out."""
    chance = writer.chance
    yield step(
        at,
        "broker",
        method="fault",
        mischief="swallow",
        kind=chance.choice(["place", "modify", "cancel", "cancel"]),
        client_id=writer.some_follower().client_id,
    )


def empty_202(writer: Writer, at: float) -> Iterator[Step]:
    """Yield a cancellation that is answered with an empty 202."""
    client_id = writer.some_follower().client_id
    yield step(at, "broker", method="fault", mischief="answer", kind="cancel", client_id=client_id, status=202)


def hidden(writer: Writer, at: float) -> Iterator[Step]:
    """Yield an order that is shown late; never shown only if it is an exit, which the positions reveal."""
    chance = writer.chance
    follower, terms = writer.some_follower().client_id, {"method": "fault", "mischief": "hide", "kind": "place"}
    if chance.random() < 0.5:
        yield step(at, "broker", **terms, client_id=follower, hidden=round(chance.uniform(0.5, 4), 2))
    else:
        line, side = chance.choice([("45674", "SELL"), ("51000", "BUY")])
        yield step(at, "broker", **terms, client_id=follower, where={"securityId": line, "transactionType": side})
