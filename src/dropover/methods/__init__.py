"""The methods, one file each: a composition of units, rates and effect, and its card."""

from dropover.method import Method
from dropover.registry import Registry

METHODS: Registry[Method] = Registry("method", __name__)
