"""Chat completions of OpenAI's client, through a provider of every dialect."""

import asyncio
import json
import unittest
from typing import Literal

import openai
import pydantic

from gateway import ANSWER, PNG, PNG_HEARD, SUMMARY, log_of, prompt, through_each_provider, unique
from support import async_client, client, hello


class Weather(pydantic.BaseModel):
    place: str
    sky: Literal["cloudy", "clear"]
    days: int
    hours: list[int]


def tool(name, **properties):
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": name, "parameters": parameters}}


TOOLS = [tool("weather", place={"type": "string"}, days={"type": "integer"}), tool("clock", place={"type": "string"})]
REFUSAL = "I cannot help with that."
ARGUMENTS = {"weather": {"place": "hello", "days": 7}, "clock": {"place": "hello"}}


def ask(model, directive="", **fields):
    return client().chat.completions.create(**{"model": model, "messages": hello(directive), **fields})


def heard(model, messages, **fields):
    """What the provider understood, in words that are the same for all dialects."""
    answer = client().chat.completions.create(model=model, messages=messages, **fields)
    return json.loads(answer.choices[0].message.content)


def described(words="hello"):
    return {"role": "user", "content": prompt("describe", words)}


@through_each_provider
class Answers(unittest.TestCase):
    def test_whole_with_usage(self, model):
        answer = ask(model)
        self.assertEqual(answer.choices[0].message.content, ANSWER)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertTrue(answer.id.startswith("chatcmpl-"), answer.id)
        self.assertEqual(answer.usage.completion_tokens, 4)
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + 4)

    def test_streamed_with_usage(self, model):
        stream = ask(model, stream=True, stream_options={"include_usage": True})
        *chunks, last = list(stream)
        deltas = [chunk.choices[0].delta.content or "" for chunk in chunks]
        self.assertEqual("".join(deltas), ANSWER)
        self.assertGreater(len([delta for delta in deltas if delta]), 1, "it came in one piece")
        self.assertEqual(chunks[-1].choices[0].finish_reason, "stop")
        self.assertEqual(len({chunk.id for chunk in chunks}), 1)
        self.assertEqual(last.usage, ask(model).usage)

    def test_streamed_without_usage_has_only_chunks_with_a_choice(self, model):
        for chunk in ask(model, stream=True):
            self.assertTrue(chunk.choices)
            self.assertIsNone(chunk.usage)

    def test_cached_and_reasoning_tokens(self, model):
        usage = ask(model, "cached=50 reasoning=3").usage
        self.assertEqual(usage.prompt_tokens_details.cached_tokens, 50)
        self.assertGreater(usage.prompt_tokens, 50)
        self.assertEqual(usage.completion_tokens, 7)
        # Anthropic counts thoughts as output and does not say how many they were.
        if model != "via-messages":
            self.assertEqual(usage.completion_tokens_details.reasoning_tokens, 3)

    def test_a_limit_that_is_reached(self, model):
        answer = ask(model, "tokens=100", max_completion_tokens=20)
        self.assertEqual(answer.usage.completion_tokens, 20)
        self.assertEqual(answer.choices[0].finish_reason, "length")
        *_, last = ask(model, "tokens=100", max_tokens=20, stream=True)
        self.assertEqual(last.choices[0].finish_reason, "length")

    def test_a_refusal(self, model):
        choice = ask(model, "refuse").choices[0]
        if model == "via-gemini":
            # It says nothing when it refuses.
            self.assertEqual(choice.finish_reason, "content_filter")
            self.assertFalse(choice.message.content)
            return
        if model == "via-messages":
            # To Anthropic a refusal is a reason to end, and its words are the answer's.
            self.assertEqual((choice.finish_reason, choice.message.content), ("content_filter", REFUSAL))
            return
        self.assertEqual(choice.message.refusal, REFUSAL)

    def test_a_filtered_answer(self, model):
        # Anthropic has no other filter than its refusals.
        self.assertEqual(ask(model, "filter").choices[0].finish_reason, "content_filter")

    def test_the_models_name_is_the_providers(self, model):
        raw = client().chat.completions.with_raw_response.create(model=model, messages=hello())
        self.assertEqual(raw.parse().model, raw.headers["x-ferrogate-model"])
        self.assertEqual(raw.headers["x-ferrogate-provider"], model.removeprefix("via-"))


