"""Keep the finished stages of an export in a work directory, so that the next run continues."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from export.errors import CaptionMismatch, GraphMismatch, OutputError, SourceError
from export.stages.digests import Key, digest_of_files
from export.stages.lock import locked

#: Says in each finished stage what it depends on, and the digest of its files.
KEY = "key.json"
PARTIAL = ".partial"
#: The errors that the same command would meet again. Nothing is kept after them.
PERMANENT = (SourceError, GraphMismatch, CaptionMismatch)


class WorkDirectory:
    """Hold finished stages, each a folder of its own, and folders that last for one run.

    A stage is written under a temporary name and renamed when it is finished. So whatever ends the
    process leaves only complete stages under their own names.
    """

    def __init__(self, path: Path, announce: Callable[[str], None]) -> None:
        self.path = path
        self._announce = announce

    def stage(self, name: str, key: Key, write: Callable[[Path], None]) -> Path:
        """Return the folder of a finished stage. `write` fills it unless an earlier run has.

        A stage with another key, or with damaged files, is discarded and written again.
        """
        finished = self.path / name
        if finished.exists():
            reason = why_not_usable(finished, key)
            if reason is None:
                self._announce(f"stage {name}: kept from an earlier run")
                return finished
            self._announce(f"stage {name}: discarded from an earlier run, because {reason}")
            shutil.rmtree(finished)
        partial = self.scratch(f"{name}{PARTIAL}")
        write(partial)
        record = {"key": dict(key), "files": _digest_of(partial)}
        (partial / KEY).write_text(json.dumps(record, indent=2), encoding="utf-8")
        return partial.rename(finished)

    def scratch(self, name: str) -> Path:
        """Return an empty folder that does not outlast this run."""
        path = self.path / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return path

    def finished(self) -> list[str]:
        """Return the names of the finished stages in the order in which they were finished."""
        keys = sorted(self.path.glob(f"*/{KEY}"), key=lambda key: key.stat().st_mtime_ns)
        return [key.parent.name for key in keys if key.parent.suffix != PARTIAL]

    def clear(self, kept: list[str]) -> None:
        """Remove everything but the folders named."""
        for path in self.path.iterdir():
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)


def why_not_usable(finished: Path, key: Key) -> str | None:
    """Return what differs between a finished stage and `key`, or None."""
    try:
        record = json.loads((finished / KEY).read_text(encoding="utf-8"))
        files, earlier = record["files"], dict(record["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"its {KEY} can't be read"
    if changed := [name for name in {**earlier, **key} if earlier.get(name) != key.get(name)]:
        return f"another {' and '.join(changed)} made it"
    # The process may have been killed by a power cut, after which renamed files can be empty.
    return None if files == _digest_of(finished) else "its files are damaged"


@contextmanager
def work_directory(
    output: Path, announce: Callable[[str], None], restart: bool = False
) -> Iterator[WorkDirectory]:
    """Yield the work directory of `output`, locked and with the stages of an earlier run.

    With `restart` these are discarded. The directory is beside `output`, in the same file system.
    It is removed when the block succeeds, and after an error that the next run would meet again.
    Any other exception keeps finished stages and gets a note about them. Raises OutputError for an
    OSError within the block.
    """
    with _translated(output), locked(work_path(output), output):
        work = WorkDirectory(work_path(output), announce)
        work.clear([] if restart else work.finished())
        try:
            yield work
        except PERMANENT:
            shutil.rmtree(work.path)
            raise
        except BaseException as exc:
            _leave(work, exc)
            raise
        shutil.rmtree(work.path)


def work_path(output: Path) -> Path:
    """Return the path of the work directory of `output`."""
    return output.with_name(f".{output.name}.export")


def _leave(work: WorkDirectory, exc: BaseException) -> None:
    """Remove unfinished files. Note on `exc` which stages are left."""
    finished = work.finished()
    work.clear(finished)
    if not finished:
        shutil.rmtree(work.path)
        return
    exc.add_note(
        f"Run the command again to continue after {', '.join(finished)}, kept in {work.path}; "
        "add --restart, or remove that directory, to begin anew."
    )


@contextmanager
def _translated(output: Path) -> Iterator[None]:
    """Turn an OSError within the block into OutputError with the same notes."""
    try:
        yield
    except OSError as exc:
        error = OutputError(
            f"{output} can't be written: {exc.strerror or exc}; free or change the disk and "
            "export again."
        )
        for note in getattr(exc, "__notes__", ()):
            error.add_note(note)
        raise error from exc


def _digest_of(stage: Path) -> str:
    files = (path for path in stage.rglob("*") if path.is_file() and path.name != KEY)
    return digest_of_files(files, stage)
