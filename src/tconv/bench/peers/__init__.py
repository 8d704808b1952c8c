"""The peers, one file each, in one registry. What is registered is measured, and tested."""

from __future__ import annotations

from tconv.bench.peers.base import Case, LeftOut, Peer, TimedCall
from tconv.bench.peers.compiled import TorchCompile
from tconv.bench.peers.jax import Jax
from tconv.bench.peers.onnxruntime import OnnxRuntime
from tconv.bench.peers.openvino import OpenVino
from tconv.bench.peers.ours import Functional, Prepared, Winograd
from tconv.bench.peers.textbook import Textbook
from tconv.bench.peers.torch import Torch, TorchChannelsLast

#: Other libraries. OpenVINO forks when it loads, about which JAX would warn, so it comes first.
LIBRARIES: dict[str, Peer] = {
    peer.name: peer for peer in (Torch(), TorchChannelsLast(), TorchCompile(), OnnxRuntime(), OpenVino(), Jax())
}
#: What `--peers` may name: tconv's own textbook methods too, which are no candidates for the best peer.
PEERS: dict[str, Peer] = {**LIBRARIES, "textbook": Textbook()}
#: What is compared with them; `winograd`, which is not exact, is shown only.
OURS: dict[str, Peer] = {peer.name: peer for peer in (Prepared(), Functional(), Winograd())}

__all__ = ["LIBRARIES", "OURS", "PEERS", "TimedCall", "Case", "LeftOut", "Peer"]
