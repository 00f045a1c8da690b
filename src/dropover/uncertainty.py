"""How sure is a model? Its predictions under many random draws of its regularizers (Gal & Ghahramani 2016)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dropover import validation
from dropover.insertion.layers import may_act, regularizing_modules
from dropover.insertion.modes import training_flags
from dropover.regularizer import Regularizer

_ROWS = 1024


@dataclass(frozen=True, eq=False)
class MonteCarlo:
    """What the draws say of each of N inputs with K classes.

    Attributes:
        mean: (N, K), mean probability of each class.
        spread: (N, K), standard deviation of that probability over the draws, with n - 1.
        entropy: (N,), predictive entropy in nats: the entropy of `mean`, at most log K.
        mutual_information: (N,), in nats: `entropy` less the mean entropy of the single draws; 0 where all agree.
    """

    mean: Tensor
    spread: Tensor
    entropy: Tensor
    mutual_information: Tensor


@torch.no_grad()
def monte_carlo(model: nn.Module, x: Tensor, samples: int = 30, *, batch_size: int | None = None) -> MonteCarlo:
    """Predict with the regularizers on and everything else, batch norm above all, in evaluation mode.

    On are dropover's layers, in the model or inserted (in the mode in which they act: SAP's is inference), and torch's
    dropout modules; not dropout that a model applies as a function. Every flag is put back, also after an error.

    Args:
        model: returns logits (n, K) for n inputs, K at least 2.
        x: (N, *), the inputs, on the model's device.
        samples: draws for each input, at least 2.
        batch_size: rows of one forward pass, a row being one draw for one input; 1024 by default. Where all rows of
            a pass get the same draw (DropConnect, MaxDropout, Jumpout), a pass has one draw of each input.

    Returns:
        The mean, spread, entropy and mutual information, as float32 or better.

    Raises:
        TypeError: an input, output or number of the wrong kind.
        ValueError: fewer than 2 samples, no regularizer with a rate above 0, or logits of another shape.

    Source: Gal & Ghahramani 2016 (mean and spread); Houlsby et al. 2011, equation 2 (mutual information).
    """
    samples = validation.whole("samples", samples, 2)
    rows = _ROWS if batch_size is None else validation.whole("batch_size", batch_size, 1)
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a torch.Tensor, got {type(x).__name__}")
    if x.ndim == 0 or len(x) == 0:
        raise ValueError(f"x must hold at least one input in dimension 0, got the shape {tuple(x.shape)}")
    layers = list(regularizing_modules(model))
    if not any(map(may_act, layers)):
        found = f"{len(layers)} with rate 0" if layers else "none"
        raise ValueError(f"the model needs a regularizer with a rate above 0, or all draws are the same; found {found}")
    on = {module for layer in layers for module in layer.modules() if _acts_in_training(layer)}
    # In evaluation mode these skip their dropout; their own flag decides nothing else.
    on |= {m for m in model.modules() if isinstance(m, nn.TransformerEncoderLayer) and not on.isdisjoint(m.modules())}
    with training_flags(model, on.__contains__):
        at_once = 1 if _one_draw_a_pass(model, layers) else samples
        chunks = [
            _describe(_draws(model, chunk, samples, min(at_once, max(1, rows // len(chunk)))))
            for chunk in torch.split(x, max(1, rows // at_once))
        ]
    return MonteCarlo(*(torch.cat(part) for part in zip(*chunks, strict=True)))


def _acts_in_training(layer: nn.Module) -> bool:
    return not isinstance(layer, Regularizer) or layer.rule is not None


def _one_draw_a_pass(model: nn.Module, layers: list[nn.Module]) -> bool:
    return any(getattr(module, "draws_once", False) for module in (*model.modules(), *layers))


def _draws(model: nn.Module, x: Tensor, samples: int, at_once: int) -> Tensor:
    """(samples, n, K): logits; `at_once` draws of all of `x` in one forward pass."""
    drawn = []
    for start in range(0, samples, at_once):
        count = min(at_once, samples - start)
        logits = model(x.repeat(count, *[1] * (x.ndim - 1)))
        _check_logits(logits, count * len(x))
        drawn.append(logits.reshape(count, len(x), -1))
    return torch.cat(drawn)


def _check_logits(logits: object, rows: int) -> None:
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        kind = logits.dtype if isinstance(logits, Tensor) else type(logits).__name__
        raise TypeError(f"the model must return logits, a tensor of real numbers, got {kind}")
    if logits.ndim != 2 or len(logits) != rows or logits.shape[1] < 2:
        raise ValueError(f"the model must return logits ({rows}, K) with K at least 2, got {tuple(logits.shape)}")


def _describe(logits: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    log_p = logits.log_softmax(dim=2)
    p = log_p.exp()
    mean = p.mean(dim=0)
    entropy = torch.special.entr(mean).sum(dim=1)
    single = -torch.where(p > 0, p * log_p, 0).sum(dim=2).mean(dim=0)
    # By Jensen's inequality never below 0, but for rounding.
    return mean, p.std(dim=0), entropy, (entropy - single).clamp(min=0)
