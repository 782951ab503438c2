"""What the trainings share: files that are whole, settings, a step of the optimiser, a run that resumes."""

from __future__ import annotations

import copy
import hashlib
import math
import os
import pathlib
import pickle
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

# -------- Files ------------------------------------------------------------------------------------------------------


def checksum(path: pathlib.Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def save_atomically(content: dict, path: pathlib.Path) -> None:
    """`torch.save` to a temporary name in the same folder, then rename: the file at `path` is whole at any time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    torch.save(content, temporary)
    os.replace(temporary, path)


def read_saved(path: pathlib.Path, advice: str) -> dict:
    """Read a dict of tensors and plain data, running no code from the file. ValueError for any other file."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no whole file of this program ({type(error).__name__}): {advice}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, no dict: {advice}")
    return content


def save_model(model: nn.Module, path: pathlib.Path, training: Mapping) -> None:
    """Write the model's configuration (`model.config`), fp16 weights and how they were trained, as plain data."""
    weights = {name: tensor.detach().cpu().half() for name, tensor in model.state_dict().items()}
    broken = [name for name, tensor in weights.items() if not tensor.isfinite().all()]
    assert not broken, f"weights that are not finite in fp16: {broken}"
    save_atomically({"config": asdict(model.config), "weights": weights, "training": dict(training)}, path)


