"""Chat completions: whole, streamed, with tools, from both of the SDK's clients."""

import asyncio
import json
import unittest

from support import MODEL, async_client, client, hello, log_of

ANSWER = "You said this: hello"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather at a place.",
            "parameters": {
                "type": "object",
                "properties": {"place": {"type": "string"}, "days": {"type": "integer"}},
                "required": ["place", "days"],
            },
        },
    }
]


class Chat(unittest.TestCase):
    def test_an_answer_comes_with_its_usage(self):
        answer = client().chat.completions.create(model=MODEL, messages=hello())
        self.assertEqual(answer.object, "chat.completion")
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertEqual(answer.choices[0].message.content, ANSWER)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertGreater(answer.usage.prompt_tokens, 0)
        self.assertEqual(
            answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens
        )

    def test_the_answers_model_is_the_providers_own(self):
        answer = client().chat.completions.create(model=MODEL, messages=hello())
        self.assertEqual(answer.model, "gpt-4o-mini")

    def test_fields_the_gateway_does_not_know_reach_the_provider(self):
        answer = client().chat.completions.create(
            model=MODEL, messages=hello(), temperature=0.2, extra_body={"not_a_field_of_ours": {"a": [1]}}
        )
        self.assertEqual(answer.choices[0].message.content, ANSWER)

    def test_a_stream_says_the_same_and_reports_no_usage_unasked(self):
        stream = client().chat.completions.create(model=MODEL, messages=hello(), stream=True)
        chunks = list(stream)
        self.assertEqual(text_of(chunks), ANSWER)
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        self.assertEqual(chunks[-1].choices[0].finish_reason, "stop")
        for chunk in chunks:
            self.assertTrue(chunk.choices, "a chunk without choices breaks clients that did not ask for usage")
            self.assertIsNone(chunk.usage)

    def test_usage_that_was_asked_for_comes_in_the_last_chunk(self):
        whole = client().chat.completions.create(model=MODEL, messages=hello())
        stream = client().chat.completions.create(
            model=MODEL, messages=hello(), stream=True, stream_options={"include_usage": True}
        )
        *before, last = list(stream)
        self.assertEqual(text_of(before), ANSWER)
        self.assertEqual(last.choices, [])
        self.assertEqual(last.usage, whole.usage)
        self.assertTrue(all(chunk.usage is None for chunk in before))

    def test_usage_that_was_declined_stays_hidden(self):
        stream = client().chat.completions.create(
            model=MODEL, messages=hello(), stream=True, stream_options={"include_usage": False}
        )
        self.assertTrue(all(chunk.choices and chunk.usage is None for chunk in stream))

    def test_a_hidden_usage_is_metered_all_the_same(self):
        raw = client().chat.completions.with_raw_response.create(
            model=MODEL, messages=hello("tokens=7"), stream=True
        )
        list(raw.parse())
        log = log_of(raw.headers["x-request-id"])
        self.assertEqual(log["usage_source"], "provider")
        self.assertEqual(log["tokens"]["output"], 7)
        self.assertTrue(log["stream"])

    def test_tool_calls_come_whole(self):
        answer = client().chat.completions.create(model=MODEL, messages=hello("fault=tools"), tools=TOOLS)
        self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
        self.assertIsNone(answer.choices[0].message.content)
        (call,) = answer.choices[0].message.tool_calls
        self.check_call(call.function.name, call.function.arguments)

    def test_tool_calls_come_in_pieces(self):
        stream = client().chat.completions.create(
            model=MODEL, messages=hello("fault=tools"), tools=TOOLS, stream=True
        )
        names, arguments, pieces, reason = {}, {}, 0, None
        for chunk in stream:
            (choice,) = chunk.choices
            reason = choice.finish_reason or reason
            for call in choice.delta.tool_calls or []:
                names[call.index] = names.get(call.index) or call.function.name
                arguments[call.index] = arguments.get(call.index, "") + call.function.arguments
                pieces += 1
        self.assertEqual(reason, "tool_calls")
        self.assertGreater(pieces, 1)
        self.check_call(names[0], arguments[0])

    def test_the_sdks_own_stream_helper_puts_tool_calls_together(self):
        with client().chat.completions.stream(
            model=MODEL, messages=hello("fault=tools"), tools=TOOLS
        ) as stream:
            final = stream.get_final_completion()
        (call,) = final.choices[0].message.tool_calls
        self.check_call(call.function.name, call.function.arguments)

    def check_call(self, name, arguments):
        self.assertEqual(name, "weather")
        self.assertEqual(set(json.loads(arguments)), {"place", "days"})


class AsyncChat(unittest.IsolatedAsyncioTestCase):
    async def test_whole_answers_side_by_side(self):
        async with async_client() as gateway:
            answers = await asyncio.gather(
                *(gateway.chat.completions.create(model=MODEL, messages=hello()) for _ in range(20))
            )
        self.assertEqual({answer.choices[0].message.content for answer in answers}, {ANSWER})

    async def test_streams_side_by_side(self):
        async def read(gateway):
            stream = await gateway.chat.completions.create(model=MODEL, messages=hello("delay_ms=5"), stream=True)
            return text_of([chunk async for chunk in stream])

        async with async_client() as gateway:
            texts = await asyncio.gather(*(read(gateway) for _ in range(20)))
        self.assertEqual(set(texts), {ANSWER})

    async def test_a_stream_that_is_left_early_is_recorded_as_that(self):
        async with async_client() as gateway:
            raw = await gateway.chat.completions.with_raw_response.create(
                model=MODEL, messages=hello("tokens=1000 delay_ms=20"), stream=True
            )
            stream = raw.parse()
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    break
            await stream.close()
        log = log_of(raw.headers["x-request-id"])
        self.assertEqual(log["outcome"], "client_gone")
        self.assertEqual(log["usage_source"], "partial")
        self.assertLess(log["tokens"]["output"], 1000)


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
