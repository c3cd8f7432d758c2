"""docs/fleet.md: each of its queries is one of promtool's tests, and finds something in a real Prometheus."""

import re

import pytest
import yaml

from made_up_world import HERE

PAGE = (HERE.parents[1] / "docs/fleet.md").read_text()
QUERIES = [" ".join(query.split()) for query in re.findall(r"^```promql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]


def queries_of_promtools_tests():
    """The expressions of promtool's tests that must find something, without what rounds them."""
    (world,) = yaml.safe_load((HERE / "fleet.test.yml").read_text())["tests"]
    for case in world["promql_expr_test"]:
        assert case["exp_samples"], case["expr"]
        (inner,) = re.fullmatch(r"round\((.*), 0\.001\)", " ".join(case["expr"].split())).groups()
        yield inner.strip()


def test_the_pages_queries_are_those_that_promtool_tests():
    assert len(QUERIES) > 10
    assert [*queries_of_promtools_tests()] == QUERIES


def test_all_queries_of_the_page_are_marked_as_such():
    """One in a block without the mark would be tested by nobody."""
    assert PAGE.count("```") == 2 * len(QUERIES)
    indented = re.findall(r"^    .*", PAGE, re.MULTILINE)
    assert [line for line in indented if re.search(r"\b(sum|topk|rate|increase)\b.*\(", line)] == []


# Records of an hour ago, or a day's, are promtool's: this Prometheus has just begun to record.
@pytest.mark.parametrize("query", [query for query in QUERIES if "offset 1h" not in query])
def test_a_prometheus_finds_something(prometheus, query):
    assert prometheus.query(query) != []
