"""How hypothesis runs: the same examples every time where CI is set, new ones on a developer's machine."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: on a shared machine a slow example says nothing about the code.
settings.register_profile("developer", deadline=None, max_examples=60)
settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True, database=None)
settings.register_profile("thorough", deadline=None, max_examples=1000)  # pytest --hypothesis-profile=thorough
settings.load_profile("ci" if os.environ.get("CI") else "developer")
