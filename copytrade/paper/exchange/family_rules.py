"""What nobody knows of the broker's super and forever orders, each as a rule that can be set."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FamilyRules:
    """The broker's ways with super and forever orders; ``docs/paper-broker.md`` says what each is for.

    ``on_cancel`` says what cancelling an entry that has traded does: ``refused``, or ``legs`` for the end of its exits.
    An entry that has traded in part is cancelled with its exits, or with ``rest`` without them. ``other_leg_after`` is
    seconds from the end of one exit to that of the other.
    """

    dormant_frames: bool = False
    dormant_rows: bool = False
    leg_frames: bool = True
    arms_in_parts: bool = True
    other_leg_after: float = 0.0
    trailing_frames: bool = True
    on_cancel: str = "refused"
    cancel_text: str = "Order is already traded and cannot be cancelled"
    leg_modifications: int = 25
    correlation_id_length: int = 25
    forever_frames: bool = False

    def __post_init__(self) -> None:
        if self.on_cancel not in ("refused", "legs", "rest"):
            raise ValueError(f"on_cancel is {self.on_cancel!r}; use refused, legs or rest")
