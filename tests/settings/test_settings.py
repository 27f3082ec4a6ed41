from datetime import time
from decimal import Decimal
from pathlib import Path

import pytest

from copytrade.core.decide.risk_limits import LossLimit
from copytrade.core.ledger.sizing import Strategy
from copytrade.settings import Settings, SettingsUnusable, load_settings

MINIMUM = """
[leader]
client_id = "1"
access_token = "${LEADER_TOKEN}"
[[followers]]
name = "alice"
client_id = "2"
access_token = "secret-alice"
"""


def load(folder: Path, text: str) -> Settings:
    path = folder / "settings.toml"
    path.write_text(text)
    return load_settings(path)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(SettingsUnusable) as caught:
        load(folder, text)
    return caught.value.faults


def test_the_shipped_settings_are_valid_and_start_in_paper_mode() -> None:
    assert load_settings(Path("settings.toml")).mode == "paper"


def test_the_shipped_settings_document_every_key() -> None:
    shipped = Path("settings.toml").read_text()
    for name, section in Settings.model_fields.items():
        fields = getattr(section.annotation, "model_fields", None)
        if fields is not None and name != "leader":
            missing = [key for key, field in fields.items() if f"{field.alias or key} =" not in shipped]
            assert not missing, f"[{section.alias or name}] {missing}"


def test_names_in_braces_come_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("LEADER_TOKEN=from-file\n")
    assert load(tmp_path, MINIMUM).leader.access_token.get_secret_value() == "from-file"
    monkeypatch.setenv("LEADER_TOKEN", "from-environment")
    assert load(tmp_path, MINIMUM).leader.access_token.get_secret_value() == "from-environment"


def test_a_byte_order_mark_before_settings_or_environment_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LEADER_TOKEN=from-file\n", encoding="utf-8-sig")
    (tmp_path / "settings.toml").write_text(MINIMUM, encoding="utf-8-sig")
    assert load_settings(tmp_path / "settings.toml").leader.access_token.get_secret_value() == "from-file"


def test_settings_that_nest_without_end_are_a_fault(tmp_path: Path) -> None:
    assert faults(tmp_path, f"mode = {'[' * 100_000}") == [
        f"{tmp_path / 'settings.toml'}: is not valid TOML: nested too deeply"
    ]


def test_an_environment_file_that_is_no_text_is_a_fault_without_its_words(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"LEADER_TOKEN=\xff\xfesecret\n")
    assert faults(tmp_path, MINIMUM) == [f"{tmp_path / '.env'}: cannot be read: UnicodeDecodeError"]


def test_a_follower_inherits_the_copy_section_and_overrides_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADER_TOKEN", "t")
    more = (
        '[[followers]]\nname="bob"\nclient_id="3"\naccess_token="t"\nratio=0.5\n[copy]\nsizing="fixed_ratio"\nratio=2\n'
    )
    alice, bob = load(tmp_path, MINIMUM + more).followers
    assert (alice.sizing, alice.ratio, bob.ratio) == (Strategy.FIXED_RATIO, Decimal(2), Decimal("0.5"))


def test_every_fault_is_listed_with_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEADER_TOKEN", raising=False)
    found = faults(
        tmp_path, 'mode = "papr"\nzork = 1\n' + MINIMUM + "ratio = -1\nsizng = 3\n[dhan]\nrest_url='http://a.b'\n"
    )
    assert found == [
        "leader.access_token: ${LEADER_TOKEN} is set neither in the environment nor in .env",
        "mode: must be 'paper', 'sandbox' or 'live'",
        "followers.alice.ratio: must be greater than 0",
        "followers.alice.sizng: is not a setting (sizing?)",
        "dhan.rest_url: must be an https URL; plain http is for this machine alone",
        "zork: is not a setting",
    ]


@pytest.mark.parametrize("text", ["", "x = ", "[leader", "\x00", "followers = 3", "copy = 3", "leader = []"])
def test_half_written_settings_are_refused(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsUnusable, match=r"nowhere\.toml"):
        load_settings(tmp_path / "nowhere.toml")


def test_nobody_copies_himself_or_is_copied_to_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADER_TOKEN", "t")
    twins = MINIMUM + '[[followers]]\nname="Alice"\nclient_id="2"\naccess_token="t"\n'
    (fault,) = faults(tmp_path, twins)
    assert "same client_id as follower alice" in fault
    assert "follower Alice: that name is taken" in fault
    for taken in ("store", "Leader", "feed-leader"):
        (fault,) = faults(tmp_path, MINIMUM.replace('"alice"', f'"{taken}"'))
        assert "that name is taken" in fault
    (fault,) = faults(tmp_path, MINIMUM.replace('"2"', '"1"'))
    assert "same client_id as the leader" in fault
    for taken in ("store", "ALICE"):
        (fault,) = faults(tmp_path, MINIMUM.replace("[leader]", f'[leader]\nname = "{taken}"'))
        assert "that name is taken" in fault


