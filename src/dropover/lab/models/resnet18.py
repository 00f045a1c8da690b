"""ResNet-18 (He et al. 2016), with a stem for small images and thin variants.

It is torchvision's, but not built of its blocks: torchvision takes two seconds to import in every process.
"""

from torch import Tensor, nn

from dropover.lab.models import NETWORKS, Network
from dropover.lab.models.parts.normalize import Normalize
from dropover.validation import choice, number

# Up to this size the stem keeps the resolution; torchvision's would leave the last stage one pixel of it.
SMALL = 32


class ResNet18(nn.Module):
    """torchvision's `resnet18`, its layers under the same names, with a normalisation before the first.

    With a small stem the first convolution is 3×3 with stride 1 and no pooling follows it. The first stage has `maps`
    channels, each later one twice as many as the one before. With two layers in the head, one as wide as the features
    and a ReLU come before the last linear layer.
    """

    def __init__(self, channels: int, classes: int, small_stem: bool, maps: int, two_layers: bool) -> None:
        super().__init__()
        self.normalize = Normalize()
        kernel, stride = (3, 1) if small_stem else (7, 2)
        self.conv1 = nn.Conv2d(channels, maps, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(maps)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool: nn.Module = nn.Identity() if small_stem else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(maps, maps, 1)
        self.layer2 = _stage(maps, 2 * maps, 2)
        self.layer3 = _stage(2 * maps, 4 * maps, 2)
        self.layer4 = _stage(4 * maps, 8 * maps, 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        features = 8 * maps
        self.hidden: nn.Module = (
            nn.Sequential(nn.Linear(features, features), nn.ReLU()) if two_layers else nn.Identity()
        )
        self.fc = nn.Linear(features, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """The logits (N, classes) of images (N, channels, H, W) with pixels in [0, 1]."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(self.normalize(x)))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(self.hidden(self.avgpool(x).flatten(1)))
        return logits


class BasicBlock(nn.Module):
    """Two 3×3 convolutions, and past them a shortcut, a convolution too where the numbers of maps or pixels differ."""

    def __init__(self, inputs: int, maps: int, stride: int) -> None:
        super().__init__()
        # Made first, as torchvision makes it, so that the same random numbers make the same net.
        shortcut = nn.Conv2d(inputs, maps, 1, stride=stride, bias=False) if stride != 1 or inputs != maps else None
        self.conv1 = nn.Conv2d(inputs, maps, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(maps)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(maps, maps, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(maps)
        self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(maps)) if shortcut is not None else None

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, maps, H / stride, W / stride) of maps (N, inputs, H, W)."""
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += x if self.downsample is None else self.downsample(x)
        result: Tensor = self.relu(out)
        return result


def _stage(inputs: int, maps: int, stride: int) -> nn.Sequential:
    """Two basic blocks, the first of which changes the resolution and the number of maps."""
    return nn.Sequential(BasicBlock(inputs, maps, stride), BasicBlock(maps, maps, 1))


def resnet18(channels: int, size: int, classes: int, *, width: float = 1.0, head: str = "one") -> ResNet18:
    """Torchvision's ResNet-18; for images of at most 32 pixels a side with a 3×3 stem and no max pool.

    Positions: "stage1" to "stage4" between the two blocks of a stage; "last-conv" after the last stage, before the
    average pool; "features" after it; "fc" before the last linear layer, which with one layer in the head is the same.

    Args:
        channels: Channels of the images.
        size: Pixels a side.
        classes: How many classes.
        width: Factor on all numbers of maps, in [1/64, 8]: 1 has 64, 128, 256 and 512 of them, 0.125 has 8 to 64.
        head: "one" linear layer, or "two" with a ReLU between them, the hidden one as wide as the features.

    Raises:
        ValueError: a setting out of range.
        TypeError: a setting of the wrong type.
    """
    maps = round(64 * number("width", width, 1 / 64, 8))
    choice("head", head, ("one", "two"))
    return ResNet18(channels, classes, size <= SMALL, maps, head == "two")


NETWORKS.add(
    Network(
        "resnet18",
        ("resnet-18",),
        "torchvision's ResNet-18, with a 3×3 stem for images of at most 32 pixels",
        resnet18,
        {
            **{f"stage{number}": f"layer{number}.0" for number in range(1, 5)},
            "last-conv": "layer4",
            "features": "before hidden",
            "fc": "before fc",
        },
    )
)
