"""What an answer's headers say, as the SDK shows them."""

import unittest
import uuid

from support import MODEL, client, hello, log_of


class Headers(unittest.TestCase):
    def test_the_request_id_is_a_time_ordered_uuid_and_leads_to_the_request_log(self):
        raw = client().chat.completions.with_raw_response.create(model=MODEL, messages=hello())
        request_id = raw.headers["x-request-id"]
        self.assertEqual(raw.request_id, request_id)
        self.assertEqual(raw.parse()._request_id, request_id)
        self.assertEqual(uuid.UUID(request_id).version, 7)
        log = log_of(request_id)
        self.assertEqual(log["trace_id"], raw.headers["x-trace-id"])
        self.assertEqual((log["api_key_id"], log["model"], log["status"]), ("sdk", MODEL, 200))

    def test_who_answered_and_what_it_took(self):
        raw = client().chat.completions.with_raw_response.create(model=MODEL, messages=hello())
        self.assertEqual(raw.headers["x-ferrogate-provider"], "simulator")
        self.assertEqual(raw.headers["x-ferrogate-model"], "gpt-4o-mini")
        self.assertEqual(raw.headers["x-ferrogate-attempts"], "1")
        self.assertGreater(int(raw.headers["x-ferrogate-overhead-us"]), 0)
        self.assertIn("provider;dur=", raw.headers["server-timing"])

    def test_a_clients_own_request_id_stands_beside_ours(self):
        own = f"mine-{uuid.uuid4()}"
        raw = client().chat.completions.with_raw_response.create(
            model=MODEL, messages=hello(), extra_headers={"x-request-id": own}
        )
        self.assertNotEqual(raw.request_id, own)
        self.assertEqual(log_of(raw.request_id)["client_request_id"], own)

    def test_a_key_without_a_limit_gets_no_limit_headers(self):
        raw = client().models.with_raw_response.list()
        self.assertFalse([name for name in raw.headers if name.startswith("x-ratelimit-")])

    def test_the_limit_headers_are_openais(self):
        raw = client(api_key="roomy-secret").chat.completions.with_raw_response.create(
            model=MODEL, messages=hello()
        )
        self.assertEqual(raw.headers["x-ratelimit-limit-requests"], "1000")
        self.assertEqual(raw.headers["x-ratelimit-remaining-requests"], "999")
        self.assertRegex(raw.headers["x-ratelimit-reset-requests"], r"^(\d+m)?(\d+s|\d+m?s|\d+\.\d+s)$")
