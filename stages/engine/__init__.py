"""The engine runs trainings: fold store, workers, clusters, ensembles. It changes no result."""
