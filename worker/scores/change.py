"""The change of a health score in 28 days, in pieces that add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from worker.scores.parts import PartScore, WeightedSum, rounded

MoveKind = Literal["moved", "left", "joined", "cap"]


@dataclass(frozen=True, slots=True)
class Move:
    """One piece of a change. ``left`` and ``joined`` are parts that stopped or began to be known."""

    name: str
    points: float
    kind: MoveKind = "moved"


@dataclass(frozen=True, slots=True)
class Change:
    """``points`` since 28 days ago, or None and ``unknown_because``. The moves add up to the exact change."""

    points: int | None
    moves: tuple[Move, ...] = ()
    unknown_because: str = ""

    def said(self) -> str:
        """The change in words, with its pieces."""
        if self.points is None:
            return f"unknown, {self.unknown_because or 'nothing to compare with'}"
        moves = ", ".join(f"{move.name} {move.points:+.1f}{_KINDS.get(move.kind, '')}" for move in self.moves)
        return f"{self.points:+d}" + (f" ({moves})" if moves else "")


UNCOMPARED = Change(None)
_KINDS = {"left": " (no longer counted)", "joined": " (newly counted)", "cap": " (cap)"}


@dataclass(frozen=True, slots=True)
class ScoreBasis:
    """A score at one moment, before smoothing: its weighted parts and the cap that holds it down, if any."""

    profile: str
    sum: WeightedSum
    cap: str = ""
    at_most: float = 100.0


def compare(now: ScoreBasis, then: ScoreBasis | None) -> Change:
    """The difference of two scores under the same settings.

    Parts known at both moments are compared with each other. What a part takes with it when it stops being
    known, and brings when it becomes known, is a move of its own: nothing that the account did caused it.
    """
    if then is None:
        return Change(None, unknown_because="nothing is known of 28 days ago")
    if now.sum.total is None:
        return Change(None, unknown_because="not enough data")
    if now.profile != then.profile:
        return Change(None, unknown_because=f"profile changed from {then.profile} to {now.profile}")
    if then.sum.total is None:
        return Change(None, unknown_because="not enough data 28 days ago")
    before = {part.name: part for part in then.sum.parts if part.points is not None}
    after = {part.name: part for part in now.sum.parts if part.points is not None}
    common = sorted(before.keys() & after.keys())
    if not common:
        return Change(None, unknown_because="no part is known both now and 28 days ago")
    moves = _moves(before, after, common, then.sum.total, now.sum.total)
    held_now, held_then = min(0.0, now.at_most - now.sum.total), min(0.0, then.at_most - then.sum.total)
    if held_now != held_then:
        name = now.cap if held_now < held_then else f"{then.cap} no longer holds"
        moves.append(Move(name, held_now - held_then, "cap"))
    moves.sort(key=lambda move: (-abs(move.points), move.name))
    return Change(rounded(now.sum.total + held_now - then.sum.total - held_then), tuple(moves))


def _moves(
    before: dict[str, PartScore], after: dict[str, PartScore], common: Sequence[str], then: float, now: float
) -> list[Move]:
    weights = sum(after[name].weight for name in common)
    old = {name: after[name].weight * (before[name].points or 0.0) / weights for name in common}
    new = {name: after[name].weight * (after[name].points or 0.0) / weights for name in common}
    moves = [Move(name, new[name] - old[name]) for name in common if new[name] != old[name]]
    gone, come = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
    if gone:
        moves.append(Move(", ".join(gone), sum(old.values()) - then, "left"))
    if come:
        moves.append(Move(", ".join(come), now - sum(new.values()), "joined"))
    return moves
