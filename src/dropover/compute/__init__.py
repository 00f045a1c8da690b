"""What the parts are computed by: masks, selection, densities, eigenvectors. It knows nothing of methods."""
