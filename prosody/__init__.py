"""What the shipped voice has beyond the method: melody, questions, the room, a second speaker. Imports no method.

    settings    what the extension is and how it speaks: two frozen dataclasses; no PyTorch
    cues        words -> a number for each phoneme: which mark its clause ends in, whether it begins a word; and how
                much each phoneme takes part in the rise of a question; no PyTorch
    melody      features (B, N) -> log pitch (B, N), and its encoding (B, N, D), added to the encoded phonemes
    room        log-mel (80, T) -> the same with less noise and echo, and with soft ends
    extension   all of it as the extension of `part2_solution`

Features of a phoneme: `cues` (int), `rises` (0 to 1), `log_pitch` (of Hz), `speaker` (0, or 1 for the second one).
This file imports nothing, so that `prosody.cues` needs no PyTorch.
"""
