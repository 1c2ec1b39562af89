"""The engine runs trainings: fold store, workers, clusters, ensembles. It never affects results."""
