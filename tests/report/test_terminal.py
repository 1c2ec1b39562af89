from stages.report import terminal
from tests.report.made import row


def test_columns_are_aligned_with_the_best_variant_first():
    rows = [row("basic", "baseline", cv_mean=0.98), row("much_better", "better", cv_mean=0.99)]
    lines = terminal.summary(rows).splitlines()
    _, head, _rule, first, second, *_ = lines
    assert first.startswith("much_better  99.00 ± 0.12")
    assert second.startswith("basic        98.00 ± 0.12")
    assert head.index("verdict") == first.index("better", len("much_better"))
    assert max(map(len, lines[1:5])) < 100


def test_warnings_are_named_with_their_variants():
    first = row("basic", "baseline", checks="overfits")
    second = row("other", "better", checks="overfits too-few-epochs", cv_mean=0.98)
    line = terminal.summary([first, second]).splitlines()[-1]
    assert line.endswith(": overfits: basic, other; too-few-epochs: other.")
    assert "Warnings" not in terminal.summary([row("basic", "baseline", checks="")])


def test_the_next_step_depends_on_whether_something_is_undecided():
    decided = [row("basic", "baseline"), row("other", "worse")]
    assert "python -m stages pairs" in terminal.next_steps(decided, 1)
    undecided = [*decided, row("third", "undecided")]
    assert "folds.repeats=2" in terminal.next_steps(undecided, 1)
    assert "make learning-curve" in terminal.next_steps(undecided, 2)
    hopeless = [*decided, row("third", "undecided", difference=0.001, ci_low=-0.1, ci_high=0.102)]
    assert "make learning-curve" in terminal.next_steps(hopeless, 1)
    assert "how many photos" in terminal.next_steps(hopeless, 1, smallest=7)
    assert "stages pairs" not in terminal.next_steps(decided[:1], 1)


def test_own_photos_are_suggested_to_those_who_have_none_yet():
    rows = [row("basic", "baseline"), row("other", "worse")]
    assert "your_own_data" in terminal.next_steps(rows, 1)
    assert "your_own_data" not in terminal.next_steps(rows, 1, own_data=True)
