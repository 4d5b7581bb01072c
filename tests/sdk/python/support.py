"""OpenAI's clients of the gateway under test, and the helpers that its tests have from before."""

import functools

import openai

from gateway import BASE_URL, KEY, log_of, prompt, unique  # noqa: F401

MODEL = "fast-chat"

# No retries unless a test asks for them: a test that expects an error must see the first one.
DEFAULTS = {"base_url": f"{BASE_URL}/v1", "api_key": KEY, "max_retries": 0, "timeout": 20.0}


@functools.cache
def client(**options):
    """One for all tests with the same options: to read the system's certificates takes a client a tenth of a second."""
    return openai.OpenAI(**{**DEFAULTS, **options})


def async_client(**options):
    return openai.AsyncOpenAI(**{**DEFAULTS, **options})


def hello(directive=""):
    """One user message. `directive` goes to the simulator: see `ferrogate mock --help`."""
    return [{"role": "user", "content": prompt(directive)}]


class CountedRequests:
    """An HTTP client that counts what the SDK really sends, its own retries included."""

    def __init__(self):
        self.count = 0
        self.http = openai.DefaultHttpx2Client(event_hooks={"request": [self._sent]})

    def _sent(self, _request):
        self.count += 1
