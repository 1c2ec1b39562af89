import copy
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.errors import UserError
from stages.settings import params

HERE = Path(__file__).parents[2]
CONTENT = yaml.safe_load((HERE / "params.yaml").read_text())


def changed(path, value):
    """Return the repository's settings with one value put in; dots separate the path."""
    content = copy.deepcopy(CONTENT)
    *parents, last = path.split(".")
    section = content
    for parent in parents:
        section = section.setdefault(parent, {})
    section[last] = value
    return content


def refusal(content):
    with pytest.raises(ValueError) as caught:
        params.parse(content)
    return str(caught.value)


def test_the_repository_s_own_settings_are_valid():
    settings = params.load(HERE / "params.yaml")
    assert settings.compare.baseline in settings.compare.variants
    assert set(settings.compare.variants) <= set(settings.variants)


LINES = (HERE / "params.yaml").read_text().splitlines(keepends=True)


def resolved(settings):
    """Return every setting by its path, with `train` of each row as it trains; lists are one."""

    def flat(value, path):
        if not isinstance(value, dict) or not value:
            return {path: value}
        return {k: v for key in value for k, v in flat(value[key], (*path, key)).items()}

    found = settings.model_dump()
    for name, row in found["variants"].items():
        row["train"] = settings.train_settings(name).model_dump()
    return flat(found, ())


