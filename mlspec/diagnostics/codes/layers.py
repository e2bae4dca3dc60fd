"""ML080 to ML089: include, extends, components, environments and overlays."""

from __future__ import annotations

from mlspec.diagnostics.model import Code

INCLUDE_CYCLE = Code("ML080", "include-cycle", "files that include each other")
INCLUDE_CLASH = Code("ML081", "include-clash", "two files that define the same thing")
INCLUDE_OUTSIDE = Code("ML082", "include-outside", "an include that leaves the project")
EXTENDS_UNKNOWN = Code("ML083", "extends-unknown", "`extends` or `like` names nothing")
EXTENDS_CYCLE = Code("ML084", "extends-cycle", "`extends` or `like` in a circle")
OVERLAY_INVENTS = Code("ML085", "overlay-invents", "an overlay for something that does not exist")
OVERLAY_REMOVES = Code("ML086", "overlay-removes", "an overlay that removes what cannot be removed")
ENVIRONMENT_ORDER = Code(
    "ML087",
    "environment-order",
    "environments that come after each other in a circle, or after nothing",
)
COMPONENT = Code(
    "ML088", "component", "a component that is outside of the project or uses another one"
)
OVERLAY_FORBIDDEN = Code(
    "ML089", "overlay-forbidden", "an overlay of something that no environment may change"
)
