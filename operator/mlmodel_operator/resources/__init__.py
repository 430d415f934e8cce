"""Builders: each module makes one kind of object whole, as a plain dict. Pure; names, labels and owners come from ``names.py`` alone."""
