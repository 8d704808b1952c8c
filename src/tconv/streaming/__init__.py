"""Operations on cells that come one after the other, without an end that is known: `tconv.Stream`."""

from tconv.streaming.stream import Stream

__all__ = ["Stream"]
