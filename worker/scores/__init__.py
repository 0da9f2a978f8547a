"""The scores of an account: pure functions of its facts, with their reasons."""

from worker.scores.account import Scored, score_account
from worker.scores.memory import ScoreMemory

__all__ = ["ScoreMemory", "Scored", "score_account"]
