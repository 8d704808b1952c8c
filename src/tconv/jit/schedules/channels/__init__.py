"""Channels in lanes: schedule, sizes, weights, tables, and the records of its kinds."""
