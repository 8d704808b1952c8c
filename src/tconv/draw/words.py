"""Sentences of pictures in every language: a scene names them by keys, with numbers as arguments."""

from __future__ import annotations

from collections.abc import Mapping

from tconv.draw.scene import Said

#: By the code of a language its place in the tuples below.
LANGUAGES = {"en": 0, "zh": 1}

_known: dict[str, tuple[str, str]] = {}


def learn(words: Mapping[str, tuple[str, str]]) -> None:
    """Sentences of a view, in the order of LANGUAGES; "{0}" is the first argument."""
    if twice := _known.keys() & words.keys() - {key for key in words if _known.get(key) == words[key]}:
        raise ValueError(f"sentences must have keys of their own; {', '.join(sorted(twice))} are there already")
    _known.update(words)


def say(said: Said, language: str = "en") -> str:
    """A sentence in a language; sentences in it are said in the same."""
    args = [say(arg, language) if isinstance(arg, Said) else arg for arg in said.args]
    if not said.key:
        return " ".join(map(str, args))
    return _known[said.key][LANGUAGES[language]].format(*args)


def keys() -> tuple[str, ...]:
    """All that was learnt."""
    return tuple(_known)


learn({
    "x": ("x, coarse", "x（粗网格）"),
    "w": ("w, kernel", "w（卷积核）"),
    "y": ("y, fine", "y（细网格）"),
    "size": ("{0}", "{0}"),
    "slice": ("{0}; slice {1}", "{0}；切片 {1}"),
    "up": (
        "transposed convolution: coarse {0} → fine {1}, kernel {2}, stride {3}, padding {4}",
        "转置卷积：粗 {0} → 细 {1}，卷积核 {2}，步幅 {3}，填充 {4}",
    ),
    "step": ("{0}   ·   step {1} of {2}", "{0}   ·   第 {1} 步，共 {2} 步"),
    "dilation": ("{0}, dilation {1}", "{0}，膨胀率 {1}"),
    "output padding": ("{0}, output padding {1}", "{0}，输出填充 {1}"),
})  # fmt: skip
