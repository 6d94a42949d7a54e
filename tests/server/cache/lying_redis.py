"""Servers that are no Redis: seeded random replies, and ways to end a connection."""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

ERRORS = (
    b"ERR",
    b"ERR max number of clients reached",
    b"ERR invalid password",
    b"ERR wrong number of arguments for 'auth' command",
    b"ERR problem with LDAP service",
    b"ERR no such fieldset",
    b"ASK 1 h",
    b"ASK 1 h:x",
    b"BUSY",
    b"CLUSTERDOWN",
    b"CROSSSLOT",
    b"EXECABORT",
    b"LOADING Valkey is loading the dataset in memory",
    b"MASTERDOWN",
    b"MOVED",
    b"MOVED 1 127.0.0.1:1",
    b"MOVED x y:z",
    b"NOAUTH",
    b"NOPERM",
    b"NOSCRIPT",
    b"OOM",
    b"READONLY",
    b"TRYAGAIN",
    b"WRONGPASS",
    b"WRONGTYPE",
    b"",
)
LENGTHS = (b"-1", b"-2", b"-5", b"", b"x", b"1e3", b"0x1", b"99999999999", b"9" * 25, b"9" * 5000)
INTEGERS = (b"1", b"-1", b"", b"x", b"1_0", b" 1", b"\xd9\xa1", b"9" * 5000)
STRINGS = (b"OK", b"PONG", b"QUEUED", b"", b"\xff\xfe", b"a" * 65_530, b"a" * 200_000)
COUNTS = (b"-2", b"0", b"1", b"2", b"1000000", b"9" * 30)
RESP3 = (b"_", b"#", b",", b"(", b"!", b"=", b"%", b"~", b">", b"|")


def _value(chance: random.Random) -> bytes:
    """Return one reply that is valid RESP, nearly valid, or nothing of the kind."""
    kinds: tuple[Callable[[], bytes], ...] = (
        lambda: b"$%d\r\n%s\r\n" % (size := chance.randrange(9), chance.randbytes(size)),
        lambda: b"$%s\r\n" % chance.choice(LENGTHS) + chance.randbytes(chance.randrange(9)),
        lambda: (
            b"*%s\r\n" % chance.choice(COUNTS)
            + b"".join(_value(chance) for _ in range(chance.randrange(3)))
        ),
        lambda: b"*1\r\n" * chance.choice((2, 900, 990, 1000, 5000)),
        lambda: b"-%s\r\n" % chance.choice(ERRORS),
        lambda: b":%s\r\n" % chance.choice(INTEGERS),
        lambda: b"+%s" % chance.choice(STRINGS) + chance.choice((b"\r\n", b"\r\n", b"\n", b"")),
        lambda: chance.choice(RESP3) + chance.randbytes(3) + b"\r\n",
        lambda: chance.randbytes(chance.randrange(60)) + chance.choice((b"", b"\r\n")),
        lambda: b"HTTP/1.1 400 Bad Request\r\n\r\n",
        lambda: b"\r\n" * chance.randrange(3),
    )
    return chance.choice(kinds)()


def random_reply(chance: random.Random) -> bytes:
    """Return one or two values, some of them with altered bytes or cut short."""
    reply = bytearray(_value(chance) + (_value(chance) if chance.random() < 0.2 else b""))
    if reply and chance.random() < 0.4:
        for _ in range(chance.randrange(1, 4)):
            reply[chance.randrange(len(reply))] = chance.choice(b"$*+-:\r\n0123456789\x00\xff")
    if chance.random() < 0.2:
        del reply[chance.randrange(len(reply) + 1) :]
    return bytes(reply)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a TCP reset instead of an orderly close."""
    linger_0_s = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_0_s)
    writer.transport.abort()


@asynccontextmanager
async def answering(answer: Callable[[asyncio.StreamWriter], None]) -> AsyncIterator[str]:
    """Run a server that calls `answer` for each request it receives. Yield its address."""
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                while not writer.is_closing() and await reader.read(65536):
                    answer(writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.ensure_future(serve(reader, writer))
        connections.add(connection)
        connection.add_done_callback(connections.discard)

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        async with asyncio.timeout(30):
            await asyncio.gather(*connections, return_exceptions=True)
