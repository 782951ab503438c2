"""The course's door: dataset, phonemes, vocoders, playback."""

import io
import json
import math
import os
import pickle
import resource
import struct

import numpy as np
import pytest
import torch
from conftest import MILLISECONDS, Hostile, write_dataset, write_utterance

import lj_speech


def test_samples_have_the_published_form(dataset_root):
    train_dataset, val_dataset = lj_speech.get_dataset(dataset_root)
    assert (len(train_dataset), len(val_dataset)) == (5, 1)
    assert val_dataset.mel_paths[0].name == "LJ000.mel.npy", "the first by name is for validation"
    for sample in [*train_dataset, *val_dataset]:
        n_phonemes, n_frames = len(sample["phonemes_code"]), sample["spectrogram"].shape[1]
        assert sample["spectrogram"].shape == (80, n_frames) and sample["spectrogram"].dtype == np.float32
        assert len(sample["phonemes_start"]) == len(sample["phonemes_duration"]) == n_phonemes
        assert sum(sample["phonemes_duration"]) == n_frames
        assert np.cumsum([0, *sample["phonemes_duration"]]).tolist()[:-1] == sample["phonemes_start"]


def test_split_is_one_hundred_or_five_percent(tmp_path):
    root = write_dataset(tmp_path / "data", 60)
    train_dataset, val_dataset = lj_speech.get_dataset(root)
    assert (len(train_dataset), len(val_dataset)) == (57, 3)


@pytest.mark.parametrize(
    "first, n_frames, codes, durations",
    [
        (0, 15, ["AA1", "B"], [5, 10]),  # as aligned
        (2, 17, ["AA1", "B"], [7, 10]),  # a rounding at the start goes to the first phoneme
        (9, 24, ["pau", "AA1", "B"], [9, 5, 10]),  # more is silence
        (0, 17, ["AA1", "B"], [5, 12]),  # likewise at the end
        (0, 30, ["AA1", "B", "pau"], [5, 10, 15]),
        (0, 13, ["AA1", "B"], [5, 8]),  # the spectrogram is shorter than the alignment
    ],
)
def test_durations_add_up_and_nothing_is_shifted(tmp_path, first, n_frames, codes, durations):
    write_dataset(tmp_path, 2)
    write_utterance(tmp_path, "LJ999", ["AA1", "B"], [5, 10], first=first, n_frames=max(n_frames, first + 15))
    mel = np.load(tmp_path / "LJ999.mel.npy")[:, :n_frames]
    np.save(tmp_path / "LJ999.mel.npy", mel)
    sample = lj_speech.get_dataset(tmp_path)[0][-1]
    assert (sample["phonemes_code"], sample["phonemes_duration"]) == (codes, durations)
    assert sample["phonemes_start"][codes.index("B")] == min(first + 5, n_frames)


def test_a_phoneme_after_the_end_lasts_no_time(tmp_path):
    write_dataset(tmp_path, 2)
    write_utterance(tmp_path, "LJ999", ["AA1", "B"], [10, 3])
    np.save(tmp_path / "LJ999.mel.npy", np.load(tmp_path / "LJ999.mel.npy")[:, :9])
    assert lj_speech.get_dataset(tmp_path)[0][-1]["phonemes_duration"] == [9, 0]


def test_frames_are_rounded_and_the_next_start_decides(tmp_path):
    write_dataset(tmp_path, 2)
    phones = [  # a gap and an overlap of a millisecond, as rounding in a text file makes them
        {"phone": "AA1", "onset": 0, "duration": 10.4 * MILLISECONDS - 1},
        {"phone": "B", "onset": 10.4 * MILLISECONDS, "duration": 9.2 * MILLISECONDS + 1},
        {"phone": "S", "onset": 19.6 * MILLISECONDS, "duration": 5 * MILLISECONDS},
    ]
    record = {"ID": "LJ999", "text": "a", "utterance": {"words": [{"phones": phones[:1]}, {"phones": phones[1:]}]}}
    (tmp_path / "LJ999.json").write_text(json.dumps(record))
    np.save(tmp_path / "LJ999.mel.npy", np.zeros((80, 25), np.float32))
    assert lj_speech.get_dataset(tmp_path)[0][-1]["phonemes_duration"] == [10, 10, 5]


def test_broken_utterance_is_skipped_and_counted(dataset_root):
    (dataset_root / "LJ003.json").write_text(json.dumps({"ID": "LJ003", "text": "a"}))
    with pytest.warns(UserWarning, match="skipped 1 broken utterances of 6.*LJ003"):
        train_dataset, val_dataset = lj_speech.get_dataset(dataset_root)
    assert len(train_dataset) + len(val_dataset) == 5


def test_phoneme_codes_from_the_pickle_or_the_data(dataset_root):
    lj_speech.get_dataset(dataset_root)
    from_data = set(lj_speech.POSSIBLE_PHONEME_CODES)
    assert from_data and from_data <= {"pau", "AA1", "AE0", "B", "IY1", "S", "T"}
    (dataset_root / "all_possible_phoneme_codes.pkl").write_bytes(pickle.dumps(from_data | {"ZH"}))
    lj_speech.get_dataset(dataset_root)
    assert from_data | {"ZH"} == lj_speech.POSSIBLE_PHONEME_CODES


