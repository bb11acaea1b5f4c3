"""Weights whose network is built at its first use, because its library takes seconds to import."""

from collections.abc import Callable, Mapping

import torch
from torch import nn


class WaitingNetwork(nn.Module):
    """The weights of a network that is not built yet, under the names they have in it.

    They load, move, freeze and save as those of the network would; what they cannot do yet is compute.

    Args:
        shapes: Shape of every weight that a file holds, by name.

    Raises:
        ValueError: If a name cannot be that of a weight.
    """

    def __init__(self, shapes: Mapping[str, torch.Size]) -> None:
        super().__init__()
        for name, shape in shapes.items():
            *path, weight = name.split(".")
            owner: nn.Module = self
            try:
                for step in path:
                    if step not in owner._modules:
                        owner.add_module(step, nn.Module())
                    owner = owner.get_submodule(step)
                owner.register_parameter(weight, nn.Parameter(torch.empty(shape)))
            except KeyError as error:
                raise ValueError(f"expected the name of a weight, got {name!r}") from error

    def build(self, construct: Callable[[], nn.Module], part: str) -> nn.Module:
        """Return the network with these weights; the parameters stay the same objects, so an optimiser goes on.

        Args:
            construct: Makes the network.
            part: What it is called, for the message.

        Raises:
            ValueError: If a weight is missing, unknown or of another shape than in the network.
        """
        with torch.device("meta"):
            network = construct()
        held, wanted = self.state_dict(keep_vars=True), network.state_dict()
        for name in sorted(held.keys() | wanted.keys()):
            wrong = "is missing" if name not in held else "is unknown" if name not in wanted else None
            if wrong is None and held[name].shape != wanted[name].shape:
                wrong = "has another shape"
            if wrong is not None:
                raise ValueError(f"expected the weights of the {part} to fit its configuration: {name} {wrong}")
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(held[name].requires_grad)  # else assigning would make every weight learn
        network.load_state_dict(held, assign=True)
        return network.train(self.training)


def shapes_within(shapes: Mapping[str, torch.Size], part: str) -> dict[str, torch.Size]:
    """Return the shapes of one part's weights, under the names they have in it.

    >>> shapes_within({"unet.conv.bias": torch.Size([8]), "vae.conv.bias": torch.Size([4])}, "unet")
    {'conv.bias': torch.Size([8])}
    """
    start = f"{part}."
    return {name.removeprefix(start): shape for name, shape in shapes.items() if name.startswith(start)}
