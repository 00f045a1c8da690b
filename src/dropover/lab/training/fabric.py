"""Lightning Fabric over several devices. Imported only where it is needed: that takes seconds."""

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy

from dropover.lab.devices import quiet


class _Quietly(DDPStrategy):
    """`DDPStrategy` that doesn't announce each process."""

    def setup_environment(self) -> None:
        with quiet():
            super().setup_environment()


def fabric_across(devices: list[torch.device]) -> Fabric:
    """What launches a process for each of these devices, all of one kind, and averages gradients over them."""
    kind = devices[0].type
    return Fabric(
        accelerator=kind,
        devices=len(devices) if kind == "cpu" else [device.index for device in devices],
        strategy=_Quietly(start_method="spawn"),
        # Named, since on a cluster Fabric would leave the launching to it.
        plugins=[LightningEnvironment()],
    )
