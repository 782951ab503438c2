"""`make fuzz` [MINUTES=10] [SEED=0]; `--replay FOLDER` runs a failure again."""

import argparse
import pathlib
import sys
import time

from fuzz import run


def main() -> None:
    parser = argparse.ArgumentParser(prog="fuzz", description="Random and hostile input: nothing may break.")
    parser.add_argument("--minutes", type=float, default=10, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--kinds", nargs="+", choices=run.KINDS, default=run.KINDS, help="default: all")
    parser.add_argument("--out", type=pathlib.Path, default="fuzz-failures", help="default: %(default)s")
    parser.add_argument("--replay", type=pathlib.Path, metavar="FOLDER", help="run this failure again")
    options = parser.parse_args()
    if options.replay:
        result, why = run.replay(options.replay)
        print(result, why, sep="\n")
        sys.exit(result == "failed")
    last = time.monotonic()

    def show(report: run.Report) -> None:
        nonlocal last
        if time.monotonic() - last > 60:
            last = time.monotonic()
            print(f"{report}\n", flush=True)

    report = run.fuzz(60 * options.minutes, options.seed, options.out, options.kinds, show)
    print(report, *report.failures, sep="\n")
    sys.exit(bool(report.failures))


if __name__ == "__main__":
    main()
