import copy
import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import inputs
from stages.errors import UserError
from stages.settings import params
from tests.refusals import refusal
from tests.settings.defaults import CONTENT, changed


def test_an_omitted_setting_is_required_or_has_the_value_of_params_yaml():
    whole, refused = params.load(inputs.SHIPPED), set()
    for section in CONTENT.keys() - {"variants"}:
        for key in CONTENT[section].keys() - {"space"}:
            content = copy.deepcopy(CONTENT)
            del content[section][key]
            try:
                assert params.parse(content) == whole
            except UserError as error:
                refused.add(str(error).split(" ")[0])
    required = ("epochs", "batch_size", "optimizer", "learning_rate", "schedule")
    assert refused == {
        "compare.variants",
        "compare.baseline",
        *(f"train.{key}" for key in required),
    }


NEW = "variants.new"


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("trian", {}, ".*'train'"),
        ("train.epoch", 3, ".*'epochs'"),
        ("train.epochs", "ten", " is 'ten'"),
        ("train.epochs", 0, " is 0"),
        ("train.learning_rate", float("inf"), " is inf"),
        ("train.optimizer", ["adam"], " is ['adam']"),
        ("train.global_clipnorm", float("inf"), " is inf"),
        ("train.ema", 1.0, " is 1.0"),
        ("train.early_stopping", {"patience": 0}, ".patience is 0"),
        ("train.early_stopping", {"patence": 1}, ".patence .*'patience'"),
        ("data.limit", 0, " is 0"),
        ("data.image_size", [32, 7], " is [32, 7]"),
        ("variants", None, " is None"),
        ("variants.basic.architecure", "x", ".*'architecture'"),
        ("variants.basic.architecture", 3, " is 3"),
        ("variants.basic.train", {"epoch": 1}, ".epoch .*'epochs'"),
        (NEW, {}, ".*architecture"),
        (NEW, {"architecture": "basic", "ensemble": ["basic", "stacked"]}, ".*architecture"),
        (NEW, {"augmentation": ["flip"], "ensemble": ["basic", "stacked"]}, ".*augmentation"),
        (NEW, {"train": {"epochs": 3}, "ensemble": ["basic", "stacked"]}, ".*train"),
        (NEW, {"ensemble": ["basic", "stackd"]}, ".ensemble is 'stackd'.*'stacked'"),
        (NEW, {"ensemble": ["basic", "vote"]}, ".ensemble is 'vote'"),
        (NEW, {"ensemble": ["basic"]}, ".ensemble is ['basic']"),
        (NEW, {"ensemble": ["basic", "basic"]}, ".ensemble is ['basic', 'basic']"),
        ("compare.variants", ["bsic"], " is 'bsic'.*'basic'"),
        ("compare.variants", [], " is []"),
        ("compare.variants", ["basic", "basic"], " is ['basic', 'basic']"),
        ("compare.baseline", "dropot", " is 'dropot'.*'dropout'"),
        ("parallel.backend", "dask", " is 'dask'"),
        ("tracking.model_name", "a/b", " is 'a/b'"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(path, value, named):
    pattern = re.escape(path + named).replace(r"\.\*", ".*")
    assert re.match(pattern, refusal(params.parse, changed(path, value)))


@pytest.mark.parametrize("name", ["a/b", "plots", "published", "Basic", "", "a" * 65])
def test_a_variant_that_cannot_name_its_folder_is_refused(name):
    content = copy.deepcopy(CONTENT)
    content["variants"][name] = {"architecture": "basic"}
    assert repr(name) in refusal(params.parse, content)


def test_a_variant_overrides_the_base_and_only_that():
    overrides = {"epochs": None, "batch_size": 77, "early_stopping": None}
    content = changed("variants.basic.train", overrides)
    content["train"]["early_stopping"] = {"patience": 2}
    settings = params.parse(content)
    expected = settings.train.model_copy(update={"batch_size": 77, "early_stopping": None})
    assert settings.train_settings("basic") == expected
    assert settings.train_settings("stacked") == settings.train


def test_an_ensemble_may_be_the_baseline_and_have_members_that_are_not_compared():
    content = changed("compare", {"variants": ["vote", "basic"], "baseline": "vote"})
    settings = params.parse(content)
    assert settings.variant("vote").ensemble == ["basic", "batchnorm", "double_conv"]


def test_an_unknown_variant_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"'basik'.* 'basic'"):
        params.parse(CONTENT).variant("basik")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# only a remark\n", "must be a mapping"),
        ("just text", "must be a mapping"),
        ("- 1\n- 2\n", "must be a mapping"),
        ("data: {limit: 1}\n", "^train "),
        ("data: {seed: yes}\n", r"^data\.seed is 'yes'"),  # in YAML 1.2, which DVC reads
        ("data: {folder: 2026-01-31}\n", r"^data\.folder is datetime\.date"),
        ("a: b: c\n", r"params\.yaml .* in line 1"),
        ("x: 1\nfolds: {a: 1, a: 2}\n", 'in line 2 .*"a"'),
        ("? [1, 2]\n: 3\n", "keys"),
        ("data: &a {limit: *a}\n", "Circular"),
        ("a: 2026-13-31", "month"),
        ("a: !!int ''", "not valid"),
        ("data: !!python/object/apply:os.getcwd []\n", "in line 1 .*tag"),
    ],
)
def test_a_file_that_is_no_settings_is_refused(tmp_path, text, message):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        params.load(path)


def test_numbers_are_read_as_dvc_reads_them(tmp_path):
    path = tmp_path / "params.yaml"
    content = changed("folds.seed", "SEED") | {"tracking": {"live_after": "SECONDS"}}
    text = yaml.safe_dump(content).replace("SEED", "010").replace("SECONDS", "1e-3")
    path.write_text(text)
    settings = params.load(path)
    assert (settings.folds.seed, settings.tracking.live_after) == (10, 0.001)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    st.sampled_from(sorted(params.Params.model_fields)),
)
def test_any_value_of_a_section_is_valid_or_refused_in_one_sentence(value, section):
    refused = None
    try:
        params.parse({**CONTENT, section: value})
    except ValueError as error:
        refused = error
    assert type(refused) in (type(None), UserError)  # not pydantic's ValidationError
    assert "\n" not in str(refused)


YAMLISH = st.text("ab:-?!&*[]{}|>'\"#%@`,.~0123456789eE \n\t\\<=", max_size=40)


@settings(max_examples=300, deadline=None)
@given(
    YAMLISH.map(str.encode)
    | st.binary(max_size=40)
    | YAMLISH.map(lambda text: f"data: {text}".encode())
)
def test_any_bytes_as_the_file_are_one_sentence(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(ValueError) as refused:
        params.load(path)
    assert type(refused.value) is UserError  # not a library's own class
    assert "\n" not in str(refused.value)


def test_a_row_overrides_single_keys_of_early_stopping():
    base = {"monitor": "val_loss", "patience": 3, "min_delta": 0.01}
    content = changed("train.early_stopping", base)
    for row, expected in (
        ({}, base),
        ({"early_stopping": {"patience": 6}}, base | {"patience": 6}),
        ({"early_stopping": None}, None),
    ):
        content["variants"]["basic"]["train"] = row
        found = params.parse(content).train_settings("basic").early_stopping
        assert (found and found.model_dump()) == expected
