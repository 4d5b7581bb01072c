"""Google's client for Gemini, through a provider of every dialect."""

import base64
import functools
import json
import unittest

import pydantic
from google import genai
from google.genai import errors, types

from gateway import ANSWER, BASE_URL, KEY, PNG, PNG_HEARD, PROVIDERS, SUMMARY, log_of, prompt
from gateway import through_each_provider, unique

ARGUMENTS = {"weather": {"place": "hello", "days": 7}, "clock": {"place": "hello"}}


class Weather(pydantic.BaseModel):
    place: str
    days: int


@functools.cache
def client(api_key=KEY, api_version=None):
    """One for each key: a client that is collected closes its connections, even in the middle of a stream."""
    http_options = types.HttpOptions(base_url=BASE_URL, api_version=api_version, timeout=20_000)
    return genai.Client(api_key=api_key, vertexai=False, http_options=http_options)


def declared(name, **properties):
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return types.FunctionDeclaration(name=name, description=name, parameters_json_schema=schema)


TOOLS = [
    types.Tool(
        function_declarations=[
            declared("weather", place={"type": "string"}, days={"type": "integer"}),
            declared("clock", place={"type": "string"}),
        ]
    )
]


def config(**fields):
    return types.GenerateContentConfig(**fields)


def user(*parts):
    parts = [types.Part(text=part) if isinstance(part, str) else part for part in parts]
    return types.Content(role="user", parts=parts)


def ask(model, directive="", **fields):
    return client().models.generate_content(model=model, contents=prompt(directive), config=config(**fields))


def whole(model, contents, **fields):
    answer = client().models.generate_content(model=model, contents=contents, config=config(**fields))
    return answer.candidates[0].content


def streamed(model, contents, **fields):
    chunks = client().models.generate_content_stream(model=model, contents=contents, config=config(**fields))
    parts = [part for chunk in chunks for part in (chunk.candidates[0].content.parts or [])]
    return types.Content(role="model", parts=parts)


def calls_of(content):
    return [part.function_call for part in content.parts if part.function_call]


def text_of(content):
    return "".join(part.text for part in content.parts if part.text and not part.thought)


class Models(unittest.TestCase):
    def test_the_list_is_in_the_shape_the_client_reads(self):
        names = {model.name for model in client().models.list()}
        self.assertLessEqual({f"models/{name}" for name in PROVIDERS}, names)

    def test_one_model(self):
        model = client().models.get(model="via-chat")
        self.assertEqual(model.name, "models/via-chat")
        self.assertIn("generateContent", model.supported_actions)
        with self.assertRaises(errors.ClientError) as caught:
            client().models.get(model="no-such-model")
        self.assertEqual((caught.exception.code, caught.exception.status), (404, "NOT_FOUND"))


