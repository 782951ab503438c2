# make demo [TEXT="..."] [OUT=demo.wav]    speak a sentence
# make test                                run the tests
# make report                              write report.pdf from report.md (a small download of its own, no PyTorch)
# The first two set up what they need in .venv the first time: about 5 GB, most of it PyTorch with CUDA.

PYTHON ?= python3
TEXT ?= Four hours of steady work faced us before the evening tea.
OUT ?= demo.wav
BIN := .venv/bin
export TEXT OUT

.PHONY: demo test report

demo: .venv/installed
	$(BIN)/python part2_solution.py say "$$TEXT" --out "$$OUT"

test: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/python -m pytest

report: .venv/installed-report
	$(BIN)/python benchmarks/report_pdf.py report.md report.pdf

.venv/bin/python:
	@echo "Making a virtual environment in .venv"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "This needs Python 3.11 or newer with venv (Debian: apt-get install python3-venv)"; exit 1; }

.venv/installed: requirements.txt | .venv/bin/python
	@echo "Installing requirements.txt into .venv (a minute or a few, once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	@echo "Installing requirements-dev.txt into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv/installed-report: requirements-report.txt | .venv/bin/python
	@echo "Installing requirements-report.txt into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-report.txt
	@touch $@
