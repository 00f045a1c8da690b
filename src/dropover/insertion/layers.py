"""The layers of a model that regularize: dropover's and torch's."""

from collections.abc import Iterator

from torch import nn

from dropover.insertion.hooks import inserted_in
from dropover.regularizer import Regularizer

TORCH_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


def regularizers(model: nn.Module) -> Iterator[Regularizer]:
    """Every dropover layer of a model once, whether it is one of its modules or was inserted.

    Args:
        model: any module.

    Example:
        >>> for layer in regularizers(model):
        ...     layer.p = 0.1
    """
    for module in regularizing_modules(model):
        if isinstance(module, Regularizer):
            yield module


def regularizing_modules(model: nn.Module) -> Iterator[nn.Module]:
    """Every dropover layer and every dropout module of torch, in the model and in what was inserted, each once."""
    seen: set[nn.Module] = set()
    for root in (model, *(hook.layer for hook in inserted_in(model))):
        for module in root.modules():
            if isinstance(module, (Regularizer, *TORCH_DROPOUTS)) and module not in seen:
                seen.add(module)
                yield module


def may_act(layer: nn.Module) -> bool:
    """Whether the layer can change its input at its present settings, in training or at inference."""
    if isinstance(layer, Regularizer):
        return any(rule.may_act for rule in layer.rules)
    if isinstance(layer, TORCH_DROPOUTS):
        return layer.p > 0
    return not isinstance(layer, nn.Identity)


def acts_at_inference(layer: nn.Module) -> bool:
    """Whether it is a dropover layer with a rate at inference."""
    return isinstance(layer, Regularizer) and layer.eval_rule is not None and layer.eval_rule.bounds[1] > 0
