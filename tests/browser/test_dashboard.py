"""The dashboard as people use it, in Chromium, against a real gateway."""

import os
import unittest

from selenium.webdriver.common.keys import Keys

from cable import Cable
from dashboard import (
    ACCESSIBILITY, ADMIN, CLIENT, DESKTOP, GATEWAY, PHONE, READER, TENANT_ADMIN, TENANT_CLIENT, TOKEN, DashboardTest, Stream, Traffic, admin, ask, chat,
    eventually,
)

VIEWS = ["overview", "requests", "keys", "providers", "usage", "budgets", "audit", "config", "backups", "settings"]

CONFIG = """listen = "127.0.0.1:8080"

[[providers]]
name = "simulator"
kind = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"

[[models]]
name = "fast-chat"
provider = "simulatr"
provider_model = "gpt-4o-mini"
"""
WRONG_LINE = 10


class SigningIn(DashboardTest):
    def test_the_page_asks_nothing_before_somebody_signs_in(self):
        self.one("input[name=token]")
        performance, _ = self.logs()
        asked = [entry for entry in performance if "/admin/v1/" in entry["message"]]
        self.assertEqual(asked, [])

    def test_a_wrong_token_is_refused_and_says_why(self):
        self.expected = ["401", "403"]
        for token in ["not-a-key", CLIENT]:
            self.sign_in(token)
            eventually("it is refused", lambda: self.all("[role=alert]"))
            self.assertFalse(self.all("main[data-view]"))
            self.assertEqual(self.run_script("return sessionStorage.length + localStorage.length"), 0)
        self.sign_in("not a token: ä")
        self.shows("one word", "[role=alert]")

    def test_the_token_stays_in_memory_unless_it_is_to_be_kept(self):
        self.signed_in()
        kept = "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
        self.assertNotIn(TOKEN, self.run_script(kept))
        self.driver.refresh()
        self.one("input[name=token]")

        self.signed_in(keep=True)
        self.assertNotIn(TOKEN, self.run_script("return JSON.stringify([{...localStorage}, document.cookie, location.href])"))
        self.driver.refresh()
        eventually("it is signed in again", lambda: self.all("main[data-view]"))
        self.open("settings")
        self.button("Sign out").click()
        self.one("input[name=token]")
        self.assertEqual(self.run_script("return sessionStorage.length"), 0)

    def test_a_key_that_may_only_read_is_told_what_it_lacks(self):
        self.expected = ["403"]
        self.signed_in("overview", token=READER)
        self.button("Drain").click()
        self.dialog("Drain this gateway")
        self.confirm()
        self.shows("lacks the scope", "dialog[open]")
        self.assertEqual(ask(GATEWAY, "GET", "/readyz").status, 200)

    def test_an_admin_of_a_tenant_sees_what_is_the_tenants(self):
        self.expected = ["403"]
        self.assertEqual((chat(CLIENT).status, chat(TENANT_CLIENT).status), (200, 200))
        eventually("they are written", lambda: admin("request-logs?key=acme-client&limit=1")["data"] and admin("request-logs?key=client&limit=1")["data"])
        self.signed_in("requests", token=TENANT_ADMIN)
        self.shows("A tenant\u2019s view", ".top")
        rows = eventually("its requests are shown", lambda: self.all("main table tbody tr"))
        self.assertTrue(all("acme-client" in row.text for row in rows), [row.text for row in rows])
        self.open("backups")
        self.shows("Only for the operator", "main")
        self.open("keys")
        self.row("acme-client")
        self.assertNotIn("A client without admin scopes", self.text("main"))


