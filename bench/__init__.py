"""Measurements: each script prints a table; none is part of the running bot."""
