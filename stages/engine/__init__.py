"""Run training: the fold store, workers, clusters, ensembles. No code here may affect results."""