@through_each_provider
class Requests(unittest.TestCase):
    def test_who_said_what(self, model):
        told = heard(
            model,
            [
                {"role": "system", "content": "Be short."},
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": "second"},
                described("third"),
            ],
        )
        self.assertEqual(told["system"], ["Be short."])
        self.assertEqual([turn["role"] for turn in told["turns"]], ["user", "assistant", "user"])
        self.assertEqual([turn["text"] for turn in told["turns"][:2]], ["first", "second"])

    def test_controls(self, model):
        told = heard(model, [described()], temperature=0.5, max_completion_tokens=1000)
        self.assertEqual((told["temperature"], told["max_tokens"]), (0.5, 1000))
        self.assertEqual(heard(model, [described()], top_p=0.25)["top_p"], 0.25)

    def test_stop_sequences(self, model):
        if model == "via-responses":
            with self.assertRaises(openai.BadRequestError) as caught:
                ask(model, stop=["END"])
            self.assertEqual((caught.exception.code, caught.exception.param), ("unsupported_parameter", "stop"))
            return
        self.assertEqual(heard(model, [described()], stop=["END"])["stop"], ["END"])

    def test_a_control_that_a_provider_has_not_is_named(self, model):
        raw = client().chat.completions.with_raw_response.create(model=model, messages=hello(), seed=7)
        dropped = raw.headers.get("x-ferrogate-dropped-params", "")
        self.assertEqual("seed" in dropped, model in ("via-responses", "via-messages"))

    def test_several_answers_where_a_provider_gives_them(self, model):
        if model in ("via-chat", "via-gemini"):
            self.assertEqual([choice.index for choice in ask(model, n=2).choices], [0, 1])
            return
        with self.assertRaises(openai.BadRequestError) as caught:
            ask(model, n=2)
        self.assertEqual((caught.exception.code, caught.exception.param), ("unsupported_parameter", "n"))

    def test_a_picture(self, model):
        content = [
            {"type": "text", "text": prompt("describe", "what is it?")},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        ]
        told = heard(model, [{"role": "user", "content": content}])
        self.assertEqual(told["turns"][-1]["images"], [PNG_HEARD])

    def test_reasoning_effort(self, model):
        told = heard(model, [described()], reasoning_effort="low", max_completion_tokens=8000)
        self.assertTrue(told["effort"] == "low" or told["budget"] > 0, told)

    def test_an_answer_in_a_schema(self, model):
        for messages in (hello(), hello("reasoning=2")):
            answer = client().chat.completions.parse(model=model, messages=messages, response_format=Weather)
            parsed = answer.choices[0].message.parsed
            self.assertEqual(parsed.place, "hello")
            self.assertEqual((parsed.sky, parsed.days, parsed.hours), ("cloudy", 7, [7]))

    def test_an_answer_in_a_schema_streamed(self, model):
        with client().chat.completions.stream(model=model, messages=hello(), response_format=Weather) as stream:
            parsed = stream.get_final_completion().choices[0].message.parsed
        self.assertEqual(parsed.place, "hello")


@through_each_provider
class Tools(unittest.TestCase):
    def round_trip(self, model, directive, whole):
        """Asks, lets two tools answer, and returns what the model says to that."""
        messages = hello(directive)
        message = whole(model, messages)
        calls = message.tool_calls
        self.assertEqual({call.function.name: json.loads(call.function.arguments) for call in calls}, ARGUMENTS)
        self.assertEqual(len({call.id for call in calls}), 2)
        messages = [*messages, message]
        for call in calls:
            messages.append({"role": "tool", "tool_call_id": call.id, "content": f"{call.function.name}: fine"})
        return whole(model, messages)

    @staticmethod
    def whole(model, messages):
        answer = client().chat.completions.create(model=model, messages=messages, tools=TOOLS)
        choice = answer.choices[0]
        assert (choice.finish_reason == "tool_calls") == bool(choice.message.tool_calls), answer
        return choice.message

    @staticmethod
    def streamed(model, messages):
        with client().chat.completions.stream(model=model, messages=messages, tools=TOOLS) as stream:
            return stream.get_final_completion().choices[0].message

    def test_a_round_trip(self, model):
        self.assertEqual(self.round_trip(model, "tools", self.whole).content, SUMMARY)

    def test_a_round_trip_streamed(self, model):
        for arguments in ("pieces", "whole", "end"):
            with self.subTest(arguments):
                message = self.round_trip(model, f"tools args={arguments}", self.streamed)
                self.assertEqual(message.content, SUMMARY)

    def test_a_round_trip_with_a_sentence_before_the_calls(self, model):
        for whole in (self.whole, self.streamed):
            self.assertEqual(self.round_trip(model, "tools calls=after_text", whole).content, SUMMARY)

    def test_thoughts_stay_with_the_call_they_led_to(self, model):
        # The simulator refuses calls whose reasoning state did not come back; this dialect has no place for it.
        for whole in (self.whole, self.streamed):
            message = self.round_trip(model, f"tools reasoning=4 strict_state {unique()}", whole)
            self.assertEqual(message.content, SUMMARY)

    def test_a_choice_of_tool(self, model):
        def called(choice):
            answer = ask(model, tools=TOOLS, tool_choice=choice)
            return [call.function.name for call in answer.choices[0].message.tool_calls or []]

        self.assertEqual(called({"type": "function", "function": {"name": "clock"}}), ["clock"])
        self.assertEqual(called("required"), ["weather", "clock"])
        self.assertEqual(called("auto"), [])
        self.assertEqual(called("none"), [])

    def test_one_call_at_a_time(self, model):
        raw = client().chat.completions.with_raw_response.create(
            model=model, messages=hello("tools"), tools=TOOLS, parallel_tool_calls=False
        )
        dropped = "parallel_tool_calls" in raw.headers.get("x-ferrogate-dropped-params", "")
        self.assertEqual(dropped, model == "via-gemini")
        self.assertEqual(len(raw.parse().choices[0].message.tool_calls), 2 if dropped else 1)


