"""Layers put into existing models, without changing their weights, their keys or their classes."""

from dropover.insertion.inserting import insert, replace
from dropover.insertion.layers import regularizers
from dropover.insertion.plan import Placement, Plan

__all__ = ["Placement", "Plan", "insert", "regularizers", "replace"]
