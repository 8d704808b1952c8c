"""Small layers and made-up measurements."""

from tconv.bench.layers import BenchLayer
from tconv.bench.record import MeasuredLayer, Record, Timing


def small_layer(name="small", **changes):
    sizes = {
        "batch": 2,
        "in_channels": 4,
        "out_channels": 6,
        "spatial": (5, 7),
        "kernel": (3, 4),
        "stride": (2, 3),
        "padding": (1, 2),
        "output_padding": (1, 0),
        "groups": 2,
        "dilation": (1, 2),
    }
    return BenchLayer(name=name, network="made up", **(sizes | changes))


LAYERS = {
    "two axes": small_layer(),
    "one axis": small_layer(spatial=(9,), kernel=4, stride=2, padding=1, output_padding=0, dilation=1, groups=1),
    "three axes": small_layer(
        spatial=(3, 4, 5), kernel=2, stride=2, padding=0, output_padding=1, dilation=1, groups=4, out_channels=4
    ),
}


def measured(layer, seconds, peak=None, bandwidth=None, **others):
    """Seconds by contestant: one number, or one a setting."""
    timings = {}
    for name, value in seconds.items():
        settings = value if isinstance(value, dict) else {"default": value}
        timings[name] = {setting: Timing(each, 7, 1e-7) for setting, each in settings.items()}
    return MeasuredLayer(layer, peak, bandwidth, timings, others.get("failures", {}), others.get("left_out", {}))


def record(rows, skipped=None, **options):
    machine = {
        "processor": "Abacus 3000",
        "cores": 2,
        "instructions": "avx2",
        "system": "Linux x86_64",
        "python": "3.11.7",
        "versions": {"tconv": "0.1.0", "torch": "2.13.0"},
        "date": "2026-11-21",
    }
    usual = {"operation": "conv_transpose", "threads": 1, "layout": "channels_first", "rounds": 7, "peers": ["torch"]}
    return Record(machine, usual | options, skipped or {}, list(rows))