class Watching(DashboardTest):
    def test_the_figures_move_with_the_traffic(self):
        self.signed_in()
        self.shows("Live", ".live-state")
        shown = "return [...document.querySelectorAll('tr[data-id]')].map((row) => row.dataset.id)"
        before = set(self.run_script(shown))
        for _ in range(5):
            self.assertEqual(chat().status, 200)
        self.assertGreaterEqual(chat(model="broken").status, 500)
        new = eventually("they are listed", lambda: len(set(self.run_script(shown)) - before) >= 6 and set(self.run_script(shown)) - before)
        known = {log["request_id"] for log in admin("request-logs?limit=50")["data"]}
        self.assertTrue(new <= known, new - known)
        tile = "return [...document.querySelectorAll('.tile')].map((tile) => tile.innerText.replace(/\\s+/g, ' '))"
        eventually("the tile of requests is above zero", lambda: not self.run_script(tile)[0].startswith(("Requests – ", "Requests 0 ")))
        drawn = "return [...document.querySelectorAll('[data-chart]')].filter((chart) => chart.querySelector('.line, .dot')).map((chart) => chart.dataset.chart)"
        eventually("the charts are drawn", lambda: {"requests", "latency", "tokens", "cost"} <= set(self.run_script(drawn)))
        label = self.one("[data-chart=requests] svg[role=img]").get_attribute("aria-label")
        self.assertIn("ok: last", label)

    def test_what_is_not_known_is_no_zero(self):
        self.signed_in()
        self.shows("before this page was opened", "[data-chart=latency]")
        for span in ["1 h", "24 h"]:
            self.button(span).click()
            eventually("it is drawn", lambda: "before this page was opened" not in self.text("[data-chart=latency]"))

    def test_a_gateway_that_is_gone_is_told_and_what_is_shown_is_marked(self):
        self.expected = ["net::"]
        cable = Cable(ADMIN)
        self.addCleanup(cable.close)
        self.visit(cable.base)
        self.signed_in()
        self.shows("Live", ".live-state")
        eventually("there are figures", lambda: "over the last" in self.text(".tiles"))
        cable.cut()
        eventually("it says so", lambda: self.all("[data-ready='Not answering']"))
        eventually("the figures are marked", lambda: self.all(".tiles.stale"))
        self.shows("Reconnecting", ".live-state")
        self.shows("What is shown was read", ".strip")
        cable.mend()
        eventually("it is back", lambda: self.all("[data-ready='Ready']") and "Live" in self.text(".live-state"))
        eventually("the marks are gone", lambda: not self.all(".tiles.stale"))

    def test_a_request_in_flight_is_killed(self):
        self.signed_in()
        stream = Stream()
        self.button("Kill the request for slow").click()
        self.dialog("Kill this request")
        self.shows("What was produced until now is billed", "dialog[open]")
        self.confirm()
        self.no_dialog()
        self.assertIn("request_killed", stream.ended())
        self.shows("Nothing in flight", "[aria-label='In flight']")


class Requests(DashboardTest):
    def test_filters_are_the_servers_and_stand_in_the_address(self):
        chat()
        ask(GATEWAY, "POST", "/v1/chat/completions", CLIENT, {"model": "no-such-model", "messages": []})
        eventually("they are written", lambda: {log["status"] for log in admin("request-logs?key=client&limit=20")["data"]} >= {200, 404})
        self.signed_in("requests", keep=True)
        statuses = "return [...document.querySelectorAll('main tbody .code')].map((code) => Number(code.innerText))"
        self.one("select[aria-label=Status]").send_keys("4xx")
        eventually("only those are shown", lambda: (seen := self.run_script(statuses)) and all(400 <= status < 500 for status in seen))
        self.assertIn("status=4xx", self.driver.current_url)
        self.driver.refresh()
        eventually("the same are shown", lambda: (seen := self.run_script(statuses)) and all(400 <= status < 500 for status in seen))
        self.button("Remove the filter status 4xx").click()
        eventually("all are shown", lambda: 200 in self.run_script(statuses))
        self.one("input[type=search]").send_keys("no-such-thing-anywhere")
        self.shows("No request matches")
        self.button("Clear filters").click()
        eventually("all are shown", lambda: 200 in self.run_script(statuses))
        self.assertEqual(self.one("input[type=search]").get_attribute("value"), "")

    def test_facets_filter_as_they_say(self):
        chat()
        eventually("they are counted", lambda: [facet for facet in admin("request-logs:facets")["facets"] if facet["name"] == "model" and facet["values"]])
        self.signed_in("requests")
        facet = eventually("there are facets", lambda: self.all("[aria-label='Filter by model'] button"))[0]
        model = facet.get_attribute("title")
        facet.click()
        eventually("it is pressed", lambda: [one for one in self.all("[aria-label='Filter by model'] button[aria-pressed=true]") if one.get_attribute("title") == model])
        self.assertIn(f"model={model}", self.driver.current_url)
        eventually("only those are shown", lambda: (rows := self.all("main table tbody tr")) and all(model in row.text for row in rows))

    def test_a_request_tells_where_its_time_went(self):
        reply = chat(words="what does a drawer show")
        self.assertEqual(reply.status, 200)
        newest = eventually("it is written", lambda: admin("request-logs?limit=1")["data"])[0]
        self.signed_in(f"requests?id={newest['request_id']}")
        self.dialog("Request")
        self.shows(newest["request_id"], "dialog[open]")
        self.shows("Where the time went", "dialog[open]")
        self.press(Keys.ESCAPE)
        self.no_dialog()
        eventually("the address forgets it", lambda: "id=" not in self.driver.current_url)


