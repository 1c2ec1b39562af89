import numpy as np
import pytest

from stages.settings.sections import EarlyStopping, Named, ReduceOnPlateau
from stages.training.fold import (
    HISTORY,
    UntrainableError,
    _rate,
    class_weights,
    derive_seed,
    train_fold,
    try_network,
)
from tests.prepared import recipe
from tests.training.folds import (
    CLASSES,
    FOLDS,
    IMAGES,
    LABELS,
    SHAPE,
    alive,
    assert_same,
    assert_same_weights,
    fold,
)

pytestmark = pytest.mark.slow

PLAIN_SGD = Named(name="sgd", arguments={"momentum": 0.0})
TRAINED = {}


def shared(**settings):
    """Return fold 0 with these settings, trained once for all tests of this file."""
    key = repr(sorted(settings.items()))
    if key not in TRAINED:
        TRAINED[key] = fold(**settings)
    return TRAINED[key]


def column(record, name):
    return record.history[:, HISTORY.index(name)]


def loss_of(record):
    """Return the loss of the stored probabilities of the default validation images."""
    p_true = record.probability[np.arange(30), LABELS[record.validation]].astype("f8")
    return -np.log(p_true).mean()


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": Named(name="rmsprop"), "ema": 0.9},
        {"optimizer": Named(name="muon"), "global_clipnorm": 1.0},
    ],
)
def test_nothing_of_a_fold_stays_in_the_process(settings):
    """A worker may train hundreds of folds, so graphs and tensors must be freed."""
    fold(0, epochs=1, **settings)
    before = alive()
    fold(1, epochs=1, **settings)
    assert alive() == before


def test_the_record_holds_the_scores_of_every_epoch_and_validation_image():
    record = shared()
    assert record.history.shape == (3, len(HISTORY))
    assert record.times.shape == (3, 2)
    np.testing.assert_array_equal(record.validation, np.flatnonzero(FOLDS == 0))
    np.testing.assert_allclose(record.probability.sum(1), np.ones(30), atol=1e-5)
    assert record.train_images == 60
    assert record.best_epoch == 3  # the last one, without early stopping
    correct = record.probability.argmax(1) == LABELS[record.validation]
    assert record.at_best_epoch("val_accuracy") == correct.mean()
    assert record.at_best_epoch("val_loss") == pytest.approx(loss_of(record))


def test_earlier_epochs_are_scored_on_a_part_of_many_validation_images(monkeypatch):
    """The same part for every variant; weights and all later scores are the same."""
    monkeypatch.setattr("stages.training.fold.CURVE_IMAGES", 10)
    whole, part, other = shared(), fold(), fold(variant="other")
    np.testing.assert_array_equal(part.probability, whole.probability)
    assert_same_weights(part, whole)
    np.testing.assert_array_equal(part.history[-1], whole.history[-1])
    np.testing.assert_array_equal(part.history[:, :2], whole.history[:, :2])
    assert not np.array_equal(column(part, "val_loss")[:2], column(whole, "val_loss")[:2])
    for record in (part, other):
        tenths = 10 * column(record, "val_accuracy")[:2]
        np.testing.assert_allclose(tenths, tenths.round(), atol=1e-9)


@pytest.mark.parametrize(
    "watching",
    [{"early_stopping": EarlyStopping(patience=9)}, {"reduce_on_plateau": ReduceOnPlateau()}],
)
def test_scores_that_influence_the_training_are_of_all_validation_images(watching, monkeypatch):
    whole = fold(**watching)
    monkeypatch.setattr("stages.training.fold.CURVE_IMAGES", 10)
    assert_same(fold(**watching), whole)


def test_two_trainings_agree_bit_by_bit_and_report_every_epoch():
    """Whatever was trained between them in the process."""
    record, heard = shared(), []
    shared(l2=0.001, global_clipnorm=1.0, ema=0.5)
    assert_same(fold(on_epoch=lambda *event: heard.append(event)), record)
    assert heard == list(zip((1, 2, 3), column(record, "val_accuracy"), strict=True))


