# SPDX-License-Identifier: Apache-2.0
"""Each lint finds what it is there for, in a tree of one bad file, and nothing in a good one."""
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
BAN = '#include "base/ban.h"\n'
GOOD = SPDX + '#include "base/x.h"\n\n' + BAN + "\nvoid x_do(void)\n{\n}\n"
TODAY = "TO" "DO"

CASES = [
    ("layers", "src/io/x.c", '#include "tls/y.h"\n', "src/io/x.c:1: io may not include tls/y.h; it may: base"),
    ("layers", "src/io/x.c", '\n\n#include <openssl/ssl.h>\n', "src/io/x.c:3: only src/crypto/ and"),
    ("layers", "src/tls/x.c", "#include <openssl/ssl.h>\n", "src/tls/x.c:1: only src/crypto/ and"),
    ("layers", "src/tls/x.c", "#include <intel-ipsec-mb.h>\n", "src/tls/x.c:1: only src/crypto/ and"),
    ("layers", "src/pki/x.h", '#include "x.h"\n', "src/pki/x.h:1: \"x.h\": includes are spelled with the layer"),
    ("layers", "src/cli/x.c", '#include "role/role.h"\n', "src/cli/x.c:1: cli may not include role/role.h"),
    ("layers", "src/role/x.c", '#include "cli/commands.h"\n', "src/role/x.c:1: role may not include cli/"),
    ("layers", "src/new/x.c", "\n", "src/new/x.c:1: src/new is no layer"),
    ("limits", "src/io/x.c", "void x_do(void)\n{\n" + "    ;\n" * 68 + "}\n", "src/io/x.c:1: x_do has 71 lines"),
    ("limits", "tests/unit/x.c", "TEST(x)\n{\n" + "    ;\n" * 68 + "}\n", "tests/unit/x.c:1: test_x has 71 lines"),
    ("limits", "src/io/x.c", "void x_do(int a, int b, int c, int d, int e, void (*f)(int, int), int g)\n{\n}\n",
     "src/io/x.c:1: x_do has 7 parameters"),
    ("limits", "src/io/x.c", "\n" * 1001, "src/io/x.c:1: x.c has 1001 lines"),
    ("limits", "src/io/x.h", "\n" * 251, "src/io/x.h:1: x.h has 251 lines"),
    ("limits", "tests/lint/allow.txt", "limits src/x.c f long\n", "allow.txt:1: stale"),
    ("names", "src/io/x.c", "static void a(void)\n{\n}\nvoid y_do(void)\n{\n}\n", "src/io/x.c:4: external function y_do"),
    ("names", "src/tls/tls.c", "void tls_do(void)\n{\n}\n", "src/tls/tls.c:1: tls_do: symbols that begin"),
    ("names", "tests/lint/allow.txt", "names src/x.c f\n", "allow.txt:1: an exception needs a reason"),
    ("names", "tests/lint/allow.txt", "names src/x.c f gone\n", "allow.txt:1: stale"),
    ("headers", "src/io/x.h", "#pragma once\nstruct x { uint8_t n; };\n", "src/io/x.h:1: does not compile alone"),
    ("text", "src/io/x.c", SPDX + BAN + f"/* {TODAY}: x */\n", f"src/io/x.c:3: '{TODAY}': finish it"),
    ("text", "docs/x.md", "see /ho" "me/me/x\n", "docs/x.md:1: '/ho" "me/': a path of somebody's machine"),
    ("text", "src/io/x.c", BAN, "src/io/x.c:1: no SPDX-License-Identifier"),
    ("text", "src/io/x.c", SPDX + BAN + '#include "io/x.h"\n', 'src/io/x.c:3: the last include is "base/ban.h"'),
    ("text", "src/io/x.c", SPDX + BAN + "int x; // no\n", "src/io/x.c:3: '; //': comments are"),
    ("text", "src/io/x.c", SPDX + BAN + "int x; \n", "src/io/x.c:3: '': space at the end"),
    ("format", "src/io/x.c", SPDX + "int  x;\n", "src/io/x.c:2: not as clang-format lays it out"),
]


def run(lint, root):
    return subprocess.run([HERE / f"{lint}.py", root], capture_output=True, text=True)


def write(root, path, text):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.mark.parametrize("lint,path,text,message", CASES, ids=[f"{case[0]}-{i}" for i, case in enumerate(CASES)])
def test_a_fault_is_found(tmp_path, lint, path, text, message):
    write(tmp_path, ".clang-format", (HERE.parents[1] / ".clang-format").read_text())
    write(tmp_path, path, text)
    result = run(lint, tmp_path)
    assert message in result.stdout and result.returncode == 1, result


@pytest.mark.parametrize("lint", ["layers", "limits", "names", "headers", "text", "format"])
def test_a_good_tree_has_no_faults(tmp_path, lint):
    write(tmp_path, ".clang-format", (HERE.parents[1] / ".clang-format").read_text())
    write(tmp_path, "src/base/x.c", GOOD)
    write(tmp_path, "src/base/x.h", SPDX + "#pragma once\n\nvoid x_do(void);\n")
    result = run(lint, tmp_path)
    assert (result.stdout, result.returncode) == ("", 0), result


def test_an_exception_is_granted(tmp_path):
    write(tmp_path, "tests/lint/allow.txt", "# comment\nnames src/io/*.c y_* a reason\n")
    write(tmp_path, "src/io/x.c", "void y_do(void)\n{\n}\n")
    write(tmp_path, "src/io/z.h", "")
    write(tmp_path, "src/io/z_variant.c", "void z_do(void)\n{\n}\n")
    result = run("names", tmp_path)
    assert (result.stdout, result.returncode) == ("", 0), result
