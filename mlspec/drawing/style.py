"""Colours and type of pictures: one sheet, light and dark, explicit values.

No custom properties: viewers other than browsers do not know them. Contrast of text on its
background is at least 4.5 to 1 in both schemes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlspec.drawing.model import BadgeKind

_FONT = "Helvetica,Arial,'Liberation Sans',sans-serif"

_SHAPES = f"""
text{{font-family:{_FONT}}}
.h1{{font-size:22px;font-weight:bold}}.h2{{font-size:17px;font-weight:bold}}
.s{{font-size:11px}}.f,.b,.l,.c{{font-size:10.5px}}.m{{font-size:12px}}
.t{{font-size:13px;font-weight:bold}}.d{{font-size:12px;font-weight:bold}}
.box{{stroke-width:1.2}}.crit>.box{{stroke-width:2.2}}
.allow_failure>.box{{stroke-dasharray:5 3}}.finally>.box{{stroke-dasharray:2 3}}
.rim,.tick,.i,.e,.bar{{fill:none}}.rim{{stroke-width:1.2}}
.tick{{stroke-width:2.2;stroke-linecap:round;stroke-linejoin:round}}
.i{{stroke-width:1.3;stroke-linecap:round;stroke-linejoin:round}}
.p{{stroke-width:1}}.e{{stroke-width:1.4}}.e.data{{stroke-width:1.6}}
.e.order{{stroke-dasharray:6 4}}.e.crit{{stroke-width:3}}
.bar{{stroke-width:1.4;stroke-dasharray:2 4}}
.frame,.block{{stroke-width:1}}.block{{stroke-dasharray:1 3}}
"""

_Colours = tuple[str, str, str]
"""Fill, line, text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scheme:
    page: str
    text: str
    muted: str
    order: str
    flow: str
    frame: _Colours
    box: _Colours
    critical: _Colours
    pipeline: _Colours
    data: _Colours
    badges: Mapping[BadgeKind, _Colours]


_LIGHT = _Scheme(
    page="#ffffff",
    text="#1f2328",
    muted="#57606a",
    order="#7b848d",
    flow="#3d6e9e",
    frame=("#fbfcfd", "#d8dee4", "#1f2328"),
    box=("#f4f6f8", "#8c959f", "#1f2328"),
    critical=("#e4f0ff", "#0a57b8", "#0a57b8"),
    pipeline=("#eef2fb", "#6a7fb5", "#1f2328"),
    data=("#e7f6e9", "#4c9659", "#185427"),
    badges={
        BadgeKind.APPROVAL: ("#fff1d0", "#b87a00", "#6b4400"),
        BadgeKind.CONDITION: ("#f2e9ff", "#9a6ae8", "#55259c"),
        BadgeKind.MATRIX: ("#dcf5ee", "#2a9880", "#0b5748"),
        BadgeKind.JOIN: ("#e8ebef", "#87919d", "#3a434d"),
        BadgeKind.LOCK: ("#e8ebef", "#87919d", "#3a434d"),
        BadgeKind.ALLOW_FAILURE: ("#ffe8e5", "#cf5f54", "#8c2018"),
    },
)
_DARK = _Scheme(
    page="#0d1117",
    text="#e6edf3",
    muted="#9aa4af",
    order="#8b949e",
    flow="#79b0e6",
    frame=("#11161d", "#30363d", "#e6edf3"),
    box=("#1a2029", "#6e7681", "#e6edf3"),
    critical=("#13294a", "#58a6ff", "#58a6ff"),
    pipeline=("#1a2338", "#6c83c0", "#e6edf3"),
    data=("#12271a", "#468f55", "#a2e0ae"),
    badges={
        BadgeKind.APPROVAL: ("#3a2b08", "#b88313", "#f5d27a"),
        BadgeKind.CONDITION: ("#2a1f45", "#8f66da", "#d5bfff"),
        BadgeKind.MATRIX: ("#0f2f28", "#2b8f79", "#86e5cd"),
        BadgeKind.JOIN: ("#262c36", "#6e7681", "#ccd3da"),
        BadgeKind.LOCK: ("#262c36", "#6e7681", "#ccd3da"),
        BadgeKind.ALLOW_FAILURE: ("#3b191a", "#c4504a", "#ffb8b0"),
    },
)


def style_sheet() -> str:
    """Return the sheet of a picture: light, and dark where the reader prefers it."""
    return (
        f"{_SHAPES.strip()}\n{_colours(_LIGHT)}\n"
        f"@media(prefers-color-scheme:dark){{\n{_colours(_DARK)}\n}}\n"
    )


def _colours(scheme: _Scheme) -> str:
    box, crit, data, pipeline = scheme.box, scheme.critical, scheme.data, scheme.pipeline
    approval = scheme.badges[BadgeKind.APPROVAL]
    rules = [
        f".page{{fill:{scheme.page}}}",
        f".h1,.h2,.t,.m{{fill:{scheme.text}}}",
        f".s,.f,.l,.c{{fill:{scheme.muted}}}",
        f".frame{{fill:{scheme.frame[0]};stroke:{scheme.frame[1]}}}",
        f".block{{fill:{scheme.page};stroke:{box[1]}}}",
        f".box{{fill:{box[0]};stroke:{box[1]}}}",
        f".crit>.box{{fill:{crit[0]};stroke:{crit[1]}}}",
        f".pipeline>.box{{fill:{pipeline[0]};stroke:{pipeline[1]}}}",
        f".data>.box{{fill:{data[0]};stroke:{data[1]}}}",
        f".rim{{stroke:{data[1]}}}.d{{fill:{data[2]}}}",
        f".gate{{fill:{approval[1]};stroke:{approval[1]}}}.tick{{stroke:{scheme.page}}}",
        f".e,.bar{{stroke:{scheme.order}}}.e.data{{stroke:{scheme.flow}}}",
        f".e.crit{{stroke:{crit[1]}}}.h-order{{fill:{scheme.order}}}",
        f".h-data{{fill:{scheme.flow}}}.h-crit{{fill:{crit[1]}}}",
        f".lb{{fill:{scheme.frame[0]}}}.chip{{fill:{box[0]};stroke:{scheme.frame[1]}}}",
    ]
    for kind, (fill, line, text) in scheme.badges.items():
        name = kind.value
        rules.append(f".p-{name}{{fill:{fill};stroke:{line}}}")
        rules.append(f".i-{name}{{stroke:{text}}}.b-{name}{{fill:{text}}}")
    return "\n".join(rules)
