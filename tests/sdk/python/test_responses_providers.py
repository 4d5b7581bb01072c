"""The responses API of OpenAI's client, through a provider of every dialect."""

import json
import unittest

import openai
import pydantic

from gateway import ANSWER, PNG, PNG_HEARD, SUMMARY, log_of, prompt, through_each_provider, unique
from support import async_client, client


class Weather(pydantic.BaseModel):
    place: str
    days: int


def tool(name, **properties):
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "function", "name": name, "description": name, "parameters": parameters, "strict": True}


TOOLS = [tool("weather", place={"type": "string"}, days={"type": "integer"}), tool("clock", place={"type": "string"})]
REFUSAL = "I cannot help with that."
ARGUMENTS = {"weather": {"place": "hello", "days": 7}, "clock": {"place": "hello"}}


def ask(model, directive="", **fields):
    return client().responses.create(**{"model": model, "input": prompt(directive), **fields})


def stream_of(model, directive="", **fields):
    return list(ask(model, directive, stream=True, **fields))


def calls_of(response):
    return [item for item in response.output if item.type == "function_call"]


def results(calls):
    return [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"{call.name}: fine"} for call in calls
    ]


@through_each_provider
class Answers(unittest.TestCase):
    def test_whole_with_usage(self, model):
        answer = ask(model)
        self.assertEqual((answer.status, answer.output_text), ("completed", ANSWER))
        self.assertEqual(answer.usage.output_tokens, 4)
        self.assertEqual(answer.usage.total_tokens, answer.usage.input_tokens + 4)
        self.assertTrue(answer.id.startswith("resp_"), answer.id)

    def test_streamed(self, model):
        events = stream_of(model)
        self.assertEqual([event.sequence_number for event in events], list(range(len(events))))
        kinds = [event.type for event in events]
        self.assertEqual((kinds[0], kinds[-1]), ("response.created", "response.completed"))
        for opened, closed in [
            ("response.output_item.added", "response.output_item.done"),
            ("response.content_part.added", "response.content_part.done"),
        ]:
            self.assertEqual((kinds.count(opened), kinds.count(closed)), (1, 1))
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        self.assertEqual("".join(deltas), ANSWER)
        self.assertGreater(len(deltas), 1, "it came in one piece")
        final = events[-1].response
        self.assertEqual((final.output_text, final.usage.output_tokens), (ANSWER, 4))
        self.assertEqual(final.id, events[0].response.id)

    def test_a_limit_that_is_reached(self, model):
        whole = ask(model, "tokens=100", max_output_tokens=20)
        *_, last = stream_of(model, "tokens=100", max_output_tokens=20)
        self.assertEqual(last.type, "response.incomplete")
        for answer in (whole, last.response):
            self.assertEqual((answer.status, answer.usage.output_tokens), ("incomplete", 20))
            self.assertEqual(answer.incomplete_details.reason, "max_output_tokens")

    def test_an_answer_in_a_schema(self, model):
        answer = client().responses.parse(model=model, input="hello", text_format=Weather)
        self.assertEqual((answer.output_parsed.place, answer.output_parsed.days), ("hello", 7))

    def test_a_picture_and_instructions(self, model):
        content = [
            {"type": "input_text", "text": prompt("describe")},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
        ]
        answer = ask(model, input=[{"role": "user", "content": content}], instructions="Be short.")
        told = json.loads(answer.output_text)
        self.assertEqual(told["turns"][-1]["images"], [PNG_HEARD])
        self.assertEqual(told["system"], ["Be short."])

    def test_a_refusal(self, model):
        answer = ask(model, "refuse")
        if model == "via-gemini":
            # It says nothing when it refuses.
            self.assertEqual((answer.status, answer.output_text), ("incomplete", ""))
            self.assertEqual(answer.incomplete_details.reason, "content_filter")
            return
        (part,) = answer.output[0].content
        if model == "via-messages":
            # To Anthropic a refusal is a reason to end, and its words are the answer's.
            self.assertEqual((answer.status, answer.output_text), ("incomplete", REFUSAL))
            self.assertEqual(answer.incomplete_details.reason, "content_filter")
            return
        self.assertEqual((part.type, part.refusal), ("refusal", REFUSAL))


