"""Every method as a pure function. Written by `python -m tests.stubs`."""

from dropover.methods.biased import biased_dropout as biased_dropout
from dropover.methods.crossmap import crossmap_dropout as crossmap_dropout
from dropover.methods.density import density_dropout as density_dropout
from dropover.methods.density_flip import density_flipover as density_flipover
from dropover.methods.drop_block import drop_block as drop_block
from dropover.methods.drop_connect import drop_connect as drop_connect
from dropover.methods.drop_path import drop_path as drop_path
from dropover.methods.dropout import dropout as dropout
from dropover.methods.flipover import flipover as flipover
from dropover.methods.gaussian import gaussian_dropout as gaussian_dropout
from dropover.methods.guided import guided_dropout as guided_dropout
from dropover.methods.jumpout import jumpout as jumpout
from dropover.methods.max_dropout import max_dropout as max_dropout
from dropover.methods.sap import stochastic_activation_pruning as stochastic_activation_pruning
from dropover.methods.spatial import spatial_dropout as spatial_dropout
from dropover.methods.spectral import spectral_dropout as spectral_dropout
from dropover.regularizer import regularize as regularize
