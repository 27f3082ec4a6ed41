"""The page as an operator uses it, in a real browser."""

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from bench.speed.board.stage import Stagehand
from copytrade.core.model.copies import Stage
from copytrade.core.model.reasons import Reason
from copytrade.paper.broker import PaperBroker
from copytrade.storage.database import Database
from copytrade.storage.files.lock_file import hold_lock
from copytrade.web.access.password import hash_of
from tests.support.copier import ALICE, BOB, LEADER, Copier, accounts, running, settings_for
from tests.web.browsing import LAPTOP, PATIENCE, PHONE, chromium, opened, picture, serious_faults
from tests.web.relay import Relay
from tests.web.served import serving

PASSWORD = "correct horse battery"
SETTINGS = """
mode = "live"
[leader]
client_id = "{leader}"
access_token = "token-of-leader"
[[followers]]
name = "alice"
client_id = "{alice}"
access_token = "token-of-alice"
[[followers]]
name = "bob"
client_id = "{bob}"
access_token = "token-of-bob"
ratio = 0.5
[copy]
sizing = "fixed_ratio"
[market]
hours = "always"
[dhan]
rest_url = "{broker.rest_url}"
feed_url = "{broker.feed_url}"
auth_url = "{broker.auth_url}"
instruments_url = "{broker.instruments_url}"
[store]
database = "copy.db"
[board]
listen = "127.0.0.1:0"
"""


def test_an_operator_watches_pauses_and_flattens_with_the_keyboard_alone(tmp_path: Path) -> None:
    expect.set_options(timeout=PATIENCE)
    settings = tmp_path / "settings.toml"
    with chromium() as browser, PaperBroker(accounts()) as broker, hold_lock(str(tmp_path / "copy.db")):
        database = Database(str(tmp_path / "copy.db"))
        database.claim("live", LEADER)
        database.close()
        settings.write_text(SETTINGS.format(leader=LEADER, alice=ALICE, bob=BOB, broker=broker))
        with (
            running(settings_for(broker, tmp_path, recovery={"audit_interval": 0.5}), broker) as copier,
            serving(settings, str(tmp_path / "copy.db")) as board,
            opened(browser, board) as page,
        ):
            expect(page.locator(".mode")).to_have_text("live")
            watches_an_order(page, copier)
            pauses_bob(page, copier)
            uses_every_control(page, copier)
            flattens_alice(page, copier)
            everybody_can_use_it(page)
            page.keyboard.press("Escape")
            reads_the_report_of_the_day(page)
            assert [line for line in copier.log if "Everything is closed" in line]


def watches_an_order(page: Page, copier: Copier) -> None:
    order = copier.buy(4)
    shown = page.locator(f'[data-region="orders"] > [data-id="{order}"]')
    expect(shown).to_contain_text("2 of 2")
    copier.broker.cancel(LEADER, order)
    expect(shown.locator('[data-cell="status"]')).to_have_text("cancelled")
    shown.get_by_role("button", name=order).click()
    dialog = page.get_by_role("dialog", name=f"Order {order}")
    expect(dialog).to_contain_text("correlation id")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def pauses_bob(page: Page, copier: Copier) -> None:
    pause = page.get_by_role("button", name="Pause bob")
    pause.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text("bob: entries paused, exits and cancellations go on")
    expect(page.locator('[data-region="followers"] > [data-id="bob"] .state')).to_contain_text("paused")
    expect(page.get_by_role("button", name="Resume bob")).to_be_focused()
    copier.logged("Entries paused")
    order = copier.buy(4, 0, order_type="MARKET")
    skip = page.locator('[data-region="troubles"] > tr', has_text=order)
    expect(skip).to_contain_text("copying disabled")
    expect(skip).to_contain_text(re.compile(r"entries of bob are paused since .* by an operator \(board\)"))
    expect(page.locator('[data-region="followers"] > [data-id="bob"] .sync')).to_have_text("differs")
    page.get_by_role("button", name="bob", exact=True).click()
    expect(page.get_by_role("dialog", name="bob")).to_contain_text("copying disabled")
    page.keyboard.press("Escape")
    picture(page, "board.png")


def uses_every_control(page: Page, copier: Copier) -> None:
    said = page.locator("#said")
    page.get_by_role("button", name="Resume bob").click()
    expect(said).to_contain_text("bob: entries resumed")
    page.get_by_role("button", name="Copy what is missing bob").click()
    expect(page.locator('[data-region="followers"] > [data-id="bob"] .sync')).to_have_text("in sync")
    page.get_by_role("button", name="Pause all").click()
    copier.logged("Entries paused")
    expect(page.locator('[data-region="followers"] > [data-id="alice"] .state')).to_contain_text("paused")
    page.get_by_role("button", name="Resume all").click()
    expect(page.locator('[data-region="followers"] > [data-id="alice"] .state')).to_have_text("live")
    page.get_by_role("button", name="Flatten all").click()
    dialog = page.get_by_role("dialog", name="Flatten everybody")
    dialog.get_by_label("Type all to confirm").fill("al")
    expect(dialog.get_by_role("button", name="Flatten")).to_be_disabled()
    dialog.get_by_role("button", name="Do nothing").click()
    expect(dialog).to_be_hidden()


def everybody_can_use_it(page: Page) -> None:
    assert serious_faults(page) == []
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="bob", exact=True).click()
    assert serious_faults(page) == []


def flattens_alice(page: Page, copier: Copier) -> None:
    page.get_by_role("button", name="Flatten alice").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Flatten alice")
    expect(dialog.get_by_role("button", name="Flatten")).to_be_disabled()
    page.keyboard.type("alic")
    expect(dialog.get_by_role("button", name="Flatten")).to_be_disabled()
    page.keyboard.type("e")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text("alice: 0 orders cancelled, closed 260")
    expect(page.locator('[data-region="events"]')).to_contain_text("flatten")


