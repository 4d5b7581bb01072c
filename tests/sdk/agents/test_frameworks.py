"""Frameworks for agents: each chats, streams, calls a tool and goes on with its result, and answers in a schema."""

import os
import unittest

# What the frameworks would like to send to their makers.
os.environ.update(
    {
        "AGNO_TELEMETRY": "false",
        "CREWAI_DISABLE_TELEMETRY": "true",
        "CREWAI_TRACING_ENABLED": "false",
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
        "OTEL_SDK_DISABLED": "true",
    }
)

import agents
import agno.agent
import agno.models.anthropic
import agno.models.google
import agno.models.openai
import pydantic
import pydantic_ai
from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient
from google.genai import types
from openai import AsyncOpenAI
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from gateway import ANSWER, BASE_URL, KEY, SUMMARY, prompt, through_each_provider, unique

V1 = f"{BASE_URL}/v1"


class Weather(pydantic.BaseModel):
    """The weather at a place."""

    place: str
    days: int


class Asked(list):
    """A tool and what it was asked."""

    def tool(self):
        def weather(place: str, days: int) -> str:
            """The weather at a place.

            Args:
                place: Where.
                days: For how long.
            """
            self.append((place, days))
            return "fine"

        return weather


# Thoughts belong to the calls they led to, and the simulator refuses calls that come back without them. Some clients
# leave them out, or give the calls other ids.
CALLS = "tools reasoning=4 strict_state"
CALLS_ALONE = "tools"


@through_each_provider
class AutoGen(unittest.IsolatedAsyncioTestCase):
    def client(self, model):
        able = {"vision": True, "function_calling": True, "json_output": True, "structured_output": True}
        info = {**able, "family": "unknown", "multiple_system_messages": True}
        return OpenAIChatCompletionClient(model=model, base_url=V1, api_key=KEY, max_retries=0, model_info=info)

    async def test_an_agent_calls_its_tool_and_goes_on(self, model):
        for streaming in (False, True):
            asked = Asked()
            agent = AssistantAgent(
                "tester",
                self.client(model),
                tools=[asked.tool()],
                reflect_on_tool_use=True,
                model_client_stream=streaming,
            )
            result = await agent.run(task=prompt(f"{CALLS} {unique()}"))
            self.assertEqual(result.messages[-1].content, SUMMARY)
            self.assertEqual(asked, [("hello", 7)])

    async def test_an_agent_answers_in_a_schema(self, model):
        agent = AssistantAgent("tester", self.client(model), output_content_type=Weather)
        result = await agent.run(task="hello")
        self.assertEqual(result.messages[-1].content, Weather(place="hello", days=7))


# Agno sends no thoughts back but Anthropic's, and replaces ids that are not OpenAI's.
AGNO = {
    "chat": lambda model: agno.models.openai.OpenAIChat(id=model, base_url=V1, api_key=KEY),
    "responses": lambda model: agno.models.openai.OpenAIResponses(id=model, base_url=V1, api_key=KEY),
    "messages": lambda model: agno.models.anthropic.Claude(
        id=model, api_key=KEY, client_params={"base_url": BASE_URL}, max_tokens=4000
    ),
    "gemini": lambda model: agno.models.google.Gemini(
        id=model, api_key=KEY, client_params={"http_options": types.HttpOptions(base_url=BASE_URL)}
    ),
}


@through_each_provider
class Agno(unittest.TestCase):
    def test_an_agent_calls_its_tool_and_goes_on(self, model):
        for name, make in AGNO.items():
            with self.subTest(name):
                asked = Asked()
                agent = agno.agent.Agent(model=make(model), tools=[asked.tool()], telemetry=False)
                calls = CALLS if name == "messages" else CALLS_ALONE
                self.assertEqual(agent.run(prompt(f"{calls} {unique()}")).content, SUMMARY)
                self.assertEqual(asked, [("hello", 7)])

    def test_an_agent_streams(self, model):
        for name, make in AGNO.items():
            with self.subTest(name):
                agent = agno.agent.Agent(model=make(model), telemetry=False)
                events = list(agent.run("hello", stream=True))
                texts = [event.content for event in events if event.event == "RunContent" and event.content]
                self.assertEqual("".join(texts), ANSWER)


