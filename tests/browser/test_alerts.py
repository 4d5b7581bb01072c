"""Alerts on the overview: what fires, who takes it on, and what a webhook makes of it."""

from selenium.webdriver.common.keys import Keys

from dashboard import ACCESSIBILITY, ADMIN, DESKTOP, PHONE, READER, TENANT_ADMIN, TOKEN, DashboardTest, admin, ask, eventually
from webhook import Webhook

CARD = "[aria-label=Alerts]"
# Of any database, and of none.
HOLDS = {"metric": "database_bytes", "above": 0}
HOLDS_NOT = {"metric": "database_bytes", "below": 0.5}


class Alerts(DashboardTest):
    def rule(self, name, **rule):
        made = ask(ADMIN, "POST", "/admin/v1/alerts", TOKEN, {"name": name, **rule})
        self.assertEqual(made.status, 201, made.body)
        self.addCleanup(ask, ADMIN, "DELETE", f"/admin/v1/alerts/{name}", TOKEN)

    def fires(self, name):
        eventually(f"{name} fires", lambda: admin(f"alerts/{name}")["state"] == "firing")

    def webhook(self, status=204):
        hook = Webhook(status)
        self.addCleanup(hook.close)
        return hook

    def cells(self, name):
        """What stands in the row of an alert, by the heads of its columns."""
        script = (
            "const row = [...document.querySelectorAll(`${arguments[0]} tbody tr`)].find((row) => row.innerText.includes(arguments[1]));"
            "return row && Object.fromEntries([...row.children].map((cell) => [cell.dataset.label || '', cell.innerText]))"
        )
        return eventually(f"there is a row {name}", lambda: self.run_script(script, CARD, name))

    def test_an_alert_that_fires_is_shown_and_acknowledged(self):
        self.signed_in()
        self.shows("No rules", CARD)
        self.shows("ferrogate alerts create", CARD)
        # The page is open already: it hears of what follows.
        self.rule("database-grows", **HOLDS, severity="critical", message="The database grows.")
        cells = self.cells("database-grows")
        self.assertIn("The database grows.", cells["Alert"])
        self.assertEqual(cells["Severity"], "Critical")
        self.assertIn("above 0 B", cells["Figure"])
        self.assertIn("database_bytes", cells["Figure"])
        self.assertEqual(cells["Acknowledged"], "by nobody")
        self.shows("1 firing", CARD)
        self.shows("Alert database-grows fires: The database grows.", "#toasts")
        self.assertFalse(self.all(f"{CARD} [aria-label='Test the webhook of database-grows']"), "it has none")

        self.button("Acknowledge database-grows").click()
        self.dialog("Acknowledge database-grows")
        self.field("Silence").send_keys("2 hours")
        self.field("Reason").send_keys("on it")
        self.confirm()
        self.no_dialog()
        self.shows("ends in 2 h", CARD)
        taken = self.cells("database-grows")["Acknowledged"]
        self.assertTrue(taken.startswith("admin, ") and "on it" in taken, taken)
        self.assertFalse(self.all(f"{CARD} [aria-label='Acknowledge database-grows']"))
        by = admin("alerts/database-grows")["acknowledged"]
        self.assertEqual((by["actor"], by["reason"]), ("admin", "on it"))
        self.assertEqual(by["silent_until_unix_ms"] - by["at_unix_ms"], 7_200_000)

        # Whoever comes now sees the same.
        self.driver.refresh()
        self.signed_in()
        self.assertIn("on it", self.cells("database-grows")["Acknowledged"])
        changed = ask(ADMIN, "PATCH", "/admin/v1/alerts/database-grows", TOKEN, {"above": 1_000_000_000_000})
        self.assertEqual(changed.status, 200, changed.body)
        self.shows("None fires", CARD)
        self.shows("Alert database-grows is resolved.", "#toasts")
        self.assertFalse([row for row in self.all(f"{CARD} tbody tr") if row.is_displayed()])

    def test_a_webhook_is_tried_and_what_came_of_it_is_said(self):
        hook = self.webhook()
        self.rule("quiet", **HOLDS_NOT, webhook_url=hook.address)
        self.signed_in()
        self.shows("None fires", CARD)
        self.button("Rules", CARD).click()
        self.dialog("Alert rules")
        self.shows("not told yet", "dialog[open]")
        self.button("quiet", "dialog[open]").click()
        self.dialog("quiet")
        self.shows(hook.address, "dialog[open]")
        self.assertNotIn("Acknowledge", self.text("dialog[open]"), "there is nothing to take on")
        self.button("Test webhook", "dialog[open]").click()
        self.dialog("Test the webhook of quiet")
        self.assertEqual(hook.states(), [])
        self.confirm()
        self.dialog("The webhook of quiet")
        self.shows("answered with status 204", "dialog[open]")
        self.assertEqual(hook.states(), ["test"])
        self.button("Close", "dialog[open] footer").click()
        self.no_dialog()

    def test_a_webhook_that_was_not_told_is_seen(self):
        hook = self.webhook(status=400)
        self.rule("untold", **HOLDS, webhook_url=hook.address)
        self.signed_in()
        eventually("it says so", lambda: "Its webhook was not told" in self.cells("untold")["Alert"])
        self.button("Test the webhook of untold").click()
        self.dialog("Test the webhook of untold")
        self.confirm()
        self.dialog("The webhook of untold")
        self.shows("It was not told: it answered with status 400", "dialog[open]")
        eventually("it was told both", lambda: hook.states() == ["firing", "test"])

    def test_a_key_that_may_only_read_sees_and_does_not_acknowledge(self):
        self.expected = ["403"]
        self.rule("watched", **HOLDS)
        self.signed_in(token=READER)
        self.cells("watched")
        self.button("Acknowledge watched").click()
        self.dialog("Acknowledge watched")
        self.confirm()
        self.shows("lacks the scope", "dialog[open]")
        self.assertIsNone(admin("alerts/watched")["acknowledged"])

    def test_an_admin_of_a_tenant_has_no_such_card(self):
        # What else is the operator's says so there.
        self.expected = ["403"]
        self.rule("the-operators", **HOLDS)
        self.fires("the-operators")
        self.signed_in(token=TENANT_ADMIN)
        self.shows("Only for the operator", "main")
        self.assertFalse(self.all(CARD))
        self.assertNotIn("the-operators", self.text())
        performance, _ = self.logs()
        asked = [entry for entry in performance if "Network.requestWillBeSent" in entry["message"]]
        self.assertFalse([entry for entry in asked if "/admin/v1/alerts" in entry["message"]])

    def test_the_focus_stays_while_other_alerts_come_and_go(self):
        self.rule("first", **HOLDS)
        self.signed_in()
        self.cells("first")
        focus = "return document.activeElement.getAttribute('aria-label')"
        self.run_script("arguments[0].focus()", self.button("Acknowledge first"))
        self.rule("second", **HOLDS)
        self.cells("second")
        self.assertEqual(self.run_script(focus), "Acknowledge first")
        gone = ask(ADMIN, "DELETE", "/admin/v1/alerts/second", TOKEN)
        self.assertEqual(gone.status, 200, gone.body)
        eventually("it is gone", lambda: "second" not in self.text(CARD))
        self.assertEqual(self.run_script(focus), "Acknowledge first")
        # A key opens the dialog, which gives the focus back.
        self.press(Keys.ENTER)
        self.dialog("Acknowledge first")
        self.press(Keys.ESCAPE)
        self.no_dialog()
        self.assertEqual(self.run_script(focus), "Acknowledge first")

    def test_alerts_are_readable_in_both_themes_and_on_a_phone(self):
        hook = self.webhook(status=400)
        self.rule("loud", **HOLDS, webhook_url=hook.address, severity="critical", message="The database is larger than it should be, and somebody has to look at it.")
        self.rule("mild", **HOLDS)
        self.rule("waiting", **HOLDS, for_secs=3600)
        self.rule("off", **HOLDS, enabled=False)
        self.fires("mild")
        taken = ask(ADMIN, "POST", "/admin/v1/alerts/mild/acknowledge", TOKEN, {"reason": "on it"})
        self.assertEqual(taken.status, 200, taken.body)
        self.signed_in()
        self.cells("loud")
        found = []

        def look(what):
            found.extend(f"{what}, {scheme}, {size[0]} px: {one}" for one in self.run_script(ACCESSIBILITY))

        for scheme in ["light", "dark"]:
            self.scheme(scheme)
            for size in [DESKTOP, PHONE]:
                self.resize(size)
                self.cells("mild")
                look("the overview")
                self.button("Rules", CARD).click()
                self.dialog("Alert rules")
                look("the rules")
                self.button("loud", "dialog[open]").click()
                self.dialog("loud")
                look("one of them")
                self.button("Acknowledge", "dialog[open]").click()
                self.dialog("Acknowledge loud")
                look("acknowledging it")
                self.press(Keys.ESCAPE)
                self.no_dialog()
                self.button("Test the webhook of loud").click()
                self.dialog("Test the webhook of loud")
                self.confirm()
                self.dialog("The webhook of loud")
                look("what its webhook made of it")
                self.press(Keys.ESCAPE)
                self.no_dialog()
        self.assertEqual(found, [], "\n".join(found))
