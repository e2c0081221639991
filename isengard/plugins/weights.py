"""Headers of .safetensors files, for plugins that check weights before they use them."""

from isengard.infra.weights import Tensor, Weights, read_weights

__all__ = ["Tensor", "Weights", "read_weights"]
