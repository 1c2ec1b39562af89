"""Reports on the results, one module per format."""
