"""Reports: text made from results; one file a format."""