class VirtualKeys(DashboardTest):
    def secret(self):
        return eventually("the secret is shown", lambda: self.all("dialog[open] [data-secret]"))[0].text

    def test_a_key_is_made_rotated_disabled_and_deleted_and_the_gateway_goes_by_it(self):
        self.signed_in("keys")
        self.press("n")
        self.dialog("Create a key")
        self.field("Id").send_keys("from-the-page")
        self.field("Name").send_keys("<img src=x onerror=alert(1)>")
        self.field("Requests per minute").send_keys("1000")
        self.confirm()
        self.dialog("Key created")
        first = self.secret()
        self.assertTrue(first.startswith("fg_live_"), first)
        self.assertEqual(chat(first).status, 200)
        self.button("I have stored it").click()
        self.no_dialog()
        self.assertNotIn(first, self.driver.page_source)
        # Text of the server is text, whatever stands in it.
        self.assertIn("<img src=x onerror=alert(1)>", self.row("from-the-page").text)
        self.assertFalse(self.all("img"))
        self.assertEqual(admin("api-keys/from-the-page")["request_limit_per_minute"], 1000)

        self.button("Rotate from-the-page").click()
        self.dialog("Rotate from-the-page")
        self.one("dialog[open] select").send_keys("Not at all")
        self.confirm()
        self.dialog("New secret of from-the-page")
        second = self.secret()
        self.assertEqual((chat(first).status, chat(second).status), (401, 200))
        self.button("I have stored it").click()
        self.no_dialog()

        self.button("Disable from-the-page").click()
        self.dialog("Disable from-the-page")
        self.confirm()
        self.no_dialog()
        eventually("it is shown as disabled", lambda: "Disabled" in self.row("from-the-page").text)
        self.assertEqual(chat(second).status, 403)
        self.button("Enable from-the-page").click()
        self.confirm()
        self.no_dialog()
        self.assertEqual(chat(second).status, 200)

        self.row("from-the-page").find_element("css selector", ".link").click()
        self.dialog("from-the-page")
        self.button("Delete", "dialog[open]").click()
        self.dialog("Delete from-the-page")
        submit = self.one("dialog[open] footer button[type=submit]")
        self.assertFalse(submit.is_enabled(), "it asks for the name first")
        self.one("dialog[open] input").send_keys("from-the-pag")
        self.assertFalse(submit.is_enabled())
        self.one("dialog[open] input").send_keys("e")
        self.confirm()
        self.no_dialog()
        self.shows("is deleted", "#toasts")
        self.assertEqual(chat(second).status, 401)

    def test_a_key_is_edited_and_a_change_in_between_is_not_overwritten(self):
        self.expected = ["412"]
        self.signed_in("keys")
        made = ask(ADMIN, "POST", "/admin/v1/api-keys", TOKEN, {"id": "edited"})
        self.assertEqual(made.status, 201, made.body)
        self.driver.refresh()
        self.signed_in("keys")
        self.row("edited").find_element("css selector", ".link").click()
        self.button("Edit", "dialog[open]").click()
        self.dialog("Edit edited")
        self.field("Requests at a time").send_keys("3")
        between = ask(ADMIN, "PATCH", "/admin/v1/api-keys/edited", TOKEN, {"name": "somebody else's"})
        self.assertEqual(between.status, 200, between.body)
        self.confirm()
        self.shows("Somebody changed it", "dialog[open]")
        self.button("Cancel", "dialog[open]").click()
        self.no_dialog()
        self.assertIsNone(admin("api-keys/edited")["concurrency_limit"])

        self.row("edited").find_element("css selector", ".link").click()
        self.button("Edit", "dialog[open]").click()
        self.dialog("Edit edited")
        self.field("Requests at a time").send_keys("3")
        self.confirm()
        self.no_dialog()
        key = admin("api-keys/edited")
        self.assertEqual((key["concurrency_limit"], key["name"]), (3, "somebody else's"))

    def test_what_the_gateway_refuses_is_said_where_it_was_typed(self):
        self.expected = ["400"]
        self.signed_in("keys")
        self.button("Create key").click()
        self.dialog("Create a key")
        self.confirm()
        self.shows("A key needs an id", "dialog[open]")
        self.field("Id").send_keys("of-no-model")
        self.field("Models").send_keys("fast-chatt")
        self.confirm()
        self.shows("fast-chat", "dialog[open] [role=alert]")
        self.press(Keys.ESCAPE)
        self.no_dialog()


