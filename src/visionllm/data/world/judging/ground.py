"""What lies behind the things of a picture: a plain colour or a ramp, found from the pixels."""

import numpy as np
from numpy.typing import NDArray

from visionllm.data.world.judging.shapes import filled, parts

Floats = NDArray[np.float64]
# Distance in RGB from which a pixel is no ground, and the noise that is forgiven in any case.
_FAR = 26.0
_SMALLEST = 22


def fit_ground(pixels: NDArray[np.uint8]) -> Floats:
    """Fit one linear ramp a channel to the pixels that most of the picture agrees on.

    Args:
        pixels: uint8[H, W, 3].

    Returns:
        float[H, W, 3]. The ground under every pixel, in [0, 255].
    """
    height, width, _ = pixels.shape
    rows, columns = np.mgrid[:height, :width]
    basis = np.stack([np.ones(height * width), rows.ravel() / height, columns.ravel() / width], axis=1)
    values = pixels.reshape(-1, 3).astype(np.float64)
    edge = np.zeros((height, width), dtype=bool)
    edge[:3] = edge[-3:] = edge[:, :3] = edge[:, -3:] = True
    chosen = edge.ravel()
    # Start from the commonest colour of the border, then let the ramp follow.
    centre = np.median(values[chosen], axis=0)
    near = chosen & (np.abs(values - centre).max(axis=1) < 60)
    if near.sum() < 40:
        near = chosen
    fitted = np.broadcast_to(centre, values.shape)
    for limit in (40.0, 24.0, 14.0, 12.0):
        ramp, *_ = np.linalg.lstsq(basis[near], values[near], rcond=None)
        fitted = basis @ ramp
        near = np.abs(values - fitted).max(axis=1) < limit
        if near.sum() < 40:
            break
    return np.clip(fitted, 0, 255).reshape(height, width, 3)


def foreground(pixels: NDArray[np.uint8], ground: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """Return bool[H, W] of what is no ground, and float[H, W]: how far each pixel is from it in RGB."""
    away = np.sqrt(((pixels.astype(np.float64) - ground) ** 2).sum(axis=2))
    return away > _FAR, away


def patches(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Cut a mask into connected parts with their holes filled; what lies inside another belongs to it.

    Returns:
        bool[H, W] each, largest first; specks are left out.
    """
    found = [part for part in parts(filled(mask)) if np.count_nonzero(part) >= _SMALLEST]
    return sorted(found, key=lambda part: int(np.count_nonzero(part)), reverse=True)
