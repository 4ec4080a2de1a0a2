# SPDX-License-Identifier: Apache-2.0
"""A strict reader of Prometheus' text format 0.0.4: it asserts what the format demands and what a scraper takes for granted."""
import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
TYPES = ("counter", "gauge", "histogram")


class Metrics(dict):
    """(name, frozenset of labels) → value, in `types` the type of each metric."""

    def __init__(self, text):
        super().__init__()
        self.types, self.order, current, helped = {}, [], None, set()
        assert text.endswith("\n")
        for line in text[:-1].split("\n"):
            if line.startswith("# HELP "):
                name = line.split(" ", 3)[2]
                assert re.fullmatch(NAME, name) and name not in helped, line
                helped.add(name)
                assert len(line.split(" ", 3)[3]) > 5, line
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name in helped and name not in self.types and kind in TYPES, line
                self.types[name] = kind
                current = name
            else:
                self._sample(line, current)
        self._check_histograms()

    def _sample(self, line, current):
        found = SAMPLE.fullmatch(line)
        assert found, line
        name, labels = found[1], dict(re.findall(LABEL, found[2] or ""))
        base = re.sub(r"_(bucket|sum|count)$", "", name) if self.types[current] == "histogram" else name
        assert base == current, f"{line} under {current}"  # all samples of a metric stand together
        assert all(labels.values()), line
        assert not (self.types[current] == "counter" and not name.endswith("_total")), line
        key = name, frozenset(labels.items())
        assert key not in self, f"twice: {line}"
        self[key] = float(found[found.re.groups])
        assert self[key] >= 0, line

    def _check_histograms(self):
        for name in (n for n, kind in self.types.items() if kind == "histogram"):
            series = {}
            for (sample, labels), value in self.items():
                if sample == name + "_bucket":
                    le = dict(labels)["le"]
                    series.setdefault(labels - {("le", le)}, []).append((math.inf if le == "+Inf" else float(le), value))
            for labels, buckets in series.items():
                assert buckets == sorted(buckets) and buckets[-1][0] == math.inf
                assert [v for _, v in buckets] == sorted(v for _, v in buckets)
                assert buckets[-1][1] == self[name + "_count", labels] and (name + "_sum", labels) in self

    def sum(self, name, **labels):
        """Of all series of NAME with these labels."""
        return sum(v for (n, of), v in self.items() if n == name and set(labels.items()) <= of)

    def counters(self):
        return {k: v for k, v in self.items() if self.types.get(k[0]) == "counter" or k[0].endswith(("_bucket", "_sum", "_count"))}
