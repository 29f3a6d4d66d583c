"""Asks a server of EventStoreDB's protocol, at the address given, what tests/it/esdb_double/python.rs expects of it."""

import sys
from uuid import UUID

from kurrentdbclient import Checkpoint, KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import NotFoundError, StreamIsDeletedError, WrongCurrentVersionError


def event(number, type="thing.happened"):
    return NewEvent(id=UUID(int=number + 1), type=type, data=b'{"number": %d}' % number, metadata=b"{}")


def expect(error, call):
    try:
        call()
    except error as caught:
        return caught
    raise AssertionError(f"no {error.__name__}")


client = KurrentDBClient(sys.argv[1])


def append(stream, number, version, **kinds):
    return client.append_to_stream(stream, current_version=version, events=event(number, **kinds))


(member,) = client.read_gossip()
assert member.state == "NODE_STATE_LEADER" and client.connection_target.endswith(f":{member.port}"), member

# Appends, a repeat, and a conflict.
first = append("stream-1", 0, StreamState.NO_STREAM)
second = append("stream-1", 1, 0)
assert 0 < first < second
assert append("stream-1", 1, 0) == second
assert append("stream-1", 0, StreamState.ANY) == first
conflict = expect(WrongCurrentVersionError, lambda: append("stream-1", 9, 0))
assert conflict.actual_version == 1, conflict
append("stream-2", 2, StreamState.NO_STREAM, type="other.happened")

# Reads.
events = client.get_stream("stream-1")
assert [event.data for event in events] == [b'{"number": 0}', b'{"number": 1}']
assert [event.stream_position for event in events] == [0, 1]
assert events[1].commit_position == second and events[0].id == UUID(int=1)
assert [event.stream_position for event in client.get_stream("stream-1", backwards=True, limit=1)] == [1]
assert [event.id.int for event in client.read_all(commit_position=second)] == [2, 3]
assert [event.id.int for event in client.read_all(commit_position=second, backwards=True)] == [1]
assert client.get_commit_position() > second
expect(NotFoundError, lambda: client.get_stream("missing"))

# Subscriptions: what is there and what comes, with the client's default filter (a negative look-ahead), and with one.
with client.subscribe_to_all(filter_include=r"thing\..*", include_checkpoints=True) as subscription:
    ids, checkpoints = [], 0
    for event_or_checkpoint in subscription:
        if isinstance(event_or_checkpoint, Checkpoint):
            checkpoints += 1
            append("stream-1", 3, 1)
            continue
        ids.append(event_or_checkpoint.id.int)
        if len(ids) == 3:
            break
    assert ids == [1, 2, 4], ids
    assert checkpoints == 1, checkpoints
with client.subscribe_to_all(commit_position=second) as subscription:
    assert [next(subscription).id.int for _ in range(2)] == [3, 4]
with client.subscribe_to_stream("stream-1", stream_position=0) as subscription:
    assert next(subscription).stream_position == 1
    assert next(subscription).stream_position == 2
# The server ends this one as if all were well, before its first event.
with client.subscribe_to_stream("stream-1") as subscription:
    assert list(subscription) == []
# And this one while it waits.
with client.subscribe_to_stream("stream-1", from_end=True) as subscription:
    assert list(subscription) == []

# Deletion, soft and for good.
client.delete_stream("stream-1", current_version=2)
expect(NotFoundError, lambda: client.get_stream("stream-1"))
append("stream-1", 5, StreamState.NO_STREAM)
assert [event.stream_position for event in client.get_stream("stream-1")] == [3]
conflict = expect(WrongCurrentVersionError, lambda: client.tombstone_stream("stream-1", current_version=0))
assert conflict.actual_version == 3, conflict
client.tombstone_stream("stream-1", current_version=StreamState.ANY)
expect(StreamIsDeletedError, lambda: client.get_stream("stream-1"))

client.close()
print("everything as expected")
