"""The architecture: which room may import which, what needs no PyTorch, how long the one file of the method is."""

import ast
import pathlib
import subprocess
import sys

import pytest
from conftest import ROOT

# Each may import those before it: imports go one way.
FLOORS = (
    ("english",), ("vocoder",), ("speech",), ("waveglow",), ("lj_speech",), ("prosody",), ("runtime",),
    ("compute",), ("part2_solution",), ("recipe", "say"), ("benchmarks",),
)  # fmt: skip
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
MODULES = sorted(
    path for pattern in ("*.py", "*/*.py") for path in ROOT.glob(pattern) if path.relative_to(ROOT).parts[0] != "tests"
)
BENCHMARKS = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}  # scripts, which import each other by name


def room_of(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_modules(path: pathlib.Path) -> set[str]:
    """All modules that a file names in an import, wherever in the file, as `room` or `room.module`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively, the others by the room's name"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    room = room_of(path)
    if room == "setup":
        return
    assert room in FLOOR_OF, f"{room} has no floor: add it to FLOORS"
    for module in imported_modules(path):
        other = module.split(".")[0]
        if room == "benchmarks" and other in BENCHMARKS:
            continue
        assert FLOOR_OF.get(other, -1) <= FLOOR_OF[room], f"{room} imports {module}, which is above it"


def test_no_module_imports_itself_by_a_detour():
    """Inside a room, too, there is no circle."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in MODULES}
    imports = {name: (imported_modules(path) & names.keys()) - {name} for name, path in names.items()}

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " imports ".join((*above, name))
        for other in imports[name]:
            visit(other, (*above, name))

    for name in names:
        visit(name, ())


def test_what_needs_no_pytorch_imports_none():
    modules = "prosody.cues, prosody.settings, vocoder.spectrogram, english, speech.speaker, runtime, say.engines"
    code = f"import sys, {modules}; sys.exit(str([name for name in ('torch', 'torchaudio') if name in sys.modules]))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.stderr.strip() == "[]"


# -------- The file of the method -------------------------------------------------------------------------------------

METHOD = (ROOT / "part2_solution.py").read_text(encoding="utf-8")


def test_the_method_is_one_file_that_is_read_in_a_sitting():
    assert len(METHOD.splitlines()) <= 900


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_function_fits_a_screen(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            length = node.end_lineno - node.lineno + 1
            assert length <= 50, f"{node.name} has {length} lines"


def test_the_method_does_not_name_its_extension_but_where_it_is_loaded():
    """Neither the room nor what is in it: melody, pitch, cues, the room of the recordings, a second speaker."""
    names = ("prosody", "pitch", "cue", "melody", "intonation", "question", "noise", "echo", "teacher", "taught")
    lines = [line for line in METHOD.splitlines() if any(name in line.lower() for name in names)]
    assert len(lines) == 1 and lines[0].startswith("from prosody.extension import Prosody as ShippedExtension")
