import math
from contextlib import suppress
from datetime import date

import pytest
import yaml
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
        path.write_bytes(text.encode())  # no newline is translated
        return yaml_text.read(path)

    return read


def refusal(read, text):
    with pytest.raises(UserError) as refused:
        read(text)
    message = str(refused.value).partition("params.yaml ")[2]
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("text", "has", "meant", "instead"),
    [
        ("data: {}\nfolds:\n  seed: 010  # x\n", "folds.seed as 010 in line 3,", "8 10", "8 or 10"),
        ("seed: 0o10", "seed as 0o10 in line 1,", '"0o10" 8', '"0o10" or 8'),
        ("a:\n  b:\n    - x\n    - 1:30", "a.b[1] as 1:30 in line 4,", '90 "1:30"', '90 or "1:30"'),
        ("a: yes", "a as yes in line 1,", 'true "yes"', 'true or "yes"'),
        ("b: &x on\na: *x", "b as", 'true "on"', 'true or "on"'),
        ("a: 08", "a as 08 in line 1,", '"08" 8', '"08" or 8'),
        ("a: 2026-01-31", "a as 2026-01-31 in line 1,", "date", '"2026-01-31"'),
        ("on: 1", "the key on in line 1,", 'true "on"', '"on"'),
        ("a:\n  010: 1", "a with the key 010 in line 2,", "8 10", '"010"'),
        ("%YAML 1.1\n---\na: yes\n", "a as yes in line 3,", 'true "yes"', 'true or "yes"'),
    ],
)
def test_what_readers_disagree_on_is_refused_by_name(read, text, has, meant, instead):
    said = refusal(read, text)
    assert said.startswith(f"has {has} ")
    assert all(f" {value} " in said for value in meant.split())
    assert said.endswith(f"; write {instead}.")


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("a: 2026-13-31", "a as 2026-13-31 in line 1"),
        (f"a: {'1' * 5000}", f"a as {'1' * 57}... in line 1"),
        (f"a: 1{':1' * 300}.5", f"a as 1{':1' * 28}... in line 1"),
        ("a: !!int ''", "the tag tag:yaml.org,2002:int in line 1"),
        ('a: ! "5"', "the tag tag:yaml.org,2002:int in line 1"),
        ("a: !!omap [b: 1]", "the tag tag:yaml.org,2002:omap in line 1"),
    ],
)
def test_what_is_no_value_is_refused_by_name(read, text, has):
    assert refusal(read, text).startswith(f"has {has}")


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
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: y\nn: b", {"a": "y", "n": "b"}),
    ],
)
def test_what_they_agree_on_is_read(read, text, value):
    found = read(text)
    assert value.items() <= found.items()
    assert repr(found) == repr(by_dvc(text))


def test_an_empty_file_is_none(read):
    assert read("# nothing\n") is None


def test_an_alias_within_itself_is_read(read):
    found = read("&a [*a]")
    assert found[0] is found


SPELLINGS = st.one_of(
    st.from_regex(r"[-+]?(0|0o|0x|0b)?[0-9_]{1,4}([.:][0-9_]{0,3}){0,2}([eE][-+]?[0-9]{1,3})?\Z"),
    st.from_regex(r"(?i)(y|n|yes|no|on|off|true|false|null|~|[-+]?\.?(inf|nan)|=|<<)\Z"),
    st.from_regex(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2})?Z?\Z"),
    st.text("0123456789+-.:_eExobyYnNoOfFaAlL~ '\"\\\x85\u2028", min_size=1, max_size=6),
)


@settings(deadline=None, max_examples=500)
@example("010").via("results of seed 8 stood under seed 10")
@example("1_0.5e3")
@given(SPELLINGS)
def test_a_value_is_what_dvc_reads_or_refused_with_what_is(read, written):
    text = f"a: {written}\n"
    try:
        found = read(text)
    except UserError as error:
        said = str(error)
        assert said.count("\n") == 0
        if "; write " not in said:
            return
        assert f" in line {1 + text[: text.index(written)].count(chr(10))}" in said
        for instead in said.removesuffix(".").rpartition("; write ")[2].split(" or "):
            again = f"a: {instead}\n"
            assert read(again) == by_dvc(again) == yaml.safe_load(again)
        ours, theirs = yaml.safe_load(text)["a"], by_dvc(text)["a"]
        assert repr(ours) != repr(theirs) or isinstance(ours, date)
    else:
        assert repr(found) == repr(by_dvc(text))


@settings(deadline=None, max_examples=200)
@example("yes")
@example("010")
@given(SPELLINGS)
def test_a_key_is_what_dvc_reads_or_refused(read, written):
    text = f"a:\n  {written}: {{b: 1}}\n"
    with suppress(UserError):
        assert repr(read(text)) == repr(by_dvc(text))
