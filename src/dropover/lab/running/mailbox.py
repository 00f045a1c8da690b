"""Where running trials say how far they are: a Ray actor beside the run. It imports nothing, so as to begin at once."""

import asyncio


class Mailbox:
    """Keeps what it is told until it is taken.

    Not a return value of the tasks: what a task that runs for the second time says would be taken for the first's.
    """

    def __init__(self) -> None:
        self._messages: list[bytes] = []
        self._there_is_one = asyncio.Event()

    async def tell(self, message: bytes) -> None:
        """Leave a message."""
        self._messages.append(message)
        self._there_is_one.set()

    async def take(self) -> list[bytes]:
        """All messages, in the order in which they came, as soon as there is one."""
        await self._there_is_one.wait()
        self._there_is_one.clear()
        taken, self._messages = self._messages, []
        return taken
