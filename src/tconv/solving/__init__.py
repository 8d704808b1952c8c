"""Which parameters give the sizes I want: `solve`, and what it returns.

`reach` says, for one axis, which parameters reach a size; `rank` orders them and combines axes; `blocked` says why
there are none; `solutions` holds the call as a user makes it, and what it returns.
"""

from tconv.solving.solutions import Solution, Solutions, solve

__all__ = ["Solution", "Solutions", "solve"]
