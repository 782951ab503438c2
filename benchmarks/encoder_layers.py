"""Blocks without layer normalisation or PyTorch's Transformer encoder layer? Trains a short while with each, compares.

    python benchmarks/encoder_layers.py LJ-Speech-aligned --steps 400 --batch-size 8 --amp bf16 --json layers.json

Blocks
    strict      those of the voice: attention and feed-forward layer, each with a shortcut and batch normalisation
    built-in    `nn.TransformerEncoderLayer`, which has two layer normalisations of its own, and dropout on attention
                weights and inside the feed-forward layer too: what it does and costs is part of the comparison

Both end with the same residual convolution. Everything but the duration model is trained, from the same weights to
begin with, on the same batches, with the same optimiser and learning rate. The losses are those of the corrected
spectrogram (L1 + L2): `training` is the mean of the last tenth of the steps, with dropout; `validation` is of the
averaged weights on the held-out part, without. Seconds a step are the median, without reading data.
"""

from __future__ import annotations

import argparse
import itertools
import math
import pathlib
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace

import evaluate
import torch
from torch import Tensor, nn
from tqdm import tqdm

import lj_speech
import part2_solution as tts
from part2_solution import Batch, TrainingState

KINDS = ("strict", "built-in")
CONFIG = tts.TrainConfig(
    learning_rate=1e-3,
    ema_decay=0.99,  # over the last hundred steps: of a short run, more would be its beginning
)
CURVE_EVERY = 10  # steps


class LayerNormBlock(nn.Module):
    """(B, L, D) -> (B, L, D): the built-in encoder layer (arXiv 1706.03762), then a residual convolution.

    Takes the place of a `tts.Block` and starts with its weights; the normalisations start as all do, with 1 and 0.
    """

    def __init__(self, config: tts.ModelConfig, dropout: float, block: tts.Block):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            config.width, config.n_heads, config.inner_width, dropout, batch_first=True
        )
        self.layer.self_attn.load_state_dict(block.attention.state_dict())
        self.layer.linear1.load_state_dict(block.feed_forward[0].state_dict())
        self.layer.linear2.load_state_dict(block.feed_forward[2].state_dict())
        self.residual_convolution = block.residual_convolution

    def forward(self, x: Tensor, padding: Tensor | None, real: Tensor | None) -> Tensor:
        """As `tts.Block`. The layer leaves padding anything but zero."""
        x = self.layer(x, src_key_padding_mask=padding)
        x = x if padding is None else x.masked_fill(padding.unsqueeze(-1), 0)
        return self.residual_convolution(x, real)


def make_model(kind: str, alignments: Sequence, settings: Mapping, seed: int) -> tts.AcousticModel:
    """With blocks of this kind; what both kinds have starts with the same weights. On the GPU if there is one."""
    torch.manual_seed(seed)
    config = replace(tts.describe_data(alignments), **settings)
    model = tts.AcousticModel(config).to("cuda" if torch.cuda.is_available() else "cpu")
    parts = (model.encoder, config.encoder_dropout), (model.decoder, config.decoder_dropout)
    for part, dropout in parts if kind == "built-in" else ():
        new = [LayerNormBlock(config, dropout, block) for block in part.blocks.blocks]
        part.blocks.blocks = nn.ModuleList(new).to(part.blocks.positions.device)
    return model


def take(loader: torch.utils.data.DataLoader, n_steps: int) -> Iterator[Batch]:
    """`n_steps` batches, epoch after epoch, in an order fixed by the seed of the loader."""
    for epoch in range(math.ceil(n_steps / len(loader))):
        loader.batch_sampler.epoch = epoch
        yield from itertools.islice(loader, n_steps - epoch * len(loader))


