"""LangChain's models, in the dialect of each vendor, through a provider of every dialect."""

import json
import unittest

import pydantic
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from gateway import ANSWER, BASE_URL, KEY, PNG, PNG_HEARD, PROVIDERS, SUMMARY, prompt, through_each_provider, unique


def chat(model, **options):
    return ChatOpenAI(model=model, base_url=f"{BASE_URL}/v1", api_key=KEY, max_retries=0, **options)


def responses(model, **options):
    return chat(model, use_responses_api=True, **options)


def messages(model, **options):
    return ChatAnthropic(model=model, base_url=BASE_URL, api_key=KEY, max_retries=0, max_tokens=4000, **options)


def gemini(model, **options):
    return ChatGoogleGenerativeAI(model=model, base_url=BASE_URL, api_key=KEY, max_retries=1, **options)


class Weather(pydantic.BaseModel):
    """The weather at a place."""

    place: str
    days: int


@tool
def weather(place: str, days: int) -> str:
    """The weather at a place."""
    return f"{place}, {days} days: fine"


@tool
def clock(place: str) -> str:
    """The time at a place."""
    return f"{place}: noon"


class Client:
    """What is asked of each of the four; `make` gives the model under test."""

    def test_an_answer_with_its_usage(self, model):
        answer = self.make(model).invoke(prompt())
        self.assertEqual(answer.text, ANSWER)
        self.assertEqual(answer.usage_metadata["output_tokens"], 4)
        self.assertGreater(answer.usage_metadata["input_tokens"], 0)

    def test_a_stream(self, model):
        chunks = list(self.make(model).stream(prompt()))
        texts = [chunk.text for chunk in chunks if chunk.text]
        self.assertEqual("".join(texts), ANSWER)
        self.assertGreater(len(texts), 1, "it came in one piece")

    def test_a_tool_round_trip(self, model):
        def streamed(bound, said):
            whole = None
            for chunk in bound.stream(said):
                whole = chunk if whole is None else whole + chunk
            return whole

        bound = self.make(model).bind_tools([weather, clock])
        for ask in (lambda said: bound.invoke(said), lambda said: streamed(bound, said)):
            said = [HumanMessage(prompt(f"tools reasoning=4 strict_state {unique()}"))]
            asked = ask(said)
            self.assertEqual(
                {call["name"]: call["args"] for call in asked.tool_calls},
                {"weather": {"place": "hello", "days": 7}, "clock": {"place": "hello"}},
            )
            tools = {"weather": weather, "clock": clock}
            results = [tools[call["name"]].invoke(call) for call in asked.tool_calls]
            self.assertIsInstance(results[0], ToolMessage)
            self.assertEqual(ask([*said, asked, *results]).text, SUMMARY)

    def test_an_answer_in_a_schema(self, model):
        for method in self.methods:
            with self.subTest(method):
                answer = self.make(model).with_structured_output(Weather, method=method).invoke(prompt())
                self.assertEqual(answer, Weather(place="hello", days=7))

    def test_a_picture_and_a_system_prompt(self, model):
        content = [
            {"type": "text", "text": prompt("describe")},
            {"type": "image", "base64": PNG, "mime_type": "image/png"},
        ]
        answer = self.make(model).invoke([SystemMessage("Be short."), HumanMessage(content)])
        told = json.loads(answer.text)
        self.assertEqual((told["system"], told["turns"][-1]["images"]), (["Be short."], [PNG_HEARD]))

    def test_a_providers_error_is_the_clients_own(self, model):
        with self.assertRaises(Exception) as caught:
            self.make(model).invoke(prompt("fault=429"))
        told = f"{type(caught.exception).__name__} {caught.exception}"
        self.assertIn("429", told)


class Async:
    async def test_invoked_and_streamed(self):
        # In one test: LangChain keeps one asynchronous HTTP client for all models, which belongs to one event loop.
        for model in PROVIDERS:
            with self.subTest(model):
                llm = self.make(model)
                self.assertEqual((await llm.ainvoke(prompt())).text, ANSWER)
                self.assertEqual("".join([chunk.text async for chunk in llm.astream(prompt())]), ANSWER)


def suite_of(make, *methods):
    """The tests above for one of LangChain's classes."""
    body = {**vars(Client), "make": staticmethod(make), "methods": methods}
    cases = through_each_provider(type(f"LangChain_{make.__name__}", (unittest.TestCase,), body))
    body = {**vars(Async), "make": staticmethod(make)}
    return cases, type(f"LangChainAsync_{make.__name__}", (unittest.IsolatedAsyncioTestCase,), body)


Chat, AsyncChat = suite_of(chat, "json_schema", "function_calling")
Responses, AsyncResponses = suite_of(responses, "json_schema", "function_calling")
Messages, AsyncMessages = suite_of(messages, "json_schema", "function_calling")
Gemini, AsyncGemini = suite_of(gemini, "json_schema", "function_calling")


class Embeddings(unittest.TestCase):
    def test_documents_and_a_query(self):
        for model in ("embed", "embed-gemini"):
            with self.subTest(model):
                # Without this, texts are sent as the numbers of OpenAI's tokens.
                embeddings = OpenAIEmbeddings(
                    model=model, base_url=f"{BASE_URL}/v1", api_key=KEY, check_embedding_ctx_length=False
                )
                documents = embeddings.embed_documents(["a gate", "a wall"])
                self.assertEqual(len(documents), 2)
                for number, same in zip(documents[0], embeddings.embed_query("a gate"), strict=True):
                    self.assertAlmostEqual(number, same, places=6)


del Client, Async
