"""message: what is a request, what is none, and what is not one yet."""

import pytest

from virt_exitstat.web.message import MOST_BYTES, BadRequestError, Page, Request, error_page, head_of, parse_request

#: As Prometheus 3.5 sends it.
PROMETHEUS = (
    b"GET /metrics HTTP/1.1\r\nHost: localhost:9000\r\nUser-Agent: Prometheus/3.5.3\r\n"
    b"Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1\r\n"
    b"Accept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n"
)


def test_what_prometheus_sends():
    assert parse_request(PROMETHEUS) == Request("/metrics", gzip=True)


def test_a_request_may_come_byte_by_byte():
    text = b"\r\n" + PROMETHEUS
    assert {parse_request(text[:end]) for end in range(len(text))} == {None}


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", Request("/")),
        (b"GET /metrics HTTP/1.1\n\n", Request("/metrics")),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", Request("/metrics", is_head=True)),
        (b"GET /metrics?name[]=x&y HTTP/1.1\r\n\r\n", Request("/metrics")),
        (b"GET http://proxied:1/metrics HTTP/1.1\r\n\r\n", Request("/metrics")),
        (b"GET http://proxied HTTP/1.1\r\n\r\n", Request("/")),
        (b"GET //metrics HTTP/1.1\r\n\r\n", Request("//metrics")),
        (b"GET //metrics/x?y HTTP/1.1\r\n\r\n", Request("//metrics/x")),
        (b"GET / HTTP/1.1\r\nA: b\r\n\r\nGET /more HTTP/1.1\r\n\r\n", Request("/")),
        (b"GET / HTTP/1.1\r\nACCEPT-encoding: deflate, GZIP ;q=0.5\r\n\r\n", Request("/", gzip=True)),
        (b"GET / HTTP/1.1\r\nAccept-Encoding: gzip;q=0\r\n\r\n", Request("/")),
        (b"GET / HTTP/1.1\r\nAccept-Encoding: gzip; q=0.00\r\n\r\n", Request("/")),
        (b"GET / HTTP/1.1\r\nAccept-Encoding: gzipped\r\n\r\n", Request("/")),
        (b"GET /\x7e HTTP/1.1\r\n\r\n", Request("/~")),
        (b"\r\nGET /metrics HTTP/1.1\r\n\r\n", Request("/metrics")),
        (b"\n\r\nGET /metrics HTTP/1.1\r\n\r\n", Request("/metrics")),
    ],
)
def test_requests(text, request_):
    assert parse_request(text) == request_


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"garbage\n", 400),
        (b"garbage\r\n\r\n", 400),
        (b"GET /metrics\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16", 400),  # TLS begins with it
        (b"SSH-2.0-OpenSSH_9.2", 400),
        (b"GET /\t", 400),
        (b"A" * 17, 400),
        (b"GET /" + b"x" * MOST_BYTES, 431),
        (b"\r\n" * MOST_BYTES, 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (MOST_BYTES // 6), 431),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_request_is_answered_as_such(text, status):
    with pytest.raises(BadRequestError) as caught:
        parse_request(text)
    assert caught.value.page.status == status


def test_a_response_says_how_long_it_is_and_that_no_other_follows():
    assert head_of(Page(b"abc", "text/x", gzip=True)) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 3\r\nContent-Encoding: gzip\r\n"
        b"Connection: close\r\n\r\n"
    )
    assert b"Allow: GET, HEAD\r\n" in head_of(error_page(405))
