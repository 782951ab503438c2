"""From recordings, transcripts and alignments to the dataset folder: against naive twins, and with every fault."""

import gzip
import json
import math
import os
import re
import shutil
import sys
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import soundfile

import english
import lj_speech
from recipe import prepare as preparing
from recipe.prepare import Alignment, Segment, prepare
from vocoder.spectrogram import mel_spectrogram

RATE = lj_speech.SAMPLING_RATE
REAL = Path(__file__).resolve().parents[2] / "shared" / "ljspeech"
needs_recordings = pytest.mark.skipif(not REAL.exists(), reason="needs recordings of LJ Speech beside the project")

SECONDS = 1.3
TEXT = "The cat -- sat."
WORDS = [("the", 0.1, 0.3), ("cat", 0.3, 0.7), ("", 0.7, 0.8), ("sat", 0.8, 1.2), ("", 1.2, SECONDS)]
PHONES = [
    ("sil", 0, 0.1), ("DH", 0.1, 0.2), ("AH0", 0.2, 0.3), ("K", 0.3, 0.4), ("AE1", 0.4, 0.6), ("T", 0.6, 0.7),
    ("sp", 0.7, 0.75), ("", 0.75, 0.8), ("S", 0.8, 0.95), ("AE1", 0.95, 1.1), ("T", 1.1, 1.2), ("sil", 1.2, SECONDS),
]  # fmt: skip
CODES = ["pau", "DH", "AH0", "K", "AE1", "T", "pau", "S", "AE1", "T", "pau"]


def sweep(seconds: float = SECONDS, rate: int = RATE, offset: float = 0.0) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * (200 + offset + 800 * time) * time)).astype(np.float32)


def write_corpus(folder: Path, names=("a1", "a2", "a3")) -> tuple[Path, Path]:
    """A folder as the corpus has it and its alignments: (corpus folder, JSON lines)."""
    (folder / "wavs").mkdir(parents=True)
    for number, name in enumerate(names):
        soundfile.write(folder / "wavs" / f"{name}.wav", sweep(offset=100 * number), RATE)
    (folder / "metadata.csv").write_text("".join(f"{name}|raw|{TEXT}\n" for name in names))
    lines = [alignment_line(name) for name in names]
    (folder / "alignments.jsonl").write_text("\n".join(lines) + "\n")
    return folder, folder / "alignments.jsonl"


def alignment_line(name: str, words=WORDS, phones=PHONES, seconds=SECONDS) -> str:
    return json.dumps({"id": name, "n_samples": round(seconds * RATE), "words": words, "phones": phones})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# -------- Sound -------------------------------------------------------------------------------------------------------


def slaney_hertz(mel: float) -> float:
    """Slaney's Auditory Toolbox: linear up to 1 kHz in steps of 200/3 Hz, then 27 steps to each factor of 6.4."""
    return mel * 200 / 3 if mel < 15 else 1000 * math.exp((mel - 15) * math.log(6.4) / 27)


