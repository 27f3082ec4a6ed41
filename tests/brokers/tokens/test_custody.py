"""When a token is checked, renewed, fetched anew or given up: no clock, no network."""

import itertools
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from copytrade.brokers.tokens.lifecycle import REFUSALS_ALLOWED, Failure, Step, TokenLifecycle, TokenPolicy
from copytrade.brokers.tokens.token import Credentials, Source, Token
from copytrade.core.model.orders import IST
from tests.brokers.tokens.jwt import jwt

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=IST)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
POLICY = TokenPolicy(2 * HOUR, 8 * HOUR, 2 * MINUTE)
PIN = {"pin": SecretStr("271828"), "totp_secret": SecretStr("CANARYCANARYCANARYCANARY")}


def token(name="given", lives=24 * HOUR, source=Source.GIVEN):
    return Token(SecretStr(name), None if lives is None else NOW + lives, source)


def lifecycle(given="given", kept=None, attempted=None, **ways):
    credentials = Credentials("1", SecretStr(given) if given else None, **ways)
    return TokenLifecycle(credentials, kept, attempted, POLICY, NOW)


def checked(kept=None, lives=24 * HOUR, **ways):
    one = lifecycle(kept=kept, **ways)
    assert one.next(NOW) is Step.CHECK
    one.begin(Step.CHECK, NOW)
    one.checked(NOW + lives, NOW)
    return one


def secret(one):
    return one.token.secret.get_secret_value()


def test_a_token_that_is_given_is_used_at_once_and_checked():
    one = lifecycle()
    assert one.is_usable
    assert one.next(NOW) is Step.CHECK
    one.begin(Step.CHECK, NOW)
    assert one.next(NOW) is None
    assert one.checked(NOW + 24 * HOUR, NOW) == 0.0
    assert one.token.expires == NOW + 24 * HOUR
    assert one.next(NOW) == NOW + 16 * HOUR  # to warn, since it may not be renewable


def test_the_token_that_lives_longest_is_tried_first_and_a_kept_one_before_one_that_does_not_say():
    assert secret(lifecycle(kept=token("kept"))) == "kept"
    assert secret(lifecycle(kept=token("kept", -HOUR))) == "given"
    longer = jwt({"exp": (NOW + 24 * HOUR).timestamp()}).get_secret_value()
    assert secret(lifecycle(longer, kept=token("kept", 23 * HOUR))) == longer
    assert secret(lifecycle(longer, kept=token("kept", 25 * HOUR))) == "kept"


def test_a_token_that_is_refused_gives_way_to_the_next_and_is_not_tried_again():
    one = lifecycle(kept=token("kept"))
    one.begin(Step.CHECK, NOW)
    one.refused("DH-906", NOW)
    assert (secret(one), one.is_usable, one.next(NOW)) == ("given", True, Step.CHECK)
    one.begin(Step.CHECK, NOW)
    one.refused("DH-906", NOW)
    assert (one.is_usable, one.is_helpless, one.problem) == (False, True, "DH-906")
    again = one.next(NOW)
    assert NOW < again < NOW + MINUTE  # the broker may have been mistaken
    assert one.next(again) is Step.CHECK
    one.begin(Step.CHECK, again)
    one.checked(None, again)
    assert one.is_usable


def test_without_a_token_it_logs_in_and_not_again_within_two_minutes():
    one = lifecycle(given=None, **PIN)
    assert (one.is_usable, one.next(NOW)) == (False, Step.LOG_IN)
    one.begin(Step.LOG_IN, NOW)
    one.not_replaced(Failure.OPEN, NOW)
    assert one.next(NOW + MINUTE) == NOW + 2 * MINUTE
    assert one.next(NOW + 2 * MINUTE) is Step.LOG_IN
    one.begin(Step.LOG_IN, NOW + 2 * MINUTE)
    one.replaced(token("new", source=Source.LOGIN))
    assert (one.is_usable, one.next(NOW)) == (True, NOW + 22 * HOUR)


def test_an_attempt_before_the_restart_counts_and_one_that_never_left_does_not():
    one = lifecycle(given=None, attempted=NOW - MINUTE, **PIN)
    assert one.next(NOW) == NOW + MINUTE
    one = lifecycle(given=None, **PIN)
    one.begin(Step.LOG_IN, NOW)
    one.not_replaced(Failure.NOT_SENT, NOW)
    assert one.next(NOW) < NOW + MINUTE


def test_logins_that_are_refused_end_and_begin_again_with_what_is_given():
    one = lifecycle(given=None, **PIN)
    for number in range(REFUSALS_ALLOWED):
        at = NOW + number * 2 * MINUTE
        assert one.next(at) is Step.LOG_IN
        one.begin(Step.LOG_IN, at)
        one.not_replaced(Failure.REFUSED, at)
    assert (one.is_helpless, one.next(NOW + 24 * HOUR)) == (True, None)
    one.give(one.credentials, None, NOW + HOUR)
    assert one.next(NOW + HOUR) is Step.LOG_IN


