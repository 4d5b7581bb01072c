"""Codex and Claude Code without a screen: a question, and a command or a file that the model asks for.

They run with a home of their own, no credentials but the gateway's key, and a proxy for all but loopback that nobody
listens at: whatever they try beside the gateway fails.
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from gateway import BASE_URL, KEY, through_each_provider

MODULES = pathlib.Path(os.environ["FERROGATE_NODE_MODULES"])
NOWHERE = "http://127.0.0.1:9"
TIME_LIMIT_SECS = 90

CODEX_CONFIG = f"""
model_provider = "ferrogate"

[model_providers.ferrogate]
name = "FerroGate"
base_url = "{BASE_URL}/v1"
env_key = "FERROGATE_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
"""


class Agent(unittest.TestCase):
    def setUp(self):
        home = tempfile.TemporaryDirectory(prefix="agent-")
        self.addCleanup(home.cleanup)
        self.home = pathlib.Path(home.name)
        self.work = self.home / "work"
        self.work.mkdir()

    def run_agent(self, *command, **environment):
        """The lines of JSON that it prints."""
        base = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        blocked = {"HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE, "ALL_PROXY": NOWHERE, "NO_PROXY": "127.0.0.1"}
        ran = subprocess.run(
            command,
            env={**base, **blocked, **environment},
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_SECS,
        )
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        return [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]


@through_each_provider
class Codex(Agent):
    def run_codex(self, model, words):
        home = self.home / "codex"
        home.mkdir()
        (home / "config.toml").write_text(CODEX_CONFIG)
        options = ["exec", "--skip-git-repo-check", "--json", "--sandbox", "read-only", "--model", model, words]
        (codex,) = MODULES.glob("@openai/codex/bin/codex.js")
        events = self.run_agent("node", str(codex), *options, CODEX_HOME=str(home), FERROGATE_KEY=KEY)
        self.assertEqual(events[-1]["type"], "turn.completed", events)
        self.assertGreater(events[-1]["usage"]["output_tokens"], 0)
        return [event["item"] for event in events if event["type"] == "item.completed"]

    def test_it_answers(self, model):
        items = self.run_codex(model, "hello")
        (said,) = [item["text"] for item in items if item["type"] == "agent_message"]
        # What was said begins with words of its own for those providers that take one turn of the user's at a time.
        self.assertIn("You said this:", said)

    def test_it_runs_a_command_and_goes_on(self, model):
        # Words of its own may come before the user's, so that the model itself must be one that calls tools.
        items = self.run_codex(model.replace("via-", "calls-"), "true")
        self.assertTrue([item for item in items if item["type"] == "command_execution"], items)
        *_, said = [item["text"] for item in items if item["type"] == "agent_message"]
        self.assertIn("The tools answered:", said)


@through_each_provider
class ClaudeCode(Agent):
    def run_claude(self, model, words, *options):
        (claude,) = MODULES.glob("@anthropic-ai/claude-code-*/claude")
        command = [str(claude), "-p", words, "--model", model, "--output-format", "stream-json", "--verbose"]
        lines = self.run_agent(
            *command,
            *options,
            ANTHROPIC_BASE_URL=BASE_URL,
            ANTHROPIC_API_KEY=KEY,
            ANTHROPIC_SMALL_FAST_MODEL=model,
            CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
            DISABLE_AUTOUPDATER="1",
        )
        result = lines[-1]
        self.assertEqual((result["type"], result["is_error"]), ("result", False), lines)
        self.assertGreater(result["usage"]["output_tokens"], 0)
        return result["result"], lines

    def test_it_answers(self, model):
        said, _ = self.run_claude(model, "hello", "--tools", "")
        self.assertIn("You said this:", said)
        self.assertIn("hello", said)

    def test_it_reads_a_file_and_goes_on(self, model):
        (self.work / "note.txt").write_text("What is in the note.")
        # The same as for Codex.
        calls = model.replace("via-", "calls-")
        said, lines = self.run_claude(calls, "hello", "--tools", "Read", "--allowedTools", "Read")
        blocks = [
            block
            for line in lines
            if line["type"] in ("assistant", "user")
            for block in line["message"]["content"]
            if isinstance(block, dict)
        ]
        kinds = [block["type"] for block in blocks]
        self.assertIn("tool_use", kinds)
        self.assertIn("tool_result", kinds)
        self.assertIn("The tools answered:", said)


del Agent
