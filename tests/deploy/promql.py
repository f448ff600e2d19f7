"""Which series a PromQL expression asks for."""

import re
from collections.abc import Iterator

NAME = re.compile(r"(?<![\w:\"/])((?:bodyregion|ALERTS|up\b)[\w:]*)(?:\{([^}]*)\})?")
MATCHER = re.compile(r"(\w+)(=~|!~|!=|=)\"([^\"]*)\"")
GROUPED = re.compile(r"\b(?:by|on|ignoring|without) \(([^)]*)\)")


def selectors(expression: str) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Each series' name, and the alternatives that its matchers give for each label."""
    for name, matchers in NAME.findall(expression):
        yield name, {label: values.split("|") for label, _, values in MATCHER.findall(matchers)}


def grouped(expression: str) -> set[str]:
    """The labels that it groups or matches by."""
    return {label.strip() for labels in GROUPED.findall(expression) for label in labels.split(",") if label.strip()}
