"""Data: sources and captured rows are read, converted, checked, cleaned and split."""
