"""CrewAI: a crew of one, in OpenAI's and in Anthropic's dialect, through a provider of every dialect."""

import os
import tempfile
import unittest

os.environ.update(
    {
        "CREWAI_DISABLE_TELEMETRY": "true",
        "CREWAI_TRACING_ENABLED": "false",
        "OTEL_SDK_DISABLED": "true",
        # It keeps what it remembers in the user's home.
        "CREWAI_STORAGE_DIR": tempfile.mkdtemp(prefix="crewai-"),
    }
)

import crewai
from crewai.tools import tool

from gateway import BASE_URL, KEY, through_each_provider

ASKED = []


@tool("weather")
def weather(place: str, days: int) -> str:
    """The weather at a place."""
    ASKED.append((place, days))
    return "fine"


@through_each_provider
class CrewAi(unittest.TestCase):
    def run_crew(self, llm, tools):
        agent = crewai.Agent(role="tester", goal="test", backstory="A tester.", llm=llm, tools=tools, max_iter=3)
        task = crewai.Task(description="hello", expected_output="an answer", agent=agent)
        crew = crewai.Crew(agents=[agent], tasks=[task], verbose=False, tracing=False)
        return crew.kickoff().raw

    def test_a_crew_answers(self, model):
        said = self.run_crew(crewai.LLM(model=model, provider="openai", base_url=f"{BASE_URL}/v1", api_key=KEY), [])
        self.assertIn("You said this:", said)

    def test_a_crew_calls_its_tool_and_goes_on(self, model):
        # Its own words come before the task's, so that the model itself must be one that calls tools.
        calls = model.replace("via-", "calls-")
        ASKED.clear()
        llm = crewai.LLM(model=calls, provider="openai", base_url=f"{BASE_URL}/v1", api_key=KEY)
        said = self.run_crew(llm, [weather])
        self.assertIn("The tools answered:", said)
        self.assertEqual(len(ASKED), 1)
        self.assertEqual(ASKED[0][1], 7)
