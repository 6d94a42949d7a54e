import pytest

from benchmarks.roofline import command
from benchmarks.roofline.command import roofline_of, work_of
from benchmarks.rows import MachineRate
from benchmarks.subjects import Subject
from tests.benchmarks.recorded import RATES, WORK, run


def test_work_of_a_checkpoint(tiny_subject: Subject) -> None:
    """The work equals a count by hand: 16 patches and a class token, 2 layers of 24 units."""
    work = work_of(tiny_subject.required_checkpoint("this test"))
    tokens, hidden, layers, vocabulary = 17, 24, 2, 30524
    patches = 16 * hidden * 3 * 8 * 8
    projections = tokens * hidden * hidden * (4 + 8) * layers
    attention = 2 * tokens * tokens * hidden * layers
    assert work.encoder_operations == 2 * (patches + projections + attention)
    assert work.attention_operations == 2 * attention
    weights = layers * hidden * hidden * (4 + 4 + 8) + hidden * hidden + hidden * vocabulary
    assert work.step_bytes == 4 * (weights + tokens * hidden)


def test_the_roofline_follows_from_work_and_rates() -> None:
    """100 G operations at 200 a second take 0.5 s, and 440 MB at 44 GB a second 10 ms."""
    found = roofline_of((WORK, *RATES), "fp32")
    assert found is not None
    assert (found.encode, found.token) == pytest.approx((0.5, 0.01))


def test_attention_is_bound_by_fp32() -> None:
    """In int8, 90 of 100 G operations run at 900 a second and attention's 10 at 200."""
    found = roofline_of((WORK, *RATES, MachineRate(1, "int8 gemm", 900e9)), "int8")
    assert found is not None
    assert (found.encode, found.token) == pytest.approx((0.15, 0.0025))


def test_the_best_round_counts() -> None:
    """A slower round does not move the roofline."""
    found = roofline_of((WORK, *RATES, MachineRate(2, "fp32 gemm", 100e9)), "fp32")
    assert found is not None
    assert found.encode == pytest.approx(0.5)


def test_without_work_or_rates_there_is_none() -> None:
    """A roofline needs the model's work and the rates of its precision."""
    assert roofline_of(RATES, "fp32") is None
    assert roofline_of((WORK, *RATES), "bf16") is None


def test_the_command_shows_rates_and_roofline() -> None:
    """Rates are in billions a second, and the roofline has a row for each precision measured."""
    rates, model = command.tables(run("roofline", [WORK, *RATES]))
    assert rates.rows[0] == ("fp32 gemm, G operations/s", "200", "200", "200")
    assert rates.rows[1] == ("memory read, GB/s", "44", "44", "44")
    assert model.rows == (("fp32", "500 ms", "10.0 ms"),)
    assert "100.0 G operations" in model.note