class Operating(DashboardTest):
    def test_a_configuration_is_checked_and_the_error_leads_to_its_line(self):
        self.signed_in("config?tab=edit")
        area = self.one(".editor textarea")
        self.run_script("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))", area, CONFIG)
        self.button("Check").click()
        self.shows("It is not valid")
        self.shows("simulator", "[data-list=findings]")
        eventually("the line is marked", lambda: self.text(".gutter b") == str(WRONG_LINE))
        found = eventually("it names the line", lambda: [one for one in self.all("[data-list=findings] .link") if f"line {WRONG_LINE}" in one.text])
        found[0].click()
        before = self.run_script("return arguments[0].value.slice(0, arguments[0].selectionStart)", area)
        self.assertEqual(before.count("\n") + 1, WRONG_LINE)

        self.run_script("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))", area, CONFIG.replace("simulatr", "simulator"))
        self.button("Check").click()
        self.shows("It is valid")

    def test_the_file_is_reloaded_after_it_was_said_what_changes(self):
        self.signed_in("config")
        self.shows("fast-chat", "main .text")
        self.assertNotIn(TOKEN, self.text("main"))
        before = admin("config")["revision"]
        self.button("Reload from file").click()
        self.dialog("Reload from the file")
        self.shows("It is valid", "dialog[open]")
        self.field("Reason").send_keys("to see that it works")
        self.confirm()
        self.no_dialog()
        self.shows("In force", "#toasts")
        self.assertGreaterEqual(admin("config")["revision"], before)
        self.button("History").click()
        self.row("start")

    def test_drain_and_back(self):
        self.signed_in()
        self.button("Drain").click()
        self.dialog("Drain this gateway")
        self.field("Reason").send_keys("kernel update")
        self.confirm()
        self.no_dialog()
        try:
            eventually("it drains", lambda: self.all("[data-ready=Draining]"))
            self.shows("kernel update", ".strip")
            self.assertEqual(ask(GATEWAY, "GET", "/readyz").status, 503)
        finally:
            self.button("Stop draining", ".top").click()
            self.dialog("Stop draining")
            self.confirm()
            self.no_dialog()
        eventually("it is ready", lambda: self.all("[data-ready=Ready]"))
        self.assertEqual(ask(GATEWAY, "GET", "/readyz").status, 200)

    def test_the_audit_log_tells_what_was_done_and_is_verified(self):
        made = ask(ADMIN, "POST", "/admin/v1/api-keys", TOKEN, {"id": "audited", "request_limit_per_minute": 5})
        self.assertEqual(made.status, 201, made.body)
        self.signed_in("audit")
        self.row("api_key:audited").find_element("css selector", ".link").click()
        self.dialog()
        self.shows("request_limit_per_minute", "dialog[open] .text .add, dialog[open] .text")
        self.press(Keys.ESCAPE)
        self.no_dialog()
        self.button("Verify the chain").click()
        self.shows("The chain is whole", "dialog[open]")
        self.button("Close", "dialog[open] footer").click()

    def test_a_backup_is_made_verified_and_deleted(self):
        self.signed_in("backups")
        self.button("Back up now").click()
        self.dialog("Back up now")
        self.field("Why").send_keys("browser test")
        self.confirm()
        self.no_dialog()
        name = eventually("it is listed", lambda: admin("backups")["data"])[0]["name"]
        self.row("browser test")
        self.button(f"Verify {name}").click()
        self.shows("It can be restored", "dialog[open]")
        self.button("Close", "dialog[open] footer").click()
        self.no_dialog()
        self.button(f"Delete {name}").click()
        self.one("dialog[open] input").send_keys(name)
        self.confirm()
        self.no_dialog()
        eventually("it is gone", lambda: name not in self.text("main"))
        self.assertEqual(admin("backups")["data"], [])

    def test_a_budget_gets_more(self):
        self.signed_in("budgets")
        self.button("Top up month-money of key:client").click()
        self.dialog("More for key:client")
        self.field("How much more, in $").send_keys("7.5")
        self.field("Why").send_keys("launch day")
        self.confirm()
        self.no_dialog()
        self.row("launch day")
        budget = next(one for one in admin("budgets?account=key:client")["data"] if one["budget_id"] == "month-money")
        self.assertEqual(budget["limit"], 32_500_000_000)


