"""What warnings and figures say of a copy."""

from tests.support.copier import ALICE, Copier


def test_a_warning_about_an_order_says_why(copier: Copier) -> None:
    leader = copier.buy(4, "100.00")
    copier.broker.cancel(ALICE, copier.copy_of(leader, "alice")["orderId"])
    line = copier.logged("Follower order ended without our request")
    assert " detail=" in line


def test_no_slippage_is_zero_without_a_sign_on_either_side(copier: Copier) -> None:
    for side in ("BUY", "SELL"):
        leader = copier.buy(4, 0, order_type="MARKET", side=side)
        copier.mapping(leader, "alice", "filled")
        filled = copier.logged(f"Follower order filled follower=alice leader_order={leader}")
        assert "slippage=0.00 rupees=0.00 bps=" in filled
        assert "=-0" not in filled
