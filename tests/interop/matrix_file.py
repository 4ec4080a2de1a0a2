# SPDX-License-Identifier: Apache-2.0
"""What was seen, as rows for docs/interoperability.md: a fact is a value in a table at a row, a column and a TLS version."""
import json
import pathlib


class Matrix:
    def __init__(self):
        self.facts = []

    def add(self, table, row, column, value, version=""):
        self.facts.append([table, row, column, version, value])

    def save(self, path):
        path.write_text("".join(json.dumps(fact) + "\n" for fact in self.facts))


def load(path):
    """table → row → column → version → value"""
    tables = {}
    for line in pathlib.Path(path).read_text().splitlines():
        table, row, column, version, value = json.loads(line)
        tables.setdefault(table, {}).setdefault(row, {}).setdefault(column, {})[version] = value
    return tables


def cell(values):
    """One value if it does not depend on the version, else each with its version."""
    text = lambda value: value.replace("|", "\\|").replace("<", "&lt;")
    if len(set(values.values())) == 1:
        return text(next(iter(values.values())))
    return "; ".join(f"{version}: {text(value)}" for version, value in sorted(values.items()))


def markdown(rows, corner):
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    out = [f"| {corner} | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + 1)]
    for name, row in rows.items():
        out.append(f"| {name} | " + " | ".join(cell(row[c]) if c in row else "not tried" for c in columns) + " |")
    return "\n".join(out) + "\n"
