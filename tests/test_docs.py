"""What docs/ says of the code is there: lines that are quoted, and tests that are named."""

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


def test_tests_that_the_page_of_faults_names_are_there():
    text = (ROOT / "docs" / "faults.md").read_text()
    file, named = None, 0
    for other, name in re.findall(r"`(?:tests/)?(test_\w+\.py)?(?:::(test_\w+))?`", text):
        file = other or file
        if name:
            function_source(f"tests/{file}", name)
        elif other:
            assert (ROOT / "tests" / file).is_file()
        named += bool(other or name)
    assert named >= 10