def test_a_small_pickle_takes_no_memory(dataset_root):
    """In nine bytes, a list whose number in the memo is 2**28: the reader in C makes room for so many, 4 GB."""
    (dataset_root / "all_possible_phoneme_codes.pkl").write_bytes(b"\x80\x02]r\x00\x00\x00\x10.")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lj_speech.get_dataset(dataset_root)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kB"


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_hostile_pickle_is_refused_and_not_run(dataset_root, tmp_path, protocol):
    marker = tmp_path / "was-run"
    content = pickle.dumps({"AA1", Hostile(marker)}, protocol=protocol)
    (dataset_root / "all_possible_phoneme_codes.pkl").write_bytes(content)
    with pytest.raises(ValueError, match="system"):
        lj_speech.get_dataset(dataset_root)
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"garbage", pickle.dumps({1, 2}), pickle.dumps("AA1")])
def test_foreign_pickle_is_refused(dataset_root, content):
    (dataset_root / "all_possible_phoneme_codes.pkl").write_bytes(content)
    with pytest.raises(ValueError, match="all_possible_phoneme_codes"):
        lj_speech.get_dataset(dataset_root)


def phones(*phones: str) -> str:
    return '{"text": "a", "utterance": {"words": [{"phones": [' + ", ".join(phones) + "]}]}}"


B = '{"phone": "B", "onset": 0, "duration": 300}'
BROKEN_JSON = [
    "", "{", "[]", "[" * 200_000, '{"utterance": {}}', '{"utterance": {"words": []}, "text": ""}', b"\xff\xfe{}",
    '{"utterance": null, "text": ""}', phones(B).replace('"a"', "null"), phones(B).replace('"B"', "null"),
    phones(B).replace('"B"', '""'), phones(B).replace('"B"', '"B T"'), phones(B).replace("300", "null"),
    phones(B).replace("300", '"300"'), phones(B).replace("300", "true"), phones(B).replace("300", "1e999"),
    phones(B).replace("300", "1" * 400), phones(B).replace("300", "1e9"), phones(B).replace("300", "-9"),
    phones(B.replace(": 0", ": NaN")), phones(B.replace(": 0", ": -90")), phones(B.replace(": 0", ": 1e9")),
    phones(B, B.replace(": 0", ": 1e9")), phones(B.replace(": 0", ": 1e9"), B), "[" + " " * 5_000_000 + "]",
]  # fmt: skip


@pytest.mark.parametrize("content", BROKEN_JSON, ids=lambda content: str(content)[:70])
def test_broken_json_is_named(dataset_root, content):
    (dataset_root / "LJ003.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    for read in (lj_speech.get_dataset, lj_speech.get_alignments):
        with pytest.raises(ValueError, match=r"LJ003.json.*again"):
            read(dataset_root)


def npy(shape, dtype="<f4", n_bytes=None) -> bytes:
    """An .npy file that claims to be such an array, with as many bytes of zeros as it needs or as are given."""
    header = str({"descr": dtype, "fortran_order": False, "shape": shape}).ljust(117).encode() + b"\n"
    n_bytes = 4 * max(0, math.prod(shape)) if n_bytes is None else n_bytes
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(n_bytes)


def archive() -> bytes:
    file = io.BytesIO()
    np.savez(file, np.zeros((80, 30), np.float32))
    return file.getvalue()


WHOLE = npy((80, 30))
BROKEN_ARRAYS = [
    b"", b"\x93NUMPY", WHOLE[:9], WHOLE[:60], WHOLE[:200], WHOLE + b"1", b"garbage" * 99, archive(),
    pickle.dumps(np.zeros((80, 30))), WHOLE.replace(b"'shape'", b"'shame'"), WHOLE.replace(b"(80, 30)", b"(80, 30 "),
    npy((40, 30)), npy((80,)), npy((80, 0)), npy((80, -30), n_bytes=9600), npy((80, 10**12), n_bytes=9600),
    npy((80, 60_000), n_bytes=4), npy((80, 30), [("a", "<f4")]), npy((80, 30), "|O", 400), npy((80, 30), "<i4"),
    npy((80, 30), "<c8", 19200), npy((80, 1)), npy((80, 700)),
]  # fmt: skip


@pytest.mark.parametrize("content", BROKEN_ARRAYS, ids=range(len(BROKEN_ARRAYS)))
def test_broken_spectrograms_are_named(dataset_root, content):
    path = dataset_root / "LJ003.mel.npy"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"LJ003.mel.npy.*again"):
        lj_speech.get_dataset(dataset_root)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"LJ003.mel.npy.*again"):
        lj_speech.get_dataset(dataset_root)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 100, -100, 1e300])
