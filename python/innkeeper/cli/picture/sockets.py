"""The host's sockets as boxes with their cells in them, as many beside each other as there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from innkeeper.api.views import HostView
from innkeeper.cli.picture.cells import cell_body, cell_frame, cell_rows, cell_width
from innkeeper.cli.picture.holders import Holders
from innkeeper.cli.picture.ink import Ink
from innkeeper.cli.picture.lines import Block, Line, framed, in_columns, in_rows, width_of
from innkeeper.cli.picture.places import Socket, sockets_of

_MOST_NUMBERED_CPUS, _MOST_NUMBERED_CELLS = 128, 8
_CORES_IN_A_LINE = (8, 4)
_FRAME, _GAP = 4, 1
"""Columns that a frame adds to what is in it, and between two frames."""


def is_numbered(view: HostView) -> bool:
    """Whether each CPU has its number; on larger hosts a core is a sign, and a cell a row."""
    host = view.host
    return len(host.cpus) <= _MOST_NUMBERED_CPUS and len(host.cells) <= _MOST_NUMBERED_CELLS


def socket_boxes(view: HostView, holders: Holders, ink: Ink, width: int) -> Block:
    """A box a socket."""
    sockets = sockets_of(view)
    if is_numbered(view):
        return _boxes_of_frames(sockets, holders, ink, width)
    return _boxes_of_rows(sockets, holders, ink, width)


def _boxes_of_frames(sockets: Sequence[Socket], holders: Holders, ink: Ink, width: int) -> Block:
    """Of all ways to stand beside each other the one that makes the lowest picture."""
    pictures = []
    for cores_in_line in _CORES_IN_A_LINE:
        bodies = [[cell_body(p, holders, ink, cores_in_line) for p in s.parts] for s in sockets]
        wide = _widest(sockets, bodies)
        pictures += [
            _frames(sockets, bodies, wide, abreast, ink)
            for abreast in _arrangements(sockets, wide, width)
        ]
    return min(pictures, key=lambda block: (width_of(block) > width, len(block), width_of(block)))


def _widest(sockets: Sequence[Socket], bodies: Sequence[Sequence[Block]]) -> int:
    return max(
        (
            cell_width(part, body)
            for socket, blocks in zip(sockets, bodies, strict=True)
            for part, body in zip(socket.parts, blocks, strict=True)
        ),
        default=0,
    )


def _arrangements(sockets: Sequence[Socket], wide: int, width: int) -> Sequence[tuple[int, int]]:
    """How many sockets may stand beside each other, and how many cells in each."""
    most_cells = max((len(socket.parts) for socket in sockets), default=0)
    choices = product(range(1, len(sockets) + 1), range(1, most_cells + 1))
    fit = [
        (abreast, cells)
        for abreast, cells in choices
        if abreast * (cells * (wide + _GAP) + _FRAME) - _GAP <= width
    ]
    return fit or [(1, 1)]


def _frames(
    sockets: Sequence[Socket],
    bodies: Sequence[Sequence[Block]],
    wide: int,
    abreast: tuple[int, int],
    ink: Ink,
) -> Block:
    sockets_abreast, cells_abreast = abreast
    boxes = []
    for socket, blocks in zip(sockets, bodies, strict=True):
        pairs = zip(socket.parts, _as_high_as_the_highest(blocks, cells_abreast), strict=True)
        frames = [cell_frame(part, body, wide, ink) for part, body in pairs]
        boxes.append(_box(socket, in_rows(frames, cells_abreast, _GAP), 0, ink))
    return in_rows(boxes, sockets_abreast, _GAP)


def _as_high_as_the_highest(bodies: Sequence[Block], per_row: int) -> Sequence[Block]:
    """Bodies of one row with blank lines below, so that their frames end together."""
    even: list[Block] = []
    for start in range(0, len(bodies), per_row):
        row = bodies[start : start + per_row]
        highest = max(len(body) for body in row)
        even += [[*body, *([Line()] * (highest - len(body)))] for body in row]
    return even


def _boxes_of_rows(sockets: Sequence[Socket], holders: Holders, ink: Ink, width: int) -> Block:
    rows = [[row for part in one.parts for row in cell_rows(part, holders, ink)] for one in sockets]
    # All at once, so that columns stand below each other in all boxes.
    lines = in_columns([row for of_socket in rows for row in of_socket], gap=1)
    wide = min(width_of(lines) + _FRAME, width)
    boxes, start = [], 0
    for one, of_socket in zip(sockets, rows, strict=True):
        body = lines[start : start + len(of_socket)]
        start += len(of_socket)
        boxes.append(_box(one, body, wide, ink))
    return in_rows(boxes, max((width + _GAP) // (wide + _GAP), 1), _GAP)


def _box(socket: Socket, body: Block, width: int, ink: Ink) -> Block:
    title, note = Line.of(socket.name, "strong"), Line.of(socket.size)
    least = title.width + note.width + 9
    return framed(title, note, body, max(width, width_of(body) + _FRAME, least), ink)
