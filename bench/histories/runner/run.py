"""Runs a history: the real program beside a paper broker, each in a process of its own, until nothing changes."""

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.histories.history import History
from bench.histories.oracle.evidence import Evidence
from bench.histories.oracle.judge import COLUMNS, judge
from bench.histories.runner.settings import LOTS, config_of, settings_of
from bench.histories.runner.trial import Trial
from copytrade.paper.process import start_paper_process

#: Seconds within which everything has to be right once nothing goes wrong any more: longer than any hold lasts, and
#: longer than it takes until an exit that was never shown is sent again.
PATIENCE = 75.0

#: Seconds without a request after which the copier is at rest: an audit would have found something by then.
QUIET = 2.5

#: Seconds by which a step may be late before all later ones are put off too.
_BEHIND = 0.1

#: Seconds of calm that are waited for at least after an order was accepted and not shown: for that long the copier
#: searches for it, and sends an exit again.
UNSHOWN = 26.0


@dataclass(frozen=True)
class Outcome:
    """The result of a history: what is wrong by column, the evidence, the seconds it took, and the copier's log."""

    history: History
    wrong: Mapping[str, list[str]]
    evidence: Evidence
    seconds: float
    log: str

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.wrong.values())

    def __str__(self) -> str:
        """Return what is wrong, a line each."""
        return "\n".join(f"  {column}: {text}" for column in COLUMNS for text in self.wrong[column])


def run(history: History, folder: Path | None = None, patience: float = PATIENCE) -> Outcome:
    """Run a history and judge it, in ``folder`` or in a temporary one; wait ``patience`` seconds at most."""
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            return run(history, Path(temporary), patience)
    began = time.monotonic()
    with (folder / "broker").open("wb") as errors:
        broker = start_paper_process(config_of(history), errors)
    trial = Trial(history, folder, broker)
    (folder / "history.json").write_text(history.to_json())
    (folder / "settings.toml").write_text(settings_of(history, broker))
    try:
        for step in history.steps:
            if step.at < 0:
                trial.do(step)
        trial.start()
        _wait_until_connected(trial)
        _play(trial)
        wrong, evidence = _calm(trial, patience)
        (folder / "evidence.json").write_text(json.dumps(asdict(evidence)))
        code = trial.stop()
        if code and not evidence.crashes:
            wrong["crashed"].append(f"it stopped with exit code {code}")
        return Outcome(history, wrong, evidence, time.monotonic() - began, _log(folder))
    finally:
        trial.end()


def _play(trial: Trial) -> None:
    began = time.monotonic()
    for step in trial.history.steps:
        if step.at < 0:
            continue
        while (wait := began + step.at - time.monotonic()) > 0:
            trial.keep_running()
            time.sleep(min(0.01, wait))
        began = max(began, time.monotonic() - step.at - _BEHIND)  # on a slow machine it takes longer, and skips nothing
        trial.keep_running()
        trial.do(step)
    while trial.pieces:
        trial.keep_running()
        time.sleep(0.01)


def _calm(trial: Trial, patience: float) -> tuple[dict[str, list[str]], Evidence]:
    """End all mishaps, and wait until everything is right and at rest, or for ``patience`` seconds."""
    trial.broker.control("clear_faults")
    for client in (*trial.history.leaders, *(follower.client_id for follower in trial.history.followers)):
        trial.broker.control("mute_feed", client_id=client, muted=False)
    for security_id in LOTS:
        trial.try_to("resume", security_id=security_id)
    if trial.copier is None and trial.start_at is None:
        trial.start_at = time.monotonic()
    began, last, changed = time.monotonic(), trial.writes(), time.monotonic()
    least = UNSHOWN if any(step.terms.get("mischief") in ("swallow", "hide") for step in trial.history.steps) else 0.0
    while True:
        time.sleep(0.25)
        trial.keep_running()
        now, writes = time.monotonic(), trial.writes()
        if writes != last:
            last, changed = writes, now
        is_quiet, is_over = now - changed > QUIET, now - began > patience
        is_busy = any(command.poll() is None for command in trial.commands)
        if not (is_quiet or is_over) or now - began < least or is_busy:
            continue
        restless = "" if is_quiet else f"a request came {now - changed:.1f} s before the end"
        evidence = trial.evidence(restless)
        wrong = judge(evidence)
        if is_over or not any(wrong.values()) or _is_hopeless(wrong):
            return wrong, evidence


def _is_hopeless(wrong: Mapping[str, list[str]]) -> bool:
    """Return whether something is wrong that waiting cannot change."""
    return any(wrong[column] for column in ("doubled", "over budget", "crashed"))


def _wait_until_connected(trial: Trial) -> None:
    clients = [*trial.history.leaders, *(follower.client_id for follower in trial.history.followers)]
    deadline = time.monotonic() + 60
    while not all(trial.broker.control("feed_connections", client_id=client) for client in clients):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the copier did not connect: see {trial.folder}")
        trial.keep_running()
        time.sleep(0.02)


def _log(folder: Path) -> str:
    path = folder / "copy_trading.log"
    return path.read_text(errors="replace") if path.exists() else ""
