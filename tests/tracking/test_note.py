import pytest

from stages.tracking import note

VERDICT = "better, against basic"
PARAGRAPH = f"{VERDICT} ([comparison](#/experiments/1/runs/2))"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ("", "")),
        ("Mine.", ("", "Mine.")),
        (PARAGRAPH, (PARAGRAPH, "")),
        (f"{PARAGRAPH}\n\nMine.\n\nAll.", (PARAGRAPH, "Mine.\n\nAll.")),
        (f"{VERDICT} of course", ("", f"{VERDICT} of course")),
    ],
)
def test_only_a_verdict_with_its_link_is_split_off(text, parts):
    assert note.split(text, ["", VERDICT]) == parts


def test_a_description_follows_ours_and_keeps_somebody_s():
    tags = note.first("First.\n")
    assert tags[note.NOTE] == "First."
    assert note.updated(tags, "First.") == {}
    tags |= note.updated(tags, "Second.")
    assert tags == note.first("Second.")
    assert note.updated(tags | {note.NOTE: "Mine."}, "Third.") == {}
    tags |= note.updated(tags, "")
    assert tags == {note.NOTE: "", note.WRITTEN: ""}
    assert note.updated(tags, "Third.") == note.first("Third.")
    assert note.first("") == note.updated({}, "") == {}


def test_a_description_of_an_older_version_is_ours_only_while_it_is_the_same():
    assert note.updated({note.NOTE: "First."}, "Second.") == {}
    followed = note.updated({note.NOTE: "First."}, "First.")
    assert followed == {note.WRITTEN: note.digest("First.")}
