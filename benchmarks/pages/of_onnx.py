"""Tables of ONNX models before and after `tconv.onnx.accelerate`."""

from __future__ import annotations

from benchmarks.pages.figures import DASH, Summary, ratio, summary, time, two
from benchmarks.pages.markdown import table
from benchmarks.record import Record, Row

MODELS = {
    "fcn8s": "FCN-8s head, 512x512",
    "fsrcnn": "FSRCNN x3, 180x320",
    "istft": "iSTFT head of a vocoder",
    "dcgan": "DCGAN generator, batch 16",
    "pose": "pose head (Simple Baselines)",
    "hifigan": "HiFi-GAN V1, 100 frames",
    "speecht5": "SpeechT5HifiGan, 100 frames",
    "unet3d": "3D U-Net, expanding path",
}
RUNTIMES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
FORMS = ("as it is", "one_conv", "depth_to_space", "conv_per_phase", "conv_per_block")


def models(record: Record) -> list[str]:
    """Every model in every runtime; in bold what was rewritten."""
    rows = []
    for row in record.rows:
        over = two(ratio(row, "", "before", "after"))
        shown = f"**{over}**" if row["rewritten"] else over
        names = [MODELS[row["model"]], RUNTIMES[row["runtime"]], _rewritten(row)]
        rows.append([*names, _rounded(row, "before"), _rounded(row, "after"), shown])
    return table(
        ["model", "runtime", "layers rewritten", "ms before", "ms after", "ratio"],
        rows,
        words=["runtime", "layers rewritten"],
    )


def detector_layers(record: Record) -> list[str]:
    """The layers of the text detector in each form."""
    rows = [
        [row["layer"], RUNTIMES[row["runtime"]], row["outcome"], *(time(row, form, ".4g") for form in FORMS)]
        for row in record.rows
        if "layer" in row
    ]
    return table(
        ["layer", "runtime", "outcome", *(f"{form}, ms" for form in FORMS)], rows, words=["runtime", "outcome"]
    )


def detector_pipelines(record: Record) -> list[str]:
    """The detector in its pipeline, and whether it finds what it found."""
    pipelines = [row for row in record.rows if "picture" in row]
    before = {row["picture"]: row["ms"] for row in pipelines if row["form"] == "as it is"}
    rows = [
        [
            row["form"],
            row["picture"],
            f"{row['boxes']}, {'the same' if row['same'] else 'others'}",
            f"{row['ms']:.1f}",
            two(before[row["picture"]] / row["ms"]),
        ]
        for row in sorted(pipelines, key=lambda row: list(before).index(row["picture"]))
    ]
    return table(["the detector", "picture", "boxes", "ms", "ratio"], rows, words=["picture", "boxes"])


def of_all(record: Record) -> Summary:
    """The ratios of all models in all runtimes; one that is left alone is as fast as it was."""
    ratios = [(ratio(row, "", "before", "after") or 1.0) if row["rewritten"] else 1.0 for row in record.rows]
    return summary(record, "after / before", ratios)


def _rounded(row: Row, name: str) -> str:
    return time(row, name, ".0f" if row.get("ms", {}).get(name, 0) >= 100 else ".1f")


def _rewritten(row: Row) -> str:
    if not row["rewritten"]:
        return "none"
    return f"{row['rewritten']} of {row['layers']}" if "layers" in row else DASH