def test_seed_variant_and_fold_each_change_the_result():
    first = shared(epochs=1)
    second_repeat = fold(3, epochs=1)
    np.testing.assert_array_equal(first.validation, second_repeat.validation)
    for other in (second_repeat, fold(epochs=1, seed=2), fold(epochs=1, variant="other")):
        assert not np.array_equal(other.history, first.history)


def test_validation_images_are_never_trained_on():
    """Changing their pixels does not change the weights."""
    altered = np.where((FOLDS == 0)[:, None, None, None], 255, IMAGES).astype("uint8")
    assert_same_weights(fold(images=altered, epochs=1), shared(epochs=1))


def test_every_training_image_counts_even_in_a_partial_batch():
    """60 images in batches of 16 leave 12; if those were skipped, their pixels would not matter."""
    order = np.random.default_rng([derive_seed(1, "small", 0), 1]).permutation(
        np.flatnonzero(FOLDS != 0)
    )
    images = IMAGES.copy()
    images[order[-1]] = 255 - images[order[-1]]
    assert fold(images=images, epochs=1).history[0, 0] != shared(epochs=1).history[0, 0]


def test_it_learns():
    assert fold(epochs=25, learning_rate=0.01).at_best_epoch("val_accuracy") > 0.9


@pytest.mark.parametrize("ema", [None, 0.6])
def test_early_stopping_keeps_the_best_epoch_and_its_weights(ema):
    stopping = EarlyStopping(monitor="val_loss", patience=2)
    record = fold(epochs=40, learning_rate=0.02, ema=ema, early_stopping=stopping)
    losses = column(record, "val_loss")
    assert record.best_epoch == losses.argmin() + 1
    assert len(losses) == record.best_epoch + 2 < 40
    assert loss_of(record) == pytest.approx(losses.min())
    assert_same_weights(fold(epochs=int(record.best_epoch), learning_rate=0.02, ema=ema), record)


def test_a_plateau_lowers_the_learning_rate():
    plateau = ReduceOnPlateau(monitor="val_accuracy", factor=0.5, patience=2)
    record = fold(epochs=6, learning_rate=1e-6, reduce_on_plateau=plateau)
    rates = column(record, "learning_rate")
    np.testing.assert_allclose(rates[:3], 1e-6, rtol=1e-5)
    assert rates[-1] < 0.6e-6


def test_a_warmup_reaches_the_optimizer():
    """60 images in batches of 16 make 4 steps per epoch, so the warmup takes 6 of 12 steps."""
    warm = Named(name="exponential", arguments={"rate": 0.5, "warmup": 0.5})
    rates = column(fold(schedule=warm), "learning_rate")
    np.testing.assert_allclose(rates, [0, 0.0015 * 4 / 6, 0.00075], rtol=1e-5, atol=1e-9)


def all_weights(**train):
    """Return the weights of a fold trained by plain SGD, one step per epoch, as one vector."""
    plain = {"batch_size": 60, "optimizer": PLAIN_SGD, "learning_rate": 0.1}
    return np.concatenate([weights.ravel() for weights in shared(**plain | train).weights])


def test_gradients_are_clipped_by_their_common_norm():
    start = all_weights(epochs=1, global_clipnorm=1e-12)
    clipped, free = (all_weights(epochs=1, global_clipnorm=norm) for norm in (0.05, 1e6))
    assert np.linalg.norm(clipped - start) == pytest.approx(0.1 * 0.05, rel=1e-3)
    np.testing.assert_allclose(free, all_weights(epochs=1), atol=1e-7)


@pytest.mark.parametrize(("ema", "momenta"), [(0.2, (0.2, 0.2)), (0.999, (3 / 12, 4 / 13))])
def test_the_average_of_the_weights_is_kept_and_forgets_the_first_ones(ema, momenta):
    average, second, third = (all_weights(epochs=epochs) for epochs in (1, 2, 3))
    for momentum, weights in zip(momenta, (second, third), strict=True):
        average = momentum * average + (1 - momentum) * weights
    kept = all_weights(epochs=3, ema=ema)
    np.testing.assert_allclose(kept, average, atol=1e-6)
    assert np.abs(kept - third).max() > 1e-4


