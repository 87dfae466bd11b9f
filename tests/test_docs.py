"""docs/backprop.md quotes the kernels: the lines must be there, in the functions it names."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def function_source(file, name):
    text = (ROOT / file).read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return ast.get_source_segment(text, node)
    raise AssertionError(f"{file} has no function {name}")


def test_quoted_lines_stand_where_the_page_says():
    place, quoted = None, 0
    for line in (ROOT / "docs" / "backprop.md").read_text().splitlines():
        if named := re.fullmatch(r"`(kernels/\w+\.py)`, `(\w+)`:", line):
            place = named.groups()
        elif line.startswith("    "):
            assert line.strip() in function_source(*place), (place, line)
            quoted += 1
    assert quoted >= 12
