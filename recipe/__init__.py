"""How the shipped voice and its vocoder are made, from recordings to weights: `python -m recipe --help`.

    prepare         recordings + transcripts + alignments -> LJ-Speech-aligned/
    shift_pitch     copies of the recordings with another pitch
    teacher         a synthesiser that reads texts aloud: a second speaker to learn from
    train           the plain method on the dataset: `part2_solution.train_tts`
    voice           the shipped voice: the method's two stages and one for the melody
    adversarial     fine-tuning of its decoder against a discriminator
    mean            the mean of the weights of several trainings
    train_vocoder   the vocoder; `predict` writes the spectrograms it learns from
    prune_vocoder   the vocoder with fewer hidden units
    export          the voice as ONNX graphs (`onnx_graph`), for `runtime`
    course          what the notebook needs: the dataset, wherever it runs, and the published checkpoint

    melody          the pitch of recordings, and the features that a voice learns from
    data            which utterances a model can learn from
    discriminator   tells real from predicted, for both adversarial trainings
    train_homographs   which reading a homograph has, from labelled sentences, for `english`

    command_line    settings as options, errors as one line
"""