@through_each_provider
class Conversations(unittest.TestCase):
    def test_a_later_turn_knows_the_earlier(self, model):
        first = ask(model, input="first")
        second = ask(model, previous_response_id=first.id, input="second")
        third = ask(model, "describe", previous_response_id=second.id)
        told = json.loads(third.output_text)
        if model == "via-responses":
            # What came before stays at the provider.
            self.assertEqual(third.previous_response_id, second.id)
            return
        self.assertEqual([turn["role"] for turn in told["turns"]], ["user", "assistant"] * 2 + ["user"])
        self.assertEqual(
            [turn["text"] for turn in told["turns"][:4]],
            ["first", "You said this: first", "second", "You said this: second"],
        )

    def test_a_response_is_kept_until_it_is_deleted(self, model):
        made = ask(model)
        kept = client().responses.retrieve(made.id)
        self.assertEqual((kept.id, kept.output_text, kept.status), (made.id, ANSWER, "completed"))
        client().responses.delete(made.id)
        with self.assertRaises(openai.NotFoundError):
            client().responses.retrieve(made.id)

    def test_a_streamed_response_is_kept_too(self, model):
        made = stream_of(model)[-1].response
        self.assertEqual(client().responses.retrieve(made.id).output_text, ANSWER)

    def test_a_stranger_has_none_of_it(self, model):
        made, stranger = ask(model), client(api_key="stranger-secret")
        with self.assertRaises(openai.NotFoundError):
            stranger.responses.retrieve(made.id)
        with self.assertRaises(openai.APIStatusError) as caught:
            stranger.responses.create(model=model, input="hello", previous_response_id=made.id)
        self.assertIn(caught.exception.status_code, (400, 404))

    def test_what_is_not_to_be_stored_is_not(self, model):
        made = ask(model, store=False)
        with self.assertRaises(openai.NotFoundError):
            client().responses.retrieve(made.id)

    def test_work_in_the_background_is_refused(self, model):
        with self.assertRaises(openai.BadRequestError) as caught:
            ask(model, background=True)
        self.assertEqual(caught.exception.param, "background")


@through_each_provider
class Tools(unittest.TestCase):
    def check_calls(self, response):
        calls = calls_of(response)
        self.assertEqual({call.name: json.loads(call.arguments) for call in calls}, ARGUMENTS)
        return calls

    def test_a_round_trip_by_id(self, model):
        asked = ask(model, "tools", tools=TOOLS)
        answer = ask(model, previous_response_id=asked.id, input=results(self.check_calls(asked)), tools=TOOLS)
        # A provider that keeps the first turn itself knows the prompt; the simulated one does not look it up.
        self.assertEqual(answer.output_text, SUMMARY if model != "via-responses" else answer.output_text)
        self.assertFalse(calls_of(answer))

    def test_a_round_trip_with_the_whole_history(self, model):
        def trip(ask):
            said = [{"role": "user", "content": prompt(f"tools reasoning=4 strict_state {unique()}")}]
            asked = ask(input=said)
            said += [*asked.output, *results(self.check_calls(asked))]
            self.assertEqual(ask(input=said).output_text, SUMMARY)

        # The reasoning goes to and fro sealed, because nothing is stored.
        fields = {"tools": TOOLS, "store": False, "include": ["reasoning.encrypted_content"]}
        trip(lambda **said: ask(model, **fields, **said))
        trip(lambda **said: stream_of(model, **fields, **said)[-1].response)

    def test_thoughts_stay_with_stored_calls(self, model):
        asked = ask(model, f"tools reasoning=4 strict_state {unique()}", tools=TOOLS)
        answer = ask(model, previous_response_id=asked.id, input=results(self.check_calls(asked)), tools=TOOLS)
        self.assertEqual(answer.status, "completed")

    def test_arguments_are_streamed(self, model):
        for form in ("pieces", "whole", "end"):
            with self.subTest(form):
                events = stream_of(model, f"tools args={form}", tools=TOOLS)
                self.check_calls(events[-1].response)
                pieces = {}
                for event in events:
                    if event.type == "response.function_call_arguments.delta":
                        pieces[event.output_index] = pieces.get(event.output_index, "") + event.delta
                # Where they come at the end, a responses provider sends no pieces at all.
                if pieces or (model, form) != ("via-responses", "end"):
                    arguments = sorted(call.arguments for call in calls_of(events[-1].response))
                    self.assertEqual(sorted(pieces.values()), arguments)

    def test_a_free_text_tool(self, model):
        tools = [{"type": "custom", "name": "shell", "description": "Runs a command."}]
        asked = ask(model, "tools", tools=tools)
        (call,) = [item for item in asked.output if item.type == "custom_tool_call"]
        self.assertEqual((call.name, call.input), ("shell", "hello"))
        said = [{"role": "user", "content": prompt("tools")}, call]
        said.append({"type": "custom_tool_call_output", "call_id": call.call_id, "output": "done"})
        self.assertEqual(ask(model, input=said, tools=tools).output_text, SUMMARY)


