"""The responses API: whole and streamed, from both of the SDK's clients."""

import unittest

from support import MODEL, async_client, client, prompt

ANSWER = "You said this: hello"


class Responses(unittest.TestCase):
    def test_an_answer_comes_with_its_usage(self):
        answer = client().responses.create(model=MODEL, input="hello")
        self.assertEqual(answer.status, "completed")
        self.assertEqual(answer.output_text, ANSWER)
        self.assertGreater(answer.usage.input_tokens, 0)
        self.assertEqual(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens)

    def test_a_stream_is_numbered_and_ends_with_the_whole_answer(self):
        events = list(client().responses.create(model=MODEL, input="hello", stream=True))
        self.assertEqual(events[0].type, "response.created")
        self.assertEqual([event.sequence_number for event in events], list(range(len(events))))
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        self.assertEqual("".join(deltas), ANSWER)
        self.assertEqual(events[-1].type, "response.completed")
        self.assertEqual(events[-1].response.output_text, ANSWER)
        self.assertGreater(events[-1].response.usage.output_tokens, 0)

    def test_the_sdks_own_stream_helper_puts_the_answer_together(self):
        with client().responses.stream(model=MODEL, input="hello") as stream:
            self.assertEqual(stream.get_final_response().output_text, ANSWER)

    def test_a_stream_that_breaks_ends_as_failed_and_never_as_completed(self):
        for directive, code in [
            ("fault=cut after=2", "provider_protocol_error"),
            ("fault=stall after=2", "provider_stalled"),
        ]:
            with self.subTest(directive):
                events = list(client().responses.create(model=MODEL, input=prompt(directive), stream=True))
                self.assertEqual(events[-1].type, "response.failed")
                self.assertEqual(events[-1].response.status, "failed")
                self.assertEqual(events[-1].response.error.code, code)
                self.assertEqual(events[-1].sequence_number, events[-2].sequence_number + 1)
                self.assertNotIn("response.completed", {event.type for event in events})

    def test_the_stream_helper_gives_no_final_answer_for_a_stream_that_broke(self):
        with client().responses.stream(model=MODEL, input=prompt("fault=cut after=2")) as stream:
            with self.assertRaises(RuntimeError):
                stream.get_final_response()


class AsyncResponses(unittest.IsolatedAsyncioTestCase):
    async def test_whole_and_streamed(self):
        async with async_client() as gateway:
            whole = await gateway.responses.create(model=MODEL, input="hello")
            stream = await gateway.responses.create(model=MODEL, input="hello", stream=True)
            events = [event async for event in stream]
        self.assertEqual(whole.output_text, ANSWER)
        self.assertEqual(events[-1].response.output_text, ANSWER)
