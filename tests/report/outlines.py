"""What a page says and is made of, read back from its HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from documents import CERTIFICATE, PICTURE

from tfser.report.page import render

VOID = {"meta", "rect", "path"}


class Outline(HTMLParser):
    """Tags in order with their attributes, those left open, headings, and all visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.headings: list[str] = []
        self.comments = 0
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_comment(self, data):
        self.comments += 1

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def outline(manifest, certificate=CERTIFICATE, picture=PICTURE) -> Outline:
    return Outline(render(manifest, certificate, picture))


def bars(page: str) -> list[tuple[str, str]]:
    """Class and width of what fills each bar."""
    return re.findall(r'<rect class="([\w-]+)" width="([\d.]+%)" height="100%" rx="2"/></svg>', page)
