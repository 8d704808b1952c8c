"""Loops that write tables, shared by all kinds of schedules: functions that run as machine code."""
