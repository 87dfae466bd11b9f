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


def test_tests_that_the_page_of_faults_names_exist():
    file, named = None, 0
    for of, test in re.findall(r"`(test_\w+\.py)?(?:::(\w+))?", faults()):
        file = of or file
        if of or test:
            text = (ROOT / "tests" / file).read_text()
            assert f"\ndef {test}(" in text or not test, (file, test)
            named += 1
    assert named >= 20


def faults():
    return (ROOT / "docs" / "faults.md").read_text()
