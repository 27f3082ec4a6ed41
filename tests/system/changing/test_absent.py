"""A follower that the settings do not name any more is never forgotten, and success is said only of who runs."""

from pathlib import Path

from actors.system.reload import Reloads
from copytrade.paper.broker import PaperBroker
from copytrade.reports.flatten_preview import absent_holders
from copytrade.settings import load_settings
from tests.support.copier import LOT
from tests.system.changing.changing import ALICE, BOB, HELD, Folder, copied, copying


def test_who_holds_copies_and_is_not_in_the_settings_is_named_and_nothing_is_said_done_for_him(
    broker: PaperBroker, tmp_path: Path
) -> None:
    folder = Folder(tmp_path, broker)
    folder.write(ALICE, BOB)
    both = load_settings(folder.file)
    with copying(folder) as copier:
        assert copied(copier, "bob", folder.buys()) == 2 * LOT
    folder.write(ALICE)
    with copying(folder) as copier:
        reloads = Reloads(copier.system, folder.file, copier.settings)
        reloads._gone = [one for one in both.followers if one.name == "bob"]  # as if that had been filled while he left
        reloads.look()
        reloads.look()
        critical = f'CRITICAL Follower is not in the settings and holds copies follower=bob holds="{HELD}"'
        assert copier.logged("is not in the settings").startswith(critical)
        copier.logged("Alert kind=absent who=bob")
        nothing = "bob: does not run in this copier, so nothing can be done for him"
        assert folder.ask("flatten", "bob", "--yes").last == (1, nothing)
        assert folder.ask("remove", "bob", "--flatten", "--yes").code == 1
        everybody = folder.ask("flatten", "--yes")
        assert (everybody.code, everybody.out.splitlines()[-1]) == (1, nothing)
        unread = f"bob: is not in the settings, so his account cannot be read; by the database he holds {HELD}"
        assert folder.ask("drift", "bob").last == (2, unread)
        assert folder.ask("pause", "bob").last == (1, "bob: does not run in the copier, so nothing was done")
        assert folder.ask("flatten", "zork").last == (2, "there is no follower zork; there are: alice, bob")

    not_copied = f"bob: is not in the settings, so nothing is copied to him; he holds {HELD}"
    assert folder.ask("pause", "bob").last == (1, not_copied)
    everybody = folder.ask("flatten", "--yes")
    assert everybody.code == 1
    assert "bob: is not in the settings, and without credentials nothing can be closed" in everybody.out
    refused = folder.ask("remove", "bob", "--flatten", "--yes")
    assert refused.code == 1
    assert "without credentials nothing can be closed" in refused.out

    left = folder.ask("remove", "bob", "--leave", "--yes")
    assert left.last == (0, f"bob: does not count as copied any more: {HELD}")
    gone = folder.ask("remove", "bob", "--leave", "--yes")
    assert gone == (2, "", "there is no follower bob; there are: alice\n")
    assert absent_holders(copier.settings.store.database, ["alice"]) == {}
