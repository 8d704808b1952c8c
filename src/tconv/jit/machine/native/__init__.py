"""Loops that write the tables of programs: functions of integers, in Python, that run as machine code."""
