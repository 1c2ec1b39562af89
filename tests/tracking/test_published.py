"""Notes on published runs; warnings are tested in tests/test_publish.py."""

from stages.publish import publish
from stages.settings import params
from stages.tracking import published
from tests.tracking.made_results import make_results


def test_a_run_of_earlier_results_is_not_annotated(repository, capfd):
    def annotated():
        found = []
        add = lambda client, run_id, name: found.append(name)  # noqa: E731
        published.annotate(params.load(), "latencies", ["basic", "other"], add)
        return found

    assert publish("basic")
    assert annotated() == ["basic"]
    results = repository / "results/basic"
    make_results(results, "basic", 2, 2, better=0.05)  # as by `evaluate`
    assert annotated() == []
    (sentence,) = capfd.readouterr().err.splitlines()
    assert "does not get latencies; run `dvc repro publish@basic`" in sentence
    (results / "model.keras").unlink()
    assert annotated() == []
