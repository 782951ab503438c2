"""Random and hostile input for all that users can give: texts, files, settings, options. `make fuzz` runs it.

    mutations    how a whole thing is broken: bytes, JSON, arrays, pickles, archives
    texts        through `english`, now and then spoken
    datasets     the folder of `lj_speech.get_dataset`
    recordings   what `recipe prepare` makes a dataset of
    checkpoints  TTS.pth and the exported voice
    vocoders     weights of the vocoder and WaveGlow, spectrograms
    settings     of trainings, models and voices
    commands     the command lines `say` and `recipe voice`
    run          cases in a process of their own, with limits; the table; the failures

Each of the kinds has `make(dice, folder)`, which writes the files of a case and returns what else it is, as JSON, and
`check(case, folder)`, which uses them; it may return "refused". A case passes, or it is refused: by a ValueError,
TypeError or FileNotFoundError that this project raises itself, in a sentence that names the file. All else is a
failure: another error, NaN or more than 1 in audio, a file changed that was there before, more time or memory than
`run.MOST_SECONDS` and `run.MOST_MEMORY`.

Cases are a function of seed, kind and number. A failure is kept in a folder with its files and can be run again:

    PYTHONPATH=.:tests python -m fuzz --minutes 10 --seed 0
    PYTHONPATH=.:tests python -m fuzz --replay fuzz-failures/datasets-0-17
"""
