"""Anthropic's client, through a provider of every dialect."""

import base64
import functools
import json
import unittest

import anthropic
import pydantic

from gateway import ANSWER, BASE_URL, KEY, PNG, PNG_HEARD, PROVIDERS, SUMMARY, log_of, prompt
from gateway import through_each_provider, unique

# A document that every provider can take: Anthropic and Gemini read PDF files, the others are sent them as well.
PDF = base64.b64encode(b"%PDF-1.4 of no use").decode()


class Weather(pydantic.BaseModel):
    place: str
    days: int


def tool(name, **properties):
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"name": name, "description": name, "input_schema": schema}


TOOLS = [tool("weather", place={"type": "string"}, days={"type": "integer"}), tool("clock", place={"type": "string"})]
ARGUMENTS = {"weather": {"place": "hello", "days": 7}, "clock": {"place": "hello"}}
THINKING = {"type": "enabled", "budget_tokens": 2000, "display": "summarized"}


@functools.cache
def client(**options):
    """One for all tests with the same options: to read the system's certificates takes a client a tenth of a second."""
    return anthropic.Anthropic(**{"base_url": BASE_URL, "api_key": KEY, "max_retries": 0, "timeout": 20.0, **options})


def hello(directive=""):
    return [{"role": "user", "content": prompt(directive)}]


def ask(model, directive="", **fields):
    return client().messages.create(
        **{"model": model, "max_tokens": 4000, "messages": hello(directive), **fields}
    )


def whole(**fields):
    return client().messages.create(max_tokens=4000, **fields)


def streamed(**fields):
    with client().messages.stream(max_tokens=4000, **fields) as stream:
        return stream.get_final_message()


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def calls_of(message):
    return [block for block in message.content if block.type == "tool_use"]


def results(calls):
    return {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": call.id, "content": f"{call.name}: fine"} for call in calls
        ],
    }


class Models(unittest.TestCase):
    def test_the_list_is_in_the_shape_the_client_reads(self):
        models = {model.id: model for model in client().models.list()}
        self.assertLessEqual(set(PROVIDERS), set(models))
        self.assertEqual(models["via-chat"].type, "model")
        self.assertTrue(models["via-chat"].display_name)
        self.assertTrue(models["via-chat"].created_at)

    def test_one_model(self):
        self.assertEqual(client().models.retrieve("via-gemini").id, "via-gemini")
        with self.assertRaises(anthropic.NotFoundError):
            client().models.retrieve("no-such-model")


@through_each_provider
class Answers(unittest.TestCase):
    def test_whole_with_usage(self, model):
        answer = ask(model)
        self.assertEqual((text_of(answer), answer.stop_reason, answer.role), (ANSWER, "end_turn", "assistant"))
        self.assertEqual(answer.usage.output_tokens, 4)
        self.assertGreater(answer.usage.input_tokens, 0)
        self.assertTrue(answer.id.startswith("msg_"), answer.id)

    def test_streamed_with_usage(self, model):
        with client().messages.stream(model=model, max_tokens=100, messages=hello()) as stream:
            events = list(stream)
            final = stream.get_final_message()
        pieces = [event.text for event in events if event.type == "text"]
        self.assertEqual("".join(pieces), ANSWER)
        self.assertGreater(len(pieces), 1, "it came in one piece")
        kinds = [event.type for event in events]
        self.assertEqual((kinds[0], kinds[-1]), ("message_start", "message_stop"))
        self.assertEqual((text_of(final), final.stop_reason), (ANSWER, "end_turn"))
        self.assertEqual(final.usage.output_tokens, 4)

    def test_cached_tokens_are_not_input_tokens(self, model):
        for ask in (whole, streamed):
            few = ask(model=model, messages=hello("cached=10"))
            many = ask(model=model, messages=hello("cached=50"))
            self.assertEqual((few.usage.cache_read_input_tokens, many.usage.cache_read_input_tokens), (10, 50))
            self.assertEqual(few.usage.input_tokens, many.usage.input_tokens)

    def test_a_limit_that_is_reached(self, model):
        answer = ask(model, "tokens=100", max_tokens=20)
        self.assertEqual((answer.usage.output_tokens, answer.stop_reason), (20, "max_tokens"))

    def test_a_refusal(self, model):
        answer = ask(model, "refuse")
        self.assertEqual(answer.stop_reason, "refusal")
        # Gemini says nothing when it refuses.
        self.assertEqual(text_of(answer), "" if model == "via-gemini" else "I cannot help with that.")

    def test_a_picture_and_a_system_prompt(self, model):
        content = [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            {"type": "text", "text": prompt("describe", "what is it?")},
        ]
        told = self.told(ask(model, messages=[{"role": "user", "content": content}], system="Be short."))
        self.assertEqual(told["turns"][-1]["images"], [PNG_HEARD])
        self.assertEqual(told["system"], ["Be short."])

    def test_a_document(self, model):
        source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
        content = [{"type": "document", "source": source}, {"type": "text", "text": prompt("describe")}]
        told = self.told(ask(model, messages=[{"role": "user", "content": content}]))
        self.assertEqual(told["turns"][-1]["documents"], ["application/pdf 18 bytes"])

    def test_controls(self, model):
        # The client has no argument for the temperature any more; providers still do.
        told = self.told(ask(model, "describe", extra_body={"temperature": 0.5}, max_tokens=1000))
        self.assertEqual((told["temperature"], told["max_tokens"]), (0.5, 1000))

    def test_stop_sequences(self, model):
        if model == "via-responses":
            with self.assertRaises(anthropic.BadRequestError) as caught:
                ask(model, stop_sequences=["END"])
            self.assertIn("stop_sequences", caught.exception.body["error"]["message"])
            return
        self.assertEqual(self.told(ask(model, "describe", stop_sequences=["END"]))["stop"], ["END"])
        # Only Anthropic says which one it was, or that it was one at all.
        answer = ask(model, "stop_sequence", stop_sequences=["END"])
        expected = ("stop_sequence", "END") if model == "via-messages" else ("end_turn", None)
        self.assertEqual((answer.stop_reason, answer.stop_sequence), expected)

    def test_an_answer_in_a_schema(self, model):
        answer = client().messages.parse(model=model, max_tokens=1000, messages=hello(), output_format=Weather)
        self.assertEqual((answer.parsed_output.place, answer.parsed_output.days), ("hello", 7))

    @staticmethod
    def told(answer):
        return json.loads(text_of(answer))


