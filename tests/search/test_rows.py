import textwrap

import pytest

from benchmarks.inputs import SHIPPED
from stages.errors import UserError
from stages.search import rows
from stages.settings import params
from stages.settings.sections import Variant

ROW = Variant.model_validate(
    {
        "description": 'the "best": of 3, # and é',
        "architecture": {"basic": {"dense": 64, "dropout": 0.25}},
        "augmentation": [{"rotate": {"degrees": 7.5}}, {"shift": {"fraction": 0.1}}],
        "train": {
            "learning_rate": 1e-05,
            "early_stopping": None,
            "schedule": {"cosine": {"warmup": 0.1}},
            "optimizer": "adam",
        },
    }
)
TEXT = """\
  made:
    description: 'the "best": of 3, # and é'
    architecture:
      basic: {dense: 64, dropout: 0.25}
    augmentation:
    - rotate: {degrees: 7.5}
    - shift: {fraction: 0.1}
    train:
      learning_rate: 1.0e-05
      early_stopping: null
      schedule:
        cosine: {warmup: 0.1}
      optimizer: adam
"""


HEAD = """# first
compare: {variants: [a], baseline: a}  # chosen
train: {epochs: 2, batch_size: 8, optimizer: adam, learning_rate: 1e-3, schedule: cosine}
variants:
"""
LAST_ROWS = {
    "in braces": "  a: {architecture: basic}  # the one\n",
    "with a comment below": "  a: {architecture: basic}\n  # nothing more\n",
    "with a list": "  a:\n    architecture: m5\n    augmentation:\n    - rotate: {degrees: 1}\n",
    "deeper": "    a:\n        architecture: m5\n        train: {epochs: 1,\n          l2: 0.1}\n",
    "folded": "  a:\n    architecture: m5\n    description: >\n      so\n      long\n",
    "quoted": "  a:\n    architecture: m5\n    description: 'so\n\n      long'\n",
    "an alias": "  a: &a {architecture: basic}\n  b: *a\n",
}


@pytest.mark.parametrize("kind", LAST_ROWS)
@pytest.mark.parametrize("after", ["\n# trailing\nfolds: {count: 2}\n", "", "\n\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_comments_and_formatting_stay_byte_for_byte(tmp_path, kind, after, newline):
    path = tmp_path / "params.yaml"
    before = (HEAD + LAST_ROWS[kind] + after).replace("\n", newline).encode()
    path.write_bytes(before)
    known = params.load(path).variants
    rows.add("made", ROW, path)
    added = f"\n{TEXT}" if kind != "deeper" else "\n" + textwrap.indent(TEXT, "  ")
    added = added.replace("\n", newline).encode()
    assert path.read_bytes().count(added) == 1
    assert path.read_bytes().replace(added, b"") == before
    assert params.load(path).variants == known | {"made": ROW}


def test_a_last_line_without_an_end_gets_one(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(f"{HEAD}  a: {{architecture: basic}}")
    rows.add("made", ROW, path)
    assert path.read_text() == f"{HEAD}  a: {{architecture: basic}}\n\n{TEXT}"


@pytest.mark.parametrize(
    "content",
    [
        HEAD.strip() + " {a: {architecture: basic}}\n",
        HEAD + "  a:\n    architecture: m5\n    description: |\n      # no comment\n",
    ],
)
def test_rows_that_no_row_can_follow_as_text_are_left_alone(tmp_path, content):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(UserError, match=r"params\.yaml"):
        rows.add("made", ROW, path)
    assert path.read_text() == content


@pytest.mark.parametrize("text", ["0o17", "1:30", "1e5", ".5e3", "+1", "2026-01-31", "yes", "~"])
def test_text_of_a_row_is_read_as_text_by_dvc_too(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(f"{HEAD}  a: {{architecture: basic}}\n")
    saved = {"from_model": {"path": text, text: [text]}}
    row = Variant.model_validate({"architecture": saved, "description": text})
    rows.add("made", row, path)
    assert params.load(path).variants["made"] == row


def test_a_name_that_is_taken_gets_a_number():
    settings = params.load(SHIPPED)
    assert rows.free_name(settings, "new") == "new"
    assert rows.free_name(settings, "basic") == "basic_2"
    taken = {**settings.variants, "basic_2": settings.variants["basic"]}
    assert rows.free_name(settings.model_copy(update={"variants": taken}), "basic") == "basic_3"


def test_a_row_with_just_these_settings_is_found():
    settings = params.load(SHIPPED)
    spelt_out = Variant.model_validate(
        {"architecture": {"basic": {"dropout": 0.5}}, "train": {"batch_size": 64}}
    )
    assert rows.same(settings, spelt_out) == "basic"
    assert rows.same(settings, ROW) is None
