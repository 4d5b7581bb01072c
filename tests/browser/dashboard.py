"""The gateway under test, a Chromium that shows its dashboard, and ways to wait. Nothing here sleeps for a fixed time
without a condition that it waits for."""

import base64
import http.client
import json
import os
import pathlib
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

GATEWAY = os.environ["FERROGATE_BASE_URL"]
ADMIN = os.environ["FERROGATE_ADMIN_URL"]
TOKEN = "dashboard-admin-secret"
READER = "dashboard-reader-secret"
CLIENT = "dashboard-client-secret"
# Of the organization `acme`: its admin, and one of its clients.
TENANT_ADMIN = "dashboard-acme-secret"
TENANT_CLIENT = "dashboard-acme-client-secret"

# What is wrong with a page for those who do not see it, or have no mouse.
ACCESSIBILITY = pathlib.Path(__file__).with_name("accessibility.js").read_text(encoding="utf-8")

# Generous: a machine that runs several builds must not fail a test that is right.
TIME_LIMIT = 30
POLL = 0.05

DESKTOP = (1440, 900)
PHONE = (390, 844)

FLAGS = [
    "--headless=new",
    # A container has no user namespaces to build a sandbox of; the only page that is opened is our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--force-device-scale-factor=1",
    # Whatever would go elsewhere goes nowhere: no test depends on the network.
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=127.0.0.1",
]


def eventually(what, ask, within=TIME_LIMIT):
    """Asks until the answer is true. A page that is being redrawn is asked again."""
    deadline = time.monotonic() + within
    problem = None
    while True:
        try:
            answer = ask()
            if answer:
                return answer
        except (StaleElementReferenceException, IndexError, StopIteration) as error:
            problem = error
        if time.monotonic() > deadline:
            raise AssertionError(f"it never came to this: {what} ({problem})")
        time.sleep(POLL)


class Reply:
    def __init__(self, status, body):
        self.status, self.body = status, body