@through_each_provider
class Reasoning(unittest.TestCase):
    def test_a_summary_of_the_thoughts(self, model):
        answer = ask(model, "reasoning=3", reasoning={"effort": "low", "summary": "auto"}, max_output_tokens=8000)
        # Gemini gives its state with the text: it follows in an item of its own.
        thought, *_state = [item for item in answer.output if item.type == "reasoning"]
        told = "".join(part.text for part in thought.summary or thought.content)
        self.assertEqual(told, "Thinking about: hello")
        self.assertEqual(answer.output_text, ANSWER)

    def test_a_summary_is_streamed_before_the_answer(self, model):
        events = stream_of(
            model, "reasoning=3", reasoning={"effort": "low", "summary": "auto"}, max_output_tokens=8000
        )
        kinds = [event.type for event in events]
        thought = [kind for kind in kinds if kind.startswith("response.reasoning") and kind.endswith(".delta")]
        self.assertTrue(thought)
        self.assertLess(kinds.index(thought[0]), kinds.index("response.output_text.delta"))


@through_each_provider
class Failures(unittest.TestCase):
    def test_a_providers_errors_keep_their_status(self, model):
        for status, exception in [(400, openai.BadRequestError), (429, openai.RateLimitError)]:
            with self.subTest(status), self.assertRaises(exception) as caught:
                ask(model, f"fault={status}")
            self.assertEqual(caught.exception.status_code, status)

    def test_a_stream_that_breaks_ends_as_failed(self, model):
        for fault, code in [("cut", "provider_protocol_error"), ("stall", "provider_stalled")]:
            with self.subTest(fault):
                events = stream_of(model, f"fault={fault} after=2 delay_ms=20")
                self.assertEqual(events[-1].type, "response.failed")
                self.assertEqual(events[-1].response.error.code, code)
                self.assertNotIn("response.completed", {event.type for event in events})


@through_each_provider
class AsyncAnswers(unittest.IsolatedAsyncioTestCase):
    async def test_a_stream_that_is_left_early_ends_the_providers_too(self, model):
        async with async_client() as gateway:
            raw = await gateway.responses.with_raw_response.create(
                model=model, input=prompt("tokens=1000 delay_ms=20"), stream=True
            )
            stream = raw.parse()
            async for event in stream:
                if event.type == "response.output_text.delta":
                    break
            await stream.close()
        self.assertEqual(log_of(raw.headers["x-request-id"])["outcome"], "client_gone")
