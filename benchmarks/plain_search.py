"""`python -m benchmarks.plain_search`: the search that one writes with Optuna and Keras.

It cross-validates each trial of `basic` with plain Keras, fold after fold in one process. It reads
the arrays and folds of data/prepared in the present folder, and writes plain.json there.
"""

import argparse
import json

import keras
import numpy as np
import optuna
from keras import layers


def network(dropout: float, classes: int):
    """Build the model of `basic`, from pixels of 0 to 1 to probabilities."""
    hidden = [
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dropout(dropout),
    ]
    last = layers.Dense(classes, activation="softmax")
    return keras.Sequential([keras.Input((28, 28, 1)), *hidden, last])


def main() -> None:
    """Run all trials, one after the other."""
    parser = argparse.ArgumentParser(description="Tune a CNN with Optuna and plain Keras.")
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    images = np.load("data/prepared/train_images.npy").astype("float32") / 255
    labels = np.load("data/prepared/train_labels.npy")
    folds = np.load("data/prepared/folds.npy")[0]
    keras.utils.set_random_seed(given.seed)

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("learning_rate", 0.0005, 0.02, log=True)
        size = trial.suggest_categorical("batch_size", [32, 64, 128])
        dropout = trial.suggest_float("dropout", 0.2, 0.7)
        accuracies = []
        for fold in range(folds.max() + 1):
            keras.utils.clear_session()
            train, valid = folds != fold, folds == fold
            model = network(dropout, int(labels.max()) + 1)
            steps = -(-int(train.sum()) // size) * given.epochs
            schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
            model.compile(
                keras.optimizers.Adam(schedule),
                "sparse_categorical_crossentropy",
                metrics=["accuracy"],
            )
            history = model.fit(
                images[train],
                labels[train],
                batch_size=size,
                epochs=given.epochs,
                validation_data=(images[valid], labels[valid]),
                verbose=0,
            )
            accuracies.append(history.history["val_accuracy"][-1])
        return float(np.mean(accuracies))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(n_startup_trials=5, seed=given.seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=given.trials)
    with open("plain.json", "w") as file:
        json.dump({"best": study.best_value, "scores": [t.value for t in study.trials]}, file)


if __name__ == "__main__":
    main()
