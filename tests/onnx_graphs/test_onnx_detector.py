"""A real model, the text detector of rapidocr-onnxruntime, in its own pipeline on a photograph of a printed page."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
data = pytest.importorskip("skimage.data", exc_type=ModuleNotFoundError)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what its packages say to themselves while they are imported
    rapidocr = pytest.importorskip("rapidocr_onnxruntime", exc_type=ModuleNotFoundError)

import tconv.onnx  # noqa: E402

DETECTOR = Path(rapidocr.__file__).parent / "models" / "ch_PP-OCRv4_det_infer.onnx"


def pipeline(model):
    return rapidocr.RapidOCR(det_model_path=str(model), intra_op_num_threads=1, inter_op_num_threads=1)


def page():
    return np.repeat(data.page()[:, :, None], 3, 2)


@pytest.fixture(scope="module")
def expected():
    """The corners of the lines of text, as the package finds them."""
    lines, _ = pipeline(DETECTOR)(page())
    assert lines[0][1].startswith("Region-based")
    return [corners for corners, *_ in lines]


def boxes(model):
    corners, _ = pipeline(model)(page(), use_cls=False, use_rec=False)
    return corners


def test_what_it_is():
    found = tconv.onnx.inspect(DETECTOR, shapes={"x": (1, 3, 736, 1472)})
    assert [(layer.layer.geometry.kernel, layer.layer.geometry.stride) for layer in found] == [((2, 2), (2, 2))] * 2
    assert 0.02 < sum(layer.share for layer in found) < 0.04


@pytest.mark.parametrize("variant", ["one_conv", "depth_to_space", "conv_per_phase"])
def test_rewritten_it_finds_the_same_boxes(tmp_path, expected, variant):
    rewriting = tconv.onnx.rewrite(DETECTOR, variant=variant)
    assert rewriting.changed == 2
    tconv.onnx.save(rewriting.model, tmp_path / "detector.onnx")
    assert boxes(tmp_path / "detector.onnx") == expected


def test_accelerated_it_finds_the_same_boxes(tmp_path, expected):
    before = DETECTOR.read_bytes()
    done = tconv.onnx.accelerate(DETECTOR, shapes={"x": (1, 3, 160, 320)}, threads=1, rounds=3)
    assert len(done.layers) == 2
    assert all(layer.seconds for layer in done.layers)
    tconv.onnx.save(done.model, tmp_path / "detector.onnx")
    assert DETECTOR.read_bytes() == before
    assert boxes(tmp_path / "detector.onnx") == expected
