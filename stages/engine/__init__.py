"""Run training: the fold store, workers, clusters, ensembles.

Few files here may affect results, and dvc.yaml names those.
"""