@through_each_provider
class Tools(unittest.TestCase):
    def round_trip(self, ask, model, directive, **fields):
        messages = hello(directive)
        asked = ask(model=model, messages=messages, tools=TOOLS, **fields)
        calls = calls_of(asked)
        self.assertEqual(asked.stop_reason, "tool_use")
        self.assertEqual({call.name: call.input for call in calls}, ARGUMENTS)
        messages += [{"role": "assistant", "content": asked.content}, results(calls)]
        return asked, ask(model=model, messages=messages, tools=TOOLS, **fields)

    def test_a_round_trip(self, model):
        for ask in (whole, streamed):
            _, answer = self.round_trip(ask, model, "tools")
            self.assertEqual((text_of(answer), answer.stop_reason), (SUMMARY, "end_turn"))

    def test_a_round_trip_streamed_in_every_form(self, model):
        for form in ("args=whole", "args=end", "calls=after_text"):
            with self.subTest(form):
                _, answer = self.round_trip(streamed, model, f"tools {form}")
                self.assertEqual(text_of(answer), SUMMARY)

    def test_thoughts_go_to_and_fro_with_their_signature(self, model):
        for ask in (whole, streamed):
            directive = f"tools reasoning=4 strict_state {unique()}"
            asked, answer = self.round_trip(ask, model, directive, thinking=THINKING)
            self.assertIn(asked.content[0].type, ("thinking", "redacted_thinking"))
            self.assertEqual(text_of(answer), SUMMARY)

    def test_hidden_thoughts_go_to_and_fro_as_well(self, model):
        for ask in (whole, streamed):
            directive = f"tools reasoning=4 redacted strict_state {unique()}"
            _, answer = self.round_trip(ask, model, directive, thinking=THINKING)
            self.assertEqual(text_of(answer), SUMMARY)

    def test_a_choice_of_tool(self, model):
        def called(**choice):
            return [call.name for call in calls_of(ask(model, tools=TOOLS, tool_choice=choice))]

        self.assertEqual(called(type="tool", name="clock"), ["clock"])
        self.assertEqual(called(type="any"), ["weather", "clock"])
        self.assertEqual(called(type="auto"), [])
        self.assertEqual(called(type="none"), [])

    def test_a_tool_that_failed(self, model):
        asked = ask(model, "tools", tools=TOOLS[:1])
        (call,) = calls_of(asked)
        failed = {"type": "tool_result", "tool_use_id": call.id, "content": "no weather", "is_error": True}
        answer = ask(
            model,
            tools=TOOLS[:1],
            messages=[
                *hello("describe"),
                {"role": "assistant", "content": asked.content},
                {"role": "user", "content": [failed]},
            ],
        )
        (result,) = json.loads(text_of(answer))["turns"][-1]["tool_results"]
        self.assertEqual(result["name"], "weather")
        self.assertIn("no weather", result["text"])


@through_each_provider
class Thinking(unittest.TestCase):
    def test_thoughts_come_before_the_answer(self, model):
        for ask in (whole, streamed):
            answer = ask(model=model, messages=hello("reasoning=3"), thinking=THINKING)
            # Gemini gives its state with the text: it follows in a block of its own.
            thought, text, *_state = answer.content
            self.assertEqual((thought.type, text.text), ("thinking", ANSWER))
            self.assertEqual(thought.thinking, "Thinking about: hello")

    def test_thoughts_come_back_with_the_next_turn(self, model):
        first = ask(model, "reasoning=3", thinking=THINKING)
        messages = [*hello(), {"role": "assistant", "content": first.content}, *hello()]
        self.assertEqual(text_of(ask(model, messages=messages, thinking=THINKING)), ANSWER)


