"""Pictures of a run for docs/pictures/.

python -m bench.speed.plots                    the newest run
python -m bench.speed.plots DATE.json          another

There are three, each drawn if the run has its trial: the time to the last follower's request against the number of
followers, the course of the sustained trial, and the burst. Needs matplotlib (pip install -e '.[bench]').
"""

import argparse
import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
DOCS = Path(__file__).parents[2] / "docs" / "pictures"

#: The name and the colour of each contestant.
LOOKS = {"ours": ("copytrade", "#1f4e9c"), "sdk": ("SDK loop", "#c2571a"), "raw": ("http.client loop", "#6b6b6b")}

#: Text stays text, and the same figures always give the same file.
STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "svg.fonttype": "none",
    "svg.hashsalt": "copytrade",
}


def draw(results: Mapping[str, Any], folder: Path = DOCS) -> list[Path]:
    """Draw the pictures of a run, and return the files. Raises ImportError without matplotlib."""
    pyplot = importlib.import_module("matplotlib.pyplot")
    pictures = (
        ("latency", _latency, results.get("steady")),
        ("sustained", _sustained, results.get("sustained")),
        ("burst", _burst, results.get("burst")),
    )
    drawn = []
    with pyplot.rc_context(STYLE):
        for name, picture, figures in pictures:
            if not figures:
                continue
            figure, axes = pyplot.subplots(figsize=(7.2, 3.8), layout="constrained")
            picture(axes, figures)
            figure.supxlabel(f"{results['machine']}, {results['date']}", fontsize=8, color="#6b6b6b", ha="left", x=0.01)
            path = folder / f"{name}.svg"
            figure.savefig(path, dpi=200, metadata={"Date": None})
            pyplot.close(figure)
            drawn.append(path)
    return drawn


def draw_and_say(results: Mapping[str, Any]) -> None:
    """Draw, and print the files, or that matplotlib is missing."""
    try:
        for path in draw(results):
            print(f"drawn {path}")
    except ImportError as error:
        print(f"not drawn: {error}; pip install -e '.[bench]', then python -m bench.speed.plots")


def _latency(axes: Any, trials: Sequence[Mapping[str, Any]]) -> None:
    for contestant, (name, colour) in LOOKS.items():
        of_one = sorted(
            (one for one in trials if one["contestant"] == contestant), key=lambda one: int(one["followers"])
        )
        if not of_one:
            continue
        followers = [one["followers"] for one in of_one]
        typical, tail = ([one["last_ms"][which] for one in of_one] for which in ("p50", "p99"))
        axes.plot(followers, typical, color=colour, marker="o", markersize=4)
        axes.plot(followers, tail, color=colour, linewidth=0.8, linestyle="--")
        _label(axes, name, (followers[-1], typical[-1]), colour)
    sizes = sorted({one["followers"] for one in trials})
    axes.set(xscale="log", yscale="log", xlabel="followers", ylabel="milliseconds")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_title("From the leader's frame to the last follower's request\np50, and p99 dashed")


def _label(axes: Any, text: str, at: tuple[float, float], colour: str) -> None:
    """Write a label beside the end of a line."""
    axes.annotate(text, at, xytext=(8, -3), textcoords="offset points", color=colour, annotation_clip=False)


def _sustained(axes: Any, trial: Mapping[str, Any]) -> None:
    at, took = zip(*trial["course"], strict=True)
    colour = LOOKS["ours"][1]
    axes.scatter(at, took, s=3, color=colour, linewidths=0, rasterized=True)  # thousands: as one image
    axes.set_xlim(0, at[-1])
    for which in ("p50", "p99"):
        value = trial["last_ms"][which]
        axes.axhline(value, color=colour, linewidth=0.8, linestyle="--")
        _label(axes, f"{which} {value:g}", (at[-1], value), colour)
    axes.set(xlabel="seconds", ylabel="milliseconds", ylim=(0, None))
    axes.set_title(
        f"{trial['orders']} orders, one every {trial['pace']:g} s, {trial['followers']} followers\n"
        "from the leader's frame to the last follower's request"
    )


def _burst(axes: Any, trial: Mapping[str, Any]) -> None:
    number, typical, slowest = zip(*trial["course"], strict=True)
    colour = LOOKS["ours"][1]
    axes.plot(number, typical, color=colour, marker="o", markersize=4)
    axes.plot(number, slowest, color=colour, linewidth=0.8, linestyle="--")
    axes.set(xlabel="the follower's so-many-th request", ylabel="milliseconds", ylim=(0, None))
    axes.set_xticks(number)
    axes.set_title(
        f"{trial['orders']} orders of the leader at once, {trial['followers']} followers, ten a second allowed\n"
        "from the first frame: the median follower, and the slowest dashed"
    )


def main() -> None:
    """Draw the newest run, or the one given."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed.plots", description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", help="the newest in bench/results if not given")
    parser.add_argument("--into", type=Path, default=DOCS, help="where the pictures go, docs/pictures/ if not given")
    options = parser.parse_args()
    path = options.results or max(RESULTS.glob("*.json"), default=None)
    if path is None:
        parser.error(f"there is no run in {RESULTS}: python -m bench writes one")
    try:
        for drawn in draw(json.loads(path.read_text()), options.into):
            print(f"![]({drawn.name})")
    except ImportError as error:
        parser.exit(1, f"{error}: pip install -e '.[bench]'\n")


if __name__ == "__main__":
    main()
