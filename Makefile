# make demo [TEXT="..."] [OUT=demo.wav]    speak a sentence
# make test                                run the tests
# make fuzz [MINUTES=10] [SEED=0]          random and hostile input; what breaks is kept in fuzz-failures/
# make voice CLIPS=wavs ALIGNMENTS=alignments.jsonl.gz TRANSCRIPTS=metadata.csv
#                                          train a voice, from recordings to runs/voice/TTS.pth; again resumes
# make vocoder CLIPS=wavs ...              train the vocoder on these recordings and that voice: runs/voice/vocoder.pth
# make samples                             ten sentences by this voice, hibari and Piper: runs/samples/index.html, to listen
# make pictures                            the README's pictures and audio again, of the voice that is here (needs Chromium)
# make address REPOSITORY=jane/speech      for whoever publishes this: where it is on GitHub, for Colab
# make report                              write report.pdf from report.md (a small download of its own, no PyTorch)
# What they need is set up in .venv the first time: 200 MB for the demo, about 5 GB for the others, most of it PyTorch.

PYTHON ?= python3
TEXT ?= Four hours of steady work faced us before the evening tea.
OUT ?= demo.wav
BIN := .venv/bin
export TEXT OUT

.PHONY: demo test fuzz voice vocoder report pictures address samples

# Without an exported voice, `python -m recipe export`, PyTorch speaks.
demo: $(if $(wildcard runtime/voice.zip),.venv/installed-runtime,.venv/installed)
	$(BIN)/python -m say "$$TEXT" --out "$$OUT"

test: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/python -m pytest

MINUTES ?= 10
SEED ?= 0
fuzz: .venv/installed-dev
	PYTHONPATH=.:tests $(BIN)/python -m fuzz --minutes $(MINUTES) --seed $(SEED)

# The recipe of the shipped voice: 0.8 hours of recordings, the alignments of all sentences, no GPU. Seed 0 throughout.
VOICE := runs/voice
EPOCHS ?= 5
STEPS ?= 400
DURATION_EPOCHS ?= 4
TEACHER ?= --everyday --random 5000
MODEL ?= place_reach=10 sigma=1.2 max_sigma=1.2
TRAIN ?= --amp auto
voice: $(VOICE)/TTS.pth

$(VOICE)/aligned/done: .venv/installed-eval
	$(BIN)/python -m recipe prepare --audio $(CLIPS) --alignments $(ALIGNMENTS) --transcripts $(TRANSCRIPTS) --pitch \
	    --out $(@D)
	touch $@

$(VOICE)/texts/done: .venv/installed-eval
	$(BIN)/python -m recipe prepare --no-audio --alignments $(ALIGNMENTS) --transcripts $(TRANSCRIPTS) --out $(@D)
	touch $@

$(VOICE)/shifted/done: $(VOICE)/aligned/done
	$(BIN)/python -m recipe shift-pitch $(CLIPS) $(VOICE)/aligned --out $(@D)
	touch $@

$(VOICE)/taught/done: .venv/installed-eval
	$(BIN)/python -m recipe teacher $(TRANSCRIPTS) $(TEACHER) --out $(@D)
	touch $@

$(VOICE)/smooth.pth: $(VOICE)/shifted/done $(VOICE)/texts/done $(VOICE)/taught/done
	$(BIN)/python -m recipe voice $(VOICE)/aligned --more $(VOICE)/shifted --second-speaker $(VOICE)/taught \
	    --model $(MODEL) --epochs $(EPOCHS) \
	    --batch-size 10 --warmup-steps 500 --n-evaluations 6 --durations-root $(VOICE)/texts \
	    --duration-epochs $(DURATION_EPOCHS) $(TRAIN) --logdir $(VOICE)/smooth --checkpoint $@

$(VOICE)/TTS.pth: $(VOICE)/smooth.pth
	$(BIN)/python -m recipe adversarial $(VOICE)/aligned --texts $(VOICE)/texts --second-speaker $(VOICE)/taught \
	    --checkpoint $< --steps $(STEPS) $(TRAIN) --logdir $(VOICE)/adversarial --out $@

# The recipe of the shipped vocoder, without the dead ends: train wide blocks, prune them, train with discriminators.
# VOICE_PTH=TTS.pth takes the voice that is here.
WIDE_STEPS ?= 5000
PRUNED_STEPS ?= 1500
VOICE_PTH ?= $(VOICE)/TTS.pth
vocoder: $(VOICE)/vocoder.pth

$(VOICE)/predicted/done: $(VOICE_PTH) $(VOICE)/aligned/done
	$(BIN)/python -m recipe predict $< $(VOICE)/aligned --out $(@D)
	touch $@

$(VOICE)/vocoder-wide.pth: $(VOICE)/predicted/done
	$(BIN)/python -m recipe train-vocoder $(CLIPS) --predicted $(VOICE)/predicted --steps $(WIDE_STEPS) --expansion 3 \
	    $(TRAIN) \
	    --logdir $(VOICE)/vocoder-wide --out $@

$(VOICE)/vocoder-pruned.pth: $(VOICE)/vocoder-wide.pth
	$(BIN)/python -m recipe prune-vocoder $< $(VOICE)/predicted --expansion 1 --out $@

$(VOICE)/vocoder.pth: $(VOICE)/vocoder-pruned.pth
	$(BIN)/python -m recipe train-vocoder $(CLIPS) --predicted $(VOICE)/predicted --init $< --steps $(PRUNED_STEPS) \
	    --adversarial-from 0 --learning-rate 5e-4 $(TRAIN) --logdir $(VOICE)/vocoder --out $@

samples: .venv/installed-eval
	$(BIN)/python benchmarks/samples_page.py --out runs/samples/index.html

QUESTION := Have you seen the keys to the back door?
LONG := The captain, a quiet woman with silver hair, looked at the sky for a moment, and then told the crew to turn \
	the ship toward the north.
pictures: .venv/installed-dev
	$(BIN)/python -m say "$$TEXT" --out samples/demo.flac
	$(BIN)/python -m say "$(QUESTION)" --out samples/question.flac
	$(BIN)/python -m say "$(LONG)" --out samples/long.flac
	$(BIN)/python benchmarks/pictures.py --text "$$TEXT" --out samples/spectrogram.png
	$(BIN)/python benchmarks/page_picture.py samples/page.png

address:
	sed -i 's|OWNER/REPOSITORY|$(REPOSITORY)|g' notebook.ipynb

report: .venv/installed-report
	$(BIN)/python benchmarks/report_pdf.py report.md report.pdf

.venv/bin/python:
	@echo "Making a virtual environment in .venv"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "This needs Python 3.11 or newer with venv (Debian: apt-get install python3-venv)"; exit 1; }

.venv/installed-runtime: requirements-runtime.txt | .venv/bin/python
	@echo "Installing requirements-runtime.txt into .venv (half a minute, once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-runtime.txt
	@touch $@

.venv/installed: requirements.txt requirements-runtime.txt | .venv/bin/python
	@echo "Installing requirements.txt into .venv (a minute or a few, once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt requirements-data.txt .venv/installed
	@echo "Installing requirements-dev.txt into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv/installed-eval: requirements-eval.txt .venv/installed
	@echo "Installing requirements-eval.txt into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-eval.txt
	@touch $@

.venv/installed-report: requirements-report.txt | .venv/bin/python
	@echo "Installing requirements-report.txt into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-report.txt
	@touch $@
