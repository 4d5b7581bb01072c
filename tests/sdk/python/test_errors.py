"""Every refusal is the exception that the SDK's users expect, with a code and the id to ask the operator about."""

import unittest

import openai

from support import MODEL, client, hello


class Refusals(unittest.TestCase):
    def check(self, exception, status, code, ask):
        with self.assertRaises(exception) as caught:
            ask()
        error = caught.exception
        self.assertEqual(error.status_code, status)
        self.assertEqual(error.code, code)
        self.assertEqual(error.request_id, error.response.headers["x-request-id"])
        self.assertTrue(error.body["message"])
        self.assertEqual(set(error.body), {"message", "type", "param", "code", "request_id"})
        self.assertEqual(error.body["request_id"], error.request_id)
        return error

    def ask(self, directive="", *, key="sdk-secret", model=MODEL, **fields):
        return lambda: client(api_key=key).chat.completions.create(
            model=model, messages=hello(directive), **fields
        )

    def test_keys_that_are_wrong(self):
        self.check(openai.AuthenticationError, 401, "invalid_api_key", self.ask(key="wrong"))
        self.check(openai.PermissionDeniedError, 403, "api_key_disabled", self.ask(key="switched-off-secret"))

    def test_keys_that_are_absent(self):
        unsigned = {"Authorization": openai.Omit()}
        self.check(openai.AuthenticationError, 401, "missing_api_key", self.ask(extra_headers=unsigned))

    def test_keys_that_may_not(self):
        self.check(openai.PermissionDeniedError, 403, "model_not_allowed", self.ask(key="narrow-secret"))
        narrow = client(api_key="narrow-secret")
        error = self.check(
            openai.PermissionDeniedError,
            403,
            "scope_denied",
            lambda: narrow.embeddings.create(model="embed", input="a gate"),
        )
        self.assertIn("embeddings.create", error.body["message"])

    def test_models_and_paths_that_are_not_there(self):
        self.check(openai.NotFoundError, 404, "model_not_found", self.ask(model="no-such-model"))
        self.check(
            openai.NotFoundError, 404, "route_not_found", lambda: client().images.generate(prompt="a gate")
        )

    def test_fields_that_are_wrong(self):
        error = self.check(
            openai.BadRequestError, 400, "invalid_request", self.ask(extra_body={"stream": "yes"})
        )
        self.assertEqual(error.param, "stream")

    def test_a_limit_that_is_used_up(self):
        limited = client(api_key="limited-secret")
        ask = lambda: limited.chat.completions.with_raw_response.create(model=MODEL, messages=hello())
        self.assertEqual([remaining(ask()), remaining(ask())], ["1", "0"])
        error = self.check(openai.RateLimitError, 429, "rate_limit_exceeded", ask)
        headers = error.response.headers
        self.assertTrue(1 <= int(headers["retry-after"]) <= 61, headers["retry-after"])
        self.assertEqual(headers["x-ratelimit-limit-requests"], "2")
        self.assertEqual(remaining(error.response), "0")

    def test_a_providers_own_errors_keep_their_status(self):
        check = lambda status, exception: self.assertEqual(
            self.failed(f"fault={status}", exception).status_code, status
        )
        check(400, openai.BadRequestError)
        check(404, openai.NotFoundError)
        check(409, openai.ConflictError)
        check(422, openai.UnprocessableEntityError)
        check(429, openai.RateLimitError)
        check(500, openai.InternalServerError)
        check(503, openai.InternalServerError)

    def test_a_refused_provider_credential_is_not_the_clients(self):
        for status in (401, 403):
            self.check(
                openai.InternalServerError, 502, "provider_credential_refused", self.ask(f"fault={status}")
            )

    def failed(self, directive, exception):
        with self.assertRaises(exception) as caught:
            self.ask(directive)()
        return caught.exception


class BrokenAnswers(unittest.TestCase):
    def stream(self, directive):
        return client().chat.completions.create(model=MODEL, messages=hello(directive), stream=True)

    def test_a_stream_that_breaks_raises_after_what_was_said(self):
        for directive, code in [
            ("fault=cut after=2", "provider_protocol_error"),
            ("fault=stall after=2", "provider_stalled"),
            ("fault=malformed after=2 delay_ms=20", "provider_protocol_error"),
        ]:
            with self.subTest(directive):
                text = ""
                with self.assertRaises(openai.APIError) as caught:
                    for chunk in self.stream(directive):
                        text += chunk.choices[0].delta.content or ""
                self.assertEqual(text, "You said")
                self.assertEqual(caught.exception.code, code)
                self.assertTrue(caught.exception.body["request_id"])

    def test_a_providers_error_in_its_stream_raises_with_its_own_words(self):
        with self.assertRaises(openai.APIError) as caught:
            list(self.stream("fault=json_error after=2"))
        self.assertIn("simulated", caught.exception.message.lower())

    def test_a_stream_that_breaks_before_it_said_anything_is_an_error_with_a_status(self):
        for directive in ("cut=role", "fault=json_error after=0"):
            with self.subTest(directive):
                with self.assertRaises(openai.InternalServerError) as caught:
                    self.stream(directive)
                self.assertEqual(caught.exception.status_code, 502)

    def test_a_whole_answer_that_is_cut_is_an_error(self):
        with self.assertRaises(openai.InternalServerError) as caught:
            client().chat.completions.create(model=MODEL, messages=hello("fault=cut"))
        self.assertEqual(caught.exception.code, "provider_protocol_error")

    def test_a_client_that_waits_no_longer_gets_its_own_time_out(self):
        with self.assertRaises(openai.APITimeoutError):
            client(timeout=0.3).chat.completions.create(model=MODEL, messages=hello("ttft_ms=5000"))


def remaining(answer):
    return answer.headers["x-ratelimit-remaining-requests"]
