"""The loops that a trial is in: how far they are, and what a place in them is called."""

from dataclasses import dataclass

Place = list[list[int]]
"""Of every loop, outermost first, its ordinal and the index of its item."""


@dataclass(eq=False)
class Loop:
    """One loop over `count` items, if it is known how many there are, at the item of this index.

    It lies in as many others as its level says, and its ordinal says which of those it is that are begun in one item of
    the loop around it. A trial that is killed in it can come back into it if it is `kept`. In the present item as many
    loops as `inner` says have begun.
    """

    level: int
    ordinal: int
    count: int | None
    kept: bool
    index: int = 0
    inner: int = 0


class Loops:
    """Those that are open, outermost first."""

    def __init__(self) -> None:
        self.open: list[Loop] = []
        self.begun = 0
        """How many have begun that are in no other."""
        self.first = 0
        """The ordinal of the one among those that can be come back into: the code before it runs anew, all of it."""

    @property
    def place(self) -> Place:
        """Where the trial is."""
        return [[loop.ordinal, loop.index] for loop in self.open]

    @property
    def name(self) -> str:
        """What the next loop is called in the names of streams."""
        number = self.open[0].ordinal + 1 if self.open else self.begun
        return f"loop {number} ({', '.join(str(loop.index) for loop in self.open)})"

    @property
    def done(self) -> float:
        """The share of all items that is done, in [0, 1]."""
        done, share = 0.0, 1.0
        for loop in self.open:
            if not loop.count:
                return min(done, 1.0)
            share /= loop.count
            done += share * loop.index
        return min(done, 1.0)

    def enter(self, count: int | None, kept: bool) -> Loop:
        """Begin a loop, whose items can be come back to if it is `kept`."""
        if self.open:
            around = self.open[-1]
            # Only into the first loop of an item: a variable that an earlier one has set would be missing.
            ordinal, kept = around.inner, kept and around.kept and not around.inner
            around.inner += 1
        else:
            ordinal, kept = self.begun, kept and self.begun == self.first
            self.begun += 1
        self.open.append(Loop(len(self.open), ordinal, count, kept))
        return self.open[-1]

    def return_to(self, loop: Loop) -> None:
        """Leave the loops in it, which may have been left by `break`."""
        self.open[loop.level :] = [loop]
        loop.inner = 0

    def leave(self, loop: Loop) -> None:
        """End a loop and those in it, unless another has taken its place."""
        if loop in self.open:
            del self.open[loop.level :]
