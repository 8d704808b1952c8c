"""What is compiled with frozen weights: which convolutions Inductor has, and which stay the engine's."""

import copy

import pytest
import torch
import torch._inductor.config as inductor
from torch import nn

import tconv.torch
from tconv.torch.accelerated import FILTERED, LAYERS
from tconv.torch.engine import Call

OURS = {"tconv.conv", "tconv.conv_transpose"}


def operators(layer, *, freezing=True, recorded=False, dtype=torch.float32):
    """The engine's operators in the graph that is made of an accelerated layer."""
    graphs = []

    def backend(graph, examples):
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    layer = layer.to(dtype)
    x = torch.randn(1, layer.in_channels, *[8] * (layer.weight.dim() - 2), dtype=dtype)
    expected = layer(x)
    layer.__class__ = LAYERS[type(layer)]
    with torch.set_grad_enabled(recorded):
        compiled = torch.compile(layer, fullgraph=True, backend=backend)
        with inductor.patch(freezing=freezing):
            result = compiled(x)
        compiled(x)  # what is set back is no reason to compile again
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)
    assert len(graphs) == 1
    return OURS & {str(node.target).removesuffix(".default") for node in graphs[0].graph.nodes}


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 8, 3),
        nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8),
        nn.Conv3d(2, 9, 2),
        nn.ConvTranspose2d(2, 8, 3, stride=2, output_padding=1),
        nn.ConvTranspose2d(8, 8, (3, 1), stride=(2, 1), dilation=2, padding=1),
    ],
    ids=str,
)
def test_what_onednn_packs_is_inductors(layer):
    assert operators(layer) == set()


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv1d(16, 16, 3),
        nn.Conv2d(1, 16, 3),
        nn.Conv2d(16, 7, 3),
        nn.ConvTranspose1d(16, 16, 4, stride=2),
        nn.ConvTranspose2d(16, 16, 2, stride=2),
        nn.ConvTranspose2d(1, 16, 4, stride=2),
        nn.ConvTranspose2d(16, 7, 4, stride=2),
        nn.ConvTranspose2d(16, 16, 4, stride=2, groups=2),
        nn.ConvTranspose3d(16, 16, 3, stride=2),
    ],
    ids=str,
)
def test_the_engine_has_the_rest(layer):
    assert len(operators(layer)) == 1


@pytest.mark.parametrize("given", [{"freezing": False}, {"recorded": True}, {"dtype": torch.float64}], ids=str)
def test_weights_that_are_not_frozen_are_the_engines(given):
    assert operators(nn.Conv2d(16, 16, 3), **given) == {"tconv.conv"}


def test_a_frozen_graph_has_both_in_channels_last():
    torch._dynamo.reset()
    model = nn.Sequential(
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(16, 8, 2, 2), nn.Conv2d(8, 2, 3)
    )
    x = torch.randn(1, 8, 9, 11)
    expected = model(x)
    for layer in model:
        layer.__class__ = LAYERS.get(type(layer), type(layer))
    compiled = torch.compile(model, fullgraph=True)
    with torch.no_grad(), inductor.patch(freezing=True):
        for _ in range(2):
            torch.testing.assert_close(compiled(x), expected, atol=1e-5, rtol=1e-4)


class Tokens(nn.Module):
    """A decoder of images that reads tokens, as SAM's: channels are last in what is scaled up."""

    def __init__(self):
        super().__init__()
        self.up, self.norm = nn.ConvTranspose2d(16, 8, 2, stride=2), nn.Linear(16, 16)

    def forward(self, tokens):
        return torch.relu(self.up(self.norm(tokens).transpose(1, 2).reshape(-1, 16, 6, 6)))


def test_one_image_of_tokens_lies_channels_last(recorded):
    """Inductor hands over another step from image to image, which PyTorch's rule reads and nothing else."""
    strides = recorded(Call, "compute", lambda result, *_: result.stride())
    torch._dynamo.reset()
    model, tokens = Tokens(), torch.randn(1, 36, 16)
    expected = model(tokens)
    model.up.__class__ = LAYERS[type(model.up)]
    with torch.no_grad(), inductor.patch(freezing=True):
        compiled = torch.compile(model, fullgraph=True)
        for _ in range(2):
            torch.testing.assert_close(compiled(tokens), expected, atol=1e-5, rtol=1e-4)
    assert strides == [(1152, 1, 96, 8)] * 2


@pytest.mark.parametrize("freezing", [False, True])
@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize(
    "layer", [nn.Conv2d(16, 16, 3), nn.ConvTranspose2d(16, 32, 4, stride=2), nn.Conv1d(16, 16, 7)], ids=str
)
def test_what_is_by_minimal_filtering_stays_so_where_no_derivative_is_recorded(layer, recorded, freezing, monkeypatch):
    filtered, layer = [], copy.deepcopy(layer)
    compute = Call.compute
    monkeypatch.setattr(Call, "compute", lambda call, *given: filtered.append(given[4]) or compute(call, *given))
    torch._dynamo.reset()
    x = torch.randn(2, 16, *[20] * (layer.weight.dim() - 2))
    expected = layer(x)
    layer.__class__ = FILTERED[type(layer)]
    with torch.set_grad_enabled(recorded), inductor.patch(freezing=freezing):
        compiled = torch.compile(layer, backend="aot_eager")
        for _ in range(3):  # weights are packed when they come again
            torch.testing.assert_close(compiled(x), expected, atol=1e-4, rtol=1e-4)
    assert filtered
    assert all(each is not recorded for each in filtered)


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize(
    ("layer", "shape", "said"),
    [
        (tconv.torch.nn.Conv1d(4, 4, 5), (1, 4, 3), "conv1d: kernel must fit into the padded"),
        (tconv.torch.nn.Conv1d(4, 4, 5), (1, 5, 9), "input must have 4 channels, as weight has; got 5"),
        (tconv.torch.nn.ConvTranspose2d(16, 8, 4), (1, 15, 8, 8), "input must have 16 channels, as weight has; got 15"),
    ],
)
def test_compiled_layers_say_what_is_wrong(layer, shape, said, recorded):
    torch.compiler.reset()
    with torch.set_grad_enabled(recorded), pytest.raises(RuntimeError, match=said):
        torch.compile(layer, backend="aot_eager")(torch.randn(shape))