def ask(base, method, path, key=None, body=None):
    headers = {"content-type": "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIME_LIMIT) as answer:
            return Reply(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        return Reply(error.code, error.read().decode())


def chat(key=CLIENT, model="fast-chat", words="hello"):
    """One request through the gateway."""
    body = {"model": model, "messages": [{"role": "user", "content": words}]}
    return ask(GATEWAY, "POST", "/v1/chat/completions", key, body)


def admin(path):
    """What the admin API itself says, to compare the page with."""
    reply = ask(ADMIN, "GET", f"/admin/v1/{path}", TOKEN)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


class Stream(threading.Thread):
    """A client that reads a slow stream until somebody ends it."""

    def __init__(self):
        super().__init__(daemon=True)
        self.text = ""
        self.start()

    def run(self):
        address = urllib.parse.urlsplit(GATEWAY)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=TIME_LIMIT * 2)
        body = {"model": "slow", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
        headers = {"authorization": f"Bearer {CLIENT}", "content-type": "application/json"}
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            answer = connection.getresponse()
            while piece := answer.read1(65536):
                self.text += piece.decode()
        except (http.client.HTTPException, OSError) as error:
            self.text += f"\n{error}"
        finally:
            connection.close()

    def ended(self):
        self.join(TIME_LIMIT)
        assert not self.is_alive(), "the stream goes on"
        return self.text


class Traffic(threading.Thread):
    """Clients that go on asking until the test is over."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.start()

    def run(self):
        calls = [("fast-chat", "rivers"), ("fast-chat", "bridges and those who cross them"), ("smart", "gates"), ("fast-chat", "tolls"), ("no-such-model", "")]
        count = 0
        while not self.over.wait(0.12):
            model, words = calls[count % len(calls)] if count % 7 else ("broken", "ferries")
            chat(model=model, words=f"tell me about {words}")
            count += 1

    def stop(self):
        self.over.set()
        self.join(TIME_LIMIT)


class DashboardTest(unittest.TestCase):
    """One Chromium for all tests of a class; each test begins with a page that nobody is signed in at."""

    @classmethod
    def setUpClass(cls):
        cls.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        cls.addClassCleanup(cls.profile.cleanup)
        options = webdriver.ChromeOptions()
        options.binary_location = os.environ["FERROGATE_CHROMIUM"]
        for flag in [*FLAGS, f"--user-data-dir={cls.profile.name}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(executable_path=os.environ["FERROGATE_CHROMEDRIVER"])
        cls.driver = webdriver.Chrome(options=options, service=service)
        cls.addClassCleanup(cls.driver.quit)
        cls.driver.set_script_timeout(TIME_LIMIT)
        cls.driver.set_page_load_timeout(TIME_LIMIT)

    def setUp(self):
        self.expected = []
        self.resize(DESKTOP)
        self.scheme("light")
        self.visit(ADMIN)

    def visit(self, base):
        """The page as somebody finds it who was never there."""
        self.base = base
        self.driver.get(f"{base}/admin")
        self.run_script("sessionStorage.clear(); localStorage.clear()")
        self.driver.get("about:blank")
        self.logs()
        self.driver.get(f"{base}/admin")

    def tearDown(self):
        """Whatever a test does: nothing leaves the gateway's origin, and the console has nothing to complain of."""
        performance, console = self.logs()
        for entry in performance:
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                own = url.startswith((f"{self.base}/", "data:", "about:", "blob:"))
                self.assertTrue(own, f"the page asked for {url}")
                self.assertNotIn("secret", url, "a token or a key stands in an address")
            if message["method"] in ("Network.webSocketCreated", "Network.webTransportCreated"):
                self.fail(f"the page opened a connection of another kind: {message['params']}")
        for entry in console:
            if not any(text in entry["message"] for text in self.expected):
                self.fail(f"the console says: {entry['message']}")

    def logs(self):
        return self.driver.get_log("performance"), self.driver.get_log("browser")

    # --- what a person does

    def sign_in(self, token=TOKEN, keep=False):
        field = self.one("input[name=token]")
        field.clear()
        field.send_keys(token)
        if keep:
            self.one("form .check input").click()
        field.send_keys(Keys.ENTER)

    def signed_in(self, view="overview", token=TOKEN, keep=False):
        self.sign_in(token, keep)
        eventually("the dashboard opens", lambda: self.all("main[data-view]"))
        self.open(view)

    def open(self, view):
        """Opens a view by its address, and waits until nothing of it is being loaded."""
        self.run_script("location.hash = arguments[0]", f"#/{view}")
        name = view.split("?")[0]
        eventually(f"the view {name} opens", lambda: self.one("main").get_attribute("data-view") == name)
        self.settled()

    def settled(self):
        eventually("everything is loaded", lambda: not self.all(".skeleton"))

    def press(self, *keys):
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def button(self, label, within="body"):
        """The button that is called so, by its text or for those who do not see it."""

        def find():
            for button in self.all(f"{within} button"):
                named = button.get_attribute("aria-label") or button.text.strip()
                if named == label and button.is_displayed():
                    return button
            return None

        return eventually(f"there is a button {label}", find)

    def dialog(self, title=None):
        def find():
            opened = self.all("dialog[open]")
            if opened and (title is None or opened[-1].find_element(By.TAG_NAME, "h2").text == title):
                return opened[-1]
            return None

        return eventually(f"the dialog {title or ''} opens", find)

    def no_dialog(self):
        eventually("the dialog closes", lambda: not self.all("dialog[open]"))

    def field(self, label, within="dialog[open]"):
        """The control with this label."""
        for name in self.all(f"{within} label"):
            if name.text.strip() == label:
                return self.driver.find_element(By.ID, name.get_attribute("for"))
        raise AssertionError(f"there is no field {label}")

    def confirm(self):
        self.one("dialog[open] footer button[type=submit]").click()

    # --- what a person sees

    def one(self, selector):
        return eventually(f"there is {selector}", lambda: self.all(selector))[0]

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector="body"):
        return self.run_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def shows(self, text, selector="body"):
        eventually(f"{selector} shows {text!r}", lambda: text in self.text(selector))

    def row(self, text):
        """The row of a table that names it."""
        return eventually(
            f"there is a row {text}", lambda: [row for row in self.all("tbody tr") if text in row.text]
        )[0]

    def run_script(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    # --- the window

    def resize(self, size):
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, name):
        features = [{"name": "prefers-color-scheme", "value": name}, {"name": "prefers-reduced-motion", "value": "reduce"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def screenshot(self, name):
        """A picture of what is seen. `FERROGATE_SCREENSHOTS` says where they are kept."""
        picture = base64.b64decode(self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"])
        self.assertTrue(picture.startswith(b"\x89PNG"))
        self.assertGreater(len(picture), 10_000, "a picture of nothing")
        if folder := os.environ.get("FERROGATE_SCREENSHOTS"):
            pathlib.Path(folder, f"{name}.png").write_bytes(picture)
