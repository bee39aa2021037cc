"""The picture of the memory plan, set into the page."""

from __future__ import annotations

from xml.etree import ElementTree

from tfser.errors import InputError

_TAGS = {"svg", "title", "style", "g", "rect", "line", "text"}
#: Pixels up to which a picture can be shrunk to the page's width and still be read.
WIDEST_SHRUNK = 1210
_NAMESPACE = "{http://www.w3.org/2000/svg}"


def inline(picture: str) -> str:
    """An SVG file as a part of an HTML page.

    Drawing alone passes: no script, link, handler or other namespace, so that a file that somebody
    else made can do no more than look odd.

    Raises
    ------
    InputError
        Not such a picture.
    """
    try:
        root = ElementTree.fromstring(picture)
        for element in root.iter():
            _check(element)
        if float(root.get("width", "inf")) <= WIDEST_SHRUNK:
            root.set("class", f"{root.get('class', '')} shrunk".strip())
    except (ElementTree.ParseError, ValueError) as error:
        raise InputError("TF-REP-04", f"memory.svg: {error}", expected="the picture that 'tfser build' wrote",
                         fix="build again with 'tfser build'") from error
    return ElementTree.tostring(root, encoding="unicode")


def _check(element: ElementTree.Element) -> None:
    tag = element.tag.removeprefix(_NAMESPACE)
    if tag not in _TAGS:
        raise ValueError(f"element {tag!r}")
    if tag == "style" and ("<" in (element.text or "") or "url(" in (element.text or "")
                           or "@import" in (element.text or "")):
        raise ValueError("a style sheet that loads something")
    for name, value in element.attrib.items():
        if name.startswith(("on", "{")) or name in ("href", "style", "src") or "url(" in value:
            raise ValueError(f"attribute {name!r}")
    element.tag = tag
