"""The page as a widget of notebooks, tied to a geometry in Python both ways. Needs anywidget.

`tconv.exploring.widget.Explorer(geometry)`: what is changed on the page is `explorer.geometry`, and a geometry that is
assigned is shown.
"""

from __future__ import annotations

from typing import Any

from tconv import checks
from tconv.axis import Axis
from tconv.exploring.address import address
from tconv.exploring.page import HEIGHT, built, explore
from tconv.extras import need
from tconv.geometry import Geometry, check_geometry

need("anywidget", "anywidget", "widget")

import anywidget  # noqa: E402  # a missing one is said in our words
import traitlets  # noqa: E402

#: The frame's side of the page's messages: {tconv: its address, axes: its geometry}.
SCRIPT = """
function render({ model, el }) {
  let rest = 0;
  const frame = document.createElement("iframe");
  const start = model.get("start").replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
  const srcdoc = model.get("page").replace('data-start=""', () => `data-start="${start}"`);
  Object.assign(frame, { srcdoc, title: "tconv explore", allow: "clipboard-write" });
  Object.assign(frame.style, { width: "100%", height: `${model.get("height")}px`, border: "0" });
  const told = ({ data, source }) => {
    if (source !== frame.contentWindow || !Array.isArray(data?.axes)) return;
    model.set("axes", data.axes);
    model.set("start", data.tconv);
    // A kernel is told when the page rests, not of every step that is played.
    clearTimeout(rest);
    rest = setTimeout(() => model.save_changes(), 200);
  };
  const tell = () => frame.contentWindow?.postMessage({ tconv: model.get("start") }, "*");
  window.addEventListener("message", told);
  model.on("change:start", tell);
  el.append(frame);
  return () => { window.removeEventListener("message", told); model.off("change:start", tell); };
}
export default { render };
"""


#: What of an address says the channels, which a geometry does not.
CHANNELS = ("in-channels", "out-channels", "groups")


class Explorer(anywidget.AnyWidget):
    """The interactive page in a notebook, and its geometry in Python.

    Args:
        geometry, view, step, lang, theme, height: as in `tconv.explore`.
    """

    _esm = SCRIPT
    page = traitlets.Unicode().tag(sync=True)  #: the text of the file, without a geometry to begin with
    start = traitlets.Unicode().tag(sync=True)  #: the page's address behind "#"; it may be set, too
    axes: traitlets.List[dict[str, Any]] = traitlets.List().tag(
        sync=True
    )  #: the arguments of each `Axis`, as the page says them
    height = traitlets.Int(HEIGHT).tag(sync=True)

    def __init__(self, geometry: Geometry, view: str = "scatter", **options: Any) -> None:
        shown = explore(geometry, view, **options)
        super().__init__(page=built(), start=shown.start, axes=_records(geometry), height=shown.height)

    @property
    def geometry(self) -> Geometry:
        """What the page shows."""
        return Geometry(tuple(Axis(**{**axis, "padding": tuple(axis["padding"])}) for axis in self.axes))

    @geometry.setter
    def geometry(self, geometry: Geometry) -> None:
        with checks.explained("Explorer.geometry"):
            check_geometry(geometry)
        kept = {name: text for name, _, text in (part.partition("=") for part in self.start.split("&"))}
        channels = {name: int(kept[name]) for name in CHANNELS if name in kept}
        with self.hold_sync():
            self.axes = _records(geometry)
            self.start = address(
                geometry,
                kept.get("view", "scatter"),
                None,
                kept.get("lang", "auto"),
                kept.get("theme", "auto"),
                channels,
            )


def _records(geometry: Geometry) -> list[dict[str, Any]]:
    names = ("coarse", "kernel", "stride", "padding", "output_padding", "dilation")
    return [{name: getattr(axis, name) for name in names} for axis in geometry.axes]