def test_a_token_that_works_is_renewed_ahead_of_its_end_or_logged_in_for():
    one = checked()
    due = NOW + 22 * HOUR
    assert one.to_warn_of(NOW) is None
    assert one.to_warn_of(NOW + 16 * HOUR) == NOW + 24 * HOUR
    assert one.to_warn_of(NOW + 16 * HOUR) is None
    assert one.next(NOW + 16 * HOUR) == due
    assert one.next(due) is Step.RENEW
    one.begin(Step.RENEW, due)
    one.not_replaced(Failure.REFUSED, due)
    assert (one.is_usable, one.next(due)) == (True, NOW + 24 * HOUR)
    assert one.next(NOW + 24 * HOUR) is Step.CHECK

    one = checked(**PIN)
    assert one.next(NOW) == due
    assert one.next(due) is Step.RENEW
    one.begin(Step.RENEW, due)
    one.not_replaced(Failure.REFUSED, due)
    assert one.next(due) == due + 2 * MINUTE
    assert one.next(due + 2 * MINUTE) is Step.LOG_IN
    assert one.to_warn_of(due) is None

    one = checked(kept=token("kept", source=Source.LOGIN), **PIN)
    assert one.next(due) is Step.LOG_IN  # documented for tokens from the web site alone


def test_a_renewal_whose_answer_is_lost_may_have_ended_the_token():
    one = checked()
    due = NOW + 22 * HOUR
    one.begin(Step.RENEW, due)
    one.not_replaced(Failure.OPEN, due)
    assert one.next(due) is Step.CHECK


def test_a_token_that_works_beyond_its_end_is_not_asked_about_again_and_again():
    one = checked(lives=HOUR)
    end = NOW + 2 * HOUR
    one.to_warn_of(end)
    assert one.next(end) is Step.CHECK
    one.begin(Step.CHECK, end)
    one.checked(NOW + HOUR, end)
    assert one.next(end) is None


def test_false_alarms_are_answered_later_and_later_while_they_go_on():
    one = checked()
    delays = []
    for number in range(6):
        at = NOW + timedelta(seconds=number)
        one.doubt(refused=True)
        assert one.next(at) is Step.CHECK
        one.begin(Step.CHECK, at)
        delays.append(one.checked(None, at))
    assert delays[0] == 0.0
    assert delays[1] > 0.0
    assert delays[5] > 2.0
    one.doubt(refused=False)
    one.begin(Step.CHECK, NOW)
    assert one.checked(None, NOW + HOUR) == 0.0
    one.doubt(refused=True)
    one.begin(Step.CHECK, NOW)
    assert one.checked(None, NOW + HOUR) == 0.0


def test_what_is_given_anew_goes_before_what_is_in_use():
    one = checked()
    one.give(Credentials("1", SecretStr("newer")), None, NOW)
    assert (secret(one), one.next(NOW)) == ("newer", Step.CHECK)
    one.begin(Step.CHECK, NOW)
    one.refused("DH-906", NOW)
    assert secret(one) == "given"  # it may still work


def test_what_is_given_again_changes_nothing():
    one = checked(kept=token("kept"))
    one.give(one.credentials, token("kept"), NOW)
    assert secret(one) == "kept"


def test_one_that_is_helpless_takes_what_is_put_into_the_file():
    one = lifecycle()
    one.begin(Step.CHECK, NOW)
    one.refused("DH-901", NOW)
    one.give(one.credentials, token("by hand"), NOW)
    assert (secret(one), one.is_usable, one.next(NOW)) == ("by hand", True, Step.CHECK)


def test_a_token_of_another_account_is_never_used():
    theirs = jwt({"dhanClientId": "2"}).get_secret_value()
    one = lifecycle(theirs)
    assert (one.token, one.problem) == (None, "the token belongs to another account")
    assert lifecycle(theirs, **PIN).next(NOW) is Step.LOG_IN


_ANSWERS = st.sampled_from(["works", "refused", "silent", "new", "open", "no", "not_sent", "doubt", "give"])


@settings(deadline=None)
@given(st.booleans(), st.booleans(), st.lists(st.tuples(_ANSWERS, st.integers(0, 7200)), max_size=60))
def test_whatever_happens_attempts_keep_their_distance_and_it_goes_on(can_log_in, has_token, story):
    one = lifecycle("given" if has_token else None, **(PIN if can_log_in or not has_token else {}))
    now, attempts = NOW, []
    for number, (answer, seconds) in enumerate(story):
        now += timedelta(seconds=seconds)
        one.to_warn_of(now)
        step = one.next(now)
        if isinstance(step, datetime):
            assert step > now
        if not isinstance(step, Step):
            assert step is not None or one.is_usable or one.is_helpless  # as things are before anybody is told anything
            if answer == "doubt":
                one.doubt(refused=True)
            if answer == "give":
                one.give(one.credentials, None, now)
            continue
        one.begin(step, now)
        if step is Step.CHECK:
            match answer:
                case "refused":
                    one.refused("DH-906", now)
                case "silent":
                    one.unanswered(now)
                case _:
                    one.checked(now + HOUR, now)
        elif answer == "new":
            attempts.append(now)
            one.replaced(Token(SecretStr(f"new{number}"), now + 24 * HOUR, Source.LOGIN))
        elif answer == "not_sent":
            one.not_replaced(Failure.NOT_SENT, now)
        else:
            attempts.append(now)
            one.not_replaced(Failure.REFUSED if answer == "no" else Failure.OPEN, now)
    assert all(after - before >= 2 * MINUTE for before, after in itertools.pairwise(attempts))