def test_values_that_are_no_spectrogram_are_named(dataset_root, value):
    path = dataset_root / "LJ003.mel.npy"
    mels = np.load(path).astype(float)
    mels[3, 4] = value
    np.save(path, mels)
    with pytest.raises(ValueError, match="LJ003.mel.npy.*prepare it again"):
        list(lj_speech.get_dataset(dataset_root)[0])


def test_a_spectrogram_that_changes_while_it_is_used(dataset_root):
    dataset, _ = lj_speech.get_dataset(dataset_root)
    np.save(dataset.mel_paths[0], np.load(dataset.mel_paths[0])[:, 1:])
    with pytest.raises(ValueError, match="LJ001.mel.npy .* read the dataset again"):
        dataset[0]


@pytest.mark.parametrize("kind", ["folder", "pipe", "locked", "loop"])
@pytest.mark.parametrize("name", ["LJ003.json", "LJ003.mel.npy", "all_possible_phoneme_codes.pkl"])
def test_what_is_no_readable_file_is_named(dataset_root, name, kind):
    """A pipe would wait for ever; the user `nobody` is one whom permissions bind."""
    path, as_root = dataset_root / name, os.geteuid() == 0
    path.unlink(missing_ok=True)
    make = {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path), "loop": lambda: path.symlink_to(path),
            "locked": lambda: path.write_bytes(b"1") and path.chmod(0)}  # fmt: skip
    make[kind]()
    if kind == "locked" and as_root:
        for folder in [dataset_root, *dataset_root.parents][:4]:
            folder.chmod(0o755)
        os.seteuid(65534)
    try:
        if (name.endswith("pkl"), kind) == (True, "loop"):
            lj_speech.get_dataset(dataset_root)  # as if it were not there
        else:
            with pytest.raises((ValueError, FileNotFoundError), match=name):
                lj_speech.get_dataset(dataset_root)
    finally:
        if as_root:
            os.seteuid(0)


def test_missing_or_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="recipe prepare"):
        lj_speech.get_dataset(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="0 usable utterances"):
        lj_speech.get_dataset(tmp_path)
    with pytest.raises(FileNotFoundError, match="json"):
        lj_speech.get_alignments(tmp_path)


def test_alignments_need_no_spectrograms(dataset_root):
    for path in dataset_root.glob("*.npy"):
        path.unlink()
    alignments = lj_speech.get_alignments(dataset_root)
    assert len(alignments) == 6 and all(len(item.codes) == len(item.durations) for item in alignments)


@pytest.fixture(scope="module", params=["harmonic", "hifigan"])
def vocoder(request):
    return lj_speech.Vocoder(request.param)


def test_vocoder_takes_arrays_and_tensors_single_and_batched(vocoder):
    spectrogram = np.random.default_rng(0).normal(-6, 1.5, (80, 12)).astype(np.float32)
    single = vocoder(spectrogram)
    assert single.shape == (1, 12 * lj_speech.STFT_HOP_LENGTH) and single.dtype == torch.float32
    assert single.abs().max() <= 1 and single.std() > 0
    assert torch.equal(single, vocoder(torch.from_numpy(spectrogram)))
    batch = vocoder(np.stack([spectrogram, spectrogram]))
    assert torch.allclose(batch, single.expand(2, -1), atol=1e-3)
    assert torch.allclose(torch.cat(list(vocoder.stream(spectrogram, 5)), dim=1), single, atol=1e-3)


@pytest.mark.parametrize(
    "spectrogram",
    [np.zeros((79, 5)), np.zeros((80, 0)), np.zeros(80), np.zeros((1, 1, 80, 5)), np.full((80, 5), np.nan)],
)
def test_vocoder_refuses_bad_spectrograms(vocoder, spectrogram):
    with pytest.raises(ValueError):
        vocoder(spectrogram)


def test_vocoder_refuses_other_types_and_names(vocoder, tmp_path):
    with pytest.raises(TypeError, match="list"):
        vocoder([[0.0]])
    with pytest.raises(ValueError, match="choose"):
        lj_speech.Vocoder("griffin")
    with pytest.raises(ValueError, match="waveglow_256channels_ljs_v2.pt"):
        lj_speech.Vocoder("waveglow")
    with pytest.raises(FileNotFoundError):
        lj_speech.Vocoder("waveglow", tmp_path / "missing.pt")


def test_text_and_player():
    codes = lj_speech.text_to_phonemes("Hello there.")
    assert codes == "pau HH AH0 L OW1 DH EH1 R pau".split()
    assert lj_speech.text_to_phonemes("Zyx.", {"zyx": "Z IH1 K S"}) == "pau Z IH1 K S pau".split()
    player = lj_speech.play_audio(torch.zeros(1, 2205))
    assert "audio" in player._repr_html_()


def test_help_lists_the_constants():
    for name in ("MEL_SCALE_BINS", "STFT_HOP_LENGTH", "SAMPLING_RATE", "SPECTROGRAMS_MEAN", "POSSIBLE_PHONEME_CODES"):
        assert name in lj_speech.__doc__