@through_each_provider
class Failures(unittest.TestCase):
    def test_a_providers_errors_keep_their_status(self, model):
        for status, exception in [
            (400, openai.BadRequestError),
            (404, openai.NotFoundError),
            (429, openai.RateLimitError),
            (500, openai.InternalServerError),
            (503, openai.InternalServerError),
        ]:
            with self.subTest(status), self.assertRaises(exception) as caught:
                ask(model, f"fault={status}")
            self.assertEqual(caught.exception.status_code, status)
            self.assertTrue(caught.exception.body["request_id"])

    def test_a_prompt_that_is_too_long(self, model):
        with self.assertRaises(openai.BadRequestError) as caught:
            ask(model, "context_window")
        self.assertEqual(caught.exception.code, "context_length_exceeded")

    def test_a_stream_that_breaks_is_an_error(self, model):
        for fault, code in [("cut", "provider_protocol_error"), ("stall", "provider_stalled")]:
            text = ""
            with self.subTest(fault), self.assertRaises(openai.APIError) as caught:
                for chunk in ask(model, f"fault={fault} after=2 delay_ms=20", stream=True):
                    text += chunk.choices[0].delta.content or ""
            self.assertEqual(text, "You said")
            self.assertEqual(caught.exception.code, code)

    def test_an_error_in_the_stream_is_the_providers(self, model):
        words = {"via-messages": "Overloaded", "via-gemini": "The model is overloaded"}
        with self.assertRaises(openai.APIError) as caught:
            list(ask(model, "fault=json_error after=2 delay_ms=20", stream=True))
        self.assertIn(words.get(model, "simulated"), caught.exception.message)

    def test_a_whole_answer_that_is_cut_is_an_error(self, model):
        with self.assertRaises(openai.InternalServerError) as caught:
            ask(model, "fault=cut")
        self.assertEqual(caught.exception.code, "provider_protocol_error")

    def test_the_clients_own_retries_get_over_a_bad_moment(self, model):
        raw = client(max_retries=1).chat.completions.with_raw_response.create(
            model=model, messages=hello(f"fault=503 once {unique()}")
        )
        self.assertEqual(raw.retries_taken, 1)


@through_each_provider
class AsyncAnswers(unittest.IsolatedAsyncioTestCase):
    async def test_streams_side_by_side(self, model):
        async def read(gateway):
            stream = await gateway.chat.completions.create(model=model, messages=hello(), stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        async with async_client() as gateway:
            texts = await asyncio.gather(*(read(gateway) for _ in range(10)))
        self.assertEqual(set(texts), {ANSWER})

    async def test_a_stream_that_is_left_early_ends_the_providers_too(self, model):
        async with async_client() as gateway:
            raw = await gateway.chat.completions.with_raw_response.create(
                model=model, messages=hello("tokens=1000 delay_ms=20"), stream=True
            )
            stream = raw.parse()
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    break
            await stream.close()
        log = log_of(raw.headers["x-request-id"])
        self.assertEqual(log["outcome"], "client_gone")
        self.assertLess(log["tokens"]["output"], 1000)