def reads_the_report_of_the_day(page: Page) -> None:
    page.get_by_role("link", name="Report of the day").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("body")).to_contain_text("alice")
    picture(page, "report.png")
    page.get_by_role("link", name="Every copy").click()
    expect(page.get_by_role("heading", name="Every copy")).to_be_in_viewport()
    page.get_by_role("link", name="Back to the board").click()
    expect(page.locator("#link")).to_have_text("live")


def test_two_hundred_followers_are_found_read_and_used_by_everybody(tmp_path: Path) -> None:
    expect.set_options(timeout=PATIENCE)
    hostile = "<img src=x onerror=alert(1)>"
    with chromium() as browser, Stagehand(tmp_path, 200, f'password_hash = "{hash_of(PASSWORD)}"\n') as stage:
        order = stage.order(symbol=hostile)
        for number, name in enumerate(stage.names[:9]):
            stage.copied(order, name) if number % 3 else stage.skipped(order, name, Reason.ZERO_LOTS, hostile)
        stage.tell(f007={"state": "quarantined"})
        with serving(stage.settings, stage.database) as board:
            relay = Relay(int(board.host.rpartition(":")[2]))
            with opened(browser, board, LAPTOP, url=f"http://127.0.0.1:{relay.port}/") as page:
                is_fast_and_keeps_the_focus(page, stage)
                says_which_failed(page, stage)
                is_told_when_the_connection_is_lost(page, stage, relay)
            relay.stop()
            stage.tell()
            logs_in_by_password(browser, board.url)
            with opened(browser, board, PHONE, "dark") as page:
                is_read_on_a_phone(page, stage)


def logs_in_by_password(browser: Browser, url: str) -> None:
    page = browser.new_page()
    page.goto(url)
    page.get_by_label("Or with the password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#link")).to_have_text("live")  # the page's module has begun to listen
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("Log in with a link")).to_be_visible()
    page.goto(url)
    expect(page.get_by_text("Log in with a link")).to_be_visible()
    page.close()


def is_fast_and_keeps_the_focus(page: Page, stage: Stagehand) -> None:
    rows = page.locator('[data-region="followers"] > tr')
    expect(rows).to_have_count(200)
    expect(page.locator('[data-region="troubles"] img')).to_have_count(0)
    expect(page.locator('[data-region="troubles"]')).to_contain_text("<img src=x")
    find = page.get_by_label("Find a follower")
    find.fill("f00")
    expect(page.locator('[data-region="followers"] > tr:visible')).to_have_count(9)
    page.get_by_label("only trouble").check()
    expect(page.locator('[data-region="followers"] > tr:visible')).to_have_count(1)
    page.get_by_label("only trouble").uncheck()
    find.fill("")
    flatten = page.get_by_role("button", name="Flatten f003")
    flatten.focus()
    for _ in range(3):
        seen = stage.order()
        stage.tell(f003={"mailbox": 7})
        expect(page.locator('[data-region="orders"] > tr').first).to_contain_text(seen.id)
    expect(flatten).to_be_focused()


def says_which_failed(page: Page, stage: Stagehand) -> None:
    order = stage.order()
    refused = {"stage": Stage.ENDED, "order_id": "", "latency_ms": None, "breakdown": None}
    stage.copied(order, "f010", **refused, reason=Reason.BROKER_REFUSED, error="DH-906: no margin")
    stage.copied(order, "f011", reason=Reason.FILLED_OTHERWISE, error="the leader got 65 of 130")
    stage.copied(order, "f012", latency_ms=None, breakdown=None)
    stage.tell(feed_leader={"figures": {"gate": "closed"}})
    rows = page.locator('[data-region="troubles"] > tr:visible')
    page.get_by_role("button", name=re.compile("^End quarantine f")).click()  # of the one who is quarantined
    expect(page.locator('[data-region="events"]')).to_contain_text(re.compile("f007 *retry"))
    page.get_by_label("Show").select_option("failed")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("DH-906: no margin")
    page.get_by_label("Show").select_option("all")
    page.get_by_role("list", name="Reasons").get_by_role("button", name="filled otherwise").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("f011")
    page.get_by_role("button", name="Every reason").click()
    shown = page.locator(f'[data-region="orders"] > [data-id="{order.id}"]')
    expect(shown).to_contain_text("1 of 3 1 otherwise")
    expect(page.locator(".late")).to_contain_text("1")
    expect(page.locator(".top .why")).to_contain_text("Entries wait: orders of leader may have been missed")
    stage.tell(feed_leader={"figures": {"gate": "open"}})
    expect(page.locator(".top .why")).to_be_hidden()
    cut = page.evaluate("(e => e.scrollWidth - e.clientWidth)(document.querySelector('#orders .scroll'))")
    assert cut == 0, "no column of the orders is cut off"


def is_told_when_the_connection_is_lost(page: Page, stage: Stagehand, relay: Relay) -> None:
    relay.cut()
    expect(page.locator("#link")).to_contain_text("lost")
    seen = stage.order()
    relay.mend()
    stage.tell()
    expect(page.locator("#link")).to_have_text("live")
    expect(page.locator('[data-region="orders"]')).to_contain_text(seen.id)


def is_read_on_a_phone(page: Page, stage: Stagehand) -> None:
    expect(page.locator('[data-region="followers"] > tr')).to_have_count(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], "nothing is cut off"
    stage.tell()
    picture(page, "board-phone.png")
    page.get_by_role("button", name="f007", exact=True).click()
    expect(page.get_by_role("dialog", name="f007")).to_contain_text("quarantined")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="f007")).to_be_hidden()
