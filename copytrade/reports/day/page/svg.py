"""Drawings as a part of the page: no style of their own, no outside names, colours of the page."""

import re
from xml.etree import ElementTree as ET

#: What is left of a drawing.
_ELEMENTS = frozenset({"svg", "g", "defs", "path", "use", "text", "tspan", "clipPath", "rect"})
_ATTRIBUTES = frozenset({"d", "x", "y", "width", "height", "transform", "clip-path", "href", "id"})

#: What a drawing's style says that an attribute says as well.
_STYLES = frozenset(
    {
        *("fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-dashoffset"),
        *("stroke-linecap", "stroke-linejoin", "opacity", "font-size", "font-weight", "text-anchor"),
    }
)

_STYLE = re.compile(r"([a-z-]+)\s*:\s*([^;]+)")
_OWN = re.compile(r"#([\w.-]+)")


def inline(drawing: str, name: str, label: str) -> str:
    """Return an SVG drawing of our own as a part of a page, in which ``name`` is its own.

    Black becomes the colour of the page's text. ``label`` says what it shows to who cannot see it.
    """
    root = ET.fromstring(drawing)  # noqa: S314 (matplotlib has just written it)
    _reduce(root, name)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-label", label)
    return ET.tostring(root, encoding="unicode")


def _reduce(element: ET.Element, name: str) -> None:
    element.tag = _local(element.tag)
    given = {_local(key): value for key, value in element.attrib.items()}
    styles = {key: value.strip() for key, value in _STYLE.findall(given.get("style", "")) if key in _STYLES}
    kept = {key: value for key, value in given.items() if key in _ATTRIBUTES}
    if element.tag == "svg":
        kept["viewBox"] = given["viewBox"]
    if element.tag not in ("path", "clipPath") or "id" not in given:
        kept.pop("id", None)  # only what is referred to
    for key in ("id", "href", "clip-path"):
        if key in kept:
            kept[key] = f"{name}-{kept[key]}" if key == "id" else _OWN.sub(rf"#{name}-\1", kept[key])
    colours = {key: "currentColor" for key in ("fill", "stroke") if styles.get(key) in ("#000000", "black")}
    if element.tag == "text" and "fill" not in styles:
        colours["fill"] = "currentColor"
    element.attrib.clear()
    element.attrib.update({**kept, **styles, **colours})
    if "d" in kept:
        element.set("d", " ".join(kept["d"].split()))
    if element.tag not in ("text", "tspan"):
        element.text = None
    for child in list(element):
        if _local(child.tag) in _ELEMENTS:
            child.tail = None
            _reduce(child, name)
        else:
            element.remove(child)


def _local(name: str) -> str:
    return name.rpartition("}")[2]
