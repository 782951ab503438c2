"""Six outputs of the program, to compare bit by bit before and after a change that should not be heard.

    python tests/six_outputs.py write FOLDER      # before the change
    python tests/six_outputs.py compare FOLDER    # after it: with the same weights, machine and PyTorch
"""

import pathlib
import sys

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from part2_solution import TextToSpeechSynthesizer  # noqa: E402

TEXTS = {
    "question": "Have you seen my brother?",
    "statement": "Four hours of steady work faced us before the evening tea.",
    "three sentences": "Dr. Ray paid $3.50, didn't he? Nobody knows. \"Come in!\" she said; then it rained.",
}
PHONEMES = "pau DH IH1 S pau IH1 Z pau S L OW1 pau".split()
DURATIONS = [4, 6, 14, 16, 10, 12, 14, 12, 20, 14, 45, 10]


def six_outputs(synthesizer: TextToSpeechSynthesizer) -> dict[str, torch.Tensor]:
    """Audio (1, t) each, by name."""
    outputs = {name: synthesizer.synthesize_from_text(text) for name, text in TEXTS.items()}
    outputs["phonemes"] = synthesizer.synthesize_from_phonemes(PHONEMES)
    outputs["durations"] = synthesizer.synthesize_from_phonemes(PHONEMES, DURATIONS)
    outputs["streamed"] = torch.cat(list(synthesizer.stream_from_text(TEXTS["three sentences"])), dim=1)
    return outputs


def main(command: str, folder: str) -> None:
    torch.set_num_threads(1)
    outputs, root = six_outputs(TextToSpeechSynthesizer()), pathlib.Path(folder)
    for name, audio in outputs.items():
        path = root / f"{name}.npy"
        if command == "write":
            root.mkdir(parents=True, exist_ok=True)
            np.save(path, audio.numpy())
        elif not np.array_equal(np.load(path), audio.numpy()):
            sys.exit(f"{name} is another than in {path}")
    print(f"{command}: {', '.join(outputs)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
