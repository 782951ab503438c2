"""A vocoder with smaller blocks, made of a trained one: as many hidden units as `--expansion` says are kept.

    python -m recipe prune-vocoder wide.pth predicted --expansion 1 --out pruned.pth

Each block in turn keeps the units that add most to its output. The weights of the next layer are found anew by least
squares, so that its output on these spectrograms changes least (arXiv 1707.06342). Some training afterwards
(`train-vocoder --init pruned.pth`) makes up for the rest.
"""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from recipe import command_line
from recipe.train_vocoder import previous_runs
from vocoder import network, stored
from vocoder.files import check_destination

logger = logging.getLogger(__name__)

MOST_FILES = 90  # spectrograms that are spoken for each block
MOST_ROWS = 50_000  # positions of a block that the least squares look at
RIDGE = 1e-5  # of the mean power of a unit


@torch.inference_mode()
def hidden_units(model: network.Vocoder, block: network.Block, spectrograms: Sequence[Tensor]) -> Tensor:
    """What the block makes of its first layer while the model speaks: (positions, inner), at most MOST_ROWS of them."""
    found: list[Tensor] = []
    handle = block.contract.register_forward_hook(lambda module, inputs, output: found.append(inputs[0].flatten(0, -2)))
    for spectrogram in spectrograms:
        model(spectrogram[None], band_correction=0.0)
    handle.remove()
    rows = torch.cat(found)
    return evenly(rows, MOST_ROWS).double()


def evenly(items: Sequence, most: int) -> Sequence:
    """Every so many-th item, at most `most` of them."""
    return items[:: -(-len(items) // most)]


@torch.no_grad()
def prune_block(block: network.Block, units: Tensor, n_kept: int) -> float:
    """Keep `n_kept` of the block's hidden units, `units` (positions, inner) -> mean squared error over variance."""
    weight, bias = block.contract.weight.double(), block.contract.bias.double()
    wanted = units @ weight.T + bias
    kept = (units.std(0) * weight.norm(dim=0)).topk(n_kept).indices.sort().values
    rows = torch.cat([units[:, kept], torch.ones(len(units), 1).double()], dim=1)
    gram = rows.T @ rows
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    solution = torch.linalg.solve(gram, rows.T @ wanted)
    block.expand.weight, block.expand.bias = (nn.Parameter(part[kept]) for part in block.expand.parameters())
    block.contract.weight, block.contract.bias = (nn.Parameter(s.float()) for s in (solution[:-1].T, solution[-1]))
    return float((rows @ solution - wanted).square().mean() / wanted.var(0).mean())


def prune(path: pathlib.Path, spectrograms_root: pathlib.Path, expansion: int, out: pathlib.Path) -> None:
    """Write the vocoder at `path` with blocks `expansion` times as wide inside as outside to `out`.

    Raises FileNotFoundError or ValueError where there is no vocoder, no spectrogram, or nothing to prune.
    """
    check_destination(out)
    model, files = network.load(path), sorted(spectrograms_root.glob("*.mel.npy"))
    if not files:
        raise FileNotFoundError(f"{spectrograms_root} holds no ID.mel.npy: write them with `python -m recipe predict`")
    if not 1 <= expansion < model.config.expansion:
        raise ValueError(f"the expansion is {model.config.expansion}: give a smaller one, at least 1, not {expansion}")
    spectrograms = [torch.as_tensor(stored.read_spectrogram(file)) for file in evenly(files, MOST_FILES)]
    for block in [*model.blocks, *model.short_gains.blocks]:
        n_kept = expansion * block.expand.in_features
        error = prune_block(block, hidden_units(model, block, spectrograms), n_kept)
        logger.info("%d: %d units kept, %.1f %% of the output's variance lost", block.expand.in_features, n_kept,
                    100 * error)  # fmt: skip
    model.config = replace(model.config, expansion=expansion)
    network.save(model, out, [*previous_runs(path), {"pruned": spectrograms_root.name, "expansion": expansion}])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_line.make_parser("prune-vocoder", "Make a trained vocoder smaller.")
    parser.add_argument("vocoder", type=pathlib.Path)
    parser.add_argument("spectrograms", type=pathlib.Path, help="folder of ID.mel.npy, as `predict` writes")
    parser.add_argument("--expansion", type=int, required=True, help="hidden units of a block over its width")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    command_line.run(
        parser, arguments, lambda options: prune(options.vocoder, options.spectrograms, options.expansion, options.out)
    )
