"""Images to score a model on, and what it makes of them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dropover.lab.streams import inference_stream, seeded


def pixels(images: Tensor) -> Tensor:
    """Images as float32 in [0, 1], laid out channels-last, which the convolutions want.

    Bytes are divided by 255; floating numbers are in [0, 1] already.
    """
    scaled = images.float() if images.is_floating_point() else images.float() / 255
    return scaled.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Examples:
    """Test images to score a model on, bytes or in [0, 1] (N, C, H, W), their classes, and how many at once.

    The classes are on the model's device; the images may be elsewhere, see `Data.to`.
    """

    images: Tensor
    labels: Tensor
    batch_size: int

    def batches(self) -> list[tuple[Tensor, Tensor]]:
        """Pixels in [0, 1] and classes, batch by batch, on the device of the classes."""
        starts = range(0, len(self.labels), self.batch_size)
        parts = [slice(start, start + self.batch_size) for start in starts]
        return [(pixels(self.images[part].to(self.labels.device)), self.labels[part]) for part in parts]

    def chosen(self, index: Tensor) -> "Examples":
        """Those at some positions, int64 (N,)."""
        return Examples(self.images[index.to(self.images.device)], self.labels[index], self.batch_size)


def logits_on(model: nn.Module, examples: Examples, seed: int) -> Tensor:
    """The logits on clean images, of shape (N, classes). The model must be in evaluation mode."""
    return scored(model, examples, seed, lambda images: images)


def scored(model: nn.Module, examples: Examples, seed: int, change: Callable[[Tensor], Tensor]) -> Tensor:
    """The logits on images that `change` has changed, batch by batch, of shape (N, classes)."""
    parts = []
    for number, (images, _) in enumerate(examples.batches()):
        changed = change(images)
        with seeded(seed, inference_stream(number), images.device), torch.inference_mode():
            parts.append(model(changed))
    return torch.cat(parts)