def test_a_network_that_cannot_be_built_names_the_variant():
    with pytest.raises(UntrainableError, match=r"variants\.small.*'m5'"):
        try_network(recipe("m5"), SHAPE, CLASSES)


@pytest.mark.parametrize(
    ("freeze", "named"),
    [
        ("all", "train.learning_rate, now 8e-05"),
        (2, "architecture.backbone.rate or train.learning_rate, whose product is 8e-05"),
    ],
)
def test_divergence_names_what_the_learning_rate_of_fine_tuning_is_made_of(freeze, named):
    tuned = Named(name="backbone", arguments={"freeze": freeze})
    assert _rate(recipe(tuned, learning_rate=0.004 * 0.02)) == named


@pytest.mark.parametrize(("batch_size", "kind"), [(16, ""), (60, "validation")])
def test_a_diverged_training_is_refused_by_name(batch_size, kind):
    """Each step of this rate multiplies the weights by about -200.

    With one step per epoch the training loss is from before the step; validation shows it.
    """
    diverging = {"learning_rate": 100.0, "l2": 1.0, "optimizer": PLAIN_SGD, "epochs": 20}
    with pytest.raises(
        UntrainableError, match=rf"small fold 0 .*{kind} loss.*train\.learning_rate"
    ):
        fold(batch_size=batch_size, **diverging)


def test_training_on_everything_validates_on_nothing():
    record = fold("refit", folds=None, epochs=1)
    assert record.train_images == 90
    assert record.probability.shape == (0, CLASSES)
    assert np.isnan(record.at_best_epoch("val_accuracy"))


def test_class_weights_are_balanced_and_used():
    weights = class_weights(np.repeat([0, 1, 2], [6, 3, 1]), 3)
    np.testing.assert_allclose(weights, [10 / 18, 10 / 9, 10 / 3], rtol=1e-6)
    assert class_weights(np.repeat([0, 1, 2], 4), 3) is None
    plain, balanced = (
        fold(labels=np.minimum(LABELS, 1), epochs=1, class_weight=weight).history[0, 0]
        for weight in (None, "balanced")
    )
    assert plain != balanced


def train_head(features, labels, flip, **train):
    """Train a head on 60 images' features, alternate pairs of which are the first fold."""
    architecture = Named(name="backbone", arguments={"name": "any", "dropout": 0.0})
    made = recipe(architecture, [flip], epochs=20, learning_rate=0.1, **train)
    return train_fold(features, labels, np.arange(60, dtype="int16") // 2 % 2, 2, made, 0)


def test_a_head_trains_on_augmented_views_and_is_validated_on_the_images_themselves():
    """Features of the images themselves indicate another class than those of their views."""
    labels = np.arange(60) % 2
    features = np.zeros((60, 4, 2), "f4")
    features[:, 1:] = np.eye(2)[labels][:, None]
    features[:, 0] = np.eye(2)[1 - labels]
    record = train_head(features, labels, Named(name="flip"))
    assert record.at_best_epoch("accuracy") == 1
    assert record.at_best_epoch("val_accuracy") == 0
    assert record.validation.tolist() == [row for row in range(60) if row // 2 % 2 == 0]


def test_a_head_is_validated_on_the_mean_of_the_views_for_predictions():
    """The second of two views for predictions is very sure of the class, unlike training views."""
    labels = np.arange(60) % 2
    features = np.zeros((60, 4, 2), "f4")
    features[:, 2:] = np.eye(2)[labels][:, None]
    features[:, 0] = np.eye(2)[1 - labels]
    features[:, 1] = 9 * np.eye(2)[labels]
    flip = Named(name="flip", arguments={"horizontal": True, "vertical": False})
    record = train_head(features, labels, flip, predict_views=2)
    assert record.at_best_epoch("accuracy") == 1
    assert record.at_best_epoch("val_accuracy") == 1
    assert 0.5 < record.probability.max() < 0.7  # one view is sure of either class
