"""The loss curves of training runs, from their TensorBoard logs: a picture and the numbers behind it.

    python benchmarks/curves.py runs/tts report/first --tags spectrogram/corrected validation/spectrogram_loss
    python benchmarks/curves.py report/first.csv report/both --compare report/second.csv --tags ...

A run is a TensorBoard folder, or the .csv that an earlier call wrote. With `--compare` each panel has a line per run.
"""

import argparse
import csv
import pathlib
from collections.abc import Sequence

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402


def read_scalars(log: pathlib.Path) -> dict[str, list[tuple[int, float]]]:
    """Tag -> (step, value) of each point, from a TensorBoard folder or from a file of `write_numbers`."""
    if log.suffix == ".csv":
        return read_numbers(log)
    events = EventAccumulator(str(log), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def read_numbers(path: pathlib.Path) -> dict[str, list[tuple[int, float]]]:
    scalars: dict[str, list[tuple[int, float]]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            scalars.setdefault(row["tag"], []).append((int(row["step"]), float(row["value"])))
    return scalars


def write_numbers(scalars: dict[str, list[tuple[int, float]]], path: pathlib.Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["tag", "step", "value"])
        for tag, points in scalars.items():
            writer.writerows([tag, step, f"{value:.5g}"] for step, value in points)


def draw(runs: dict[str, dict], tags: Sequence[str], path: pathlib.Path, first_step: int = 0) -> None:
    """One panel a tag; `runs` are title -> scalars, a line each. Points before `first_step` are left out."""
    size = (4.2 * len(tags), 3.2)
    figure, panels = plt.subplots(1, len(tags), figsize=size, layout="constrained", squeeze=False)
    for panel, tag in zip(panels[0], tags):
        for title, scalars in runs.items():
            points = [point for point in scalars.get(tag, ()) if point[0] >= first_step]
            panel.plot(*zip(*points), marker="." if len(points) < 30 else "", label=title)
        panel.set(title=tag, xlabel="step")
        panel.grid(alpha=0.3)
        if len(runs) > 1:
            panel.legend()
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=pathlib.Path, help="TensorBoard folder, or .csv of an earlier call")
    parser.add_argument("out", type=pathlib.Path, help="without suffix: OUT.png is written, and OUT.csv from a folder")
    parser.add_argument("--compare", type=pathlib.Path, nargs="+", default=[], help="more runs, a line each")
    parser.add_argument("--titles", nargs="+", help="of the runs; default: the names of the files")
    parser.add_argument("--tags", nargs="+", help="which curves to draw; default: all of the first run")
    parser.add_argument("--from-step", type=int, default=0, help="leave out what is before; default: 0")
    options = parser.parse_args(arguments)
    logs = [options.log, *options.compare]
    titles = options.titles or [log.stem for log in logs]
    if len(titles) != len(logs):
        parser.error(f"{len(titles)} titles for {len(logs)} runs: give one for each")
    runs = {title: read_scalars(log) for title, log in zip(titles, logs)}
    for log, scalars in zip(logs, runs.values()):
        missing = sorted(set(options.tags or ()) - set(scalars))
        if not scalars or missing:
            parser.error(f"{log} has no curve {', '.join(missing)}" if scalars else f"{log} holds no curves")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if options.log.suffix != ".csv":
        write_numbers(runs[titles[0]], options.out.with_suffix(".csv"))
    draw(runs, options.tags or list(runs[titles[0]]), options.out.with_suffix(".png"), options.from_step)


if __name__ == "__main__":
    main()
