#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""options [--write] BINARY: the lists of options in sallyport.8 are what BINARY tells with --help.

Between `.\\" options: COMMAND` and `.\\" end` stands what this writes; everything else is written by hand. Without --write, a
difference is an error.
"""
import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path(__file__).with_name("sallyport.8")
LIST = re.compile(r'(\.\\" options: (.*)\n)(?s:.*?)(\.\\" end\n)')
# "  -c, --config FILE           the rest"; a flag has no word one space behind its name
OPTION = re.compile(r"^  (?:(-\w), )?(--[\w-]+)(?: (\S+))? +(\S.*)$", re.M)
COMMAND = re.compile(r"^  ([\w-]+)  +\S", re.M)


def tell(binary, *command):
    """What BINARY COMMAND --help prints."""
    return subprocess.run([binary, *command, "--help"], check=True, capture_output=True, encoding="utf-8").stdout


def commands(binary, *command):
    """Each command that can be given, as (its words, its help)."""
    text = tell(binary, *command)
    if " COMMAND" not in text.splitlines()[0]:
        return [(" ".join(command), text)]
    return [found for name in COMMAND.findall(text) for found in commands(binary, *command, name)]


def roff(text):
    """TEXT for a page in ASCII, in which a hyphen is one."""
    text = text.replace("\\", "\\e").replace("~", "\\(ti").replace("^", "\\(ha").replace("…", "\\&...")
    return "".join(c if ord(c) < 0x80 else f"\\[u{ord(c):04X}]" for c in text)


def bold(text):
    return "\\fB" + roff(text).replace("-", "\\-") + "\\fR"


def show_value(value):
    """Words to choose from are typed as they stand; anything else stands for what is typed."""
    if "|" in value:
        return " " + "|".join(map(bold, value.split("|")))
    return f" \\fI{roff(value)}\\fR" if value else ""


def show_options(text):
    """The options of a --help as paragraphs of man(7)."""
    return "".join(f".TP\n{bold(letter) + ', ' if letter else ''}{bold(name)}{show_value(value)}\n{roff(about)}\n"
                   for letter, name, value, about in OPTION.findall(text))


def renew(page, told):
    """PAGE with the lists that TOLD, command → help, makes."""
    return LIST.sub(lambda m: m[1] + show_options(told[m[2]]) + m[3], page)


def main(binary, write):
    page = PAGE.read_text()
    current = renew(page, dict(commands(binary)))
    if write:
        PAGE.write_text(current)
    elif page != current:
        sys.exit(f"{PAGE} is out of date; docs/man/options.py --write {binary} makes its lists of options anew")


if __name__ == "__main__":
    main(sys.argv[-1], "--write" in sys.argv)
