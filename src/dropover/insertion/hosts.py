"""Where the channels and the samples are at a place of a model, as far as the modules there tell.

A module's class tells most: channels are last for a linear layer, dimension 1 for a convolution. A block of modules
tells what its parts tell, where these agree and what passes then fits. An activation tells nothing; what stands beside
it in an `nn.Sequential` does.
"""

from torch import nn
from torch.nn.modules import batchnorm, conv, padding, pooling

from dropover.insertion.channels import Channels
from dropover.insertion.names import ModuleNames, upwards
from dropover.regularizer import Regularizer

_FIRST: tuple[type[nn.Module], ...] = (
    *(conv._ConvNd, batchnorm._NormBase, nn.GroupNorm, nn.LocalResponseNorm, nn.CrossMapLRN2d),
    *(pooling._MaxPoolNd, pooling._MaxUnpoolNd, pooling._AvgPoolNd, pooling._LPPoolNd, pooling._AdaptiveMaxPoolNd),
    *(pooling._AdaptiveAvgPoolNd, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d),
    *(padding._ConstantPadNd, padding._ReflectionPadNd, padding._ReplicationPadNd),
    *(nn.Upsample, nn.PixelShuffle, nn.PixelUnshuffle, nn.ChannelShuffle),
    *(nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout, nn.Softmax2d),
)
_LAYERS = (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)
_STACKS = (nn.TransformerEncoder, nn.TransformerDecoder)
_TRANSFORMERS = (*_LAYERS, *_STACKS, nn.Transformer)
_LAST: tuple[type[nn.Module], ...] = (
    *(nn.Linear, nn.Bilinear, nn.Embedding, nn.EmbeddingBag, nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase),
    *_TRANSFORMERS,
)

# Subclasses of LayerNorm may permute maps before and after, so that the class alone tells of torch's own only. Others
# by name, so that neither package needs to be installed.
_LAYER_NORMS = (nn.LayerNorm, nn.RMSNorm)
_NORMS_OF_TIMM = ("timm.layers.norm", "timm.layers.norm_act")
_NORMS_OF_TORCHVISION = {("torchvision.models.convnext", "LayerNorm2d"), ("torchvision.ops.misc", "FrozenBatchNorm2d")}

_ALIKE: tuple[type[nn.Module], ...] = (
    *(nn.Identity, nn.Dropout, nn.AlphaDropout, Regularizer),
    *(nn.ReLU, nn.Hardtanh, nn.LeakyReLU, nn.RReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish),
    *(nn.Hardswish, nn.Hardsigmoid, nn.Sigmoid, nn.LogSigmoid, nn.Tanh, nn.Tanhshrink, nn.Hardshrink, nn.Softshrink),
    *(nn.Softplus, nn.Softsign, nn.Threshold, nn.Softmax, nn.LogSoftmax),
)

# Where a module keeps how many channels it has.
_SIZES = (
    *("in_channels", "out_channels", "num_features", "num_channels", "in_features", "out_features"),
    *("embedding_dim", "embed_dim", "input_size", "hidden_size"),
)


def keeps_channels(module: nn.Module) -> bool:
    """Whether the module's output has its channels where its input has them, be that anywhere."""
    return isinstance(module, _ALIKE) or (_is_plain(module) and len(module._modules) == 0)


def channels_at(names: ModuleNames, host: nn.Module, side: str) -> Channels | None:
    """Which dimension holds the channels at a `side` of a module; None if nothing tells, or its places disagree.

    The side is "before" or "after", or "instead" for a module that comes in place of the host.
    """
    first, *others = [_at(names, name, side) for name in names.of[host]]
    return first if all(each and first and each.dim == first.dim for each in others) else None


def channels_of(module: nn.Module) -> Channels | None:
    """Which dimension holds the channels of what a module takes and gives, by its class or its parts."""
    kind = type(module).__name__
    dim = _dim_of_class(module)
    if dim is not None:
        return Channels(dim, kind)
    parts = _parts(module)
    dims = {_dim_of_class(part) for part in parts}
    sizes = sorted({size for part in parts for size in _sizes(part)})
    ranks = {len(part.kernel_size) + 2 for part in parts if isinstance(part, conv._ConvNd)}
    if len(dims) != 1 or len(ranks) > 1 or not sizes:
        return None
    return Channels(dims.pop(), f"all parts of {kind}", tuple(sizes), next(iter(ranks), None))


def batch_first_at(names: ModuleNames, host: nn.Module) -> bool | None:
    """The `batch_first` of the module for sequences that the host is or lies within; None if there is none."""
    flags = map(batch_first, names.around(names.of[host][0]))
    return next((flag for flag in flags if flag is not None), None)


def batch_first(module: nn.Module) -> bool | None:
    """Whether one of torch's modules for sequences has samples before time steps; None for any other module."""
    if isinstance(module, nn.RNNBase | nn.MultiheadAttention | nn.Transformer):
        return bool(module.batch_first)
    if isinstance(module, _LAYERS):
        return bool(module.self_attn.batch_first)
    if isinstance(module, _STACKS) and len(module.layers) > 0:
        return batch_first(module.layers[0])
    return None


def _at(names: ModuleNames, name: str, side: str) -> Channels | None:
    row = _row(names, name)
    inside = [index for index, each in enumerate(row) if name in upwards(each)]
    nearest, place = (inside[0], inside[0]) if side == "before" else (inside[-1], inside[-1] + 1)
    # What the host itself tells; else what gave the tensor that passes; else what takes it.
    for way in ([row[nearest]], reversed(row[:place]), row[place:]):
        for each in way:
            channels = channels_of(names.module[each])
            if channels is not None:
                return channels if each == name else channels.of(each)
            if not keeps_channels(names.module[each]):
                break
    transformer = next((each for each in names.around(name) if isinstance(each, _TRANSFORMERS)), None)
    return None if transformer is None else Channels(-1, type(transformer).__name__)


def _row(names: ModuleNames, name: str) -> list[str]:
    """The modules that are called one after another around `name`, as `nn.Sequential` does it, without these."""
    top = name
    for above in upwards(name)[1:]:
        if not _is_plain(names.module[above]):
            break
        top = above

    def flat(each: str) -> list[str]:
        children = names.module[each]._modules.items() if _is_plain(names.module[each]) else ()
        prefix = f"{each}." if each else ""
        return [leaf for name, child in children if child is not None for leaf in flat(prefix + name)] or [each]

    return flat(top)


def _is_plain(module: nn.Module) -> bool:
    """Whether it is a sequence that calls its children in turn and does nothing else."""
    return type(module).forward is nn.Sequential.forward


def _dim_of_class(module: nn.Module) -> int | None:
    kind = type(module)
    if isinstance(module, _LAYER_NORMS) and kind.forward in (nn.LayerNorm.forward, nn.RMSNorm.forward):
        return -1 if len(module.normalized_shape) == 1 else None
    if isinstance(module, _FIRST) or (kind.__module__, kind.__name__) in _NORMS_OF_TORCHVISION:
        return 1
    if kind.__module__ in _NORMS_OF_TIMM:
        return 1 if "2d" in kind.__name__ else -1
    return -1 if isinstance(module, _LAST) else None


def _parts(module: nn.Module) -> list[nn.Module]:
    """The modules within that tell something by their class; not what is within these."""
    parts: list[nn.Module] = []
    for child in module.children():
        parts += [child] if _dim_of_class(child) is not None else _parts(child)
    return parts


def _sizes(module: nn.Module) -> list[int]:
    shape = vars(module).get("normalized_shape", ())
    return [vars(module)[name] for name in _SIZES if name in vars(module)] + list(shape)
