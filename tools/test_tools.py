# SPDX-License-Identifier: Apache-2.0
"""Tests of the tools of this folder: each rule is shown a sample that breaks it."""
import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent
sys.path.insert(0, str(TOOLS))
sys.dont_write_bytecode = True


def load(name):
    """A tool as a module; the tools have no suffix."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(TOOLS / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


layers = load("check-layers")
style = load("check-style")
check = load("check")
drops = load("drops")
stack = load("bpf-stack")
csource = importlib.import_module("csource")

TABLE = """
<!-- layers:begin -->
| room | may include |
| --- | --- |
| abi | - |
| base | abi |
| net | abi base |
| dp | `abi`, `base` |
<!-- layers:end -->
<!-- headers:begin -->
| header | only in |
| --- | --- |
| `bpf/` | dp |
| `sqlite3.h`, `yaml.h` | net |
<!-- headers:end -->
"""

SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
GOOD = SPDX + "/* What it is. */\n#include \"base/err.h\"\n\nint f(void)\n{\n\treturn 0;\n}\n"


# ---- csource -------------------------------------------------------------------------------------


def test_comments_and_strings_do_not_count_as_code():
    text = 'int a; // strcpy(\n/* system(\n) */ char *s = "popen(";\n#include "x.h" /* "y.h" */\n'
    code = csource.blank(text)
    assert "strcpy" not in code and "system" not in code and "popen" not in code
    assert code.count("\n") == text.count("\n")
    assert csource.includes(text) == [(4, "x.h", True)]


def test_functions_are_measured_by_their_braces():
    text = "static int f(int a,\n\t     int b)\n{\n\tif (a) {\n\t}\n\treturn b;\n}\n" \
           "struct s {\n\tint a;\n};\nvoid g(void)\n{\n}\n"
    assert csource.functions(text) == [("f", 3, 5), ("g", 12, 2)]


def test_comment_lines_are_lines_without_code():
    assert csource.comment_lines("/* a\n * b */\nint a; /* c */\n// d\n\n") == 3


# ---- check-layers ----------------------------------------------------------------------------------


def layer_problems(path, text):
    table = layers.read_layers(TABLE)
    return list(layers.check_file(Path(path), text, table, layers.read_headers(TABLE)))


@pytest.mark.parametrize("path, line", [
    ("src/net/link.c", '#include "base/err.h"'),
    ("src/net/link.c", '#include "net/link_priv.h"'),
    ("src/net/link.c", "#include <weft/abi/types.h>"),
    ("src/net/link.c", "#include <sqlite3.h>"),
    ("src/dp/load.c", "#include <bpf/libbpf.h>"),
    ("src/dp/load.c", '#include "weft_skeleton.h"'),
    ("src/net/link.c", '// #include "dp/dp.h"'),
    ("include/weft/abi/types.h", "#include <linux/types.h>"),
])
def test_layers_allow(path, line):
    assert layer_problems(path, line + "\n") == []


@pytest.mark.parametrize("path, line, word", [
    ("src/net/link.c", '#include "dp/dp.h"', "net may not include dp"),
    ("src/base/err.c", '#include "net/net.h"', "base may not include net"),
    ("src/net/link.c", '#include "base/option_priv.h"', "private to base"),
    ("src/net/link.c", "#include <bpf/bpf.h>", "belongs to dp"),
    ("src/dp/load.c", "#include <sqlite3.h>", "belongs to net"),
    ("src/strange/x.c", "", "room 'strange' is not in the table"),
    ("src/net/link.c", '#include "strange/x.h"', "in no room"),
    ("include/weft/abi/types.h", "#include <stdint.h>", "abi includes"),
])
def test_layers_refuse(path, line, word):
    problems = layer_problems(path, line + "\n")
    assert len(problems) == 1 and word in problems[0]


def test_layers_name_the_line():
    assert layer_problems("src/net/a.c", '\n\n#include "dp/dp.h"\n')[0].startswith("src/net/a.c:3:")


def test_layers_need_their_table():
    with pytest.raises(layers.TableError):
        layers.read_layers("no table")
    with pytest.raises(layers.TableError):
        layers.read_layers(TABLE.replace("| abi base |", "| abi basement |"))


def test_layers_walk_a_tree(tmp_path):
    for room in ("base", "net", "dp"):
        (tmp_path / "src" / room).mkdir(parents=True)
    (tmp_path / "include" / "weft" / "abi").mkdir(parents=True)
    (tmp_path / "src" / "dp" / "bad.c").write_text('#include "net/net.h"\n')
    (tmp_path / "ARCHITECTURE.md").write_text(TABLE)
    command = [sys.executable, str(TOOLS / "check-layers"), "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == "src/dp/bad.c:1: dp may not include net (net/net.h)\n"
    (tmp_path / "src" / "dp" / "bad.c").write_text('#include "base/err.h"\n')
    assert subprocess.run(command, check=False).returncode == 0


# ---- check-style -----------------------------------------------------------------------------------


def style_problems(path, text, root=TOOLS):
    return [what for _, what in style.check_c(Path(path), text, root)]


def test_style_accepts_good_code():
    assert style_problems("src/x/x.c", GOOD) == []


@pytest.mark.parametrize("path, text, word", [
    ("src/x/x.c", GOOD.replace(SPDX, ""), "SPDX"),
    ("bpf/x.bpf.c", GOOD, "GPL-2.0 OR BSD-2-Clause"),
    ("src/x/x.c", GOOD.replace("/* What it is. */\n", ""), "says what it is"),
    ("src/x/x.c", GOOD.replace("return 0", "return atoi(a)"), "atoi"),
    ("src/x/x.c", GOOD.replace("return 0", "strcpy (a, b)"), "strcpy"),
    ("src/x/x.h", GOOD, "no header guard"),
    ("src/x/x.h", GOOD.replace("#include", "#ifndef WEFT_Y_H\n#define WEFT_Y_H\n#include"),
     "expected WEFT_X_X_H"),
    ("src/x/x.c", GOOD.replace("\treturn 0;\n", "\ta();\n" * 100), "f() has 102 lines"),
    ("src/x/x.c", GOOD + "int a;\n" * 1000, "split it"),
    ("src/control/x.c", GOOD.replace("return 0", "return a->spec.overlapping"), "scope.c alone"),
])
def test_style_refuses(path, text, word):
    problems = style_problems(path, text)
    assert len(problems) == 1 and word in problems[0], problems


def test_style_knows_functions_from_their_likes():
    owned = GOOD.replace("return 0", "return a->overlapping")
    assert style_problems("src/control/scope.c", owned) == []
    assert style_problems("src/model/x.c", owned) == []
    text = GOOD.replace("return 0", "my_atoi(a); (void)asprintf(&b, c); filesystem(d); return 0")
    assert style_problems("src/x/x.c", text) == []


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "see /ro" + "ot/notes"])
def test_words_that_must_not_stay(word):
    assert list(style.check_words(Path("docs/x.md"), f"first\n{word}\n"))[0][0] == 2


def test_missing_twins_are_reported(tmp_path):
    (tmp_path / "src" / "a").mkdir(parents=True)
    (tmp_path / "src" / "a" / "one.c").write_text("")
    (tmp_path / "src" / "a" / "two.c").write_text("")
    (tmp_path / "tests" / "unit" / "a").mkdir(parents=True)
    (tmp_path / "tests" / "unit" / "a" / "test_one.c").write_text("")
    assert list(style.missing_twins(tmp_path)) == ["src/a/two.c: no tests/unit/a/test_two.c"]


# ---- drops -----------------------------------------------------------------------------------------


def test_reasons_are_read_over_several_lines():
    text = '\\\n\tX(A_B, 2, "a_b", noise, "what "    \\\n\t  "happened", "")  \\\n' \
           '\tX(C, 1, "c", attack, "bad", \\\n\t  "stop it")\n'
    assert drops.reasons(text) == [(1, "c", "attack", "bad", "stop it"),
                                   (2, "a_b", "noise", "what happened", "")]
    assert "| `c` | 1 | bad | stop it |" in drops.document(drops.reasons(text))


# ---- check -----------------------------------------------------------------------------------------


def count(entry):
    results = check.Results()
    check.count_meson_test(results, {"name": "t", "returncode": 0, **entry})
    return results


def test_cmocka_tests_are_counted_one_by_one():
    results = count({"result": "FAIL", "stdout": "[ RUN      ] a\n[       OK ] a\n[ RUN      ] b\n"
                     "0x1 != 0x2\n[   LINE   ] --- x.c:1: error\n[  FAILED  ] b\n[ RUN      ] c\n"
                     "needs tun\n[  SKIPPED ] c\n"})
    assert results.passed == 1
    assert [name for name, _ in results.failed] == ["t/b"]
    assert results.skipped == [("t/c", "needs tun")]


def test_a_crash_is_a_failure_even_after_good_tests():
    results = count({"result": "ERROR", "returncode": -11, "stdout": "[       OK ] a\n"})
    assert (results.passed, len(results.failed)) == (1, 1)


def test_a_sanitizer_exit_without_failed_test_is_a_failure():
    results = count({"result": "FAIL", "returncode": 1, "stdout": "[       OK ] a\n",
                     "stderr": "ERROR: LeakSanitizer: detected memory leaks\n"})
    assert (results.passed, len(results.failed)) == (1, 1)


def test_a_plain_program_counts_as_one():
    assert count({"result": "OK"}).passed == 1
    assert count({"result": "TIMEOUT"}).failed
    assert count({"result": "SKIP", "stdout": "no kernel BTF\n"}).skipped == [("t", "no kernel BTF")]


def test_pytest_reports_are_counted(tmp_path):
    report = tmp_path / "r.xml"
    report.write_text('<testsuites><testsuite><testcase classname="e.test_a" name="x"/>'
                      '<testcase classname="e.test_a" name="y"><failure message="m">f</failure>'
                      '</testcase><testcase classname="e.test_a" name="z">'
                      '<skipped message="no ipvlan"/></testcase></testsuite></testsuites>')
    results = check.Results()
    assert check.count_junit(results, "e2e", report) == 1
    assert results.line() == "1 passed, 1 failed, 1 skipped"
    assert results.skipped == [("e2e/test_a.z", "no ipvlan")]


def results_of(*failed):
    results = check.Results()
    for name in failed:
        results.add(name, False, f"{name} was wrong")
    return results


def test_a_few_failures_are_looked_at_again():
    results = results_of("before", "e2e/test_a.test_x", "e2e/test_a.test_y")
    results.look_again(1, lambda name: (name.endswith("x"), "wrong again"))
    assert results.line() == "1 passed, 2 failed, 0 skipped"
    assert results.unsteady == [("e2e/test_a.test_x", "e2e/test_a.test_x was wrong")]
    assert [name for name, _ in results.failed] == ["before", "e2e/test_a.test_y"]
    assert "was wrong" in results.failed[1][1] and "wrong again" in results.failed[1][1]


def test_those_of_a_fixture_are_not(tmp_path):
    report = tmp_path / "r.xml"
    report.write_text('<testsuites><testsuite><testcase classname="e.test_a" name="x">'
                      '<error message="failed on teardown">left behind</error>'
                      '</testcase></testsuite></testsuites>')
    results = check.Results()
    check.count_junit(results, "e2e", report)
    results.look_again(0, lambda name: (True, ""))
    assert results.line() == "0 passed, 1 failed, 0 skipped"


def test_many_failures_are_not():
    results = results_of(*map(str, range(check.AGAIN_MOST + 1)))
    results.look_again(0, lambda name: (True, ""))
    assert (results.passed, len(results.failed)) == (0, check.AGAIN_MOST + 1)


def test_pytest_is_asked_for_one_test():
    assert (check.pytest_node("e2e/test_via.test_nobody[4-a b]")
            == "tests/e2e/test_via.py::test_nobody[4-a b]")
    assert check.pytest_node("e2e") is None
    assert check.pytest_node("lint/tidy") is None


def test_new_things_are_named():
    assert check.new_things({"link lo": ""}, {"link lo": "", "link weft0": ""}) == ["link weft0"]


def test_every_known_gap_has_a_row():
    mutants = load("mutants")
    rows = {row["id"]: row for row in mutants.read_rows()}
    for section, count in (("A", 16), ("B", 22)):
        assert {f"{section}-{i:02}" for i in range(1, count + 1)} <= set(rows)
    for row in rows.values():
        wanted = {"not_yet"} if "not_yet" in row else {"test", "shows", "change", "file", "from", "to"}
        assert set(row) == {"id", "gap"} | wanted, row["id"]


# ---- the programs' stack ---------------------------------------------------------------------------

DISASSEMBLY = """
Disassembly of section .text:

0000000000000000 <helper>:
       0:\t85 00 00 00 02 00 00 00\tcall 2
       1:\t07 02 00 00 00 00 00 00\tr2 += -{helper}
       2:\t85 10 00 00 02 00 00 00\tcall 2

0000000000000018 <unused>:
       3:\t*(u64 *)(r10 - 0x100) = r1
       4:\texit

0000000000000028 <deep>:
       5:\t*(u32 *)(r10 - 0x28) = r1

0000000000000030 <LBB2_1>:
       6:\t*(u32 *)(r10 - 0x3c) = r1
       7:\texit

Disassembly of section tc:

0000000000000000 <program>:
       0:\t*(u64 *)(r10 - 0x60) = r1
       1:\t85 10 00 00 ff ff ff ff\tcall -1
\t\t0000000000000008:  R_BPF_64_32\thelper
       2:\texit
"""


@pytest.mark.parametrize("helper, wanted", [(353, 544), (352, 512)])
def test_frames_are_counted_in_units_of_32_bytes(helper, wanted):
    functions = stack.read(DISASSEMBLY.format(helper=helper).splitlines())
    assert functions["deep"].bytes == 60
    assert max(stack.deepest(functions)) == (wanted, ("program", "helper", "deep"))
