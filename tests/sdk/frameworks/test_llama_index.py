"""LlamaIndex's models, in OpenAI's and in Anthropic's dialect, through a provider of every dialect."""

import json
import unittest

import pydantic
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.openai_like import OpenAILike

from gateway import ANSWER, BASE_URL, KEY, PNG, PNG_HEARD, SUMMARY, prompt, through_each_provider

# Its Anthropic class refuses names that it does not know, so the gateway has its models under such names, too.
CLAUDES = {
    "via-chat": "claude-haiku-4-5",
    "via-responses": "claude-opus-4-5",
    "via-messages": "claude-sonnet-4-5",
    "via-gemini": "claude-opus-4-1",
}


def chat(model):
    return OpenAILike(
        model=model,
        api_base=f"{BASE_URL}/v1",
        api_key=KEY,
        max_retries=0,
        context_window=128_000,
        is_chat_model=True,
        is_function_calling_model=True,
    )


def messages(model):
    return Anthropic(model=CLAUDES[model], base_url=BASE_URL, api_key=KEY, max_retries=0, max_tokens=4000)


class Weather(pydantic.BaseModel):
    """The weather at a place."""

    place: str
    days: int


class Client:
    """What is asked of both; `make` gives the model under test."""

    def test_an_answer(self, model):
        answer = self.make(model).chat([ChatMessage("hello")])
        self.assertEqual(answer.message.content, ANSWER)
        self.assertEqual(self.make(model).complete("hello").text, ANSWER)

    def test_a_stream(self, model):
        chunks = list(self.make(model).stream_chat([ChatMessage("hello")]))
        self.assertEqual("".join(chunk.delta or "" for chunk in chunks), ANSWER)
        self.assertGreater(len([chunk for chunk in chunks if chunk.delta]), 1, "it came in one piece")

    def test_an_answer_in_a_schema(self, model):
        answer = self.make(model).structured_predict(Weather, PromptTemplate("{words}"), words="hello")
        self.assertEqual((answer.place, answer.days), ("hello", 7))

    def test_a_picture_and_a_system_prompt(self, model):
        blocks = [TextBlock(text=prompt("describe")), ImageBlock(url=f"data:image/png;base64,{PNG}")]
        if self.make is not chat:
            blocks[1] = ImageBlock(image=PNG.encode(), image_mimetype="image/png")
        answer = self.make(model).chat([ChatMessage(role="system", content="Be short."), ChatMessage(blocks=blocks)])
        told = json.loads(answer.message.content)
        self.assertEqual((told["system"], told["turns"][-1]["images"]), (["Be short."], [PNG_HEARD]))

    def test_a_tool_call(self, model):
        llm, said = self.make(model), []
        tool = weather_into(said)
        answer = llm.chat_with_tools([tool], user_msg=prompt("tools"))
        (call,) = llm.get_tool_calls_from_response(answer)
        self.assertEqual((call.tool_name, call.tool_kwargs), ("weather", {"place": "hello", "days": 7}))

    def test_a_providers_error_is_the_clients_own(self, model):
        with self.assertRaises(Exception) as caught:
            self.make(model).chat([ChatMessage(prompt("fault=400"))])
        self.assertEqual(type(caught.exception).__name__, "BadRequestError")


class Agent:
    async def test_an_agent_calls_its_tool_and_answers(self, model):
        for streaming in (True, False):
            said = []
            agent = FunctionAgent(tools=[weather_into(said)], llm=self.make(model), streaming=streaming)
            answer = await agent.run(user_msg=prompt("tools"))
            self.assertEqual(str(answer), SUMMARY)
            self.assertEqual(said, [("hello", 7)])


def weather_into(said):
    def weather(place: str, days: int) -> str:
        """The weather at a place."""
        said.append((place, days))
        return "fine"

    return FunctionTool.from_defaults(weather)


def suite_of(make):
    body = {**vars(Client), "make": staticmethod(make)}
    cases = through_each_provider(type(f"LlamaIndex_{make.__name__}", (unittest.TestCase,), body))
    body = {**vars(Agent), "make": staticmethod(make)}
    agents = type(f"LlamaIndexAgent_{make.__name__}", (unittest.IsolatedAsyncioTestCase,), body)
    return cases, through_each_provider(agents)


Chat, ChatAgent = suite_of(chat)
Messages, MessagesAgent = suite_of(messages)

del Client, Agent
