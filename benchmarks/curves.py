"""The loss curves of training runs, from their TensorBoard logs: a picture and the numbers behind it.

    python benchmarks/curves.py runs/tts report/first --tags spectrogram/corrected validation/spectrogram_loss
"""

import argparse
import csv
import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402


def read_scalars(logdir: pathlib.Path) -> dict[str, list[tuple[int, float]]]:
    """Tag -> (step, value) of each point."""
    log = EventAccumulator(str(logdir), size_guidance={"scalars": 0})
    log.Reload()
    return {tag: [(event.step, event.value) for event in log.Scalars(tag)] for tag in log.Tags()["scalars"]}


def write_numbers(scalars: dict[str, list[tuple[int, float]]], path: pathlib.Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["tag", "step", "value"])
        for tag, points in scalars.items():
            writer.writerows([tag, step, f"{value:.5g}"] for step, value in points)


def draw(scalars: dict[str, list[tuple[int, float]]], path: pathlib.Path) -> None:
    """One panel a tag."""
    size = (4.2 * len(scalars), 3.2)
    figure, panels = plt.subplots(1, len(scalars), figsize=size, layout="constrained", squeeze=False)
    for panel, (tag, points) in zip(panels[0], scalars.items()):
        steps, values = zip(*points)
        panel.plot(steps, values, marker="." if len(points) < 30 else "")
        panel.set(title=tag, xlabel="step")
        panel.grid(alpha=0.3)
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logdir", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path, help="without suffix: OUT.png and OUT.csv are written")
    parser.add_argument("--tags", nargs="+", help="which curves to draw; default: all")
    options = parser.parse_args()
    scalars = read_scalars(options.logdir)
    if not scalars:
        parser.error(f"{options.logdir} holds no TensorBoard log")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_numbers(scalars, options.out.with_suffix(".csv"))
    draw({tag: scalars[tag] for tag in options.tags or scalars}, options.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