@through_each_provider
class Answers(unittest.TestCase):
    def test_whole_with_usage(self, model):
        answer = ask(model)
        self.assertEqual((answer.text, answer.candidates[0].finish_reason), (ANSWER, types.FinishReason.STOP))
        usage = answer.usage_metadata
        self.assertEqual(usage.candidates_token_count, 4)
        self.assertEqual(usage.total_token_count, usage.prompt_token_count + 4)
        self.assertTrue(answer.model_version)

    def test_streamed_with_usage(self, model):
        chunks = list(client().models.generate_content_stream(model=model, contents="hello"))
        texts = [chunk.text or "" for chunk in chunks]
        self.assertEqual("".join(texts), ANSWER)
        self.assertGreater(len([text for text in texts if text]), 1, "it came in one piece")
        self.assertEqual(chunks[-1].candidates[0].finish_reason, types.FinishReason.STOP)
        self.assertEqual(chunks[-1].usage_metadata.candidates_token_count, 4)

    def test_under_the_other_version_of_the_api(self, model):
        answer = client(api_version="v1").models.generate_content(model=model, contents="hello")
        self.assertEqual(answer.text, ANSWER)

    def test_a_limit_that_is_reached(self, model):
        answer = ask(model, "tokens=100", max_output_tokens=20)
        self.assertEqual(answer.usage_metadata.candidates_token_count, 20)
        self.assertEqual(answer.candidates[0].finish_reason, types.FinishReason.MAX_TOKENS)

    def test_a_chat_of_several_turns(self, model):
        chat = client().chats.create(model=model, config=config(system_instruction="Be short."))
        chat.send_message("first")
        told = json.loads(chat.send_message(prompt("describe", "second")).text)
        self.assertEqual(told["system"], ["Be short."])
        self.assertEqual([turn["role"] for turn in told["turns"]], ["user", "assistant", "user"])
        self.assertEqual(told["turns"][1]["text"], "You said this: first")

    def test_a_picture(self, model):
        picture = types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png")
        content = whole(model, [user(prompt("describe"), picture)])
        self.assertEqual(json.loads(text_of(content))["turns"][-1]["images"], [PNG_HEARD])

    def test_controls(self, model):
        told = json.loads(ask(model, "describe", temperature=0.5, max_output_tokens=1000).text)
        self.assertEqual((told["temperature"], told["max_tokens"]), (0.5, 1000))

    def test_stop_sequences(self, model):
        if model == "via-responses":
            with self.assertRaises(errors.ClientError) as caught:
                ask(model, stop_sequences=["END"])
            self.assertIn("stopSequences", caught.exception.message)
            return
        self.assertEqual(json.loads(ask(model, "describe", stop_sequences=["END"]).text)["stop"], ["END"])

    def test_an_answer_in_a_schema(self, model):
        for form in ({"response_schema": Weather}, {"response_json_schema": Weather.model_json_schema()}):
            answer = ask(model, response_mime_type="application/json", **form)
            self.assertEqual(json.loads(answer.text), {"place": "hello", "days": 7})
        self.assertEqual(ask(model, response_mime_type="application/json", response_schema=Weather).parsed.days, 7)

    def test_thoughts_are_marked_as_such(self, model):
        thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=2000)
        for ask in (whole, streamed):
            content = ask(model, prompt("reasoning=3"), thinking_config=thinking, max_output_tokens=8000)
            thought = "".join(part.text for part in content.parts if part.thought and part.text)
            self.assertEqual((thought, text_of(content)), ("Thinking about: hello", ANSWER))


@through_each_provider
class Tools(unittest.TestCase):
    def round_trip(self, ask, model, directive):
        said = [user(prompt(directive))]
        asked = ask(model, said, tools=TOOLS)
        calls = calls_of(asked)
        self.assertEqual({call.name: call.args for call in calls}, ARGUMENTS)
        results = [
            types.Part(
                function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": "fine"})
            )
            for call in calls
        ]
        return ask(model, [*said, asked, user(*results)], tools=TOOLS)

    def test_a_round_trip(self, model):
        for ask in (whole, streamed):
            self.assertEqual(text_of(self.round_trip(ask, model, "tools")), SUMMARY)

    def test_a_round_trip_in_every_form(self, model):
        for form in ("args=whole", "args=end", "calls=after_text", "calls=no_ids"):
            with self.subTest(form):
                self.assertEqual(text_of(self.round_trip(streamed, model, f"tools {form}")), SUMMARY)

    def test_thoughts_stay_with_the_call_they_led_to(self, model):
        for ask in (whole, streamed):
            directive = f"tools reasoning=4 strict_state {unique()}"
            self.assertEqual(text_of(self.round_trip(ask, model, directive)), SUMMARY)

    def test_the_client_calls_the_tools_by_itself(self, model):
        asked = []

        def weather(place: str, days: int) -> str:
            """The weather at a place."""
            asked.append((place, days))
            return "fine"

        self.assertEqual(ask(model, "tools", tools=[weather]).text, SUMMARY)
        self.assertEqual(asked, [("hello", 7)])

    def test_a_choice_of_tool(self, model):
        def called(mode, *names):
            choice = types.FunctionCallingConfig(mode=mode, allowed_function_names=names or None)
            answer = ask(model, tools=TOOLS, tool_config=types.ToolConfig(function_calling_config=choice))
            return [call.name for call in answer.function_calls or []]

        self.assertEqual(called("ANY", "clock"), ["clock"])
        self.assertEqual(called("ANY"), ["weather", "clock"])
        self.assertEqual(called("AUTO"), [])
        self.assertEqual(called("NONE"), [])