def test_no_secret_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADER_TOKEN", "canary-leader")
    settings = load(tmp_path, MINIMUM)
    assert "canary" not in repr(settings)
    assert "secret-alice" not in f"{settings} {settings.followers!r}"
    assert "canary" not in "\n".join(faults(tmp_path, MINIMUM + "ratio = 'canary'\n"))


@pytest.mark.parametrize(
    ("url", "usable"),
    [
        ("https://images.dhan.co/master.csv", True),
        ("http://127.0.0.1:8000/master.csv", True),
        ("/srv/master.csv", True),
        ("master.csv", True),
        ("http://images.dhan.co/master.csv", False),
        ("ftp://images.dhan.co/master.csv", False),
        ("file:///srv/master.csv", False),
    ],
)
def test_lots_and_ticks_come_over_tls_or_from_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, usable: bool
) -> None:
    monkeypatch.setenv("LEADER_TOKEN", "t")
    text = MINIMUM + f'[dhan]\ninstruments_url = "{url}"\n'
    if usable:
        expected = url if "://" in url else str(tmp_path / url)
        assert load(tmp_path, text).dhan.instruments_url == expected
    else:
        (fault,) = faults(tmp_path, text)
        assert fault.startswith("dhan.instruments_url: must be an https URL or a file")


def test_an_alert_service_cannot_be_told_to_skip_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADER_TOKEN", "t")
    urls = '[alerts]\nurls = ["jsons://a.example/x", "jsons://canary@b.example/x?verify=no"]\n'
    (fault,) = faults(tmp_path, MINIMUM + urls)
    assert fault == "alerts.urls: number 2 must not say verify=no: certificates are always checked"


@pytest.mark.parametrize(
    ("mode", "rest_url", "usable"),
    [
        ("sandbox", "https://sandbox.dhan.co/v2", True),
        ("sandbox", "http://127.0.0.1:8000/v2", True),
        ("sandbox", "https://api.dhan.co/v2", False),
        ("sandbox", "https://sandbox.dhan.co.example/v2", False),
        ("live", "https://sandbox.dhan.co/v2", False),
        ("live", "https://api.dhan.co/v2", True),
    ],
)
def test_requests_go_where_the_mode_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, rest_url: str, usable: bool
) -> None:
    monkeypatch.setenv("LEADER_TOKEN", "t")
    text = f'mode = "{mode}"\n{MINIMUM}relationship = "self"\n[dhan]\nrest_url = "{rest_url}"\n'
    if usable:
        assert load(tmp_path, text).mode == mode
    else:
        (fault,) = faults(tmp_path, text)
        assert "sandbox" in fault


def test_an_account_has_one_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADER_TOKEN", "t")
    (alice,) = load(tmp_path, MINIMUM + 'source_address = "2001:db8::7"\n').followers
    assert alice.way_out == alice.shown_way_out == "2001:db8::7"
    (alice,) = load(tmp_path, MINIMUM + 'proxy = "http://me:canary@proxy.example:3128/"\n').followers
    assert alice.shown_way_out == "the proxy proxy.example:3128"
    assert "canary" not in repr(alice)
    (fault,) = faults(tmp_path, MINIMUM + 'source_address = "not-one"\n')
    assert fault.startswith("followers.alice.source_address: ")
    for unusable in ("https://p:1", "http://me:canary@p:99999", "http://p:1/path", "p:1", "http://me@canary@p"):
        (fault,) = faults(tmp_path, MINIMUM + f'proxy = "{unusable}"\n')
        assert fault.startswith("followers.alice.proxy: must be a URL like")
        assert "canary" not in fault
    (fault,) = faults(tmp_path, MINIMUM + 'source_address = "10.0.0.1"\nproxy = "http://p:1"\n')
    assert "a source_address and a proxy" in fault


def test_a_token_does_not_leave_this_machine_in_plain_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADER_TOKEN", "t")
    here = '\n[dhan]\nrest_url = "http://127.0.0.1:1/v2"\n'
    assert load(tmp_path, MINIMUM + 'proxy = "http://me:x@127.0.0.1:3128"' + here)
    (fault,) = faults(tmp_path, MINIMUM + 'proxy = "http://me:canary@elsewhere.example:3128"' + here)
    assert "unencrypted" in fault
    assert "canary" not in fault


