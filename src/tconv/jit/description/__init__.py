"""Schedules in words and numbers."""
