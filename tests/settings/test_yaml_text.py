import math
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stages.errors import UserError
from stages.settings import yaml_text


def by_dvc(text):
    """Return what DVC reads (dvc.utils.serialize.parse_yaml)."""
    return YAML(typ="safe").load(text)


@pytest.fixture(scope="session")
def read(tmp_path_factory):
    path = tmp_path_factory.mktemp("yaml") / "params.yaml"

    def read(text):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return yaml_text.read(path)

    return read


@pytest.mark.parametrize(
    ("text", "setting", "ours", "theirs"),
    [
        ("data: {}\nfolds:\n  seed: 010  # x\n", "folds.seed", 8, 10),
        ("seed: 0o10", "seed", "0o10", 8),
        ("a:\n  b:\n    - x\n    - 1:30", "a.b[1]", 90, "1:30"),
        ("a: yes", "a", True, "yes"),
        ("a: 08", "a", "08", 8),
        ("a: 2026-01-31", "a", "2026-01-31", "datetime.date(2026, 1, 31)"),
        ("on: 1", "the key on", True, "on"),
        ("a:\n  010: 1", "the key a.10", 8, 10),
        ("%YAML 1.1\n---\na: yes\n", "a", True, "yes"),
        ("a: {8: x, 010: x}", "a", {8: "x"}, {8: "x", 10: "x"}),
    ],
)
def test_what_readers_disagree_on_is_refused_with_both_readings(read, text, setting, ours, theirs):
    with pytest.raises(UserError) as refused:
        read(text)
    message = str(refused.value).partition("params.yaml ")[2]
    assert message.startswith(f"has {setting}, ")
    theirs = theirs if str(theirs).startswith("datetime") else repr(theirs)
    assert f" {ours!r} " in message
    assert f" {theirs} " in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b: c\n", "in line 1"),
        ("{}\n---\n{}\n", "in line 2"),
        ("a: \0\n", "not valid"),
        ("a: [1\n", "in line 2"),
        ("? [1, 2]\n: 3\n", "in line 1 .*key"),
        ("data:\n  ? {a: 1}\n  : 3\n", "in line 2 .*key"),
        ("a: 1\nb: 2\na: 3\n", 'in line 3 .*"a"'),
        ("x: {a: 1, a: {b: 2}}\n", 'in line 1 .*"a"'),
        ("a: 2026-13-31", "month"),
        (f"a: {'1' * 5000}", "digits"),
        (f"a: 1{':1' * 300}.5", "too large"),
        ("a: !!int ''", "in line 1 .*tags"),
        ('b:\n a: ! "5"', "in line 2 .*tags"),
        ("data: !!python/object/apply:os.getcwd []\n", "in line 1 .*tags"),
        ("[" * 500, "recursion"),
        ("data: &a {limit: *a}\n", "recursion"),
        (b"\xff\xfe\x00a", "utf-8"),
    ],
)
def test_invalid_yaml_is_refused_in_one_sentence(read, text, said):
    with pytest.raises(UserError, match=rf"params\.yaml .*{said}") as refused:
        read(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('a: "yes"\nb: true\nc: 8\nd: "010"\n"on": x', {"a": "yes", "b": True, "c": 8}),
        (
            "a: 1e-05\nb: 1.0e-05\nc: 1E5\nd: -2e+3\ne: 1.5e-3",
            {"a": 1e-05, "b": 1e-05, "e": 0.0015},
        ),
        ("a: [~, null, '', .inf, 0x1F, 1_000]", {"a": [None, None, "", math.inf, 31, 1000]}),
        (
            "a: mnist-5k\nb: 1e\nc: e5\nd: 1e5x",
            {"a": "mnist-5k", "b": "1e", "c": "e5", "d": "1e5x"},
        ),
        ("a: &x {b: 1, c: 2}\nd: {e: 3, <<: *x, c: 4}", {"d": {"b": 1, "c": 4, "e": 3}}),
        ("a: y\nn: b", {"a": "y", "n": "b"}),
        ("# nothing\n", None),
    ],
)
def test_what_they_agree_on_is_read(read, text, value):
    found = read(text)
    assert repr(found) == repr(by_dvc(text))
    assert found == value or value.items() <= found.items()


SPELLINGS = st.one_of(
    st.from_regex(r"[-+]?(0|0o|0x|0b)?[0-9_]{1,4}([.:][0-9_]{0,3}){0,2}([eE][-+]?[0-9]{1,3})?\Z"),
    st.from_regex(r"(?i)(y|n|yes|no|on|off|true|false|null|~|[-+]?\.?(inf|nan)|=|<<)\Z"),
    st.from_regex(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2})?Z?\Z"),
    st.text("0123456789+-.:_eExobyYnNoOfFaAlL~ '\"\\\x85\u2028", min_size=1, max_size=6),
)


@settings(deadline=None, max_examples=200)
@example("010", "a: {}\n").via("results of seed 8 stood under seed 10")
@example("1_0.5e3", "a: {}\n")
@example("yes", "a:\n  {}: {{b: 1}}\n")
@given(SPELLINGS, st.sampled_from(["a: {}\n", "a:\n  {}: {{b: 1}}\n"]))
def test_a_value_or_key_is_what_dvc_reads_or_refused(read, written, template):
    text = template.format(written)
    with suppress(UserError):
        assert repr(read(text)) == repr(by_dvc(text))
