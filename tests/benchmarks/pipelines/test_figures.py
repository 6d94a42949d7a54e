from benchmarks.pipelines import figures
from tests.benchmarks.recorded import pipeline_run


def test_pipelines_are_compared_within_rounds() -> None:
    """A drift of the machine by three does not change that ours is twice as fast."""
    table = figures.caption_table(pipeline_run(), 20)
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert list(rows) == ["ours-fp32", "tutorial-torch", "openvino-int8"]
    assert rows["ours-fp32"]["whole"] == "2.00 s (1.00 s to 3.00 s)"
    assert rows["ours-fp32"]["speed-up over tutorial-torch"] == "2x"
    assert rows["tutorial-torch"]["speed-up over tutorial-torch"] == "1x"
    assert rows["ours-fp32"]["same tokens"] == "20 of 20"


def test_two_columns_compare_with_the_roofline() -> None:
    """1 s to encode is twice the roofline's 0.5 s; a token of 50 ms is five times its 10 ms."""
    table = figures.caption_table(pipeline_run(), 20)
    ours = dict(zip(table.columns, table.rows[0], strict=True))
    assert (ours["encode"], ours["encode / roofline"]) == ("1.00 s", "2x")
    assert (ours["a token"], ours["a token / roofline"]) == ("50.0 ms", "5x")


def test_absent_pipelines_are_explained() -> None:
    """An absent pipeline has a row of empty cells, and its reason is in the note."""
    table = figures.caption_table(pipeline_run(), 20)
    assert table.rows[-1][:3] == ("openvino-int8", "absent", "")
    assert len(table.rows[-1]) == len(table.columns)
    assert "openvino-int8: the package openvino is not installed." in table.note


def test_tokens_agree_up_to_the_first_difference() -> None:
    """A caption that differs at its third token has two of the reference's."""
    assert figures.agreement((1, 2, 9, 4), (1, 2, 3, 4, 5)) == "2 of 5"
