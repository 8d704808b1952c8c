"""The text detector of rapidocr-onnxruntime in its own pipeline, on photographs: as it is, rewritten, accelerated.

    python -m benchmarks.text_detector [--threads 2] [--rounds 9]

The pictures are scikit-image's: a photograph of a printed page, and one of a note written on a wall. The model is
accelerated for what the pipeline feeds it of the page, in ONNX Runtime, which the pipeline uses, and in OpenVINO. Then
pipelines with every form of it take turns on both pictures, after their boxes were compared. The process is pinned to
as many cores as there are threads.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.record import Row, digits, keep, milliseconds, record_option
from tconv.bench import cores
from tconv.measuring.contest import ORIGINAL
from tconv.measuring.rounds import Effort, peers_in_turns, with_result

PICTURES = ("page", "text")
AS_IT_IS = "as it is"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.text_detector", description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    record_option(parser)
    options = parser.parse_args()
    with cores.held(options.threads), TemporaryDirectory() as folder:
        measure(options, Path(folder))


def measure(options: Any, folder: Path) -> None:
    """The reports of `accelerate`, and a table of pipelines for each picture."""
    import tconv.onnx

    given = model_path()
    feeds = {"x": fed(given, picture("page"), options.threads)}
    forms, rows = {AS_IT_IS: given}, list[Row]()
    for variant in ("one_conv", "depth_to_space", "conv_per_phase"):
        forms[variant] = saved(tconv.onnx.rewrite(given, variant=variant).model, folder / f"{variant}.onnx")
    for runtime in ("onnxruntime", "openvino"):
        done = tconv.onnx.accelerate(
            given, runtime=runtime, feeds=feeds, threads=options.threads, rounds=options.rounds
        )
        print(f"{done}\n", flush=True)
        rows += layer_rows(done)
        forms[f"accelerated, {runtime}"] = saved(done.model, folder / f"{runtime}.onnx")
    pipelines = {name: pipeline(path, options.threads) for name, path in forms.items()}
    for name in PICTURES:
        found = pipeline_rows(name, pipelines, Effort(rounds=options.rounds))
        print("\n".join(table(name, found)), flush=True)
        rows += found
    keep(options.record, rows, packages=("rapidocr-onnxruntime",))


def layer_rows(done: Any) -> list[Row]:
    """Milliseconds of each layer in each form, and what came of it."""
    rows = []
    for layer, cells in zip(done.layers, done.rows(), strict=True):
        times = {AS_IT_IS if name == ORIGINAL else name: seconds for name, seconds in layer.seconds.items()}
        row = {"runtime": done.runtime, "layer": layer.name, "ms": milliseconds(times), "outcome": cells[-1]}
        rows.append(row)
    return rows


def pipeline_rows(name: str, pipelines: dict[str, Any], effort: Effort) -> list[Row]:
    """Milliseconds of the detection of one picture with each form of the model, and whether its boxes are the same."""
    runs = {form: lambda found=found: boxes(found, picture(name)) for form, found in pipelines.items()}
    first = {form: with_result(run) for form, run in runs.items()}
    expected = first[AS_IT_IS][1]
    times = peers_in_turns(runs, {form: seconds for form, (seconds, _) in first.items()}, effort, lambda: None)
    return [
        {
            "form": form,
            "picture": name,
            "ms": digits(statistics.median(turns) * 1e3),
            "boxes": len(first[form][1]),
            "same": np.array_equal(first[form][1], expected),
        }
        for form, turns in times.items()
    ]


def table(name: str, rows: list[Row]) -> list[str]:
    """The same as lines."""
    before = next(row for row in rows if row["form"] == AS_IT_IS)
    lines = [f"{name}: {before['boxes']} boxes", f"{'the detector':<26}{'ms':>8}{'ratio':>7}  boxes"]
    for row in rows:
        same = "the same" if row["same"] else "OTHERS"
        lines.append(f"{row['form']:<26}{row['ms']:>8.1f}{before['ms'] / row['ms']:>7.2f}  {same}")
    return [*lines, ""]


def model_path() -> Path:
    """The detector that the package ships."""
    import rapidocr_onnxruntime

    return Path(rapidocr_onnxruntime.__file__).parent / "models" / "ch_PP-OCRv4_det_infer.onnx"


def pipeline(model: Path, threads: int) -> Any:
    """The package's own, with this model as its detector."""
    from rapidocr_onnxruntime import RapidOCR

    return RapidOCR(det_model_path=str(model), intra_op_num_threads=threads, inter_op_num_threads=1)


def boxes(found: Any, image: np.ndarray) -> np.ndarray:
    """The corners of what the pipeline takes for lines of text."""
    corners, _ = found(image, use_cls=False, use_rec=False)
    return np.array(corners)


def fed(model: Path, image: np.ndarray, threads: int) -> np.ndarray:
    """What the pipeline feeds to its detector."""
    found, seen = pipeline(model, threads), []
    infer = found.text_det.infer
    found.text_det.infer = lambda x: seen.append(x) or infer(x)
    boxes(found, image)
    return seen[0]


def picture(name: str) -> np.ndarray:
    """In grey, as three channels."""
    from skimage import data

    return np.repeat(getattr(data, name)()[:, :, None], 3, 2)


def saved(model: Any, path: Path) -> Path:
    import tconv.onnx

    tconv.onnx.save(model, path)
    return path


if __name__ == "__main__":
    main()
