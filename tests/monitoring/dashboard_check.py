"""What is wrong with a dashboard of Grafana, as far as a Prometheus with made-up data can tell."""

import math
import re

#: What Grafana puts in by itself.
_BUILT_IN = {"__rate_interval": "1m", "__range": "10m"}


def faults_of(board, prometheus):
    """Every fault, in words: queries that are refused or find nothing, legends, variables, places."""
    variables = {one["name"]: one.get("allValue", "") for one in board["templating"]["list"]}
    used = set()

    def fill(text):
        def value(match):
            name = match.group(1)
            used.add(name)
            return _BUILT_IN.get(name) or variables.get(name, "")

        return re.sub(r"\$\{?(\w+)\}?", value, text)

    faults = [*_places(board["panels"])]
    for one in board["templating"]["list"]:
        if one["type"] == "query":
            fill(one["datasource"]["uid"])
            selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", one["query"]["query"]).groups()
            if not prometheus.ask(f"label/{label}/values", **{"match[]": fill(selector)}):
                faults.append(f"variable {one['name']} has no values")
    for panel in board["panels"]:
        for target in panel["targets"]:
            found = _asked(fill(target["expr"]), prometheus)
            faults += [f"{panel['title']}: {fault}" for fault in _query_faults(target, panel, found)]
    faults += [f"no variable {name}" for name in used - set(variables) - set(_BUILT_IN)]
    faults += [f"variable {name} is used nowhere" for name in set(variables) - used - {"datasource"}]
    return faults


def _asked(expr, prometheus):
    try:
        return prometheus.query(expr, at_s=prometheus.end_s)
    except ValueError as refused:
        return str(refused)


def _query_faults(target, panel, found):
    if {target["datasource"]["uid"], panel["datasource"]["uid"]} != {"${datasource}"}:
        yield "its data source is fixed"
    if isinstance(found, str):
        yield found
    elif not any(math.isfinite(value) for _, value in found):
        yield f"finds nothing: {target['expr']}"
    else:
        wanted = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        if panel["type"] == "table":
            wanted |= set(re.search(r"by \(([\w, ]+)\)", target["expr"]).group(1).split(", "))
        yield from (f"no label {label}" for label in sorted(wanted) if not all(label in labels for labels, _ in found))


def _places(panels):
    """Panels without words, with another's id, or in another's place."""
    for number, panel in enumerate(panels):
        if not (panel.get("title") and panel.get("description") and panel["fieldConfig"]["defaults"].get("unit")):
            yield f"panel {panel['id']}: no title, description or unit"
        for other in panels[:number]:
            if other["id"] == panel["id"]:
                yield f"id {panel['id']} twice"
            if _overlap(panel["gridPos"], other["gridPos"]):
                yield f"{panel['title']} overlaps {other['title']}"
        if panel["gridPos"]["x"] + panel["gridPos"]["w"] > 24:
            yield f"{panel['title']} is wider than the page"


def _overlap(one, other):
    return all(
        one[start] < other[start] + other[length] and other[start] < one[start] + one[length]
        for start, length in (("x", "w"), ("y", "h"))
    )
