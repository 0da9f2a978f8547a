"""Rate windows in Redis: one script per change, on the clock of the server, so that no worker's clock matters.

The same log as `connectors.rate_limiter.SlidingWindowLog`, as a sorted set beside a hash. All keys expire, and delivery
needs none of them: a Redis that has lost them starts with an empty log. The names of the hash's fields are those of
0.1.0, whose workers may share the Redis with this one.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from connectors.base import Bucket
from connectors.rate_limiter import MARGIN_S, SIMILAR_SHARE, Acquisition, Rate

ANSWER_S = 2.0
"""A Redis that does not answer within this time counts as unavailable."""

_TRY_ACQUIRE = """
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local state = redis.call('HMGET', KEYS[2], 'hold_until', 'others', 'others_until')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.6f', now - window))
local used = redis.call('ZCARD', KEYS[1])
local pause = tonumber(state[1] or 0) - now
if pause > 0 then return {string.format('%.6f', pause), used} end
local room = limit
if tonumber(state[3] or 0) > now then room = math.max(1, limit - tonumber(state[2])) end
if used >= room then
  local frees = redis.call('ZRANGE', KEYS[1], used - room, used - room, 'WITHSCORES')
  return {string.format('%.6f', math.max(tonumber(frees[2]) + window - now, 0.001)), used}
end
redis.call('ZADD', KEYS[1], string.format('%.6f', now), ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.ceil(window * 1000) + 1000)
return {'0', used + 1}
"""

_RESTAMP = """
local t = redis.call('TIME')
redis.call('ZADD', KEYS[1], string.format('%.6f', t[1] + t[2] / 1000000), ARGV[1])
redis.call('EXPIRE', KEYS[1], 3600)
"""

_RESERVE = """
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local state = redis.call('HMGET', KEYS[2], 'others', 'others_until')
local seen, foreign, ends = tonumber(ARGV[1]), tonumber(state[1] or 0), tonumber(state[2] or 0)
if seen >= foreign or ends <= now then foreign = seen end
if seen >= foreign * ARGV[3] then ends = math.max(ends, now + ARGV[2]) end
redis.call('HSET', KEYS[2], 'others', foreign, 'others_until', string.format('%.6f', ends))
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
    """A client that fails after `ANSWER_S` without a retry; nothing is sent yet."""
    return Redis.from_url(
        url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S, retry=Retry(NoBackoff(), 0), protocol=2
    )


class RedisWindows:
    """One destination's windows. Raises `redis.RedisError` when the server is unavailable or full."""

    def __init__(self, redis: Redis, destination: str) -> None:
        self._redis = redis
        self._destination = destination
        self._try_acquire = redis.register_script(_TRY_ACQUIRE)
        self._restamp = redis.register_script(_RESTAMP)
        self._reserve_for_others = redis.register_script(_RESERVE)
        self._pause = redis.register_script(_PAUSE)

    def try_acquire(self, bucket: Bucket, rate: Rate) -> Acquisition:
        """Log a call if one may start now."""
        call_id = secrets.token_hex(8)
        answer: Any = self._try_acquire(self._keys(bucket), [rate[0], rate[1] + MARGIN_S, call_id])
        return Acquisition(float(answer[0]), int(answer[1]), call_id)

    def restamp(self, bucket: Bucket, call_id: str) -> None:
        """The answer to a call took longer than the margin."""
        self._restamp(self._keys(bucket), [call_id])

    def reserve_for_others(self, bucket: Bucket, foreign_calls: int, seconds: float) -> None:
        """Other apps used at least so many calls of the window."""
        self._reserve_for_others(self._keys(bucket), [foreign_calls, seconds, SIMILAR_SHARE])

    def pause(self, bucket: Bucket, seconds: float) -> None:
        """Let no call of this bucket start for ``seconds``."""
        self._pause(self._keys(bucket), [seconds])

    def _keys(self, bucket: Bucket) -> Sequence[str]:
        name = f"plgsync:calls:{{{self._destination}:{bucket.name}}}"  # braces: a cluster keeps both keys on one server
        return [f"{name}:log", f"{name}:state"]
