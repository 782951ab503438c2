"""The voice without PyTorch: acoustic model and vocoder as ONNX graphs, in one file.

    python -m recipe export                  # TTS.pth, vocoder/vocoder.pth -> runtime/voice.zip

The file is a NumPy archive. It holds the weights, large matrices in 8 bits and a step for each column, the others as
float16; `voice.json` with the settings of the model and the checksums of what it was made from; and four graphs, each
for float32 and for 8 bits, which share the weights:
    phonemes        tokens (N,) -> encoded (N, D), frames (N,), which are not rounded yet
    spectrogram     encoded, durations (N,), features -> mels (T, M), alignment (T, N), pitch (T,)
    filters         mels (T, M) -> the vocoder's filters (T, F)
    gains           log power of short windows (4 T, F) -> their gains
They are written for one sentence without padding, with batch normalisation folded into the layers before it.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import pathlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor, nn

import part2_solution as tts
from part2_solution import CHECKPOINT_PATH, AcousticModel
from prosody.extension import Prosody
from recipe.command_line import make_parser, run
from recipe.onnx_graph import Graph, Value, Weights
from runtime.archive import VOICE_PATH, graph_name
from vocoder import layout, network, weights
from vocoder.layout import LARGEST_AMPLITUDE, LARGEST_GAIN, NOISE_IN_VOICE, SHORT_PER_FRAME
from vocoder.spectrogram import (
    MEL_SCALE_BINS,
    N_FREQUENCIES,
    SPECTROGRAMS_MAX,
    SPECTROGRAMS_MEAN,
    SPECTROGRAMS_MIN,
    SPECTROGRAMS_STD,
)

DATE = (2020, 1, 1, 0, 0, 0)  # of the files in the archive, so that the same weights give the same bytes
FAR = -1e9  # log weight of a phoneme that is not spoken

# -------- Layers of PyTorch ------------------------------------------------------------------------------------------


def numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def affine(norm: nn.BatchNorm1d) -> tuple[np.ndarray, np.ndarray]:
    """Batch normalisation with the statistics of the training: x * scale + shift, (D,) each."""
    scale = numbers(norm.weight / (norm.running_var + norm.eps).sqrt())
    return scale, numbers(norm.bias) - numbers(norm.running_mean) * scale


def linear(
    x: Value, layer: nn.Linear, scale: np.ndarray | None = None, shift: np.ndarray | float = 0.0
) -> Value:  # fmt: skip
    """layer(x) * scale + shift"""
    bias = numbers(layer.bias) if scale is None else numbers(layer.bias) * scale
    return x.graph.linear(x, numbers(layer.weight), bias + np.float32(shift), scale)


def linear_parts(x: Value, layer: nn.Linear, scales: Sequence[float] = (1.0, 1.0, 1.0)) -> list[Value]:
    """layer(x) in parts of equal width, each times its scale: nothing has to be cut out of a larger matrix."""
    parts, (matrices, biases) = [], (np.split(numbers(each), len(scales)) for each in (layer.weight, layer.bias))
    for matrix, bias, scale in zip(matrices, biases, scales):
        parts.append(x.graph.linear(x, matrix, bias * np.float32(scale), np.full(len(bias), scale, np.float32)))
    return parts


def convolution(x: Value, neighbours: Value, layer: nn.Conv1d, scale: np.ndarray | None = None) -> Value:
    """layer(x) * scale"""
    bias = numbers(layer.bias) if scale is None else numbers(layer.bias) * scale
    return x.graph.convolution(x, neighbours, numbers(layer.weight), bias, scale)


def layer_norm(x: Value, layer: nn.LayerNorm) -> Value:
    return x.graph.layer_norm(x, numbers(layer.weight), numbers(layer.bias), layer.eps)


def gru(x: Value, layer: nn.GRU) -> Value:
    for index in range(layer.num_layers):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ends = (f"_l{index}", f"_l{index}_reverse")
        x = x.graph.gru(x, [{name: numbers(getattr(layer, name + end)) for name in names} for end in ends])
    return x


def embed(tokens: Value, layer: nn.Embedding) -> Value:
    return tokens.graph.op("Gather", tokens.graph.weight(numbers(layer.weight)), tokens, axis=0)


# -------- Acoustic model ---------------------------------------------------------------------------------------------


def attention(x: Value, layer: nn.MultiheadAttention, scale: np.ndarray, shift: np.ndarray) -> Value:
    """layer(x) * scale + shift, (L, D) -> (L, D)"""
    n_heads, head_width = layer.num_heads, layer.head_dim
    of_queries = np.repeat(np.float32([1 / math.sqrt(head_width), 1, 1]), layer.embed_dim)
    bias = numbers(layer.in_proj_bias) * of_queries
    projected = x.graph.linear(x, numbers(layer.in_proj_weight), bias, of_queries)  # (L, 3 D)
    heads = projected.reshape(-1, 3 * n_heads, head_width).transpose(1, 0, 2)
    queries, keys, values = heads.split(3, axis=0)  # (n_heads, L, head_width)
    attended = (queries @ keys.transpose(0, 2, 1)).softmax(axis=-1) @ values
    joined = attended.transpose(1, 0, 2).reshape(-1, layer.embed_dim)
    return linear(joined, layer.out_proj, scale, shift)


def residual_convolution(x: Value, neighbours: Value, block: tts.ResidualConvolution) -> Value:
    scale, shift = affine(block.norm)
    if (scale >= 0).all():  # then it may as well come before the ReLU
        return x + (convolution(x, neighbours, block.convolution, scale).relu() + shift)
    return x + (convolution(x, neighbours, block.convolution).relu() * scale + shift)


def block(x: Value, neighbours: Value, part: tts.Block) -> Value:
    scale, shift = affine(part.attention_norm)
    x = x * scale + attention(x, part.attention, scale, shift)
    scale, shift = affine(part.feed_forward_norm)
    inner = linear(x, part.feed_forward[0]).relu()
    x = x * scale + linear(inner, part.feed_forward[2], scale, shift)
    return residual_convolution(x, neighbours, part.residual_convolution)


def blocks(x: Value, part: tts.Blocks) -> Value:
    graph, n_positions = x.graph, x.length()
    stored = graph.weight(numbers(part.positions))
    x = x + graph.op("Slice", stored, np.array([0]), n_positions.unsqueeze(0), np.array([0]))
    neighbours = graph.neighbours(x, part.blocks[0].residual_convolution.convolution.kernel_size[0])
    for each in part.blocks:
        x = block(x, neighbours, each)
    return x


def export_phonemes(model: AcousticModel, shared: Weights, int8: bool) -> Graph:
    graph, config = Graph("phonemes", shared, int8), model.config
    tokens = graph.input("tokens", ["N"], "int")
    encoded = blocks(embed(tokens, model.encoder.embedding), model.encoder.blocks)
    duration = model.duration_model
    normalised = linear(gru(encoded, duration.gru), duration.projection).squeeze(1)
    frames = (normalised * config.log_duration_std + config.log_duration_mean).exp() - 1.0
    graph.output("encoded", encoded, ["N", config.width])
    graph.output("frames", frames, ["N"])
    return graph


def upsample(model: AcousticModel, durations: Value, times: Value) -> Value:
    """(N,) durations and (T,) middles of frames -> (T, N) weights."""
    graph, ends = durations.graph, durations.graph.op("CumSum", durations, np.array(0))
    centres = ends - durations * 0.5
    inverse = float(1 / model.upsampling.sigma)
    distances = (times.unsqueeze(1) - centres.unsqueeze(0)) * inverse
    silent = graph.op("LessOrEqual", durations, 0.0).as_float() * FAR  # (N,)
    return (distances * distances * -0.5 + silent).softmax(axis=-1)


def embed_places(places: nn.Module, durations: Value, times: Value) -> Value:
    """(N,) durations and (T,) middles of frames -> (T, D), see `PlaceEmbedding`."""
    graph, ends = durations.graph, durations.graph.op("CumSum", durations, np.array(0))
    past = graph.op("GreaterOrEqual", times.unsqueeze(1), ends.unsqueeze(0)).as_float()  # (T, N)
    phonemes = past.sum(1).as_int()
    first, end = (graph.op("Gather", row, phonemes) for row in (ends - durations, ends))
    last = places.since.num_embeddings - 1
    since, until = ((row - 0.5).clip(0, last).as_int() for row in (times - first, end - times))
    return embed(since, places.since) + embed(until, places.until)


def export_spectrogram(model: AcousticModel, shared: Weights, int8: bool) -> Graph:
    graph, config = Graph("spectrogram", shared, int8), model.config
    encoded = graph.input("encoded", ["N", config.width])
    durations = graph.input("durations", ["N"])
    extension = model.extension
    log_pitch = None
    if isinstance(extension, Prosody):
        speaker = graph.input("speaker", [])
        log_pitch = plan_pitch(graph, model, durations, speaker)
        encoded = add_pitch(encoded, extension, log_pitch, speaker)
    n_frames = durations.sum(0).as_int()
    times = graph.op("Range", np.array(0), n_frames, np.array(1)).as_float() + 0.5
    alignment = upsample(model, durations, times)
    frames = alignment @ encoded
    if getattr(model, "places", None) is not None:
        frames = frames + embed_places(model.places, durations, times)
    mels = decode(frames, model.decoder) * SPECTROGRAMS_STD + SPECTROGRAMS_MEAN
    graph.output("mels", mels.clip(SPECTROGRAMS_MIN, SPECTROGRAMS_MAX), ["T", MEL_SCALE_BINS])
    graph.output("alignment", alignment, ["T", "N"])
    if log_pitch is not None:
        pitch = (alignment @ log_pitch.unsqueeze(1)).squeeze(1).exp()
        graph.output("pitch", pitch.clip(extension.settings.lowest_pitch, extension.settings.highest_pitch), ["T"])
    return graph


def decode(frames: Value, decoder: tts.Decoder) -> Value:
    coarse = linear(blocks(frames, decoder.blocks), decoder.projection)
    x = linear(coarse, decoder.post_input)
    neighbours = x.graph.neighbours(x, decoder.post_blocks[0].convolution.kernel_size[0])
    for each in decoder.post_blocks:
        x = residual_convolution(x, neighbours, each)
    return coarse + linear(x, decoder.post_projection)


def plan_pitch(graph: Graph, model: AcousticModel, durations: Value, speaker: Value) -> Value:
    """`Prosody.plan`: features and style -> log pitch (N,)."""
    extension, config, settings = model.extension, model.config, model.extension.settings
    tokens, cues = (graph.input(name, ["N"], "int") for name in ("tokens", "cues"))
    rises = graph.input("rises", ["N"])
    style = {name: graph.input(name, []) for name in ("pitch_shift", "intonation", "question_rise")}
    part = extension.pitch_model
    log_durations = ((durations + 1.0).log() - config.log_duration_mean) / config.log_duration_std
    embedded = embed(tokens, part.embedding), embed(cues, part.cue_embedding), log_durations.unsqueeze(1)
    x = (linear(graph.op("Concat", *embedded, axis=1), part.input) + speaker * numbers(part.teacher)).relu()
    normalised = linear(gru(x, part.gru), part.projection).squeeze(1)
    log_pitch = normalised * settings.log_pitch_std + settings.log_pitch_mean
    middle = log_pitch.mean(0)
    shift = (style["pitch_shift"] + style["question_rise"] * rises) * (math.log(2) / 12)
    return middle + style["intonation"] * (log_pitch - middle) + shift


def add_pitch(encoded: Value, extension: Prosody, log_pitch: Value, speaker: Value) -> Value:
    """`Prosody.add_to`"""
    encoding, (first, second) = extension.pitch_encoding, numbers(extension.speaker_embedding.weight)
    centres = numbers(encoding.centres)
    step = float(centres[1] - centres[0])
    distances = (log_pitch.clip(float(centres[0]), float(centres[-1])).unsqueeze(1) - centres) / step
    told = linear((distances * distances * -0.5).exp(), encoding.projection, shift=first)
    return encoded + told + speaker * (second - first)


# -------- Vocoder ----------------------------------------------------------------------------------------------------


def vocoder_block(x: Value, part: network.Block) -> Value:
    mixed = x.graph.depthwise(x, numbers(part.depthwise.weight), numbers(part.depthwise.bias))
    inner = linear(layer_norm(mixed, part.norm), part.expand).gelu()
    return x + linear(inner, part.contract, numbers(part.scale))


def export_filters(model: network.Vocoder, shared: Weights, int8: bool) -> Graph:
    """`predict_filters` and `quieten`, with voice as amplitude and phase."""
    graph = Graph("filters", shared, int8)
    mels = graph.input("mels", ["T", MEL_SCALE_BINS])
    normalised = (mels - SPECTROGRAMS_MEAN) / SPECTROGRAMS_STD
    neighbours = graph.neighbours(mels, model.input.kernel_size[0])
    x = layer_norm(convolution(normalised, neighbours, model.input), model.input_norm)
    for part in model.blocks:
        x = vocoder_block(x, part)
    x = layer_norm(x, model.output_norm)
    amplitude, phase, noise = linear_parts(x, model.correction)
    prior = graph.linear(mels, numbers(model.prior), numbers(model.prior_offset), exact=True)
    voice, noise = ((prior + part).clip(most=LARGEST_AMPLITUDE).exp() for part in (amplitude, noise))
    power_of_voice, power_of_noise = ((part * part).mean(1) for part in (voice, noise))
    share = power_of_voice / (power_of_voice + power_of_noise).clip(least=1e-20)
    noise = noise * (share * (NOISE_IN_VOICE - 1) + 1.0)
    graph.output("pitch", linear(x, model.pitch), ["T", model.config.n_pitches])
    for name, value in (("voice", voice), ("phase", phase), ("noise", noise)):
        graph.output(name, value, ["T", N_FREQUENCIES])
    graph.output("details", linear(x, model.details), ["T", SHORT_PER_FRAME * model.config.short_width])
    return graph


def export_gains(model: network.Vocoder, shared: Weights, int8: bool) -> Graph:
    """`ShortGains`, of the log power of the voice in short windows, with its gain as amplitude and phase."""
    graph, part, config = Graph("gains", shared, int8), model.short_gains, model.config
    log_power = graph.input("log_power", ["S", layout.N_SHORT_FREQUENCIES])
    details = graph.input("details", ["T", SHORT_PER_FRAME * config.short_width])
    # Loudness is (log_power + log(LOUDNESS_SCALE)) / 6 + 2: folded into the layer that sees it.
    weight, offset = numbers(part.input.weight), math.log(layout.LOUDNESS_SCALE) / 6 + 2
    bias = numbers(part.input.bias) + offset * weight.sum(1)
    x = graph.linear(log_power, weight, bias, np.full(len(bias), 1 / 6, np.float32))
    x = x + details.reshape(-1, config.short_width)
    for each in part.blocks:
        x = vocoder_block(x, each)
    scales = 1 / LARGEST_GAIN, 1.0, 1 / LARGEST_GAIN
    amplitude, phase, noise = linear_parts(layer_norm(x, part.norm), part.output, scales)
    amplitude, noise = (value.tanh() * LARGEST_GAIN for value in (amplitude, noise))
    for name, value in (("voice", amplitude.exp()), ("phase", phase), ("noise", noise.exp())):
        graph.output(name, value, ["S", layout.N_SHORT_FREQUENCIES])
    return graph


# -------- File -------------------------------------------------------------------------------------------------------


def describe(model: AcousticModel, vocoder: network.Vocoder) -> dict:
    """What the runtime has to know besides the graphs."""
    config, extension = model.config, model.extension
    known = {name: getattr(config, name) for name in ("vocabulary", "max_phonemes", "max_frames")}
    record = {"model": known, "vocoder": asdict(vocoder.config), "prosody": None}
    if isinstance(extension, Prosody):
        record["prosody"] = {"noise_floor": numbers(extension.noise_floor).tolist()}
    elif type(extension) is not tts.Extension:
        raise ValueError(f"the runtime knows no extension {type(extension).__name__}")
    return record


def checksums(checkpoint: pathlib.Path, vocoder_path: pathlib.Path) -> dict[str, str]:
    """Of what a voice is made from: it is older than its checkpoint where they differ."""
    checkpoint = weights.find(checkpoint, beside=tts.__file__)
    return {"acoustic model": weights.checksum(checkpoint), "vocoder": weights.checksum(vocoder_path)}


@torch.inference_mode()
def export(checkpoint: pathlib.Path, vocoder_path: pathlib.Path, out: pathlib.Path, exact: bool = False) -> None:
    """Write `out`. Raises FileNotFoundError or ValueError for what is no checkpoint."""
    weights.check_destination(out)
    model, vocoder, shared = tts.load_checkpoint(checkpoint), network.load(vocoder_path), Weights(exact)
    record = describe(model, vocoder) | {"made_from": checksums(checkpoint, vocoder_path), "weights": {}}
    contents = {}
    for int8 in (False, True):
        acoustic = [write(model, shared, int8) for write in (export_phonemes, export_spectrogram)]
        for graph in (*acoustic, *(write(vocoder, shared, int8) for write in (export_filters, export_gains))):
            name = graph_name(graph.name, int8)
            contents[name], record["weights"][name] = graph.serialise(), list(graph.stored)
    for name, array in shared.items():
        buffer = io.BytesIO()
        np.save(buffer, array)
        contents[f"{name}.npy"] = buffer.getvalue()
    contents["voice.json"] = json.dumps(record, indent=1).encode()
    weights.write_atomically(out, lambda file: write_archive(file, contents))


def write_archive(file, contents: Mapping[str, bytes]) -> None:
    """Nothing is compressed: it would gain 10 % of the size, and loading would take longer."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name, DATE), content)


def work(options: argparse.Namespace) -> None:
    export(options.checkpoint, options.vocoder, options.out, options.exact)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = make_parser("export", __doc__)
    parser.add_argument("--checkpoint", type=pathlib.Path, default=CHECKPOINT_PATH, help="default: %(default)s")
    parser.add_argument("--vocoder", type=pathlib.Path, default=network.WEIGHTS_PATH, help="default: ours")
    parser.add_argument("--out", type=pathlib.Path, default=VOICE_PATH, help="default: runtime/voice.zip")
    parser.add_argument("--exact", action="store_true",
                        help="store large matrices as they are, not in 8 bits: twice the size")
    run(parser, arguments, work)
