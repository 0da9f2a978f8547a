"""Rate windows in Redis: one script, on the server's clock, so that no worker's clock matters.

The same sliding log as `connectors.pace.Log`, as a sorted set beside a hash. Everything in it expires by itself, and
none of it is needed to deliver: a Redis that has lost it starts with an empty log.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from connectors.base import Bucket
from connectors.pace import ABOUT, MARGIN_S, Booking, Rate

ANSWER_S = 2.0
"""A Redis that does not answer so soon is away."""

_BOOK = """
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local kept = redis.call('HMGET', KEYS[2], 'hold_until', 'others', 'others_until')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.6f', now - window))
local used = redis.call('ZCARD', KEYS[1])
local hold = tonumber(kept[1] or 0) - now
if hold > 0 then return {string.format('%.6f', hold), used} end
local room = limit
if tonumber(kept[3] or 0) > now then room = math.max(1, limit - tonumber(kept[2])) end
if used >= room then
  local frees = redis.call('ZRANGE', KEYS[1], used - room, used - room, 'WITHSCORES')
  return {string.format('%.6f', math.max(tonumber(frees[2]) + window - now, 0.001)), used}
end
redis.call('ZADD', KEYS[1], string.format('%.6f', now), ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.ceil(window * 1000) + 1000)
return {'0', used + 1}
"""

_LATE = """
local t = redis.call('TIME')
redis.call('ZADD', KEYS[1], string.format('%.6f', t[1] + t[2] / 1000000), ARGV[1])
redis.call('EXPIRE', KEYS[1], 3600)
"""

_CROWD = """
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local kept = redis.call('HMGET', KEYS[2], 'others', 'others_until')
local seen, others, ends = tonumber(ARGV[1]), tonumber(kept[1] or 0), tonumber(kept[2] or 0)
if seen >= others or ends <= now then others = seen end
if seen >= others * ARGV[3] then ends = math.max(ends, now + ARGV[2]) end
redis.call('HSET', KEYS[2], 'others', others, 'others_until', string.format('%.6f', ends))
redis.call('EXPIRE', KEYS[2], 3600)
"""

_PAUSE = """
local t = redis.call('TIME')
local ends = t[1] + t[2] / 1000000 + ARGV[1]
if ends > tonumber(redis.call('HGET', KEYS[2], 'hold_until') or 0) then
  redis.call('HSET', KEYS[2], 'hold_until', string.format('%.6f', ends))
  redis.call('EXPIRE', KEYS[2], 3600)
end
"""


def open_redis(url: str) -> Redis:
    """A client that fails soon instead of trying for long; nothing is sent yet."""
    return Redis.from_url(
        url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S, retry=Retry(NoBackoff(), 0), protocol=2
    )


class RedisWindows:
    """One destination's windows. Raises `redis.RedisError` when the server is away or full."""

    def __init__(self, redis: Redis, destination: str) -> None:
        self._redis = redis
        self._destination = destination
        self._book = redis.register_script(_BOOK)
        self._late = redis.register_script(_LATE)
        self._crowd = redis.register_script(_CROWD)
        self._pause = redis.register_script(_PAUSE)

    def book(self, bucket: Bucket, rate: Rate) -> Booking:
        """Log a call if one may start now."""
        booking_id = secrets.token_hex(8)
        answer: Any = self._book(self._keys(bucket), [rate[0], rate[1] + MARGIN_S, booking_id])
        return Booking(float(answer[0]), int(answer[1]), booking_id)

    def late(self, bucket: Bucket, booking_id: str) -> None:
        """The answer to a call took longer than the margin."""
        self._late(self._keys(bucket), [booking_id])

    def crowd(self, bucket: Bucket, others: int, seconds: float) -> None:
        """Other apps took at least so much of the window."""
        self._crowd(self._keys(bucket), [others, seconds, ABOUT])

    def pause(self, bucket: Bucket, seconds: float) -> None:
        """Nobody starts a call for so long."""
        self._pause(self._keys(bucket), [seconds])

    def _keys(self, bucket: Bucket) -> Sequence[str]:
        name = f"plgsync:calls:{{{self._destination}:{bucket.name}}}"  # braces: both on one server of a cluster
        return [f"{name}:log", f"{name}:state"]
