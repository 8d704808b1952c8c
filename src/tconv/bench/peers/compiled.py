"""PyTorch compiled with frozen weights: its best setting, which packs them when it compiles. Needs a C++ compiler."""

from __future__ import annotations

from typing import Any, ClassVar

from tconv import checks
from tconv.bench.peers.base import Case, TimedCall, load
from tconv.bench.peers.torch import TorchPeer, memory_format, read


class TorchCompile(TorchPeer):
    """`torch.compile` of the layer's module under no_grad, with `torch._inductor.config.freezing`."""

    name: ClassVar[str] = "torch.compile"
    settings = ("contiguous", "channels_last")

    def missing(self, threads: int) -> str:
        """Inductor calls a C++ compiler; asking for it loads PyTorch."""
        return super().missing(threads) or _lacks_compiler()

    def prepare(self, case: Case, setting: str) -> TimedCall:
        """Compiling takes seconds a layer, the first one about twenty."""
        torch = self.start(case)
        module, x = layer_module(torch, case), torch.from_numpy(case.x)
        if setting == "channels_last":
            order = memory_format(torch, case.layer.ndim)
            module, x = module.to(memory_format=order), x.to(memory_format=order)
        compiled = torch.compile(module, fullgraph=True)  # an error where it would go on without compiling
        with load("torch._inductor.config").patch(freezing=True):
            compiled(x)
        return TimedCall(lambda: compiled(x), read)

    def release(self) -> None:
        """Forget what was compiled: the compiler gives up on code that has met too many layers."""
        if self._before is not None:
            load("torch._dynamo").reset()
        super().release()


def layer_module(torch: Any, case: Case) -> Any:
    """The layer as a module that holds the weights."""
    layer = case.layer
    make = getattr(torch.nn, f"ConvTranspose{layer.ndim}d")
    names = ("kernel", "stride", "padding", "output_padding")
    window = (layer.each(name) for name in names)
    channels = (layer.in_channels, layer.out_channels)
    module = torch.nn.utils.skip_init(
        make, *channels, *window, groups=layer.groups, bias=False, dilation=layer.each("dilation")
    )
    module.weight = torch.nn.Parameter(torch.from_numpy(case.w), requires_grad=False)
    return module.eval()


def _lacks_compiler() -> str:
    try:
        load("torch._inductor.cpp_builder").get_cpp_compiler()
    except Exception as error:  # PyTorch has an own class for it, which has moved between versions
        return f"needs a C++ compiler: {checks.first_line(error)}"
    return ""
