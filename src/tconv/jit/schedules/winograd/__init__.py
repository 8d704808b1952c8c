"""Schedules by minimal filtering: tiles of results from fewer products than taps."""
