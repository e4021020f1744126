# SPDX-License-Identifier: Apache-2.0
"""The C tree as text: which files there are, and their includes, functions and comments.

Used by the other tools of this folder. Knows the project's layout style (a function's braces
stand in column 0), not C: no preprocessor, no types.
"""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL
)
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def c_files(root=ROOT, folders=("include", "src", "bpf", "tests", "bench")):
    """Every .c and .h file of ours below the folders, sorted, as paths relative to root."""
    found = []
    for folder in folders:
        for pattern in ("*.c", "*.h"):
            found += [
                path.relative_to(root)
                for path in (root / folder).rglob(pattern)
                if path.is_file() and path.name != "vmlinux.h"
            ]
    return sorted(found)


def blank(text, keep_strings=False):
    """The text with comments (and the insides of strings) as spaces; lines stay where they are."""

    def spaces(match):
        token = match.group(0)
        if token[0] in "\"'":
            if keep_strings:
                return token
            return token[0] + " " * (len(token) - 2) + token[-1]
        return re.sub(r"[^\n]", " ", token)

    return TOKEN.sub(spaces, text)


def includes(text):
    """(line, name, is_local) of every #include outside comments."""
    code = blank(text, keep_strings=True)
    result = []
    for match in INCLUDE.finditer(code):
        line = code.count("\n", 0, match.start(match.lastindex)) + 1
        result.append((line, match.group(1) or match.group(2), match.group(1) is not None))
    return result


def functions(text):
    """(name, first line, number of lines) of every function body, signature line excluded."""
    lines = blank(text).split("\n")
    result = []
    start = None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{":
            start = number
        elif line.rstrip() == "}" and start is not None:
            head = " ".join(lines[max(0, start - 8):start - 1])
            names = re.findall(r"(\w+)\s*\(", head.rsplit(";", 1)[-1].rsplit("}", 1)[-1])
            names = [name for name in names if not name.startswith("__")]
            result.append((names[0] if names else "?", start, number - start + 1))
            start = None
    return result


def comment_lines(text):
    """Number of lines that hold nothing but comment."""
    count = 0
    for raw, code in zip(text.split("\n"), blank(text, keep_strings=True).split("\n")):
        if raw.strip() and not code.strip():
            count += 1
    return count
