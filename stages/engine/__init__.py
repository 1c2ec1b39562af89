"""Runs trainings: fold store, workers, clusters, ensembles. It must not affect results."""
