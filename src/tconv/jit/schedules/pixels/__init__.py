"""Pixels in lanes: schedule, weights, tables, planes of depthwise layers, and the records of its kinds."""
