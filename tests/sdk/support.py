"""Clients of the gateway under test, and the words that tell the simulator behind it what to do."""

import json
import os
import time
import urllib.error
import urllib.request
import uuid

import openai

BASE_URL = os.environ["FERROGATE_BASE_URL"]
KEY = "sdk-secret"
MODEL = "fast-chat"

# No retries unless a test asks for them: a test that expects an error must see the first one.
DEFAULTS = {"base_url": f"{BASE_URL}/v1", "api_key": KEY, "max_retries": 0, "timeout": 20.0}


def client(**options):
    return openai.OpenAI(**{**DEFAULTS, **options})


def async_client(**options):
    return openai.AsyncOpenAI(**{**DEFAULTS, **options})


def hello(directive=""):
    """One user message. `directive` goes to the simulator: see `ferrogate mock --help`."""
    return [{"role": "user", "content": prompt(directive)}]


def prompt(directive=""):
    return f"sim: {directive}\nhello" if directive else "hello"


def unique():
    """A directive that fails so many `times` counts them by its text, so every test needs its own."""
    return f"tag={uuid.uuid4().hex}"


def log_of(request_id):
    """The request's log, from the admin API. The database is a batch behind the answer, so it is asked again."""
    deadline = time.monotonic() + 10
    while (log := read_log(request_id)) is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"there is no log of {request_id} after ten seconds")
        time.sleep(0.02)
    return log


def read_log(request_id):
    url = f"{BASE_URL}/admin/v1/request-logs/{request_id}"
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {KEY}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


class CountedRequests:
    """An HTTP client that counts what the SDK really sends, its own retries included."""

    def __init__(self):
        self.count = 0
        self.http = openai.DefaultHttpx2Client(event_hooks={"request": [self._sent]})

    def _sent(self, _request):
        self.count += 1