def train(state: TrainingState, batches: Iterable[Batch]) -> tuple[list[float], list[float]]:
    """The loss of each step, and its seconds."""
    state.model.eval()
    for part in state.parts:
        part.train()
    losses, seconds = [], []
    for batch in batches:
        start = time.perf_counter()
        scalars = state.train(batch.to(state.device), lambda model, batch: tts.spectrogram_loss(model(batch), batch))
        losses.append(float(scalars["corrected"]))  # waits for the GPU
        seconds.append(time.perf_counter() - start)
    return losses, seconds


@torch.inference_mode()
def validate(state: TrainingState, loader: Iterable[Batch]) -> float:
    """The loss of the averaged model, mean of the batches."""
    batches = (batch.to(state.device) for batch in loader)
    return statistics.mean(float(tts.spectrogram_loss(state.average(batch), batch)["corrected"]) for batch in batches)


def measure(
    kind: str, datasets: Sequence, n_steps: int, config: tts.TrainConfig, settings: Mapping = {}
) -> tuple[dict, list[float]]:
    """One training from scratch: the row of the table, and the training loss every CURVE_EVERY steps, from the first.

    settings    fields of `ModelConfig` other than their defaults
    """
    alignments = [alignment for dataset in datasets for alignment in dataset.alignments]
    model = make_model(kind, alignments, settings, config.seed)
    loaders = [tts.make_loader(dataset, model.config.vocabulary, config) for dataset in datasets]
    state = TrainingState(model, [model.encoder, model.upsampling, model.decoder], n_steps, config)
    torch.manual_seed(config.seed)  # of dropout
    bar = tqdm(take(loaders[0], n_steps), desc=f"{kind}, seed {config.seed}", total=n_steps)
    losses, seconds = train(state, bar)
    row = {
        "block": kind,
        "seed": config.seed,
        "parameters": sum(parameter.numel() for parameter in state.parameters),
        "steps": n_steps,
        "seconds a step": statistics.median(seconds),
        "training loss": statistics.mean(losses[-max(1, n_steps // 10) :]),
        "validation loss": validate(state, loaders[1]),
    }
    return row, losses[::CURVE_EVERY]


def render(report: Mapping) -> str:
    """Markdown; the losses differ little, so with three decimals."""
    rows = [{k: f"{v:.3f}" if isinstance(v, float) else v for k, v in row.items()} for row in report["rows"]]
    return f"Measured on {evaluate.describe(report['machine'])}.\n\n{evaluate.markdown_table(rows)}"


def compare(options: argparse.Namespace, settings: Mapping = {}) -> dict:
    """The report, which is also in the file `options.json` from the first training on."""
    datasets = lj_speech.get_dataset(options.dataset_root)
    config = replace(CONFIG, batch_size=options.batch_size, amp=options.amp)
    report = {"machine": evaluate.machine(), "training": asdict(config), "rows": [], "curves": {}}
    del report["training"]["seed"]  # each row has its own
    for seed, kind in itertools.product(options.seeds, KINDS):
        row, curve = measure(kind, datasets, options.steps, replace(config, seed=seed), settings)
        report["rows"].append(row)
        report["curves"][f"{kind}, seed {seed}"] = curve
        if options.json:
            evaluate.write_json(report, options.json)
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Compare blocks of the acoustic model, as a Markdown table.")
    parser.add_argument("dataset_root", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--amp", default="auto", help="auto, bf16, fp16 or fp32")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=2, help="of the CPU")
    parser.add_argument("--json", type=pathlib.Path, help="write the report there, with the loss curves")
    options = parser.parse_args(arguments)
    if min(options.steps, options.batch_size, options.threads) < 1:
        parser.error("--steps, --batch-size and --threads are at least 1")
    if min(options.seeds) < 0:
        parser.error("--seeds are at least 0")
    if options.json and not options.json.parent.is_dir():
        parser.error(f"--json: there is no folder {options.json.parent}")
    torch.set_num_threads(options.threads)
    try:
        print(render(compare(options)))
    except (ValueError, FileNotFoundError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
