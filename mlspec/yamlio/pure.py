"""PyYAML's pure-Python event parser, for installations whose PyYAML has no C library.

Same events and errors as the C parser, about ten times slower. Input: text. Output: events.
"""

from __future__ import annotations

from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner


class PureParser(Reader, Scanner, Parser):
    """Reader, scanner and parser in one object, as PyYAML's parts expect it."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