def test_a_line_that_is_deleted_is_missed_or_means_the_same(tmp_path):
    """No default in the code says otherwise than params.yaml; an entry takes only itself along."""
    path = tmp_path / "params.yaml"
    whole, refused, entries = resolved(params.load(HERE / "params.yaml")), set(), {}
    for number, line in enumerate(LINES):
        path.write_text("".join(LINES[:number] + LINES[number + 1 :]))
        try:
            left = resolved(params.load(path))
        except UserError:
            refused.add(line.strip().partition(":")[0])
            continue
        changed = {k for k in whole | left if whole.get(k, ...) != left.get(k, ...)}
        if not changed:
            continue
        name = line.strip(" -\n").partition(":")[0]
        (where,) = {key[:2] for key in changed}  # one row, or the search's space
        entries[(*where, name)] = {key[2:] for key in changed}
        if line.strip().startswith("- "):  # an op of an augmentation
            ((op,),) = entries[(*where, name)]
            kept = [one["name"] for one in left[(*where, op)]]
            assert [one["name"] for one in whole[(*where, op)] if one["name"] != name] == kept
        elif where == ("search", "space"):
            assert {key[0] for key in entries[(*where, name)]} == {name}
        else:
            assert where[0] == "variants"
            assert all(name in key for key in entries[(*where, name)])
    assert refused >= {"epochs", "batch_size", "optimizer", "learning_rate", "schedule", "train"}
    assert ("variants", "basic", "description") in entries
    assert ("search", "space", "architecture.dropout") in entries


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("trian", {}, "trian "),
        ("train.epoch", 3, "train.epoch "),
        ("train.epochs", "ten", "train.epochs is 'ten'"),
        ("train.epochs", 0, "train.epochs is 0"),
        ("train.epochs", 2.5, "train.epochs is 2.5"),
        ("train.epochs", True, "train.epochs is True"),
        ("train.batch_size", 0, "train.batch_size is 0"),
        ("train.learning_rate", 0, "train.learning_rate is 0"),
        ("train.learning_rate", "0.1", "train.learning_rate is '0.1'"),
        ("train.learning_rate", float("nan"), "train.learning_rate is nan"),
        ("train.learning_rate", float("inf"), "train.learning_rate is inf"),
        ("train.label_smoothing", 1.0, "train.label_smoothing is 1.0"),
        (
            "train.optimizer",
            ["adam"],
            "train.optimizer is ['adam']",
        ),
        ("train.optimizer", {"a": 1, "b": 2}, "train.optimizer is {'a': 1, 'b': 2}"),
        ("train.global_clipnorm", 0, "train.global_clipnorm is 0"),
        ("train.global_clipnorm", float("inf"), "train.global_clipnorm is inf"),
        ("train.ema", 1.0, "train.ema is 1.0"),
        ("train.ema", 0, "train.ema is 0"),
        ("train.final", "vote", "train.final is 'vote'"),
        ("train.early_stopping", {"patience": 0}, "train.early_stopping.patience is 0"),
        ("train.early_stopping", {"patence": 1}, "train.early_stopping.patence "),
        ("train.early_stopping", {"monitor": "loss"}, "train.early_stopping.monitor is 'loss'"),
        ("folds.count", 1, "folds.count is 1"),
        ("folds.count", 0, "folds.count is 0"),
        ("data.test_fraction", 1.0, "data.test_fraction is 1.0"),
        ("data.limit", 0, "data.limit is 0"),
        ("variants", None, "variants is None"),
        ("variants.basic.architecure", "x", "variants.basic.architecure "),
        ("variants.basic.architecture", 3, "variants.basic.architecture is 3"),
        (
            "variants.basic.train",
            {"epoch": 1},
            "params.yaml is refused: variants.basic.train.epoch",
        ),
        ("variants.basic.train", {"epochs": -1}, "params.yaml is refused: variants.basic.train.ep"),
        ("variants.a/b", {"architecture": "basic"}, "params.yaml has the variant name 'a/b'"),
        ("variants.plots", {"architecture": "basic"}, "params.yaml has the variant name 'plots'"),
        ("variants.Basic", {"architecture": "basic"}, "params.yaml has the variant name 'Basic'"),
        ("variants.new", {}, "params.yaml has variants.new without architecture"),
        (
            "variants.new",
            {"architecture": "basic", "ensemble": ["basic", "stacked"]},
            "params.yaml has variants.new with both ensemble and architecture",
        ),
        (
            "variants.new",
            {"augmentation": ["flip"], "ensemble": ["basic", "stacked"]},
            "params.yaml has variants.new with both ensemble and augmentation",
        ),
        (
            "variants.new",
            {"train": {"epochs": 3}, "ensemble": ["basic", "stacked"]},
            "params.yaml has variants.new with both ensemble and train",
        ),
        (
            "variants.new",
            {"ensemble": ["basic", "stackd"]},
            "params.yaml has variants.new.ensemble with 'stackd'",
        ),
        (
            "variants.new",
            {"ensemble": ["basic", "vote"]},
            "params.yaml has variants.new.ensemble with 'vote'",
        ),
        (
            "variants.new",
            {"ensemble": ["basic", "new"]},
            "params.yaml has variants.new.ensemble with 'new'",
        ),
        (
            "variants.new",
            {"ensemble": ["basic"]},
            "params.yaml has variants.new.ensemble ['basic']",
        ),
        (
            "variants.new",
            {"ensemble": ["basic", "basic"]},
            "params.yaml has variants.new.ensemble ['basic', 'basic']",
        ),
        ("variants.new", {"ensemble": []}, "params.yaml has variants.new.ensemble []"),
        ("variants.new", {"ensemble": "basic"}, "variants.new.ensemble is 'basic'"),
        ("compare.variants", ["bsic"], "params.yaml has 'bsic' in compare.variants"),
        ("compare.variants", [], "compare.variants is []"),
        (
            "compare.variants",
            ["basic", "basic"],
            "params.yaml has a duplicate name in compare.variants",
        ),
        ("compare.baseline", "dropot", "params.yaml has compare.baseline 'dropot'"),
        (
            "data.format",
            "zip",
            "data.format is 'zip'",
        ),
        ("data.resize", None, "data.resize is None"),
        ("data.resize", "fit", "data.resize is 'fit'"),
        ("data.channels", "grey", "data.channels is 'grey'"),
        ("data.image_size", 7, "data.image_size is 7"),
        ("data.image_size", 257, "data.image_size is 257"),
        ("data.image_size", 32.0, "data.image_size is 32.0"),
        ("data.image_size", True, "data.image_size is True"),
        ("data.image_size", "32", "data.image_size is '32'"),
        ("data.image_size", [32], "data.image_size is [32]"),
        ("data.image_size", [32, 32, 3], "data.image_size is [32, 32, 3]"),
        ("data.image_size", [32, 7], "data.image_size is [32, 7]"),
        ("data.image_size", [], "data.image_size is []"),
        ("data.source", None, "data.source is None"),
        ("data.source", 5, "data.source is 5"),
        ("parallel.backend", "dask", "parallel.backend is 'dask'"),
        ("tracking.model_name", "a/b", "tracking.model_name is 'a/b'"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(path, value, said):
    assert refusal(changed(path, value)).startswith(said)


@pytest.mark.parametrize(
    ("path", "value", "meant"),
    [
        ("train.epoch", 3, "epochs"),
        ("train.lerning_rate", 3, "learning_rate"),
        ("flods", {}, "folds"),
        ("compare.variants", ["batchnrom"], "batchnorm"),
        ("variants.basic.augmentations", [], "augmentation"),
        ("variants.vote.ensemble", ["basic", "stackd"], "stacked"),
        ("variants.basic.train", {"early_stoping": None}, "early_stopping"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(path, value, meant):
    assert refusal(changed(path, value)).rstrip(".?").endswith(repr(meant))


@pytest.mark.parametrize(
    ("given", "size"),
    [(None, None), (8, (8, 8)), (256, (256, 256)), ([8, 256], (8, 256)), ((9, 10), (9, 10))],
)
def test_an_image_size_is_height_and_width(given, size):
    assert params.parse(changed("data.image_size", given)).data.image_size == size


def test_a_missing_section_is_named():
    content = copy.deepcopy(CONTENT)
    del content["compare"]
    assert refusal(content).startswith("compare ")


def test_a_variant_overrides_the_base_and_only_that():
    settings = params.parse(changed("variants.basic.train", {"epochs": 77}))
    assert settings.train_settings("basic").epochs == 77
    assert settings.train_settings("basic").batch_size == settings.train.batch_size
    assert settings.train_settings("stacked").epochs == settings.train.epochs


def test_an_override_of_null_is_the_base_or_switches_off_what_can_be_off():
    content = changed("variants.basic.train", {"epochs": None, "early_stopping": None})
    content["train"]["early_stopping"] = {"patience": 2}
    settings = params.parse(content)
    assert settings.train_settings("basic").epochs == settings.train.epochs
    assert settings.train_settings("basic").early_stopping is None
    assert settings.train_settings("stacked").early_stopping.patience == 2


def test_an_ensemble_may_be_the_baseline_and_have_members_that_are_not_compared():
    content = changed("compare", {"variants": ["vote", "basic"], "baseline": "vote"})
    settings = params.parse(content)
    assert settings.variant("vote").ensemble == ["basic", "batchnorm", "double_conv"]


def test_an_unknown_variant_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"'basik' .*'basic'"):
        params.parse(CONTENT).variant("basik")


def test_settings_cannot_be_changed_after_reading():
    with pytest.raises(ValueError, match="frozen"):
        params.parse(CONTENT).train.epochs = 3


@pytest.mark.parametrize(
    ("written", "name", "arguments"),
    [
        ("adam", "adam", {}),
        ({"adam": {"beta_1": 0.7}}, "adam", {"beta_1": 0.7}),
        ({"adam": None}, "adam", {}),
    ],
)
def test_a_name_is_written_alone_or_with_its_arguments(written, name, arguments):
    optimizer = params.parse(changed("train.optimizer", written)).train.optimizer
    assert (optimizer.name, optimizer.arguments) == (name, arguments)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be a mapping"),
        ("\n \n# only a remark\n", "must be a mapping"),
        ("null", "must be a mapping"),
        ("just text", "must be a mapping"),
        ("a: b: c\n", "is not valid YAML in line 1"),
        ("\tdata: {}\n", "is not valid YAML in line 1"),
        ("a: *b\n", "is not valid YAML in line 1"),
        ("{}\n---\n{}\n", "is not valid YAML in line"),
        ("? [1, 2]\n: 3\n", "key in line 1"),
        ("data:\n  ? {a: 1}\n  : 3\n", "key in line 2"),
        ("&a [*a]\n", "must be a mapping"),
        ("data: &a {limit: *a}\n", "data.limit is"),
        ("data: {limit: 1}\n", r"^train "),
        ("train: &a {b: *a}\n", r"^train\.epochs "),
        ("<<: 5\n", "is not valid YAML in line 1"),
        ("data: {source: a, source: b}\n", "'source'.* in line 1"),
        ("data: {limit: 1}\ndata: {}\n", "'data'.* in line 2"),
        ("folds: {seed: 010}\n", "has folds.seed as 010 in line 1"),
        ("a: \0\n", "is not valid YAML"),
        ("[" * 2000, "nested too deeply"),
        ("- 1\n- 2\n", "must be a mapping"),
        ("a: [1\n", "is not valid YAML in line 2"),
        ("a: 1\nb: 2\na: 3\n", "'a'.* in line 3"),
        ("x: {a: 1, a: 2}\n", "'a'"),
    ],
)
def test_a_file_that_is_no_settings_is_refused(tmp_path, text, said):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        params.load(path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "params.yaml").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(UserError, match=r"params\.yaml .*UTF-8"):
        params.load(tmp_path / "params.yaml")


def test_an_object_tag_is_not_built(tmp_path):
    (tmp_path / "params.yaml").write_text("data: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(UserError, match=r"tag .* in line 1"):
        params.load(tmp_path / "params.yaml")


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
def test_nothing_at_all_in_a_section_gives_anything_but_one_sentence(value, section):
    raised = None
    try:
        params.parse({**CONTENT, section: value})
    except ValueError as error:
        raised = error
    assert "\n" not in str(raised)
    assert type(raised) in (UserError, type(None))  # not pydantic's ValidationError


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