def load_model(path: pathlib.Path, build: Callable[[Mapping], nn.Module], noun: str, advice: str) -> nn.Module:
    """Read what `save_model` wrote into an fp32 model in eval mode on the CPU; `build` makes it of its configuration.

    ValueError, which names the `noun` and gives the `advice`, for a truncated, foreign or hostile file.
    """
    saved = read_saved(path, advice)
    try:
        model = build(saved["config"])
        model.load_state_dict({name: tensor.float() for name, tensor in saved["weights"].items()})
    except (RuntimeError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no {noun} of this program ({type(error).__name__}): {advice}") from error
    if not all(tensor.isfinite().all() for tensor in model.state_dict().values()):
        raise ValueError(f"{path} holds NaN or infinity: {advice}")
    return model.eval()


# -------- Settings ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StepConfig:
    """How weights are changed. The defaults suit the acoustic model, the whole of LJ Speech and one GPU."""

    batch_size: int = 32
    learning_rate: float = 1e-3  # the peak, reached after the warm-up
    warmup_steps: int = 1000
    cooldown: float = 0.3  # last part of the steps, in which the learning rate goes to 0
    weight_decay: float = 1e-6
    max_gradient_norm: float = 1.0
    ema_decay: float = 0.999  # the averaged weights are the ones that are kept
    amp: str = "auto"  # "auto", "bf16", "fp16" or "fp32"
    seed: int = 0


@dataclass(frozen=True)
class EpochConfig(StepConfig):
    """How epochs are watched."""

    n_evaluations: int = 20  # of validation, pictures and audio, spread over the run
    log_every: int = 50  # steps


def learning_rate_factor(step: int, n_steps: int, config: StepConfig) -> float:
    """Linear warm-up, then 1 / sqrt(step) (arXiv 1706.03762 §5.3, scaled to a peak of 1), at last linearly to 0."""
    warmup = max(1, min(config.warmup_steps, n_steps // 5))  # a short run warms up in its first fifth
    noam = min((step + 1) / warmup, math.sqrt(warmup / (step + 1)))
    return noam * min(1.0, (n_steps - step) / max(1.0, config.cooldown * n_steps))


def choose_amp(amp: str, device: torch.device) -> torch.dtype:
    """The number type of autocast; torch.float32 means none."""
    types = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
    if amp == "auto":
        has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        amp = "fp32" if device.type != "cuda" else "bf16" if has_bf16 else "fp16"
    if amp not in types:
        raise ValueError(f"amp is {amp!r}: choose one of auto, {', '.join(types)}")
    return types[amp]


# -------- Steps ------------------------------------------------------------------------------------------------------


class Stage:
    """What a training changes from step to step: weights, their average, optimiser, schedule, position.

    `parts` are the modules that learn; all else in the model is frozen and in eval mode.
    """

    STATEFUL = ("model", "average", "optimizer", "scheduler", "scaler")

    def __init__(self, model: nn.Module, parts: Sequence, peak: float, n_steps: int, config: StepConfig):
        self.model, self.parts, self.config = model, parts, config
        self.average = copy.deepcopy(model.requires_grad_(False)).eval()
        self.parameters = [parameter.requires_grad_() for part in parts for parameter in part.parameters()]
        self.device = self.parameters[0].device
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=peak, betas=(0.9, 0.98), weight_decay=config.weight_decay, fused=True
        )
        factor = lambda step: learning_rate_factor(step, n_steps, config)  # noqa: E731
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, factor)
        self.amp = choose_amp(config.amp, self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.amp == torch.float16)
        self.step = self.epoch = 0

    def train(self, batch, compute_loss: Callable) -> dict[str, Tensor]:
        """One step down compute_loss(model, batch)["loss"]; the losses and the gradient norm before clipping."""
        with torch.autocast(self.device.type, self.amp, enabled=self.amp != torch.float32):
            losses = compute_loss(self.model, batch)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(losses["loss"]).backward()
        self.scaler.unscale_(self.optimizer)
        gradient_norm = nn.utils.clip_grad_norm_(self.parameters, self.config.max_gradient_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()
        self._update_average()
        self.step += 1
        return {name: value.detach() for name, value in losses.items()} | {"gradient_norm": gradient_norm}

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential moving average of weights and statistics, over a short window at first."""
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        new, old = self.model.state_dict(), self.average.state_dict()
        torch._foreach_lerp_(list(old.values()), list(new.values()), 1 - decay)

    def state_dict(self) -> dict:
        cuda_rng = torch.cuda.get_rng_state() if self.device.type == "cuda" else None
        position = {"step": self.step, "epoch": self.epoch, "rng": torch.get_rng_state(), "cuda_rng": cuda_rng}
        return {key: getattr(self, key).state_dict() for key in self.STATEFUL} | position

    def load_state_dict(self, state: Mapping) -> None:
        for key in self.STATEFUL:
            getattr(self, key).load_state_dict(state[key])
        self.step, self.epoch = state["step"], state["epoch"]
        torch.set_rng_state(state["rng"])
        if state["cuda_rng"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_rng"])


class Run:
    """One training run: its folder, its TensorBoard log and its state on disk, from which it resumes."""

    def __init__(self, logdir: pathlib.Path, settings: Mapping, resume: bool):
        from torch.utils.tensorboard import SummaryWriter  # slow to import, and synthesis does not need it

        self.state_path, self.settings, self.state = logdir / "training_state.pth", dict(settings), None
        if resume and self.state_path.exists():
            advice = f"pass resume=False to start anew, or another logdir than {logdir}"
            self.state = read_saved(self.state_path, advice)
            if self.state.get("settings") != self.settings:
                raise ValueError(f"the unfinished run in {logdir} had other settings or data: {advice}")
        self.writer = SummaryWriter(str(logdir))

    def save(self, name: str, stage: Stage, **more) -> None:
        save_atomically({"settings": self.settings, "stage": name, **stage.state_dict(), **more}, self.state_path)

    def log(self, prefix: str, stage: Stage, scalars: Mapping[str, Tensor | float]) -> None:
        for name, value in scalars.items():
            self.writer.add_scalar(f"{prefix}/{name}", value := float(value), stage.step)
            if not math.isfinite(value) and stage.amp != torch.float16:  # there the scaler skips such steps
                raise RuntimeError(f"{name} is {value} at step {stage.step}: lower the learning rate or check the data")


# -------- Epochs -----------------------------------------------------------------------------------------------------


def run_stage(name: str, stage: Stage, loaders: Sequence, n_epochs: int, functions: tuple, run: Run) -> nn.Module:
    """Train to the last epoch, evaluating and saving the state on the way; returns the averaged model.

    `functions` are compute_loss(model, batch) -> dict with `loss`, and evaluate(stage, loader, writer) -> measures.
    """
    (train_loader, val_loader), (compute_loss, evaluate) = loaders, functions
    if run.state is not None and run.state["stage"] == name:
        stage.load_state_dict(run.state)
    every = max(1, n_epochs // stage.config.n_evaluations)
    bar = tqdm(range(stage.epoch, n_epochs), desc=name, initial=stage.epoch, total=n_epochs, unit="epoch")
    for epoch in bar:
        speed = train_epoch(name, stage, train_loader, compute_loss, run)
        run.log(name, stage, speed)
        if (epoch + 1) % every == 0 or epoch + 1 == n_epochs:
            measures = evaluate(stage, val_loader, run.writer)
            run.log("validation", stage, measures)
            measures |= speed
            bar.set_postfix({key: f"{float(value):.3f}" for key, value in measures.items()}, step=stage.step)
            run.save(name, stage)
    return stage.average


def train_epoch(name: str, stage: Stage, loader: Iterable, compute_loss: Callable, run: Run) -> dict[str, float]:
    """Returns iterations a second and which part of the time was spent waiting for the loader."""
    stage.model.eval()
    for part in stage.parts:
        part.train()
    loader.batch_sampler.epoch = stage.epoch
    first, waited, start = stage.step, 0.0, time.perf_counter()
    asked = start
    for batch in loader:
        waited += time.perf_counter() - asked
        scalars = stage.train(batch.to(stage.device), compute_loss)
        if stage.step % stage.config.log_every == 0:
            run.log(name, stage, {**scalars, "learning_rate": stage.scheduler.get_last_lr()[0]})
        asked = time.perf_counter()
    stage.epoch += 1
    seconds = asked - start
    return {"iterations_per_second": (stage.step - first) / seconds, "loader_fraction": waited / seconds}
