"""Record what enters modules of torch."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def recorded_inputs(modules: Iterable[nn.Module]) -> Iterator[Mapping[nn.Module, list[Tensor]]]:
    """Yield the first input of each call of each module within the block, in order."""
    inputs: dict[nn.Module, list[Tensor]] = {module: [] for module in modules}

    def record(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        inputs[module].append(arguments[0].detach())

    hooks = [module.register_forward_pre_hook(record) for module in inputs]
    try:
        yield inputs
    finally:
        for hook in hooks:
            hook.remove()