class Counting(unittest.TestCase):
    def count(self, model, **fields):
        return client().messages.count_tokens(model=model, messages=hello(), **fields)

    def test_an_anthropic_provider_counts_itself(self):
        plain = self.count("via-messages").input_tokens
        self.assertGreater(plain, 0)
        self.assertGreater(self.count("via-messages", tools=TOOLS, system="Be short.").input_tokens, plain)

    def test_for_the_others_the_gateway_finds_a_way(self):
        for model in ("via-chat", "via-responses", "via-gemini"):
            with self.subTest(model):
                plain = self.count(model).input_tokens
                self.assertGreater(plain, 0)
                self.assertGreater(self.count(model, system="Be short. " * 50).input_tokens, plain)


class Refusals(unittest.TestCase):
    def check(self, exception, status, kind, **options):
        model = options.pop("model", "via-messages")
        with self.assertRaises(exception) as caught:
            client(**options).messages.create(model=model, max_tokens=10, messages=hello())
        error = caught.exception
        self.assertEqual((error.status_code, error.body["error"]["type"]), (status, kind))
        self.assertEqual(error.body["type"], "error")
        self.assertTrue(error.body["error"]["message"])
        # The client reads it from the header `request-id`.
        self.assertEqual(error.request_id, error.body["request_id"])
        return error

    def test_keys(self):
        self.check(anthropic.AuthenticationError, 401, "authentication_error", api_key="wrong")
        self.check(anthropic.PermissionDeniedError, 403, "permission_error", api_key="switched-off-secret")
        self.check(anthropic.PermissionDeniedError, 403, "permission_error", api_key="narrow-secret")

    def test_a_bearer_token_is_a_key_too(self):
        signed = anthropic.Anthropic(base_url=BASE_URL, auth_token=KEY, max_retries=0)
        answer = signed.messages.create(model="via-messages", max_tokens=10, messages=hello())
        self.assertEqual(text_of(answer), ANSWER)

    def test_a_model_that_is_not_there(self):
        self.check(anthropic.NotFoundError, 404, "not_found_error", model="no-such-model")

    def test_a_limit_that_is_used_up(self):
        client(api_key="limited-anthropic-secret").messages.create(
            model="via-messages", max_tokens=10, messages=hello()
        )
        error = self.check(
            anthropic.RateLimitError, 429, "rate_limit_error", api_key="limited-anthropic-secret"
        )
        self.assertTrue(1 <= int(error.response.headers["retry-after"]) <= 61)

    def test_the_answers_id_leads_to_the_request_log(self):
        answer = ask("via-messages")
        log = log_of(answer._request_id)
        self.assertEqual((log["model"], log["status"], log["tokens"]["output"]), ("via-messages", 200, 4))


@through_each_provider
class Failures(unittest.TestCase):
    def test_a_providers_errors_keep_their_status(self, model):
        for status, exception, kind in [
            (400, anthropic.BadRequestError, "invalid_request_error"),
            (404, anthropic.NotFoundError, "not_found_error"),
            (429, anthropic.RateLimitError, "rate_limit_error"),
            (500, anthropic.InternalServerError, "api_error"),
            (529, anthropic.OverloadedError, "overloaded_error"),
        ]:
            with self.subTest(status), self.assertRaises(exception) as caught:
                ask(model, f"fault={status}")
            self.assertEqual(caught.exception.status_code, status)
            self.assertEqual(caught.exception.body["error"]["type"], kind)

    def test_a_stream_that_breaks_is_an_error(self, model):
        for fault in ("cut", "stall", "json_error"):
            text = ""
            with self.subTest(fault), self.assertRaises(anthropic.APIStatusError) as caught:
                with client().messages.stream(
                    model=model, max_tokens=100, messages=hello(f"fault={fault} after=2 delay_ms=20")
                ) as stream:
                    for piece in stream.text_stream:
                        text += piece
            self.assertEqual(text, "You said")
            self.assertEqual(caught.exception.body["type"], "error")

    def test_a_whole_answer_that_is_cut_is_an_error(self, model):
        with self.assertRaises(anthropic.InternalServerError):
            ask(model, "fault=cut")

    def test_the_clients_own_retries_get_over_a_bad_moment(self, model):
        answer = client(max_retries=1).messages.create(
            model=model, max_tokens=100, messages=hello(f"fault=503 once {unique()}")
        )
        self.assertEqual(text_of(answer), ANSWER)


@through_each_provider
class AsyncAnswers(unittest.IsolatedAsyncioTestCase):
    async def test_a_stream_that_is_left_early_ends_the_providers_too(self, model):
        async with anthropic.AsyncAnthropic(base_url=BASE_URL, api_key=KEY, max_retries=0) as gateway:
            messages = hello("tokens=1000 delay_ms=20")
            async with gateway.messages.stream(model=model, max_tokens=4000, messages=messages) as stream:
                async for _ in stream.text_stream:
                    break
                request_id = stream.response.headers["request-id"]
        log = log_of(request_id)
        self.assertEqual(log["outcome"], "client_gone")
        self.assertLess(log["tokens"]["output"], 1000)
