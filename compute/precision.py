"""The number type that a processor computes fastest with."""

from __future__ import annotations

import pathlib

import torch

AMP = ("auto", "bf16", "fp16", "fp32")
CPU_INFO = pathlib.Path("/proc/cpuinfo")  # of Linux


def choose_amp(amp: str, device: torch.device) -> torch.dtype:
    """The number type of autocast; torch.float32 means none. Emulated bf16 is many times slower than fp32."""
    types = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
    if amp == "auto" and device.type == "cuda":
        amp = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    elif amp == "auto":
        flags = CPU_INFO.read_text().split() if CPU_INFO.is_file() else []
        amp = "bf16" if "avx512_bf16" in flags or "amx_bf16" in flags else "fp32"
    if amp not in types:
        raise ValueError(f"amp is {amp!r}: choose one of auto, {', '.join(types)}")
    return types[amp]
