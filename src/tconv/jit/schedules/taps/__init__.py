"""Taps in lanes: schedule, tables, the loop that writes them, and the record of its kind."""
