"""Damage to files: what `damaged(content, generator)` of a format is made of.

Some of it is blind (bits, spans, lengths), some knows a container: what is inside a gzip, the JSON
at the head of a safetensors file, the members of a zip. The last kind gets past the checks that
blind damage never gets past.
"""

import gzip
import io
import json
import re
import struct
import zipfile
import zlib
from copy import deepcopy

LENGTHS = [0, 1, 2, 7, 8, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40]
LENGTHS += [2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
NUMBERS = [*LENGTHS, -1, -(2**63), 10**30, 10**400, 0.5, 1e308, float("nan"), float("inf")]
VALUES = [*NUMBERS, None, True, "", "F32", "F64", "BOOL", "\0", "x" * 5000, "NaN", [], {}, [[]]]
VALUES += [[0, 0], [0, 2**62], [2**62, 2**62], ["1.5"], {"dtype": "F32"}, [1] * 100]
WORDS = [b"null", b"NaN", b"-Infinity", b"1e999", b"[", b"{", b'"', b"\\u0000", b"\0" * 9, b"cos\n"]
WORDS += [b"system\n", b"R.", b"\x93", b"\x8c", b"PK\x05\x06", b"[" * 2000, b"9" * 5000]


def pick(generator, things):
    return things[int(generator.integers(len(things)))]


def place(generator, content):
    """A position; most often near one of the ends, where headers and directories are."""
    n = len(content)
    near = int(generator.integers(min(n, 400) + 1))
    return pick(generator, [near, n - near, int(generator.integers(n + 1))])


def flip_bits(content, generator):
    damaged = bytearray(content)
    for _ in range(int(generator.integers(1, 9))):
        damaged[min(place(generator, content), len(content) - 1)] ^= 1 << generator.integers(8)
    return bytes(damaged)


def truncate(content, generator):
    return content[: place(generator, content)]


def insert(content, generator):
    at = place(generator, content)
    new = generator.bytes(generator.integers(1, 20)) if generator.random() < 0.5 else b""
    return content[:at] + (new or pick(generator, WORDS)) + content[at:]


def delete(content, generator):
    at = place(generator, content)
    return content[:at] + content[at + int(generator.integers(1, 40)) :]


def repeat(content, generator):
    first, at = place(generator, content), place(generator, content)
    span = content[first : first + int(generator.integers(1, 200))]
    return content[:at] + span * int(generator.integers(1, 4)) + content[at:]


def write_length(content, generator):
    """A number that somebody may believe, in one of the forms in which files have them."""
    form = pick(generator, ["<B", "<H", ">H", "<I", ">I", "<Q", ">Q"])
    size = struct.calcsize(form)
    number = pick(generator, [*LENGTHS, len(content), len(content) + 1]) % 2 ** (8 * size)
    at = min(place(generator, content), max(len(content) - size, 0))
    return content[:at] + struct.pack(form, number) + content[at + size :]


def write_float(content, generator):
    """A number that is none, or nearly, in the place of a float32."""
    number = pick(generator, [float("nan"), float("inf"), -float("inf"), 3e38, 1e-45])
    at = 4 * int(generator.integers(len(content) // 4 + 1))
    return content[:at] + struct.pack("<f", number) + content[at + 4 :]


def change_decimal(content, generator):
    found = list(re.finditer(rb"\d+", content[:4000]))
    if not found:
        return flip_bits(content, generator)
    match = pick(generator, found)
    number = pick(generator, [str(n).encode() for n in NUMBERS])
    return content[: match.start()] + number + content[match.end() :]


BLIND = [flip_bits, truncate, insert, delete, repeat, write_length, change_decimal]


def blindly(content, generator):
    return pick(generator, BLIND)(content, generator) if content else b"\0"


def damaged_tree(tree, generator):
    """Change one node of what JSON holds: another value, no value, or a neighbour's."""
    nodes = [tree]
    while isinstance(nodes[-1], (dict, list)) and nodes[-1] and generator.random() < 0.8:
        node = nodes[-1]
        nodes.append(pick(generator, list(node.values()) if isinstance(node, dict) else node))
    if len(nodes) == 1:
        return deepcopy(pick(generator, VALUES))
    parent, child = nodes[-2:]
    keys = list(parent) if isinstance(parent, dict) else range(len(parent))
    key = next(k for k in keys if parent[k] is child)
    kind = generator.integers(5)
    if kind == 0:
        del parent[key]
    elif kind == 1:
        parent[key] = deepcopy(parent[pick(generator, list(keys))])
    elif kind == 2 and isinstance(parent, dict):
        parent[pick(generator, ["weights.9", "biases.0", "", "x" * 3000])] = deepcopy(child)
    elif kind == 2:
        parent.append(deepcopy(child))
    elif isinstance(child, (int, float)) and generator.random() < 0.5:
        parent[key] = child + pick(generator, [-1, 1, 4, 8])
    else:
        parent[key] = deepcopy(pick(generator, VALUES))
    return tree


def json_text(content, generator):
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return blindly(content, generator)
    for _ in range(int(generator.integers(1, 3))):
        tree = damaged_tree(tree, generator)
    return json.dumps(tree).encode()


def safetensors_header(content, generator):
    """Damage the JSON header, or the JSON in its metadata, and give it the length it then has."""
    length = int.from_bytes(content[:8], "little")
    header, body = content[8 : 8 + length], content[8 + length :]
    try:
        tree = json.loads(header)
        metadata = tree["__metadata__"]
        name = pick(generator, [name for name, text in metadata.items() if text[:1] in "{["])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        header = blindly(header, generator)
    else:
        if generator.random() < 0.5:
            text = json_text(metadata[name].encode("utf-8", "replace"), generator)
            metadata[name] = text.decode("latin1")
            header = json.dumps(tree).encode()
        else:
            header = pick(generator, [json_text, blindly])(header, generator)
    if generator.random() < 0.3:
        body = pick(generator, [blindly, write_float])(body, generator)
    return struct.pack("<Q", len(header)) + header + body


def inside_gzip(content, generator):
    try:
        inner = gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return blindly(content, generator)
    return gzip.compress(blindly(inner, generator), 1, mtime=0)


def inside_zip(content, generator):
    """Damage one member, or its name, and pack all of them again, with right checksums."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name = pick(generator, list(members))
    except Exception:  # on broken input, zipfile raises almost every kind there is
        return blindly(content, generator)
    if generator.random() < 0.1:
        members[pick(generator, ["x", "", "../x", name[:-1]])] = members.pop(name)
    else:
        members[name] = blindly(members[name], generator)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", pick(generator, [0, 8])) as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(member), data)
    return file.getvalue()
