"""`python -m benchmarks.plain_search`: the usual search with Optuna and Keras.

It cross-validates each trial of `basic` with plain Keras, fold after fold in one process. It reads
the arrays and folds of data/prepared in the current folder, and writes plain.json there.
"""

import argparse
import json

import keras
import numpy as np
import optuna

from benchmarks import plain_keras


def network(dropout: float, classes: int):
    """Build the model of `basic`, from pixels of 0 to 1 to probabilities."""
    pixels = keras.Input((28, 28, 1))
    hidden = plain_keras.convolutions(pixels, "basic", dropout)
    return keras.Model(pixels, keras.layers.Dense(classes, activation="softmax")(hidden))


def main() -> None:
    """Run all trials, one after the other."""
    parser = argparse.ArgumentParser(description="Tune a CNN with Optuna and plain Keras.")
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    data = plain_keras.read(given.seed)

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("learning_rate", 0.0005, 0.02, log=True)
        size = trial.suggest_categorical("batch_size", [32, 64, 128])
        dropout = trial.suggest_float("dropout", 0.2, 0.7)
        accuracies = []
        for fold in plain_keras.split(*data):
            keras.utils.clear_session()
            (_, labels), _ = fold
            model = network(dropout, int(labels.max()) + 1)
            steps = -(-len(labels) // size) * given.epochs
            schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
            optimizer = keras.optimizers.Adam(schedule)
            accuracies.append(plain_keras.fit(model, optimizer, fold, size, given.epochs))
        return float(np.mean(accuracies))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(n_startup_trials=5, seed=given.seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=given.trials)
    with open("plain.json", "w") as file:
        json.dump({"best": study.best_value, "scores": [t.value for t in study.trials]}, file)


if __name__ == "__main__":
    main()
