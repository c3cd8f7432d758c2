"""A Prometheus that runs: what it is asked and what it answers."""

import json
import urllib.error
import urllib.parse
import urllib.request


class Prometheus:
    """The server at `url`."""

    def __init__(self, url):
        self.url = url

    def ask(self, what, **query):
        """The `data` of an answer of its API; a query that it refuses is a ValueError with its words.

        Raises OSError as long as it is not ready.
        """
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(query, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            if refused.headers.get_content_type() != "application/json":
                raise
            raise ValueError(json.load(refused)["error"]) from None

    def query(self, expr, at_s=None):
        """The samples that an instant query finds: [(labels, value)]."""
        found = self.ask("query", query=expr, **({} if at_s is None else {"time": at_s}))["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    def rules(self):
        """Each rule as it was last evaluated."""
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
