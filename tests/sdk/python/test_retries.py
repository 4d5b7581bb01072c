"""The SDK retries by itself; the gateway's headers tell it whether, and after how long."""

import time
import unittest

import openai

from support import KEY, MODEL, CountedRequests, async_client, client, hello, unique


class Retries(unittest.TestCase):
    def test_the_wait_that_a_provider_asks_for_is_kept(self):
        began = time.monotonic()
        raw = client(max_retries=2).chat.completions.with_raw_response.create(
            model=MODEL, messages=hello(f"fault=429 retry_after=1 once {unique()}")
        )
        # The SDK's own first wait is at most half a second.
        self.assertGreaterEqual(time.monotonic() - began, 1.0)
        self.assertEqual(raw.retries_taken, 1)
        self.assertEqual(raw.parse().choices[0].message.content, "You said this: hello")

    def test_a_server_error_is_retried_until_it_passes(self):
        raw = client(max_retries=2).chat.completions.with_raw_response.create(
            model=MODEL, messages=hello(f"fault=500 times=2 {unique()}")
        )
        self.assertEqual(raw.retries_taken, 2)

    def test_a_server_error_that_stays_is_raised_in_the_end(self):
        counted = CountedRequests()
        with self.assertRaises(openai.InternalServerError) as caught:
            client(max_retries=1, http_client=counted.http).chat.completions.create(
                model=MODEL, messages=hello("fault=500")
            )
        self.assertEqual(counted.count, 2)
        self.assertEqual(caught.exception.response.headers["x-should-retry"], "true")

    def test_what_no_retry_can_help_is_asked_once(self):
        def check(key, model, directive, exception):
            counted = CountedRequests()
            with self.assertRaises(exception):
                client(api_key=key, max_retries=3, http_client=counted.http).chat.completions.create(
                    model=model, messages=hello(directive)
                )
            self.assertEqual(counted.count, 1, (model, directive))

        # These two are 5xx, which the SDK would retry if `x-should-retry: false` did not stop it.
        check(KEY, "unpaid-chat", "", openai.InternalServerError)
        check(KEY, MODEL, "fault=401", openai.InternalServerError)
        check("wrong", MODEL, "", openai.AuthenticationError)
        check(KEY, MODEL, "fault=400", openai.BadRequestError)

    def test_a_stream_that_never_began_is_retried_and_one_that_broke_is_not(self):
        stream = client(max_retries=1).chat.completions.create(
            model=MODEL, messages=hello(f"cut=role once {unique()}"), stream=True
        )
        self.assertTrue(list(stream))
        counted = CountedRequests()
        broken = client(max_retries=3, http_client=counted.http).chat.completions.create(
            model=MODEL, messages=hello("fault=cut after=1"), stream=True
        )
        with self.assertRaises(openai.APIError):
            list(broken)
        self.assertEqual(counted.count, 1)


class AsyncRetries(unittest.IsolatedAsyncioTestCase):
    async def test_a_server_error_is_retried(self):
        async with async_client(max_retries=1) as gateway:
            raw = await gateway.chat.completions.with_raw_response.create(
                model=MODEL, messages=hello(f"fault=503 once {unique()}")
            )
        self.assertEqual(raw.retries_taken, 1)
