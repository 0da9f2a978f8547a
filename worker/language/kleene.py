"""Three-valued logic: true, false and unknown (None)."""

from __future__ import annotations

from worker.language.operators import Predicate, Truth
from worker.language.values import Fields


def all_of(runs: tuple[Predicate, ...]) -> Predicate:
    """False as soon as one part is false, else unknown if one is unknown, else true."""

    def run(fields: Fields) -> Truth:
        answer: Truth = True
        for part in runs:
            truth = part(fields)
            if truth is False:
                return False
            if truth is None:
                answer = None
        return answer

    return run


def any_of(runs: tuple[Predicate, ...]) -> Predicate:
    """True as soon as one part is true, else unknown if one is unknown, else false."""

    def run(fields: Fields) -> Truth:
        answer: Truth = False
        for part in runs:
            truth = part(fields)
            if truth is True:
                return True
            if truth is None:
                answer = None
        return answer

    return run


def negation(part: Predicate) -> Predicate:
    """The opposite; not unknown is unknown."""

    def run(fields: Fields) -> Truth:
        truth = part(fields)
        return None if truth is None else not truth

    return run


def or_else(part: Predicate, default: bool) -> Predicate:
    """The part, but ``default`` where it is unknown."""

    def run(fields: Fields) -> Truth:
        truth = part(fields)
        return default if truth is None else truth

    return run
