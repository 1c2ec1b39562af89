"""Search: which settings of a row are tried, trial after trial, and the row that came out best."""
