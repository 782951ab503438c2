"""The voice without PyTorch: text -> audio with onnxruntime and numpy, from one file. Nothing here imports PyTorch.

    archive       voice.zip, made by `python -m recipe export`: the networks as ONNX graphs, and how to run them
    vocoder       log-mel (80, T) -> audio (1, 256 T): the graphs of the vocoder, and its signal processing in numpy
    synthesizer   text or phonemes -> audio (1, t): the same methods and settings as `part2_solution`'s

    from runtime import TextToSpeechSynthesizer
    audio = TextToSpeechSynthesizer().synthesize_from_text("Hello there.")  # numpy, float32 (1, t), 22 050 Hz
"""

from runtime.synthesizer import TextToSpeechSynthesizer

__all__ = ["TextToSpeechSynthesizer"]
