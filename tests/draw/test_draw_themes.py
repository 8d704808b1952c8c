"""Colours that are told apart in pictures differ for eyes without one kind of cones, too."""

from itertools import combinations

import numpy as np
import pytest

from tconv.draw.themes import THEMES, look

pytestmark = pytest.mark.quick

#: What is seen of linear red, green and blue without long, middle or short cones: G. M. Machado, M. M. Oliveira and
#: L. A. F. Fernandes, "A physiologically-based model for simulation of color vision deficiency", IEEE TVCG 15 (2009).
BLIND = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
#: What stands beside each other in pictures; letters, captions and hatching say the same.
TOGETHER = {
    "grids at work": ("coarse-on", "fine-on", "kernel-on"),
    "grids": ("coarse", "fine", "kernel"),
    "phases": ("phase0", "phase1", "phase2", "phase3"),
    "heat": ("heat0", "heat1", "heat2", "heat3", "heat4"),
}
#: Distances in CIELAB: 2.3 is just noticeable side by side.
LEAST = {"grids at work": 10, "grids": 6, "phases": 12, "heat": 8}


def lab(color, blind):
    linear = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(BLIND[blind]) @ linear, 0, 1)
    xyz = np.array([(0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505)]) @ seen
    x, y, z = np.cbrt(xyz / (0.9505, 1, 1.089)) if (xyz > 0.01).all() else np.cbrt(np.maximum(xyz, 1e-4))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("blind", BLIND)
@pytest.mark.parametrize("which", TOGETHER)
def test_colours_are_told_apart(theme, blind, which):
    seen = {kind: lab(look(kind, THEMES[theme]).fill, blind) for kind in TOGETHER[which]}
    for a, b in combinations(seen, 2):
        assert np.linalg.norm(seen[a] - seen[b]) >= LEAST[which], (a, b)