def test_copying_into_somebody_elses_account_is_acknowledged_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADER_TOKEN", "t")
    assert load(tmp_path, MINIMUM).followers[0].relationship == "self"
    for family in ("spouse", "child", "parent"):
        assert load(tmp_path, MINIMUM + f'relationship = "{family}"\n').followers[0].relationship == family
    (fault,) = faults(tmp_path, MINIMUM + 'relationship = "other"\n')
    assert "acknowledged = true" in fault
    assert "The law" in fault
    assert load(tmp_path, MINIMUM + 'relationship = "other"\nacknowledged = true\n').followers[0].acknowledged
    assert faults(tmp_path, MINIMUM + 'relationship = "friend"\n')


@pytest.mark.parametrize(
    ("written", "limit"),
    [
        ("20000", LossLimit(Decimal(20000))),
        ("2500.50", LossLimit(Decimal("2500.5"))),
        ('"3%"', LossLimit(Decimal(3), is_percent=True)),
        ('"2.5 %"', LossLimit(Decimal("2.5"), is_percent=True)),
    ],
)
def test_a_loss_is_limited_in_rupees_or_percent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, limit: LossLimit
) -> None:
    monkeypatch.setenv("LEADER_TOKEN", "t")
    settings = load(tmp_path, f"{MINIMUM}max_daily_loss = {written}\n")
    assert settings.followers[0].max_daily_loss == limit


@pytest.mark.parametrize("written", ["0", "-1", "true", '"x"', '"101%"', '"%"', "nan", "[]"])
def test_a_loss_limit_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("LEADER_TOKEN", "t")
    (fault,) = faults(tmp_path, f"{MINIMUM}max_daily_loss = {written}\n")
    assert fault.startswith("followers.alice.max_daily_loss: must be rupees, or percent")


def test_hours_and_names_are_read_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADER_TOKEN", "t")
    more = 'trade_from = "09:20"\ntrade_until = 15:00:00\nallowed = ["nifty "]\n'
    (alice,) = load(tmp_path, MINIMUM + more).followers
    assert (alice.trade_from, alice.trade_until, alice.allowed) == (time(9, 20), time(15, 0), {"NIFTY"})
    assert faults(tmp_path, MINIMUM + 'trade_from = "15:00"\ntrade_until = "09:20"\n') == [
        "followers.alice: trade_from must be before trade_until"
    ]


NO_SECRET = "must be the secret that the broker shows beside its QR code: letters and digits 2 to 7"

WAYS = """
[leader]
client_id = "1"
pin = "271828"
totp_secret = "cana ryca nary cana ryca nary"
[[followers]]
name = "alice"
client_id = "2"
"""


def test_an_account_can_do_without_a_token_that_is_given(tmp_path: Path) -> None:
    leader = load(tmp_path, WAYS + 'access_token = "t"\n').leader
    assert leader.access_token is None
    assert leader.totp_secret is not None
    assert leader.totp_secret.get_secret_value() == "CANARYCANARYCANARYCANARY"


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ("", "followers.alice: access_token is missing, or pin and totp_secret to get one with"),
        ('pin = "271828"', "followers.alice: pin and totp_secret go together"),
        ('access_token = "t"\ntotp_secret = "CANARYCANARY"', "followers.alice: pin and totp_secret go together"),
        ('access_token = "two words"', "followers.alice.access_token: must be printable ASCII without spaces"),
        ('pin = "secret"\ntotp_secret = "CANARYCANARY"', "followers.alice.pin: must be digits"),
        ('pin = "271828"\ntotp_secret = "canary-1890"', f"followers.alice.totp_secret: {NO_SECRET}"),
    ],
)
def test_a_way_to_a_token_that_cannot_work_is_refused_without_showing_it(tmp_path: Path, keys: str, fault: str) -> None:
    assert faults(tmp_path, WAYS + keys) == [fault]


def test_the_sandbox_has_tokens_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADER_TOKEN", "t")
    text = MINIMUM.replace('access_token = "secret-alice"', 'pin = "1234"\ntotp_secret = "GEZDGNBVGY3TQOJQ"')
    text = f'mode = "sandbox"\n{text}[dhan]\nrest_url = "https://sandbox.dhan.co/v2"\n'
    (fault,) = faults(tmp_path, text)
    assert fault == "settings: the sandbox knows no PIN: alice needs an access_token from it"
