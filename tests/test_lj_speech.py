import json
import pickle

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
        (0, 4, ["AA1", "B"], [4, 0]),
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


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"utterance": {}}', '{"utterance": {"words": []}, "text": ""}', '{"utterance": null, "text": ""}',
     '{"text": "a", "utterance": {"words": [{"phones": [{"phone": "B", "onset": NaN, "duration": 1}]}]}}',
     '{"text": "a", "utterance": {"words": [{"phones": [{"phone": "B", "onset": -90, "duration": 1}]}]}}'],
)  # fmt: skip
def test_broken_json_is_named(dataset_root, content):
    (dataset_root / "LJ003.json").write_text(content)
    with pytest.raises(ValueError, match="LJ003.json"):
        lj_speech.get_dataset(dataset_root)


def test_missing_and_broken_spectrograms_are_named(dataset_root):
    path = dataset_root / "LJ003.mel.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="LJ003.mel.npy"):
        lj_speech.get_dataset(dataset_root)
    np.save(path, np.zeros((40, 30)))
    with pytest.raises(ValueError, match=r"\(40, 30\)"):
        lj_speech.get_dataset(dataset_root)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="LJ003.mel.npy"):
        lj_speech.get_dataset(dataset_root)


def test_nan_spectrogram_is_named(dataset_root):
    path = dataset_root / "LJ003.mel.npy"
    np.save(path, np.full_like(np.load(path), np.nan))
    with pytest.raises(ValueError, match="LJ003.mel.npy"):
        list(lj_speech.get_dataset(dataset_root)[0])


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