PYDANTIC = {
    "chat": lambda model: OpenAIChatModel(model, provider=OpenAIProvider(base_url=V1, api_key=KEY)),
    "responses": lambda model: OpenAIResponsesModel(model, provider=OpenAIProvider(base_url=V1, api_key=KEY)),
    "messages": lambda model: AnthropicModel(model, provider=AnthropicProvider(base_url=BASE_URL, api_key=KEY)),
    "gemini": lambda model: GoogleModel(model, provider=GoogleProvider(base_url=BASE_URL, api_key=KEY)),
}


@through_each_provider
class PydanticAi(unittest.IsolatedAsyncioTestCase):
    async def test_an_agent_calls_its_tool_and_goes_on(self, model):
        for name, make in PYDANTIC.items():
            with self.subTest(name):
                asked = Asked()
                agent = pydantic_ai.Agent(make(model), tools=[asked.tool()])
                # It knows from the names of models whose thoughts they take; those of others it sends as text.
                calls = CALLS_ALONE if name == "responses" else CALLS
                result = await agent.run(prompt(f"{calls} {unique()}"))
                self.assertEqual(result.output, SUMMARY)
                self.assertEqual(asked, [("hello", 7)])

    async def test_an_agent_answers_in_a_schema(self, model):
        for name, make in PYDANTIC.items():
            for form in (pydantic_ai.ToolOutput, pydantic_ai.NativeOutput):
                if (name, form) == ("messages", pydantic_ai.NativeOutput):
                    continue  # For names of Anthropic's models alone.
                with self.subTest(f"{name} {form.__name__}"):
                    agent = pydantic_ai.Agent(make(model), output_type=form(Weather))
                    self.assertEqual((await agent.run("hello")).output, Weather(place="hello", days=7))

    async def test_an_agent_streams(self, model):
        for name, make in PYDANTIC.items():
            with self.subTest(name):
                async with pydantic_ai.Agent(make(model)).run_stream("hello") as result:
                    texts = [text async for text in result.stream_text(delta=True, debounce_by=None)]
                self.assertEqual("".join(texts), ANSWER)


@through_each_provider
class OpenAiAgents(unittest.IsolatedAsyncioTestCase):
    @staticmethod
    def models(model):
        client = AsyncOpenAI(base_url=V1, api_key=KEY, max_retries=0)
        yield agents.OpenAIChatCompletionsModel(model=model, openai_client=client)
        yield agents.OpenAIResponsesModel(model=model, openai_client=client)

    async def test_an_agent_calls_its_tool_and_goes_on(self, model):
        for made in self.models(model):
            with self.subTest(type(made).__name__):
                asked = Asked()
                agent = agents.Agent("tester", model=made, tools=[agents.function_tool(asked.tool())])
                result = await agents.Runner.run(agent, prompt(f"{CALLS} {unique()}"))
                self.assertEqual(result.final_output, SUMMARY)
                self.assertEqual(asked, [("hello", 7)])

    async def test_an_agent_streams_and_hands_over(self, model):
        for made in self.models(model):
            with self.subTest(type(made).__name__):
                second = agents.Agent("second", model=made)
                first = agents.Agent("first", model=made, handoffs=[second])
                result = agents.Runner.run_streamed(first, prompt("tools"))
                async for _ in result.stream_events():
                    pass
                self.assertEqual((result.last_agent.name, result.final_output), ("second", SUMMARY))

    async def test_an_agent_answers_in_a_schema(self, model):
        for made in self.models(model):
            with self.subTest(type(made).__name__):
                agent = agents.Agent("tester", model=made, output_type=Weather)
                result = await agents.Runner.run(agent, "hello")
                self.assertEqual(result.final_output, Weather(place="hello", days=7))
