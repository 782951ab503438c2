"""For people: the command `say`, its sound files and players, and a page with an endpoint in the browser.

    command_line    `say TEXT`, `say -f FILE`, a pipe -> sound files, captions, loudspeakers, raw samples
    audio           audio (1, n), piece by piece -> WAV, FLAC, Ogg, Opus, MP3 or raw samples
    players         audio (1, n), piece by piece -> loudspeakers
    engines         which program speaks: with PyTorch or without
    server          `say --serve`: a page, and OpenAI's endpoint for speech
"""