class Looks(DashboardTest):
    def luminance(self):
        return self.run_script(
            "const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(Number); return (r + g + b) / 765"
        )

    def test_dark_and_light_follow_the_system_until_somebody_chooses(self):
        self.signed_in(keep=True)
        self.assertGreater(self.luminance(), 0.8)
        self.scheme("dark")
        eventually("it is dark", lambda: self.luminance() < 0.2)
        self.press("t")
        eventually("it is light", lambda: self.luminance() > 0.8)
        self.driver.refresh()
        eventually("it is still light", lambda: self.all("main[data-view]") and self.luminance() > 0.8)
        self.open("settings")
        self.button("As the system").click()
        eventually("it is dark again", lambda: self.luminance() < 0.2)

    def test_everything_is_reached_without_a_mouse(self):
        self.signed_in(keep=True)
        self.driver.refresh()
        eventually("it is signed in", lambda: self.all("main[data-view]"))
        self.press(Keys.TAB)
        active = self.driver.switch_to.active_element
        self.assertEqual(active.text, "Skip to the content")
        self.press(Keys.ENTER)
        self.assertEqual(self.driver.switch_to.active_element.get_attribute("id"), "main")
        for number, view in enumerate(VIEWS[:9], start=1):
            self.press(str(number))
            eventually(f"{view} opens", lambda view=view: self.one("main").get_attribute("data-view") == view)
        self.press("2")
        eventually("requests open", lambda: self.all("input[type=search]"))
        self.press("/")
        self.assertEqual(self.driver.switch_to.active_element.get_attribute("type"), "search")
        # In a field the keys are letters.
        self.press("3")
        self.assertEqual(self.one("main").get_attribute("data-view"), "requests")
        self.press(Keys.ESCAPE)
        self.press("?")
        self.dialog("Shortcuts")
        # A dialog keeps the focus, and gives it back.
        for _ in range(6):
            self.press(Keys.TAB)
            self.assertTrue(self.run_script("return document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))"))
        self.press(Keys.ESCAPE)
        self.no_dialog()
        self.press("1")
        self.settled()
        eventually("there are points", lambda: self.run_script("return Boolean(document.querySelector('[data-chart=requests] .line, [data-chart=requests] .dot'))"))
        self.one("[data-chart=requests] svg[role=img]").send_keys(Keys.HOME)
        eventually("a point is read", lambda: "ok" in self.run_script("return document.getElementById('spoken').textContent"))

    def test_the_focus_is_seen_wherever_it_goes(self):
        self.signed_in("keys")
        self.run_script("document.activeElement.blur()")
        unseen = []
        for _ in range(40):
            self.press(Keys.TAB)
            unseen += self.run_script(
                "const at = document.activeElement; if (at === document.body) return []; const style = getComputedStyle(at);"
                "return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1 ? [] : [at.outerHTML.slice(0, 120)]"
            )
        self.assertEqual(unseen, [])

    def test_every_view_is_readable_in_both_themes_and_on_a_phone(self):
        for _ in range(3):
            chat()
        self.expected = []
        found = []
        self.one("input[name=token]")
        found += [f"login: {one}" for one in self.run_script(ACCESSIBILITY)]
        self.signed_in()
        for scheme in ["light", "dark"]:
            self.scheme(scheme)
            for size in [DESKTOP, PHONE]:
                self.resize(size)
                for view in [*VIEWS, "config?tab=edit", "config?tab=history"]:
                    self.open(view)
                    found += [f"{view}, {scheme}, {size[0]} px: {one}" for one in self.run_script(ACCESSIBILITY)]
        self.resize(DESKTOP)
        self.open("keys")
        self.button("Create key").click()
        self.dialog("Create a key")
        found += [f"creating a key: {one}" for one in self.run_script(ACCESSIBILITY)]
        self.press(Keys.ESCAPE)
        self.no_dialog()
        self.assertEqual(found, [], "\n".join(found))


class Pictures(DashboardTest):
    """What `docs/DASHBOARD.md` shows."""

    def test_the_views_are_pictured(self):
        traffic = Traffic()
        self.addCleanup(traffic.stop)
        self.signed_in()
        # A picture that is kept is worth the wait for a chart that is full.
        length = 250 if "FERROGATE_SCREENSHOTS" in os.environ else 20
        drawn = "return Math.max(0, ...[...document.querySelectorAll('[data-chart=requests] .line')].map((line) => line.getAttribute('d').length))"
        eventually("there is something to see", lambda: self.run_script(drawn) >= length, within=240)
        for scheme in ["dark", "light"]:
            self.scheme(scheme)
            for view in ["overview", "requests", "keys", "usage"]:
                self.open(view)
                if view == "overview":
                    eventually("it is drawn", lambda: self.run_script(drawn) >= length)
                self.screenshot(f"dashboard-{view}-{scheme}")
        self.resize(PHONE)
        self.open("overview")
        eventually("it is drawn", lambda: self.run_script(drawn) >= length)
        self.screenshot("dashboard-overview-phone")


if __name__ == "__main__":
    unittest.main()
