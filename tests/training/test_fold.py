import gc
from collections import Counter

import numpy as np
import pytest

from stages.augment import augmenter
from stages.settings.sections import EarlyStopping, Named, ReduceOnPlateau, Train
from stages.training import fold as fold_module
from stages.training.fold import (
    HISTORY,
    UntrainableError,
    class_weights,
    derive_seed,
    train_fold,
)
from stages.training.recipe import Recipe
from tests.prepared import TRAIN

pytestmark = pytest.mark.slow

CLASSES = 3


def sliver(count=90, seed=0):
    """Return images whose class is the row of a bright stripe, with noise to make learning slow."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    images = random.integers(0, 120, (count, 12, 12, 1))
    for row in range(CLASSES):
        images[labels == row, row * 4 : row * 4 + 3] += 60
    return images.astype("uint8"), labels.astype("int64"), (np.arange(count) // 3 % 3).astype("i2")


def recipe(**train):
    return Recipe(
        variant="small",
        architecture=Named(name="basic", arguments={"dense": 8, "dropout": 0.2}),
        augmentation=[Named(name="shift", arguments={"fraction": 0.1})],
        train=Train(**TRAIN | {"epochs": 3} | train),
    )


def fold(number=0, given=None, **train):
    return train_fold(*(given or sliver()), CLASSES, recipe(**train), number)


TRAINED = {}


def shared(**train):
    """Return fold 0 with these settings, trained once for all tests of this file."""
    key = repr(sorted(train.items()))
    if key not in TRAINED:
        TRAINED[key] = fold(**train)
    return TRAINED[key]


@pytest.fixture
def record():
    return shared()


def assert_same(one, other):
    np.testing.assert_array_equal(one.history, other.history)
    np.testing.assert_array_equal(one.probability, other.probability)
    for weights, others in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(weights, others)


def loss_of(record):
    """Return the loss of the stored probabilities of the default validation images."""
    _, labels, _ = sliver()
    p_true = record.probability[np.arange(30), labels[record.validation]].astype("f8")
    return -np.log(p_true).mean()


def alive():
    gc.collect()
    kinds = Counter(type(thing).__name__ for thing in gc.get_objects())
    return [kinds[kind] for kind in ("FuncGraph", "AtomicFunction", "EagerTensor", "Variable")]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"optimizer": Named(name="rmsprop"), "ema": 0.9, "precision": "mixed_bfloat16"},
        {"optimizer": Named(name="muon"), "global_clipnorm": 1.0},
    ],
)
def test_nothing_of_a_fold_stays_in_the_process(given):
    """A worker may train hundreds of folds, so graphs and tensors must be freed."""
    fold(0, epochs=1, **given)
    before = alive()
    fold(1, epochs=1, **given)
    assert alive() == before


def test_the_record_has_every_epoch_and_image(record):
    _, _, assigned = sliver()
    assert record.history.shape == (3, len(HISTORY))
    assert record.times.shape == (3, 2)
    np.testing.assert_array_equal(record.validation, np.flatnonzero(assigned == 0))
    assert record.probability.shape == (30, CLASSES)
    np.testing.assert_allclose(record.probability.sum(1), 1, atol=1e-5)
    assert record.train_images == 60
    assert record.best_epoch == 3  # the last one, without early stopping


def test_two_trainings_agree_bit_by_bit(record):
    """Whatever was trained between them in the process."""
    fold(number=2, epochs=1, batch_size=7)
    assert_same(fold(), record)


def test_seed_variant_and_fold_each_change_the_result(record):
    assert not np.array_equal(fold(seed=2).history, record.history)
    other = recipe().model_copy(update={"variant": "other"})
    renamed = train_fold(*sliver(), CLASSES, other, 0)
    assert not np.array_equal(renamed.history, record.history)


def test_scores_are_those_of_the_validation_images(record):
    _, labels, _ = sliver()
    correct = record.probability.argmax(1) == labels[record.validation]
    assert record.at_best_epoch("val_accuracy") == correct.mean()
    assert record.at_best_epoch("val_loss") == pytest.approx(loss_of(record))


def test_validation_images_are_never_trained_on():
    """Changing their pixels does not change the weights."""
    images, labels, assigned = sliver()
    altered = images.copy()
    altered[assigned == 1] = 255
    first, second = (fold(1, (pixels, labels, assigned), epochs=1) for pixels in (images, altered))
    for one, other in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_training_image_counts_also_in_a_part_batch():
    """60 images in batches of 16 leave 12; if those were skipped, their pixels would not matter."""
    images, labels, assigned = sliver()
    before = shared(epochs=1).history[0]
    seed = derive_seed(1, "small", 0)
    order = np.random.default_rng([seed, 1]).permutation(np.flatnonzero(assigned != 0))
    images[order[-1]] = 255 - images[order[-1]]
    after = fold(given=(images, labels, assigned), epochs=1).history[0]
    assert before[0] != after[0]


def test_a_fold_of_a_second_repeat_has_its_own_seed_but_the_same_kind_of_split():
    first, second = shared(epochs=1), fold(3, epochs=1)
    np.testing.assert_array_equal(first.validation, second.validation)
    assert not np.array_equal(first.history, second.history)


def test_it_learns():
    assert fold(epochs=25, learning_rate=0.01).at_best_epoch("val_accuracy") > 0.9


def test_early_stopping_keeps_the_best_epoch_and_its_weights():
    record = fold(
        epochs=40, learning_rate=0.02, early_stopping=EarlyStopping(monitor="val_loss", patience=2)
    )
    losses = record.history[:, HISTORY.index("val_loss")]
    assert record.best_epoch == losses.argmin() + 1
    assert len(losses) == record.best_epoch + 2 < 40
    assert loss_of(record) == pytest.approx(losses.min())


def test_a_plateau_lowers_the_learning_rate():
    record = fold(
        epochs=6,
        learning_rate=1e-6,
        reduce_on_plateau=ReduceOnPlateau(monitor="val_accuracy", factor=0.5, patience=2),
    )
    rates = record.history[:, HISTORY.index("learning_rate")]
    np.testing.assert_allclose(rates[[0, 1, 2]], 1e-6, rtol=1e-5)
    assert rates[-1] < 0.6e-6


@pytest.mark.parametrize(("monitor", "mode"), [("val_accuracy", "max"), ("val_loss", "min")])
def test_callbacks_know_which_way_is_better(monitor, mode):
    import keras

    settings = Train(
        **TRAIN,
        early_stopping=EarlyStopping(monitor=monitor),
        reduce_on_plateau=ReduceOnPlateau(monitor=monitor),
    )
    made = fold_module._callbacks(keras, settings)
    assert [callback.mode for callback in made] == [mode, mode]
    assert all(
        a is not b for a, b in zip(made, fold_module._callbacks(keras, settings), strict=True)
    )


def test_a_warmup_reaches_the_optimizer():
    """60 images in batches of 16 make 4 steps per epoch, so the warmup takes 6 of 12 steps."""
    warm = {"rate": 0.5, "warmup": 0.5}
    record = fold(schedule=Named(name="exponential", arguments=warm))
    rates = record.history[:, HISTORY.index("learning_rate")]
    np.testing.assert_allclose(rates, [0, 0.0015 * 4 / 6, 0.00075], rtol=1e-5, atol=1e-9)


def all_weights(**train):
    """Return the weights of a fold trained by plain SGD, one step per epoch, as one vector."""
    plain = {"batch_size": 60, "optimizer": Named(name="sgd", arguments={"momentum": 0.0})}
    record = shared(**plain | {"learning_rate": 0.1} | train)
    return np.concatenate([weights.ravel() for weights in record.weights])


def test_gradients_are_clipped_by_their_common_norm():
    start = all_weights(epochs=1, global_clipnorm=1e-12)
    for norm in (0.01, 0.05):
        length = np.linalg.norm(all_weights(epochs=1, global_clipnorm=norm) - start)
        assert length == pytest.approx(0.1 * norm, rel=1e-3)
    np.testing.assert_allclose(
        all_weights(epochs=1, global_clipnorm=1e6), all_weights(epochs=1), atol=1e-7
    )


def test_the_average_of_the_weights_is_kept():
    first, second, third = (all_weights(epochs=epochs) for epochs in (1, 2, 3))
    average = 0.25 * (0.25 * first + 0.75 * second) + 0.75 * third
    kept = all_weights(epochs=3, ema=0.25)
    np.testing.assert_allclose(kept, average, atol=1e-6)
    assert np.abs(kept - third).max() > 1e-4


def test_averaging_changes_what_is_scored_and_not_what_is_trained(record):
    averaged = fold(ema=0.9)
    np.testing.assert_array_equal(averaged.history[:, :2], record.history[:, :2])
    assert not np.array_equal(averaged.history[:, 2], record.history[:, 2])
    assert averaged.at_best_epoch("val_loss") == pytest.approx(loss_of(averaged))


def test_early_stopping_keeps_the_average_of_the_best_epoch():
    record = fold(
        epochs=40,
        learning_rate=0.02,
        ema=0.6,
        early_stopping=EarlyStopping(monitor="val_loss", patience=2),
    )
    losses = record.history[:, HISTORY.index("val_loss")]
    assert record.best_epoch == losses.argmin() + 1 < len(losses) < 40
    assert loss_of(record) == pytest.approx(losses.min())
    shorter = fold(epochs=int(record.best_epoch), learning_rate=0.02, ema=0.6)
    for one, other in zip(record.weights, shorter.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_recipe_of_everything_trains():
    """Compile an epoch with every family of ops, onecycle, clipping and weight averaging."""
    names = {
        "shear": {"degrees": 5.0},
        "elastic": {"pixels": 0.5, "sigma": 2.0},
        "random_erasing": {"fraction": 0.2},
        "noise": {"deviation": 3.0},
        "brightness": {"factor": 0.1},
        "mixup": {"alpha": 0.2},
        "cutmix": {"alpha": 0.2},
    }
    ops = [Named(name=name, arguments=arguments) for name, arguments in names.items()]
    cycle = Named(name="onecycle", arguments={"warmup": 0.3})
    given = recipe(schedule=cycle, global_clipnorm=1.0, ema=0.9).model_copy(
        update={"augmentation": ops}
    )
    assert np.isfinite(train_fold(*sliver(), CLASSES, given, 0).history).all()


MIXED = {"precision": "mixed_bfloat16", "l2": 0.001, "global_clipnorm": 1.0, "ema": 0.5}


@pytest.fixture
def mixed():
    return shared(**MIXED)


def test_mixed_precision_computes_otherwise_and_keeps_float32(mixed):
    full = fold(**MIXED | {"precision": "float32"})
    assert {weights.dtype for weights in mixed.weights} == {np.dtype("f4")}
    assert not np.array_equal(mixed.history[:, 0], full.history[:, 0])
    np.testing.assert_allclose(mixed.history[:, 0], full.history[:, 0], rtol=0.05)
    # bfloat16 has 8 significant bits, so its values have zeros in the low 16 bits of float32
    assert any((weights.view("i4") & 0xFFFF).any() for weights in mixed.weights)


def test_mixed_precision_is_scored_by_the_float32_model_that_is_shipped(mixed):
    images, _, _ = sliver()
    model = fold_module.network(recipe(), images.shape[1:], CLASSES)
    model.set_weights(mixed.weights)
    logits = model(images[mixed.validation].astype("f4"), training=False).numpy()
    assert logits.dtype == np.float32
    odds = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(mixed.probability, odds / odds.sum(1, keepdims=True), atol=1e-6)


def test_mixed_precision_repeats_itself_and_leaves_no_trace_in_the_process(record, mixed):
    assert_same(fold(**MIXED), mixed)
    assert_same(fold(), record)


def test_a_model_in_mixed_precision_gives_bfloat16_before_the_loss():
    model = fold_module.network(recipe(), (12, 12, 1), CLASSES, "mixed_bfloat16")
    assert model.output.dtype == "bfloat16"
    assert {variable.dtype for variable in model.variables if variable.dtype != "uint32"} <= {
        "float32",
        "int64",
    }


def test_a_network_that_cannot_be_built_names_the_variant():
    deep = recipe().model_copy(update={"architecture": Named(name="m5")})
    with pytest.raises(UntrainableError, match=r"variants\.small.*'m5'"):
        fold_module.try_network(deep, (12, 12, 1), CLASSES)


def test_a_diverged_training_is_refused_by_name():
    """Each step of this rate multiplies the weights by about -200."""
    sgd = Named(name="sgd", arguments={"momentum": 0.0})
    with pytest.raises(UntrainableError, match=r"small fold 0 .*train\.learning_rate"):
        fold(learning_rate=100.0, l2=1.0, optimizer=sgd, epochs=20)


def test_weights_that_an_epoch_s_last_step_ruins_are_refused():
    """With one step per epoch the training loss is from before the step; validation shows it."""
    sgd = Named(name="sgd", arguments={"momentum": 0.0})
    with pytest.raises(UntrainableError, match=r"small fold 0 .*validation loss"):
        fold(learning_rate=100.0, l2=1.0, optimizer=sgd, epochs=20, batch_size=60)


def test_training_on_everything_validates_on_nothing():
    images, labels, _ = sliver()
    record = fold("refit", (images, labels, None))
    assert record.train_images == 90
    assert record.probability.shape == (0, CLASSES)
    assert np.isnan(record.at_best_epoch("val_accuracy"))


def test_l2_and_label_smoothing_enter_the_training_loss_only():
    plain, penal = shared(epochs=1), fold(epochs=1, l2=0.1, learning_rate=1e-9)
    assert penal.history[0, 0] > plain.history[0, 0] + 0.5
    assert penal.at_best_epoch("val_loss") < 2
    smooth = fold(epochs=1, label_smoothing=0.3)
    assert smooth.history[0, 0] != plain.history[0, 0]


def test_every_epoch_is_reported(record):
    heard = []
    train_fold(*sliver(), CLASSES, recipe(), 0, lambda *event: heard.append(event))
    accuracies = record.history[:, HISTORY.index("val_accuracy")]
    assert heard == list(zip((1, 2, 3), accuracies, strict=True))


def uneven():
    """Return a sliver with a tenth of the last class' images, some of them in every fold."""
    images, labels, assigned = sliver(300)
    kept = (labels != 2) | (np.arange(300) // 9 % 10 == 0)
    return images[kept], labels[kept], assigned[kept]


def test_class_weights_by_hand():
    weights = class_weights(np.repeat([0, 1, 2], [6, 3, 1]), 3)
    np.testing.assert_allclose(weights, [10 / 18, 10 / 9, 10 / 3], rtol=1e-6)
    assert class_weights(np.repeat([0, 1, 2], 4), 3) is None


def test_balanced_weights_of_equal_classes_change_no_bit(record):
    assert_same(fold(class_weight="balanced"), record)


def test_balanced_weights_make_each_class_count_the_same():
    """With a tiny learning rate the loss is that of the initial weights, set by the fold's name."""
    images, labels, _ = uneven()
    basic = Named(name="basic", arguments={"dense": 8, "dropout": 0.0})
    still, balanced = (
        recipe(epochs=1, batch_size=999, learning_rate=1e-30, class_weight=weight).model_copy(
            update={"architecture": basic, "augmentation": []}
        )
        for weight in (None, "balanced")
    )

    def loss(given, rows):
        return train_fold(images[rows], labels[rows], None, CLASSES, given, "a").history[0, 0]

    of_class = [loss(still, labels == label) for label in range(CLASSES)]
    assert loss(balanced, labels >= 0) == pytest.approx(np.mean(of_class), rel=1e-5)
    assert abs(loss(still, labels >= 0) - np.mean(of_class)) > 1e-3


def test_a_mixed_image_is_weighted_in_the_shares_of_its_classes():
    """Smoothing makes the loss of all mixtures almost equal, which leaves the mean weight."""
    import tensorflow as tf

    images, labels, _ = uneven()
    mixup = [Named(name="mixup", arguments={"alpha": 1.0})]
    still = {"epochs": 1, "batch_size": 999, "learning_rate": 1e-30, "label_smoothing": 0.9999}
    plain, balanced = (
        recipe(**still, class_weight=weight).model_copy(update={"augmentation": mixup})
        for weight in (None, "balanced")
    )
    loss, weighted = (
        train_fold(images, labels, None, CLASSES, given, "a").history[0, 0]
        for given in (plain, balanced)
    )
    seed = derive_seed(1, "small", "a")
    order = np.random.default_rng([seed, 1]).permutation(len(labels))
    target = tf.one_hot(labels[order], CLASSES)
    batch = tf.zeros((len(labels), 12, 12, 1))
    _, mixed = augmenter(mixup)(batch, target, tf.constant([seed, 1]))
    expected = (mixed.numpy() @ class_weights(labels, CLASSES)).mean()
    assert weighted / loss == pytest.approx(expected, rel=1e-3)
    assert abs(expected - 1) > 5e-3
