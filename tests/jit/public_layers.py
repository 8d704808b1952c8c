"""The public layers as problems of the engine, in their sizes and on smaller grids."""

from dataclasses import replace

from running import problem_of


def problem(layer, operation):
    """An operation of a layer."""
    channels = {"cin": layer.in_channels, "cout": layer.out_channels, "groups": layer.groups}
    return problem_of(layer.geometry, batch=layer.batch, **channels, operation=operation)


def reduced(layer):
    """The layer on a smaller grid, if it is heavy: the terms of each sum stay as they are."""
    layer = replace(layer, batch=min(layer.batch, 2))
    while layer.flops > 5e7 and max(layer.spatial) > 4:
        layer = replace(layer, spatial=tuple(max(3, (n + 1) // 2) for n in layer.spatial))
    return layer