class Counting(unittest.TestCase):
    def test_tokens_are_counted_for_every_provider(self):
        for model in PROVIDERS:
            with self.subTest(model):
                count = lambda contents: client().models.count_tokens(model=model, contents=contents).total_tokens
                self.assertGreater(count("hello"), 0)
                self.assertGreater(count("hello " * 100), count("hello"))


class Refusals(unittest.TestCase):
    def check(self, code, status, key=KEY, model="via-gemini"):
        with self.assertRaises(errors.ClientError) as caught:
            client(api_key=key).models.generate_content(model=model, contents="hello")
        self.assertEqual((caught.exception.code, caught.exception.status), (code, status))
        self.assertTrue(caught.exception.message)
        return caught.exception

    def test_keys(self):
        self.check(401, "UNAUTHENTICATED", key="wrong")
        self.check(403, "PERMISSION_DENIED", key="switched-off-secret")
        self.check(403, "PERMISSION_DENIED", key="narrow-secret")

    def test_a_model_that_is_not_there(self):
        self.check(404, "NOT_FOUND", model="no-such-model")

    def test_a_limit_that_is_used_up(self):
        client(api_key="limited-gemini-secret").models.generate_content(model="via-gemini", contents="hello")
        self.check(429, "RESOURCE_EXHAUSTED", key="limited-gemini-secret")


@through_each_provider
class Failures(unittest.TestCase):
    def test_a_providers_errors_keep_their_status(self, model):
        for code, status, exception in [
            (400, "INVALID_ARGUMENT", errors.ClientError),
            (404, "NOT_FOUND", errors.ClientError),
            (429, "RESOURCE_EXHAUSTED", errors.ClientError),
            (500, "INTERNAL", errors.ServerError),
            (503, "UNAVAILABLE", errors.ServerError),
        ]:
            with self.subTest(code), self.assertRaises(exception) as caught:
                ask(model, f"fault={code}")
            self.assertEqual((caught.exception.code, caught.exception.status), (code, status))

    def test_a_stream_that_breaks_is_an_error(self, model):
        for fault in ("cut", "stall", "json_error"):
            text = ""
            with self.subTest(fault), self.assertRaises(errors.APIError):
                for chunk in client().models.generate_content_stream(
                    model=model, contents=prompt(f"fault={fault} after=2 delay_ms=20")
                ):
                    text += chunk.text or ""
            self.assertEqual(text, "You said")

    def test_a_whole_answer_that_is_cut_is_an_error(self, model):
        with self.assertRaises(errors.ServerError):
            ask(model, "fault=cut")


@through_each_provider
class AsyncAnswers(unittest.IsolatedAsyncioTestCase):
    async def test_whole_and_streamed(self, model):
        gateway = client().aio
        answer = await gateway.models.generate_content(model=model, contents="hello")
        chunks = await gateway.models.generate_content_stream(model=model, contents="hello")
        texts = [chunk.text or "" async for chunk in chunks]
        self.assertEqual((answer.text, "".join(texts)), (ANSWER, ANSWER))

    async def test_a_stream_that_is_left_early_ends_the_providers_too(self, model):
        # A stream that is no longer read stays open until its client is closed.
        gateway = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=BASE_URL)).aio
        contents = prompt("tokens=1000 delay_ms=20")
        async for chunk in await gateway.models.generate_content_stream(model=model, contents=contents):
            request_id = chunk.sdk_http_response.headers["x-request-id"]
            break
        await gateway.aclose()
        self.assertEqual(log_of(request_id)["outcome"], "client_gone")
