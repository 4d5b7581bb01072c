"""The gateway under test, the words that tell the simulator behind it what to do, and a test for every provider."""

import json
import os
import time
import urllib.error
import urllib.request
import uuid

BASE_URL = os.environ["FERROGATE_BASE_URL"]
KEY = "sdk-secret"

# One model for each dialect that providers speak: see gateway.toml.
PROVIDERS = ("via-chat", "via-responses", "via-messages", "via-gemini")

ANSWER = "You said this: hello"
# What the simulated model says when the tools it called have answered.
SUMMARY = "The tools answered: hello"

# A picture of one pixel, as small as a PNG can be, and what the simulator makes of it.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
PNG_HEARD = "image/png 70 bytes"


def through_each_provider(cls):
    """Makes of each test with a parameter `model` one test for each provider's dialect, so that each fails alone."""
    for name, test in list(vars(cls).items()):
        if name.startswith("test_") and "model" in test.__code__.co_varnames[: test.__code__.co_argcount]:
            delattr(cls, name)
            for model in PROVIDERS:
                setattr(cls, f"{name}_{model.replace('-', '_')}", _of(test, model))
    return cls


def _of(test, model):
    if test.__code__.co_flags & 0x80:  # a coroutine

        async def run(self):
            await test(self, model)

    else:

        def run(self):
            test(self, model)

    return run


def prompt(directive="", words="hello"):
    """`directive` goes to the simulator: see `src/simulator/faults`."""
    return f"sim: {directive}\n{words}" if directive else words


def unique():
    """A directive that fails so many `times` counts them by its text, so every test needs its own."""
    return f"tag={uuid.uuid4().hex}"


def log_of(request_id):
    """The request's log, from the admin API. The database is a batch behind the answer, so it is asked again."""
    deadline = time.monotonic() + 10
    while (log := _admin(f"request-logs/{request_id}")) is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"there is no log of {request_id} after ten seconds")
        time.sleep(0.02)
    return log


def _admin(path):
    request = urllib.request.Request(f"{BASE_URL}/admin/v1/{path}", headers={"authorization": f"Bearer {KEY}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise
