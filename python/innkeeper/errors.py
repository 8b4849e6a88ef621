"""Every exception of innkeeper, written once; Rust imports the ones it raises.

InnkeeperError
 |- BadRequest              invalid_request    the words of the caller are wrong
 |   |- BadConfig           invalid_config     the words of the operator are wrong
 |   |- TooLarge            too_large          more than one call may carry
 |   |   |- HeadTooLarge    head_too_large     the head of an HTTP request
 |   |- TooSlow             too_slow           a request that did not arrive in time
 |   |- WrongMethod         wrong_method       the path exists, but not for this method
 |   |- BadPrimitive        invalid_primitive  an object on the wire or at rest cannot be read
 |   |   |- UnknownObject   unknown_object     of a class that this side does not have
 |   |- BadVersion          invalid_version    the object never had this version, or has it not yet
 |   |- UnknownRelease      unknown_release
 |- NoFit                   no_fit             it does not fit; carries every reason
 |- Undecided               undecided          the search bound was reached
 |- Conflict                conflict
 |   |- ClaimConflict       claim_conflict     the same claim id asks for something else
 |   |- InstanceClaimed     instance_claimed   the instance already holds a claim here
 |   |- AlreadyReleased     already_released
 |   |- NotPending          not_pending        only a pending claim can be confirmed
 |   |- NoLease             no_lease           nothing to renew
 |   |- MoveConflict        move_conflict      the claim is, or is not, part of that move
 |   |- NotArrived          not_arrived        the instance has not reached its destination
 |   |- NotRepairable       not_repairable     nothing that innkeeper can do mends this finding
 |   |- IncompatibleObject  incompatible_object  newer than this side can read: ask for a backport
 |   |- NoBackport          no_backport        a value that an older reader would refuse
 |   |- ReadOnlyField       read_only_field    set once, never changed
 |- UnsetField              unset_field        the object does not carry this field
 |- NotFound                not_found
 |   |- UnknownClaim        unknown_claim
 |   |- UnknownInstance     unknown_instance   a shared database has no row of it
 |   |- UnknownSubject      unknown_subject    this host has no such cell, CPU or device
 |   |- UnknownMove         unknown_move       no live claim here is part of it
 |   |- UnknownFinding      unknown_finding    nothing open has this id
 |- EventsForgotten         events_forgotten   history goes back less far than was asked for
 |- Forbidden               forbidden          the peer's role does not allow it
 |- Draining                draining           the daemon is stopping
 |- TooManyWaiting          too_many_waiting
 |- TooManyWatching         too_many_watching
 |- TooManyConnections      too_many_connections
 |- SocketInUse             socket_in_use      another daemon listens at this path
 |- Unreachable             unreachable        no daemon answers
 |- HostUnreadable          host_unreadable    a host tree or capture cannot be read
 |- StoreError              store_error
 |   |- StoreInUse          store_in_use       another daemon has this state directory
 |   |- StoreLocked         store_locked
 |   |- StoreFull           store_full
 |   |- StoreCorrupt        store_corrupt
 |   |- StoreTooNew         store_too_new
 |   |- StoreFenced         store_fenced       another owner took this ledger
 |   |- StoreForeign        store_foreign      the ledger is another machine's, or another name's
 |   |- StoreUnreachable    store_unreachable  there is no connection to the database server
 |   |- StoreMissing        store_missing      the database lacks innkeeper's tables
 |   |- StoreUnsupported    store_unsupported  a server, or version of one, that no store can be on
 |   |- OutcomeUnknown      outcome_unknown    the write may or may not be durable
 |- InternalError           internal           a bug

`code` is stable and for machines, the message is for people, `details` are the numbers in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar


class InnkeeperError(Exception):
    """Root of all errors that innkeeper raises on purpose."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = details

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.details)


def _rebuild(kind: type[InnkeeperError], message: str, details: dict[str, Any]) -> InnkeeperError:
    return kind(message, **details)


class BadRequest(InnkeeperError):
    """The words of the caller are wrong; `details["errors"]` names each field."""

    code = "invalid_request"


class BadConfig(BadRequest):
    """The configuration is wrong; the message names the file and the key."""

    code = "invalid_config"


class TooLarge(BadRequest):
    """More than one call may carry; `details["limit"]` is the most, in bytes."""

    code = "too_large"


class HeadTooLarge(TooLarge):
    """Request line and headers together are larger than any honest client's."""

    code = "head_too_large"


class TooSlow(BadRequest):
    """The request did not arrive in time; `details["seconds"]` is what it may take."""

    code = "too_slow"


class WrongMethod(BadRequest):
    """The path exists, but not for this method."""

    code = "wrong_method"


class BadPrimitive(BadRequest):
    """An object as it travels or is stored cannot be read; nothing of it was taken over.

    `details["path"]` names the first offending field, `details["errors"]` all that were found.
    """

    code = "invalid_primitive"


class UnknownObject(BadPrimitive):
    """`details` has the `name` and `namespace` of a class that this side does not have."""

    code = "unknown_object"


class BadVersion(BadRequest):
    """The version asked for is newer than the object's own, or not a version at all."""

    code = "invalid_version"


class UnknownRelease(BadRequest):
    """No release has this name; `details["known"]` lists them."""

    code = "unknown_release"


class NoFit(InnkeeperError):
    """The request does not fit now.

    `details["reasons"]` holds one misfit for each constraint that fails, `details["nearest"]` the
    largest request of the same kind that would fit; it is left out for guest cells that are to grow
    where they are.
    """

    code = "no_fit"


class Undecided(InnkeeperError):
    """The search reached its bound of steps before it knew; never to be read as a misfit."""

    code = "undecided"


class Conflict(InnkeeperError):
    """The request contradicts what is already there."""

    code = "conflict"


class ClaimConflict(Conflict):
    """The claim id is known and was asked for with other words."""

    code = "claim_conflict"


class InstanceClaimed(Conflict):
    """The instance already holds a live claim on this host."""

    code = "instance_claimed"


class AlreadyReleased(Conflict):
    """The claim ended; its id is remembered for a day."""

    code = "already_released"


class NotPending(Conflict):
    """Only a pending claim can be confirmed or aborted."""

    code = "not_pending"


class NoLease(Conflict):
    """The claim is confirmed and has no lease: there is nothing to renew."""

    code = "no_lease"


class MoveConflict(Conflict):
    """The claim is part of another move, or the move is of another kind, instance or host."""

    code = "move_conflict"


class NotArrived(Conflict):
    """A move is confirmed once its instance has reached the destination; until then it can be reverted."""

    code = "not_arrived"


class NotRepairable(Conflict):
    """The finding is mended by a person, or by what it speaks of; its suggestion says how."""

    code = "not_repairable"


class IncompatibleObject(Conflict):
    """The object is newer than this side can read; the writer can send an older form.

    `details` carry what to ask it for: `name`, `version` and `supported` of the object that is too
    new, its `path`, and `manifest`, the versions that this side reads of the outermost object and
    of every class below it.
    """

    code = "incompatible_object"


class NoBackport(Conflict):
    """The object holds a value that readers of the version asked for would refuse."""

    code = "no_backport"


class ReadOnlyField(Conflict):
    """The field was set before and keeps its value."""

    code = "read_only_field"


class UnsetField(InnkeeperError, AttributeError):
    """The object does not carry this field: it was neither read nor set."""

    code = "unset_field"


class NotFound(InnkeeperError):
    """The thing that was named is not here."""

    code = "not_found"


class UnknownClaim(NotFound):
    """No claim has this id, nor any instance with a live claim."""

    code = "unknown_claim"


class UnknownInstance(NotFound):
    """A shared database has no live row of the instance, and innkeeper makes none there."""

    code = "unknown_instance"


class UnknownSubject(NotFound):
    """A cordon is asked for around something that this host does not have."""

    code = "unknown_subject"


class UnknownMove(NotFound):
    """No claim on this host is part of a move of this id."""

    code = "unknown_move"


class UnknownFinding(NotFound):
    """No finding of this id is open."""

    code = "unknown_finding"


class EventsForgotten(InnkeeperError):
    """History before `details["oldest"]` is forgotten: take a snapshot and go on from there."""

    code = "events_forgotten"


class Forbidden(InnkeeperError):
    """The peer's role does not allow this."""

    code = "forbidden"


class Draining(InnkeeperError):
    """The daemon is stopping and takes no new claims."""

    code = "draining"


class TooManyWaiting(InnkeeperError):
    """The line of claims that wait for room is full."""

    code = "too_many_waiting"


class TooManyWatching(InnkeeperError):
    """As many follow the history as may; `details["watching"]` is how many."""

    code = "too_many_watching"


class TooManyConnections(InnkeeperError):
    """The daemon serves as many connections as it may."""

    code = "too_many_connections"


class SocketInUse(InnkeeperError):
    """Another daemon listens at this path, or something that is no socket of ours stands there."""

    code = "socket_in_use"


class Unreachable(InnkeeperError):
    """No daemon answers; the message lists the sockets that were tried."""

    code = "unreachable"


class HostUnreadable(InnkeeperError):
    """A host tree, capture or simulation cannot be read at all."""

    code = "host_unreadable"


class StoreError(InnkeeperError):
    """The store could not keep a promise; nothing was written."""

    code = "store_error"


class StoreInUse(StoreError):
    """Another process owns this state directory."""

    code = "store_in_use"


class StoreLocked(StoreError):
    """Another process holds the database's lock for too long."""

    code = "store_locked"


class StoreFull(StoreError):
    """The disk is full or a quota is reached; nothing was written."""

    code = "store_full"


class StoreCorrupt(StoreError):
    """The database is damaged; the message says where it was set aside."""

    code = "store_corrupt"


class StoreTooNew(StoreError):
    """The database was written by a newer innkeeper that this one may not follow."""

    code = "store_too_new"


class StoreFenced(StoreError):
    """Another owner took this ledger over; this one must stop claiming."""

    code = "store_fenced"


class StoreForeign(StoreError):
    """The ledger is another machine's, or its claims are kept under another node's name."""

    code = "store_foreign"


class StoreUnreachable(StoreError):
    """There is no connection to the database server; nothing was written."""

    code = "store_unreachable"


class StoreMissing(StoreError):
    """The shared database lacks innkeeper's tables, which a daemon never makes there."""

    code = "store_missing"


class StoreUnsupported(StoreError):
    """No store can be on that server: too old, of another kind, or its driver is not installed."""

    code = "store_unsupported"


class OutcomeUnknown(StoreError):
    """The write may or may not be durable; the booking stays held until it is known."""

    code = "outcome_unknown"


class InternalError(InnkeeperError):
    """A bug in innkeeper."""

    code = "internal"


def error_classes() -> Iterator[type[InnkeeperError]]:
    """Every error class, root first; parents always before their children."""
    waiting: list[type[InnkeeperError]] = [InnkeeperError]
    while waiting:
        kind = waiting.pop(0)
        yield kind
        waiting.extend(kind.__subclasses__())
