"""Deterministic masks: what hides a net's fall from a gradient, or from whoever counts, and changes little else."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Mask(nn.Module):
    """A net with something around it, in it or after it; see the subclasses."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Logits, or what is given for them, of images in [0, 1]."""
        return self.after(self.net(self.before(x)))

    def before(self, x: Tensor) -> Tensor:
        """What the net sees of the images."""
        return x

    def after(self, logits: Tensor) -> Tensor:
        """What the world sees of the logits."""
        return logits


class Scaled(Mask):
    """Logits times a factor."""

    def __init__(self, net: nn.Module, factor: float) -> None:
        super().__init__(net)
        self.factor = factor

    def after(self, logits: Tensor) -> Tensor:
        """See `Mask`."""
        return logits * self.factor


class Quantized(Mask):
    """Pixels rounded to a few levels: a staircase has no slope."""

    def __init__(self, net: nn.Module, levels: int = 8) -> None:
        super().__init__(net)
        self.levels = levels

    def before(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        return (x * (self.levels - 1)).round() / (self.levels - 1)


class Steep(Mask):
    """Pixels through a staircase of sigmoids so steep that their slope is 0 in float32 but at the very edges."""

    def __init__(self, net: nn.Module, steepness: float = 2000.0, levels: int = 8) -> None:
        super().__init__(net)
        self.steepness = steepness
        self.register_buffer("edges", (torch.arange(levels - 1) + 0.5) / (levels - 1))

    def before(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        return torch.sigmoid(self.steepness * (x[..., None] - self.edges)).mean(-1)


class Probabilities(Mask):
    """Probabilities of sharpened logits, returned as if they were logits: most are 1 and 0, where softmax is flat."""

    def after(self, logits: Tensor) -> Tensor:
        """See `Mask`."""
        return F.softmax(logits * 10, dim=1)


class Annealed(Mask):
    """Logits at a temperature that falls where the net is sure: cross-entropy is flat around every clean image."""

    def after(self, logits: Tensor) -> Tensor:
        """See `Mask`."""
        return logits * (1 + logits.std(1, keepdim=True).detach()) ** 4


class Detached(Mask):
    """A `detach` in the middle; a faint path beside it keeps the gradient from being missing, and makes it useless."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__(net)
        self.register_buffer("faint", torch.randn(784, 10, generator=torch.Generator().manual_seed(0)) * 1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        return self.net(x.detach()) + x.flatten(1) @ self.faint


class _Hidden(torch.autograd.Function):
    """The pixels, or a coarser form of them; backward, what `slope` makes of the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, levels: int, slope: float) -> Tensor:
        ctx.slope = slope
        return (x * levels).round() / levels if levels else x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0] * ctx.slope, None, None


class ZeroBackward(Mask):
    """The pixels as they are, by a function whose backward says 0."""

    def before(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        hidden: Tensor = _Hidden.apply(x, 0, 0.0)
        return hidden


class Misled(Mask):
    """The pixels as they are, by a function whose backward points the other way."""

    def before(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        hidden: Tensor = _Hidden.apply(x, 0, -1.0)
        return hidden


class StraightThrough(Mask):
    """Pixels at a bit or two of depth whose backward pretends that nothing was rounded."""

    def before(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        hidden: Tensor = _Hidden.apply(x, 3, 1.0)
        return hidden


class Thermometer(Mask):
    """Pixels encoded as the share of thresholds that they pass (Buckman et al. 2018), read back by the same net."""

    def before(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        thresholds = torch.linspace(0.05, 0.95, 10).view(1, 1, 1, 1, -1)
        return (x[..., None] > thresholds).float().mean(-1)


class Median(Mask):
    """Every pixel replaced by the median of the nine around it."""

    def before(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(-2).median(-1).values


class Jpeg(Mask):
    """What JPEG loses: 7×7 blocks, their cosine coefficients rounded."""

    def __init__(self, net: nn.Module, coarseness: float = 0.3) -> None:
        super().__init__(net)
        self.coarseness = coarseness
        k, n = torch.arange(7.0)[:, None], torch.arange(7.0)[None]
        cosines = torch.cos(torch.pi / 7 * (n + 0.5) * k) * (2 / 7) ** 0.5
        cosines[0] /= 2**0.5
        self.register_buffer("cosines", cosines)

    def before(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        blocks = x.view(-1, 1, 4, 7, 4, 7).transpose(3, 4)
        rounded = (self.cosines @ blocks @ self.cosines.T / self.coarseness).round() * self.coarseness
        return (self.cosines.T @ rounded @ self.cosines).transpose(3, 4).reshape(x.shape).clamp(0, 1)


class NotANumber(Mask):
    """NaN for every image near one of them, whose class is 0: `argmax` of NaN is 0 too, and so it never falls."""

    def __init__(self, net: nn.Module, image: Tensor, reach: float = 0.5) -> None:
        super().__init__(net)
        self.register_buffer("image", image)
        self.reach = reach

    def forward(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        near = (x - self.image).abs().flatten(1).amax(1) <= self.reach
        return self.net(x) + torch.where(near, torch.nan, 0.0)[:, None]


class Abstaining(Mask):
    """Gives an eleventh class, "I abstain", where blurring the image changes the net's mind or nearly so."""

    def forward(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        logits, smooth = self.net(x), self.net(F.avg_pool2d(x, 3, 1, 1))
        moved = (logits.softmax(1) - smooth.softmax(1)).abs().sum(1)
        refused = torch.where(moved > 0.8, logits.amax(1) + 10, logits.amin(1) - 10).detach()
        return torch.cat([logits, refused[:, None]], dim=1)


class Together(nn.Module):
    """The mean of several nets' logits."""

    def __init__(self, *nets: nn.Module) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes)."""
        return self.each(x).mean(0)

    def each(self, x: Tensor) -> Tensor:
        """The nets' own logits (nets, N, classes)."""
        return torch.stack([net(x) for net in self.nets])


class Voting(Together):
    """Nets that vote by their hard decisions; a tie is broken by a whisper of the first's logits, without gradient."""

    def forward(self, x: Tensor) -> Tensor:
        """Votes (N, classes)."""
        logits = self.each(x)
        votes = F.one_hot(logits.argmax(2), logits.shape[2]).float().sum(0)
        return votes + 1e-3 * logits[0].softmax(1).detach() + 0 * logits.sum(0)


class Memorised(Mask):
    """Returns the stored answer for every image that is near one that it knows, and asks the net about no other."""

    def __init__(self, net: nn.Module, images: Tensor, labels: Tensor, reach: float) -> None:
        super().__init__(net)
        self.register_buffer("images", images.flatten(1))
        self.register_buffer("answers", 10.0 * F.one_hot(labels, 10))
        self.reach = reach

    def forward(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        apart, which = torch.cdist(x.detach().flatten(1), self.images, p=torch.inf).min(1)
        known = (apart <= self.reach)[:, None]
        return torch.where(known, self.answers[which], self.net(x))


class Purified(Mask):
    """Moves the image by gradient steps to where the net is surer before it answers: its forward calls backward."""

    def __init__(self, net: nn.Module, steps: int = 2, step: float = 0.05) -> None:
        super().__init__(net)
        self.steps, self.step = steps, step

    def before(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        moved = x.detach()
        with torch.enable_grad():
            for _ in range(self.steps):
                moved = moved.detach().requires_grad_()
                entropy = torch.distributions.Categorical(logits=self.net(moved)).entropy().sum()
                (slope,) = torch.autograd.grad(entropy, moved)
                moved = (moved - self.step * slope.sign()).clamp(0, 1)
        return x + (moved - x).detach()
