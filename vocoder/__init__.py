"""Spectrogram -> audio: the ground floor of the project. It imports nothing from the other rooms.

    spectrogram   what a spectrogram is: every STFT and mel fact, and audio (S,) -> log-mel (80, T); numpy only
    settings      dataclasses that check themselves; no PyTorch
    files         files, written whole and checked before they are read; no PyTorch
    weights       weights and settings on disk, as plain data
    stored        spectrograms, pitch and JSON on disk, read with checks; numpy only
    network       our vocoder: log-mel (B, 80, T) -> audio (B, 256 T)
    hifigan       HiFi-GAN V1 with published weights, to compare with
    vocoder.pth   the weights of our vocoder, made by `python -m recipe train-vocoder`

`lj_speech.Vocoder` is the door to all of it. This file imports nothing, so that `vocoder.spectrogram` needs no PyTorch.
"""
