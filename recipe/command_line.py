"""Shared by the commands of the recipe: a parser, training settings as options, errors as one line."""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, replace

from part2_solution import ModelConfig, StepConfig


def make_parser(command: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=f"python -m recipe {command}", description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip


def add_settings(parser: argparse.ArgumentParser, config: StepConfig) -> None:
    """An option for each field, with the value that it has here as default."""
    for field in fields(config):
        default = getattr(config, field.name)
        parser.add_argument(
            "--" + field.name.replace("_", "-"), default=default, type=int if default is None else type(default),
            choices=field.metadata["choices"] or None,
            help=field.metadata["help"] + ("" if default is None else " (default: %(default)s)"),
        )  # fmt: skip


def read_settings(options: argparse.Namespace, config: StepConfig) -> StepConfig:
    return replace(config, **{field.name: getattr(options, field.name) for field in fields(config)})


def read_model_settings(changes: Sequence[str]) -> dict[str, int | float]:
    """`NAME=NUMBER` of fields of `ModelConfig`. Raises ValueError that lists them."""
    defaults = {field.name: field.default for field in fields(ModelConfig) if field.default is not MISSING}
    try:
        return {name: type(defaults[name])(number) for name, number in (change.split("=") for change in changes)}
    except (KeyError, ValueError) as error:
        known = " ".join(f"{name}={value}" for name, value in defaults.items())
        raise ValueError(f"--model takes NAME=NUMBER of any of: {known}") from error


def run(parser: argparse.ArgumentParser, arguments: Sequence[str] | None, work: Callable) -> None:
    """`work` gets the options. What is wrong with them or with their files becomes one line, not a traceback."""
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    warnings.formatwarning = lambda message, *_: f"{message}\n"
    try:
        work(options)
    except (ValueError, OSError, ImportError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    except KeyboardInterrupt:
        parser.exit(1, f"{parser.prog}: stopped; run it again to go on\n")
