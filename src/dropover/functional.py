"""Every method as a pure function. The modules of the same names hold settings and do the same."""

from dropover.methods.biased import biased_dropout
from dropover.methods.crossmap import crossmap_dropout
from dropover.methods.density import density_dropout
from dropover.methods.density_flip import density_flipover
from dropover.methods.drop_block import drop_block
from dropover.methods.drop_connect import drop_connect
from dropover.methods.drop_path import drop_path
from dropover.methods.dropout import dropout
from dropover.methods.flipover import flipover
from dropover.methods.gaussian import gaussian_dropout
from dropover.methods.guided import guided_dropout
from dropover.methods.jumpout import jumpout
from dropover.methods.max_dropout import max_dropout
from dropover.methods.sap import stochastic_activation_pruning
from dropover.methods.spatial import spatial_dropout
from dropover.methods.spectral import spectral_dropout
from dropover.regularizer import regularize

__all__ = [
    "biased_dropout",
    "crossmap_dropout",
    "density_dropout",
    "density_flipover",
    "drop_block",
    "drop_connect",
    "drop_path",
    "dropout",
    "flipover",
    "gaussian_dropout",
    "guided_dropout",
    "jumpout",
    "max_dropout",
    "regularize",
    "spatial_dropout",
    "spectral_dropout",
    "stochastic_activation_pruning",
]