def naive_mel_spectrogram(audio: np.ndarray) -> np.ndarray:
    padded = np.pad(audio.astype(np.float64), 512, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    starts = range(0, len(padded) - 1023, 256)
    magnitudes = np.stack([np.abs(np.fft.rfft(window * padded[start : start + 1024])) for start in starts], axis=1)
    top = 15 + 27 * math.log(8000 / 1000) / math.log(6.4)
    corners = [slaney_hertz(top * band / 81) for band in range(82)]
    bands = np.zeros((80, 513))
    for band, (low, centre, high) in enumerate(zip(corners, corners[1:], corners[2:])):
        for bin_, hertz in enumerate(np.arange(513) * RATE / 1024):
            rising, falling = (hertz - low) / (centre - low), (high - hertz) / (high - centre)
            bands[band, bin_] = max(0, min(rising, falling)) * 2 / (high - low)
    return np.log(np.maximum(bands @ magnitudes, 1e-5))


def test_the_spectrogram_is_the_one_of_tacotron_2():
    audio = sweep(0.4) + np.random.default_rng(0).normal(0, 0.01, round(0.4 * RATE))
    audio[4000:6000] = 0  # reaches the floor
    expected = naive_mel_spectrogram(audio)
    found = mel_spectrogram(audio.astype(np.float32))
    assert found.shape == expected.shape == (80, len(audio) // 256 + 1) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert expected.min() == np.log(1e-5)


def test_other_rates_are_resampled_and_channels_mixed(tmp_path):
    stereo = np.stack([sweep(rate=16000) * 2, np.zeros(round(SECONDS * 16000))], axis=1)
    soundfile.write(tmp_path / "x.flac", stereo, 16000)
    audio = preparing.read_audio(tmp_path / "x.flac")
    assert len(audio) == len(sweep())
    np.testing.assert_allclose(audio[500:-500], sweep()[500:-500], atol=2e-3)


# -------- The dataset -------------------------------------------------------------------------------------------------


def test_the_loader_reads_what_is_prepared(tmp_path):
    corpus, alignments = write_corpus(tmp_path / "corpus")
    summary = prepare(tmp_path / "out", corpus, alignments, n_workers=1)
    assert (summary.written, summary.kept, summary.skipped) == (["a1", "a2", "a3"], [], {})
    train, validation = lj_speech.get_dataset(tmp_path / "out")
    assert len(train) + len(validation) == 3
    sample = train[0]
    assert sample["text"] == TEXT and sample["phonemes_code"] == CODES
    seconds = [0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.95, 1.1, 1.2]
    assert sample["phonemes_start"] == [round(second * RATE / 256) for second in seconds]
    assert sum(sample["phonemes_duration"]) == sample["spectrogram"].shape[1] == round(SECONDS * RATE) // 256 + 1
    recording, _ = soundfile.read(corpus / "wavs" / "a2.wav")  # the first one is for validation
    np.testing.assert_allclose(sample["spectrogram"], naive_mel_spectrogram(recording), atol=2e-2)
    assert lj_speech.POSSIBLE_PHONEME_CODES == {"pau", *english.PHONEMES}


def test_the_pitch_is_tracked_where_there_is_voice():
    pytest.importorskip("parselmouth")
    times = np.arange(RATE) / RATE
    audio = (0.1 * sum(np.cos(2 * np.pi * 120 * k * times) / k for k in range(1, 20))).astype(np.float32)
    audio[: RATE // 2] = 0
    spectrogram = preparing.checked_spectrogram(audio)
    log_pitch, log_loudness = preparing.track_pitch(audio, spectrogram)
    assert log_pitch.shape == (spectrogram.shape[1],)
    assert np.isneginf(log_loudness[:35]).all()
    np.testing.assert_allclose(np.exp(log_pitch[50:80]), 120, rtol=0.01)
    np.testing.assert_allclose(log_loudness[50:80], spectrogram.mean(0)[50:80])
    with pytest.raises(ValueError, match="no voice"):
        preparing.track_pitch(np.zeros(RATE), spectrogram)


def test_pitch_is_added_to_what_is_there_already(tmp_path):
    pytest.importorskip("parselmouth")
    corpus, alignments = write_corpus(tmp_path / "corpus")
    out = tmp_path / "out"
    assert len(prepare(out, corpus, alignments, n_workers=1).written) == 3
    assert not list(out.glob("*.pitch.npy"))
    assert len(prepare(out, corpus, alignments, n_workers=1, pitch=True).written) == 3
    mel, pitch = (np.load(out / f"a1.{kind}.npy") for kind in ("mel", "pitch"))
    assert pitch.shape == (2, mel.shape[1]) and np.isfinite(pitch[0]).all()
    assert len(prepare(out, corpus, alignments, n_workers=1, pitch=True).kept) == 3
    with pytest.raises(ValueError, match="recordings"):
        prepare(out, None, alignments, corpus / "metadata.csv", pitch=True)


def test_each_phone_is_in_one_word_and_a_pause_is_a_word():
    alignment = preparing.parse_alignment_line(alignment_line("x"))
    record = preparing.make_record("x", TEXT, alignment, SECONDS)
    words = [[phone["phone"] for phone in word["phones"]] for word in record["utterance"]["words"]]
    assert words == [["pau"], ["DH", "AH0"], ["K", "AE1", "T"], ["pau"], ["S", "AE1", "T"], ["pau"]]
    assert record["utterance"]["words"][2]["phones"][1] == {"phone": "AE1", "onset": 400.0, "duration": 200.0}


@pytest.mark.parametrize(
    ("phones", "expected"),
    [
        ([("B", 0.0, 0.4), ("sp", 0.4, 0.5), ("sil", 0.5, 0.6), ("T", 0.6, 1)], [("B", 0.4), ("pau", 0.2), ("T", 0.4)]),
        ([("B", 0.0, 0.4), ("T", 0.6, 1.0)], [("B", 0.4), ("pau", 0.2), ("T", 0.4)]),  # a hole
        ([("B", 0.01, 0.4), ("", 0.4, 0.41), ("T", 0.41, 0.99)], [("B", 0.41), ("T", 0.59)]),  # rounding
        ([("B", 0.2, 0.4)], [("pau", 0.2), ("B", 0.2), ("pau", 0.6)]),
        ([("B", 0.0, 0.9), ("sil", 0.9, 1.8)], [("B", 0.9), ("pau", 0.1)]),  # a pause after the end
        ([("B", 0.0, 1.03)], [("B", 1.0)]),
    ],
)
def test_pauses_are_what_lies_between_phonemes(phones, expected):
    closed = preparing.close_gaps([Segment(*phone) for phone in phones], seconds=1.0)
    assert [phone.label for phone in closed] == [label for label, _ in expected]
    assert [phone.end - phone.start for phone in closed] == pytest.approx([duration for _, duration in expected])
    assert closed[0].start == 0 and all(before.end == after.start for before, after in zip(closed, closed[1:]))


def test_the_duration_model_needs_no_recordings(tmp_path):
    corpus, alignments = write_corpus(tmp_path / "corpus")
    packed = tmp_path / "alignments.jsonl.gz"
    packed.write_bytes(gzip.compress(alignments.read_bytes()))
    prepare(tmp_path / "out", None, packed, corpus / "metadata.csv", n_workers=1)
    assert [alignment.codes for alignment in lj_speech.get_alignments(tmp_path / "out")] == [CODES] * 3
    assert not list((tmp_path / "out").glob("*.npy"))


def test_all_cores_make_the_same_files(tmp_path):
    corpus, alignments = write_corpus(tmp_path / "corpus")
    prepare(tmp_path / "one", corpus, alignments, n_workers=1)
    prepare(tmp_path / "two", corpus, alignments, n_workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


# -------- Transcripts and alignments of every form --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metadata.csv", 'x|A "raw|the text\ny|only one\n'),
        ("table.csv", "id,seconds,text\nx,1.0,the text\ny,2.0,only one\n"),
        ("folder", {"x.txt": "the text\n", "y.lab": "only one"}),
    ],
)
def test_transcripts_come_in_three_forms(tmp_path, name, content):
    path = tmp_path / name
    if isinstance(content, dict):
        path.mkdir()
        for file, text in content.items():
            (path / file).write_text(text)
    else:
        path.write_text(content)
    assert preparing.read_transcripts(path) == {"x": "the text", "y": "only one"}


LONG_HEAD = "xmin = 0\nxmax = {}\ntiers? <exists>\nsize = 2\nitem []:"
SHORT_HEAD = "0\n{}\n<exists>\n2"


def textgrid(long: bool) -> str:
    """A TextGrid as MFA writes it, in Praat's long or short form."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += (LONG_HEAD if long else SHORT_HEAD).format(SECONDS).splitlines()
    for number, (name, segments) in enumerate([("words", WORDS), ("phones", PHONES)], 1):
        if long:
            lines += [f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{name}"']
            lines += [f"        xmin = 0\n        xmax = {SECONDS}\n        intervals: size = {len(segments)}"]
        else:
            lines += [f'"IntervalTier"\n"{name}"\n0\n{SECONDS}\n{len(segments)}']
        for index, (label, start, end) in enumerate(segments, 1):
            if long:
                lines += [f"        intervals [{index}]:\n            xmin = {start}\n            xmax = {end}"]
                lines += [f'            text = "{label}"']
            else:
                lines += [f'{start}\n{end}\n"{label}"']
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("long", [True, False])
def test_textgrids_are_as_good_as_json_lines(tmp_path, long):
    corpus, alignments = write_corpus(tmp_path / "corpus")
    for name in ("a1", "a2", "a3"):
        path = tmp_path / "grids" / "speaker" / f"{name}.TextGrid"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textgrid(long))
    prepare(tmp_path / "from_grids", corpus, tmp_path / "grids", n_workers=1)
    prepare(tmp_path / "from_lines", corpus, alignments, n_workers=1)
    assert contents(tmp_path / "from_grids") == contents(tmp_path / "from_lines")


def test_a_textgrid_that_is_none_says_so(tmp_path):
    (tmp_path / "x.TextGrid").write_text(textgrid(True)[:300])
    with pytest.raises(ValueError, match="TextGrid has no readable tiers"):
        preparing.read_textgrid(tmp_path / "x.TextGrid")


# -------- Unknown words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "text", "pieces"),
    [
        ("in black letter <unk> the letter", "in black letter, i.e. the letter", ["i.e"]),
        ("jacobus <unk> or <unk> is", "Jacobus Rubeus or -- is", ["Rubeus", "--"]),
        ("upon a mister <unk> with", "upon a Mr. Mullay, with", ["Mullay"]),
        ("of lord <unk> s bill", "of Lord Redesdale's bill", ["Redesdale"]),
        ("the <unk> <unk> evils", "the (Newgate) -- evils", ["Newgate)", "--"]),
        ("all <unk> <unk> day", "all higgledy-piggledy Newgate day", ["higgledy-piggledy", "Newgate"]),
        ("printer's <unk>", "Printer’s L'Isle", ["L'Isle"]),
    ],
)
def test_the_transcript_spells_unknown_words(labels, text, pieces):
    assert preparing.spell_unknown_words(labels.split(), text) == pieces


def test_abbreviations_are_read_letter_by_letter():
    assert preparing.pronounce_spelling("a.m") == ["EY1", "EH1", "M"]
    assert preparing.pronounce_spelling("cat-sat") == ["K", "AE1", "T", "S", "AE1", "T"]
    assert preparing.pronounce_spelling("--") == []


def test_unknown_words_are_repaired_without_sound():
    words = [Segment("the", 0.1, 0.3), Segment("<unk>", 0.3, 0.9), Segment("<unk>", 0.9, 1.0), Segment("sat", 1.0, 1.3)]
    phones = [Segment("DH", 0.1, 0.2), Segment("AH0", 0.2, 0.3), Segment("spn", 0.3, 0.9), Segment("spn", 0.9, 1.0)]
    phones += [Segment("S", 1.0, 1.1), Segment("AE1", 1.1, 1.2), Segment("T", 1.2, 1.3)]
    repaired = preparing.repair(Alignment(words, phones, SECONDS), TEXT, None)
    closed = preparing.close_gaps(repaired.phones, SECONDS)
    assert [phone.label for phone in closed] == ["pau", "DH", "AH0", "K", "AE1", "T", "pau", "S", "AE1", "T"]
    assert [phone.start for phone in closed[3:7]] == pytest.approx([0.3, 0.5, 0.7, 0.9])


# -------- Faults ------------------------------------------------------------------------------------------------------


def replaced(before: str, *after: tuple) -> list:
    position = [label for label, *_ in PHONES].index(before)
    return [*PHONES[:position], *after, *PHONES[position + 1 :]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (dict(phones=replaced("K", ("kʰ", 0.3, 0.4))), "phonemes are not ARPAbet with stress: kʰ"),
        (dict(phones=replaced("K", ("K", 0.45, 0.4))), "phonemes overlap"),
        (dict(phones=[("sil", 0, SECONDS)]), "alignment has no speech"),
        (dict(phones=[*PHONES, ("S", 1.3, 1.5)]), "goes on after the end"),
        (dict(seconds=1.5), "alignment is of 1.50 s, the recording has 1.30 s"),
        (dict(phones=[("K", "soon", "late")]), "alignment cannot be read"),
        (dict(phones=replaced("S", ("spn", 0.8, 0.95))), "unknown word is too short for its spelling"),
        (dict(words=[], phones=replaced("S", ("spn", 0.8, 0.95))), "unknown word is not among the words"),
        (dict(words=[("<unk>", 0.3, 0.7)] * 9, phones=replaced("K", ("spn", 0.3, 0.7))), "word cannot be found in"),
    ],
)
def test_a_bad_alignment_is_skipped_with_its_reason(tmp_path, line, reason):
    corpus, alignments = write_corpus(tmp_path / "corpus")
    if "unknown word is too short" in reason:
        line["words"] = [("the", 0.1, 0.3), ("cat", 0.3, 0.7), ("incomprehensibilities", 0.8, 1.2)]
    alignments.write_text("\n".join([alignment_line("a1", **line), alignment_line("a2"), alignment_line("a3")]))
    summary = prepare(tmp_path / "out", corpus, alignments, n_workers=1)
    assert summary.written == ["a2", "a3"] and reason in summary.skipped["a1"]
    assert not list((tmp_path / "out").glob("a1*"))
    assert f"1  {summary.skipped['a1'].partition(':')[0]}" in str(summary)
    assert (tmp_path / "out" / "skipped.txt").read_text(encoding="utf-8") == f"a1\t{summary.skipped['a1']}\n"


def test_bad_recordings_and_missing_texts_are_skipped(tmp_path):
    names = ("broken", "empty", "good", "silent", "unaligned", "untold")
    corpus, alignments = write_corpus(tmp_path / "corpus", names)
    (corpus / "wavs" / "broken.wav").unlink()
    soundfile.write(corpus / "whole.flac", sweep(), RATE)
    (corpus / "broken.flac").write_bytes((corpus / "whole.flac").read_bytes()[:40])
    (corpus / "whole.flac").unlink()
    soundfile.write(corpus / "wavs" / "empty.wav", np.zeros(0), RATE)
    soundfile.write(corpus / "wavs" / "silent.wav", np.zeros(len(sweep())), RATE)
    for path, name in ((alignments, '"unaligned"'), (corpus / "metadata.csv", "untold|")):
        path.write_text("".join(line for line in path.read_text().splitlines(True) if name not in line))
    summary = prepare(tmp_path / "out", corpus, alignments, n_workers=1)
    assert summary.written == ["good"]
    reasons = {name: reason.partition(":")[0] for name, reason in summary.skipped.items()}
    assert reasons == {
        "broken": "recording cannot be read", "empty": "recording is too short",
        "silent": "recording is silent or has values that are no numbers",
        "unaligned": "no alignment", "untold": "no transcript",
    }  # fmt: skip


def cut(path: Path, part: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: round(len(content) * part)])


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> None:
    soundfile.write(path, samples, rate, subtype=subtype, format=path.suffix[1:].upper())


BROKEN_RECORDINGS = {
    "no samples": ("recording is too short", lambda path: write_wav(path, np.zeros(0))),
    "a few samples": ("recording is too short", lambda path: write_wav(path, sweep()[:500])),
    "nan": ("recording is silent or has values that", lambda path: write_wav(path, sweep() * np.nan, subtype="FLOAT")),
    "infinite": ("recording is out of range", lambda path: write_wav(path, np.full(9999, np.inf), subtype="FLOAT")),
    "not scaled": ("recording is out of range", lambda path: write_wav(path, sweep() * 32767, subtype="FLOAT")),
    "clipped": ("recording is clipped", lambda path: write_wav(path, (sweep() * 50).clip(-1, 1))),
    "8 kHz": ("recording has too low a rate: 8000 Hz", lambda path: write_wav(path, sweep(rate=8000), 8000)),
    "odd rate": ("recording has an unusual rate: 22051 Hz", lambda path: write_wav(path, sweep(rate=22051), 22051)),
    "11 minutes": ("recording is too long: 660 s", lambda path: write_wav(path, np.zeros(660 * RATE))),
    "torn wav": ("recording ends early", lambda path: write_wav(path, sweep()) or cut(path, 0.6)),
    "torn head": ("recording ends early", lambda path: write_wav(path, sweep()) or cut(path, 0.0005)),
    "no sound file": ("recording cannot be read", lambda path: path.write_text("garbage")),
    "folder": ("recording cannot be read", lambda path: path.mkdir()),
    "pipe": ("recording cannot be read", lambda path: os.mkfifo(path)),
    "out of phase": ("recording is silent", lambda path: write_wav(path, np.stack([sweep(), -sweep()], 1))),
}
WHOLE_RECORDINGS = {
    "24 bits": lambda path: write_wav(path, sweep(), subtype="PCM_24"),
    "stereo": lambda path: write_wav(path, np.stack([sweep(), sweep()], 1)),
    "stereo float of 48 kHz": lambda path: write_wav(path, np.stack([sweep(rate=48000)] * 2, 1), 48000, "FLOAT"),
    "16 kHz": lambda path: write_wav(path, sweep(rate=16000), 16000),
    "double": lambda path: write_wav(path, sweep(), subtype="DOUBLE"),
    "open end": lambda path: write_wav(path, sweep()) or open_end(path),
}


def open_end(path: Path) -> None:
    """As a program writes a WAV into a pipe, not knowing how long it gets."""
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 4 + content[8:40] + b"\xff" * 4 + content[44:])


@pytest.mark.parametrize("name", [*BROKEN_RECORDINGS, *WHOLE_RECORDINGS])
def test_a_recording_is_read_or_refused_by_name(tmp_path, name):
    corpus, alignments = write_corpus(tmp_path / "corpus", ("good", "odd"))
    (path := corpus / "wavs" / "odd.wav").unlink()
    reason, write = BROKEN_RECORDINGS.get(name) or (None, WHOLE_RECORDINGS[name])
    write(path)
    summary = prepare(tmp_path / "out", corpus, alignments, n_workers=1)
    assert summary.written == ["good"] + ["odd"] * (reason is None)
    if reason is None:
        train, validation = lj_speech.get_dataset(tmp_path / "out")
        assert np.median(np.abs(train[0]["spectrogram"] - validation[0]["spectrogram"])) < 1
    else:
        assert summary.skipped["odd"].startswith(reason) and not list((tmp_path / "out").glob("odd*"))


@pytest.mark.parametrize("part", [0.01, 0.5, 0.99])
def test_a_torn_flac_is_refused_by_name(tmp_path, part):
    corpus, alignments = write_corpus(tmp_path / "corpus", ("good",))
    write_wav(corpus / "torn.flac", sweep())
    cut(corpus / "torn.flac", part)
    with (corpus / "metadata.csv").open("a") as file:
        file.write(f"torn|raw|{TEXT}\n")
    alignments.write_text(alignment_line("good") + "\n" + alignment_line("torn"))
    summary = prepare(tmp_path / "out", corpus, alignments, n_workers=1)
    assert summary.written == ["good"] and summary.skipped["torn"].startswith("recording cannot be read")


BROKEN_TEXTS = [b"\xff|a\n", b"a1|" + b"x" * 5_000_000, b"id,text\na1," + b"x" * 200_000 + b"\n", b"a|b\rc|d\n", b""]


@pytest.mark.parametrize("content", BROKEN_TEXTS, ids=range(len(BROKEN_TEXTS)))
def test_broken_transcripts_are_named(tmp_path, content):
    path = tmp_path / "metadata.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="metadata.csv"):
        preparing.read_transcripts(path)
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(b"a1|some text|some text\n" * 99)[:-9])
    with pytest.raises(ValueError, match="packed.csv.gz"):
        preparing.read_transcripts(packed)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match="metadata.csv is no ordinary file"):
        preparing.read_transcripts(path)


@pytest.mark.parametrize(
    "line", ["[" * 200_000, "{}", '{"id": 5}', '{"id": ""}', '{"id": "a\\u0000"}', '{"id": "\\ud800"}', '{"id": "a/b"}',
             '{"id": "%s"}' % ("a" * 300), "nothing"],
    ids=lambda line: line[:20],
)  # fmt: skip
def test_broken_lines_of_alignments_are_numbered(tmp_path, line):
    (tmp_path / "alignments.jsonl").write_text(alignment_line("a1") + "\n" + line + "\n")
    with pytest.raises(ValueError, match="alignments.jsonl, line 2"):
        preparing.find_alignments(tmp_path / "alignments.jsonl")


@pytest.mark.parametrize("n_samples", ["1e999", "NaN", "-5", "0", "1" + "0" * 400, "1e12", '"5"', "null"])
def test_without_recordings_the_length_is_checked(tmp_path, n_samples):
    corpus, alignments = write_corpus(tmp_path / "corpus")
    number = json.loads(alignment_line("a1"))["n_samples"]
    alignments.write_text(alignment_line("a1").replace(str(number), n_samples) + "\n" + alignment_line("a2"))
    summary = prepare(tmp_path / "out", None, alignments, corpus / "metadata.csv", n_workers=1)
    assert summary.written == ["a2"] and summary.skipped["a1"].startswith("alignment ")


def test_missing_input_says_what_to_do(tmp_path, capsys):
    corpus, alignments = write_corpus(tmp_path / "corpus")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match="no WAV or FLAC file in"):
        prepare(tmp_path / "out", empty, alignments)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        prepare(tmp_path / "out", corpus, tmp_path / "nowhere.jsonl")
    with pytest.raises(ValueError, match="no transcripts in"):
        prepare(tmp_path / "out", corpus, alignments, empty)
    with pytest.raises(ValueError, match="no alignments in"):
        prepare(tmp_path / "out", corpus, empty)
    with pytest.raises(ValueError, match="both alignments and transcripts"):
        prepare(tmp_path / "out", None, alignments)
    alignments.write_text(alignment_line("../a1"))
    with pytest.raises(ValueError, match="line 1 .* no file name"):
        prepare(tmp_path / "out", corpus, alignments)
    alignments.write_text(alignment_line("a1", phones=[]))
    with pytest.raises(ValueError, match="not one utterance can be used"):
        prepare(tmp_path / "out", corpus, alignments, n_workers=1)
    with pytest.raises(SystemExit, match="1"):
        preparing.main(["--audio", str(empty), "--out", str(tmp_path / "out")])
    assert "no WAV or FLAC file" in capsys.readouterr().err


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "praatio", None)
    with pytest.raises(ModuleNotFoundError, match="pip install praatio"):
        preparing.read_textgrid(tmp_path / "x.TextGrid")
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    with pytest.raises(ModuleNotFoundError, match="pip install praat-parselmouth"):
        preparing.track_pitch(np.zeros(RATE), np.zeros((80, 87)))
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(ModuleNotFoundError, match="pip install -r requirements-data.txt"):
        preparing._decoder.__wrapped__()  # without the cache


# -------- Stopping and going on ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_finished", range(1, 7))
def test_a_stopped_run_leaves_things_whole_and_goes_on(tmp_path, monkeypatch, n_finished):
    corpus, alignments = write_corpus(tmp_path / "corpus")
    prepare(tmp_path / "whole", corpus, alignments, n_workers=1)
    expected, calls, replace = contents(tmp_path / "whole"), [], os.replace

    def interrupted(source, target):
        calls.append(target)
        if len(calls) > n_finished:  # the part is written, not yet in its place
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "out", corpus, alignments, n_workers=1)
    visible = {name: data for name, data in contents(tmp_path / "out").items() if not name.endswith(".tmp")}
    assert len(visible) == n_finished and visible.items() <= expected.items()
    monkeypatch.setattr(os, "replace", replace)
    summary = prepare(tmp_path / "out", corpus, alignments, n_workers=1)
    n_whole = (n_finished - 1) // 2
    assert (len(summary.kept), len(summary.written)) == (n_whole, 3 - n_whole)
    assert contents(tmp_path / "out") == expected


# -------- The corpus from the internet --------------------------------------------------------------------------------


def test_downloading_offline_says_what_to_do(tmp_path, monkeypatch, capsys):
    def offline(root, download):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("torchaudio.datasets.LJSPEECH", offline)
    with pytest.raises(SystemExit):
        preparing.main(["--download", str(tmp_path / "new"), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().err
    assert re.search("could not be downloaded.*Name or service.*--audio LJSpeech-1.1", said), said


def test_what_is_downloaded_is_prepared(tmp_path, monkeypatch, capsys):
    def fetched(root, download):
        write_corpus(root / "LJSpeech-1.1")

    monkeypatch.setattr("torchaudio.datasets.LJSPEECH", fetched)
    folder, out = tmp_path / "corpora", tmp_path / "out"
    alignments = folder / "LJSpeech-1.1" / "alignments.jsonl"
    preparing.main([f"--download={folder}", f"--alignments={alignments}", f"--out={out}", "--workers=1"])
    assert "3 utterances written, 0 were there, 0 skipped" in capsys.readouterr().out
    assert len(list(out.glob("*.mel.npy"))) == 3


# -------- The forced aligner, on real recordings ----------------------------------------------------------------------


def real_alignments(*names: str) -> dict[str, Alignment]:
    with gzip.open(REAL / "alignments.jsonl.gz", "rt", encoding="utf-8") as lines:
        found = {json.loads(line)["id"]: line for line in lines if line[8:18] in names}
    return {name: preparing.parse_alignment_line(found[name]) for name in names}


@needs_recordings
def test_recordings_without_alignments_are_aligned(tmp_path):
    names = ("LJ001-0001", "LJ001-0002", "LJ001-0008")
    (tmp_path / "clips").mkdir()
    for name in names:
        shutil.copy(REAL / "clips" / f"{name}.flac", tmp_path / "clips")
    summary = prepare(tmp_path / "out", tmp_path / "clips", None, REAL / "clips.csv", n_workers=1)
    assert summary.written == list(names)
    errors = []
    for name, given in real_alignments(*names).items():
        words = json.loads((tmp_path / "out" / f"{name}.json").read_text())["utterance"]["words"]
        spoken = [word["phones"] for word in words if word["phones"][0]["phone"] != "pau"]
        reference = [word for word in given.words if word.label]
        assert len(spoken) == len(reference)
        for phones, word in zip(spoken, reference):
            end = phones[-1]["onset"] + phones[-1]["duration"]
            errors += [abs(phones[0]["onset"] / 1000 - word.start), abs(end / 1000 - word.end)]
    assert np.mean(errors) < 0.045


@needs_recordings
def test_unknown_words_are_repaired_with_the_sound():
    name = "LJ001-0001"
    given = real_alignments(name)[name]
    word = next(word for word in given.words if word.label == "represented")
    inside = [phone for phone in given.phones if word.start <= phone.start < word.end]
    audio = preparing.read_audio(REAL / "clips" / f"{name}.flac")
    unknown, codes = Segment("spn", word.start, word.end), [phone.label for phone in inside]
    true = np.array([phone.start for phone in inside])
    errors = {
        how: np.abs([phone.start for phone in preparing._spread(unknown, codes, sound)] - true).mean()
        for how, sound in (("aligned", audio), ("evenly", None))
    }
    assert errors["aligned"] < 0.5 * errors["evenly"]


@needs_recordings
def test_a_transcript_of_something_else_finds_no_path():
    audio = preparing.read_audio(REAL / "clips" / "LJ001-0002.flac")
    with pytest.raises(ValueError, match="aligner finds no path"):
        preparing.force_align(audio, [["B", "AH1", "T"]] * 200)
