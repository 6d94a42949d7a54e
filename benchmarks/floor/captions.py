"""The floor of servers' captions, measured in the run that measures the servers."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.floor.kernels import measure_kernels, open_kernels
from benchmarks.floor.limits import floor_of
from benchmarks.floor.work import work_of
from benchmarks.processes import process
from benchmarks.rows import CaptionFloor, MachineRate
from benchmarks.subjects import Subject
from server.captioning.model.directory import read_manifest

ROUNDS = 3


def caption_floors(
    subject: Subject | None,
    directories: Mapping[str, Path],
    tokens: Mapping[str, float],
    threads: int,
) -> list[CaptionFloor]:
    """One for each server of which `directories` names the model.

    `tokens` are those of its captions, on average. Raises ModelDirectoryError.
    """
    if subject is None:
        return []
    with process() as call:
        work = call(work_of, subject.any_directory())
        call(open_kernels, threads)
        rates: list[MachineRate] = []
        for number in range(ROUNDS):
            rates += call(measure_kernels, number)
    found = []
    for server, directory in directories.items():
        precision = read_manifest(directory).precision
        if floor := floor_of((work, *rates), precision):
            found.append(CaptionFloor(server, precision, floor.encode, floor.token, tokens[server]))
    return found
