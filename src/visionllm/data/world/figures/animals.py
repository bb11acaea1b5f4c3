"""Dogs and horses: bodies on four legs with the seventeen joints of animals."""

from collections.abc import Callable
from dataclasses import dataclass

from visionllm.data.world.figures.body import (
    SIDES,
    Body,
    Piece,
    Spot,
    chain,
    hanging,
    moved,
    pitched,
    taper,
    turned,
)
from visionllm.data.world.palette import Shade, mixed
from visionllm.data.world.splits import Dice

POSTURES: dict[str, tuple[str, ...]] = {
    "dog": ("standing", "walking", "running", "sitting", "sniffing"),
    "horse": ("standing", "walking", "running", "grazing", "rearing"),
}
_BLACK: Shade = (24, 20, 22)
_EYE: Shade = (16, 12, 14)

Leg = tuple[float, float]


@dataclass(frozen=True)
class _Build:
    """Proportions of a kind, in lengths of its trunk."""

    leg: float
    hip: float
    chest: float
    belly: float
    width: float
    neck: float
    neck_angle: float
    head: float
    muzzle: float
    muzzle_angle: float
    thigh: float
    shin: float


_BUILDS = {
    "dog": _Build(0.62, 0.135, 0.17, 0.13, 0.085, 0.27, 52, 0.125, 0.21, -12, 0.085, 0.042),
    "horse": _Build(0.88, 0.185, 0.2, 0.185, 0.1, 0.48, 48, 0.1, 0.34, -48, 0.1, 0.042),
}


def build_quadruped(dice: Dice, kind: str, posture: str, coat: Shade) -> Body:
    """Build a dog or a horse.

    Args:
        dice: Draws of proportions and angles.
        kind: "dog" or "horse".
        posture: One of `POSTURES[kind]`.
        coat: Colour of its coat.

    Raises:
        ValueError: If the kind or the posture is unknown.
    """
    if posture not in POSTURES.get(kind, ()):
        raise ValueError(f"expected one of the postures {dict(POSTURES)}, got {posture!r} of {kind!r}")
    build = _BUILDS[kind]
    rise = {"sitting": dice.uniform(32, 46), "rearing": dice.uniform(30, 50)}.get(posture, dice.uniform(-3, 4))
    girth, legs = dice.uniform(0.88, 1.15), build.leg * dice.uniform(0.85, 1.12)
    joints: dict[str, Spot] = {}
    pieces: list[Piece] = []
    angles = _leg_angles(dice, posture)
    swap = dice.chance(0.5)
    for index, (side, sign) in enumerate(SIDES):
        first = 1 - index if swap else index
        shoulder = pitched((sign * build.width, -0.04, 0.4), rise)
        hip = pitched((sign * build.width, -0.02, -0.4), rise)
        joints[f"{side} shoulder"], joints[f"{side} hip"] = shoulder, hip
        pieces += [
            _limb(_FRONT, build, joints, side, sign, angles[first], legs, coat, kind),
            _limb(_BACK, build, joints, side, sign, angles[2 + first], legs, coat, kind),
        ]
    trunk = (
        chain(
            (pitched((0.0, 0.0, -0.4), rise), build.hip * girth),
            (pitched((0.0, -0.02, 0.0), rise), build.belly * girth),
            (pitched((0.0, 0.0, 0.38), rise), build.chest * girth),
        ),
    )
    owned = ("left shoulder", "right shoulder", "left hip", "right hip", "neck", "root of tail")
    pieces.append(Piece(chains=trunk, shade=(coat,), joints=owned))
    joints["root of tail"] = pitched((0.0, 0.1, -0.52), rise)
    joints["neck"] = pitched((0.0, 0.1, 0.46), rise)
    pieces += _tail(dice, joints["root of tail"], coat, kind)
    pieces += _head(dice, build, joints, coat, kind, posture)
    return Body(joints=joints, pieces=tuple(pieces))


def _leg_angles(dice: Dice, posture: str) -> list[tuple[float, float]]:
    """Draw the swing of the upper and the lower half of two front and two back legs."""
    loose = dice.uniform
    front = [(loose(-6, 6), loose(-6, 2)) for _ in range(2)]
    back = [(loose(10, 24), loose(-18, -8)) for _ in range(2)]
    if posture in ("walking", "grazing", "sniffing"):
        step = loose(14, 30) if posture == "walking" else loose(4, 14)
        front = [(step, step - loose(0, 14)), (-step, -step - loose(6, 40))]
        back = [(step + loose(6, 14), -4.0), (-step * 0.5, -step - loose(14, 30))]
    elif posture == "running":
        stretched = dice.chance(0.6)
        ahead, behind = (loose(40, 66), loose(-62, -40)) if stretched else (loose(-35, -10), loose(30, 55))
        front = [(ahead + loose(-10, 10), ahead + (loose(-12, 8) if stretched else loose(-60, -30))) for _ in range(2)]
        back = [(behind + loose(-10, 10), behind + loose(-30, -5)) for _ in range(2)]
    elif posture == "sitting":
        front = [(loose(-4, 8), loose(-8, 4)) for _ in range(2)]
        back = [(loose(62, 84), loose(-40, -20)) for _ in range(2)]
    elif posture == "rearing":
        front = [(loose(40, 85), loose(-40, 10)) for _ in range(2)]
        back = [(loose(8, 26), loose(-24, -6)) for _ in range(2)]
    return [*front, *back]


def _foot(spot: Spot, kind: str, thick: float) -> Piece | None:
    if kind == "horse":
        hoof = chain((moved(spot, (0.0, 0.01, 0.0)), thick * 1.25), (moved(spot, (0.0, -0.02, 0.03)), thick * 1.25))
        return Piece(chains=(hoof,), shade=(_BLACK,), limb=True)
    return None


@dataclass(frozen=True, kw_only=True)
class _Limb:
    """Names of a leg's joints behind its side, and its measures as shares: upper part of the length, thigh's width."""

    joints: tuple[str, str, str]
    upper: float
    width: float


_FRONT = _Limb(joints=("shoulder", "elbow", "front paw"), upper=0.42, width=0.85)
_BACK = _Limb(joints=("hip", "knee", "back paw"), upper=0.44, width=1.15)


def _limb(
    limb: _Limb,
    build: _Build,
    joints: dict[str, Spot],
    side: str,
    sign: float,
    leg: Leg,
    length: float,
    coat: Shade,
    kind: str,
) -> Piece:
    top, middle, end = (f"{side} {joint}" for joint in limb.joints)
    joints[middle] = moved(joints[top], hanging(sign, leg[0], 2), limb.upper * length)
    joints[end] = moved(joints[middle], hanging(sign, leg[1], 0), 0.5 * length)
    spots = (joints[top], joints[middle], joints[end])
    return _leg(build, spots, build.thigh * limb.width, coat, kind, (top, middle, end))


def _leg(
    build: _Build, spots: tuple[Spot, Spot, Spot], thick: float, coat: Shade, kind: str, names: tuple[str, ...]
) -> Piece:
    top, bend, end = spots
    toe = moved(end, (0.0, -0.01, 0.05 if kind == "dog" else 0.025))
    foot = coat if kind == "dog" else _BLACK
    return Piece(
        chains=(
            chain((top, thick), (bend, build.shin * 1.35)),
            chain((bend, build.shin * 1.3), (end, build.shin)),
            chain((end, build.shin * 1.2), (toe, build.shin * 1.2)),
        ),
        shade=(coat, coat, mixed(foot, (255, 255, 255), 0.25) if kind == "dog" else foot),
        joints=names,
        nearer=0.03,
        limb=True,
    )


def _tail(dice: Dice, root: Spot, coat: Shade, kind: str) -> list[Piece]:
    sway = dice.uniform(-0.06, 0.06)
    if kind == "dog":
        up = dice.uniform(-0.09, 0.07)
        spots = [root, moved(root, (sway, 0.1 + up, -0.12)), moved(root, (2 * sway, 0.2 + 2 * up, -0.12 - up / 2))]
        return [Piece(chains=(taper(spots, 0.05, 0.03),), shade=(coat,), joints=("root of tail",), limb=True)]
    out = dice.uniform(0.08, 0.24)
    spots = [root, moved(root, (sway, -0.08, -out)), moved(root, (2 * sway, -0.48, -out * dice.uniform(0.9, 1.5)))]
    hair = mixed(coat, _BLACK, 0.55)
    return [Piece(chains=(taper(spots, 0.05, 0.05),), shade=(hair,), joints=("root of tail",), nearer=0.01)]


def _head(dice: Dice, build: _Build, joints: dict[str, Spot], coat: Shade, kind: str, posture: str) -> list[Piece]:
    down = posture in ("grazing", "sniffing")
    rise = dice.uniform(-58, -40) if down else build.neck_angle + dice.uniform(-14, 16)
    nod = dice.uniform(-52, -30) if down else build.muzzle_angle + dice.uniform(-14, 10)
    turn = dice.uniform(-18, 18)
    neck = joints["neck"]
    length = build.neck * (1.35 if down and kind == "horse" else 1.0)
    centre = moved(neck, turned(pitched((0.0, 0.0, length), rise), turn / 2))

    def on_head(x: float, y: float, z: float) -> Spot:
        return moved(centre, turned(pitched((x, y, z), nod), turn))

    radius, tip = build.head, on_head(0, -0.02, build.muzzle)
    joints["nose"] = on_head(0, 0.0, build.muzzle + (0.03 if kind == "dog" else 0.02))
    for side, sign in SIDES:
        joints[f"{side} eye"] = on_head(sign * radius * 0.72, radius * 0.42, radius * 0.55)
    base = moved(neck, (0.0, -0.05, -0.03))
    muzzle = mixed(coat, (255, 250, 240), 0.4) if kind == "dog" else mixed(coat, _BLACK, 0.3)
    pieces = [
        Piece(
            chains=(chain((base, build.chest * (0.8 if kind == "dog" else 0.85)), (centre, radius * 0.86)),),
            shade=(coat,),
            joints=("neck",),
            nearer=0.012,
        ),
        Piece(
            chains=(
                chain((centre, radius), (tip, radius * (0.55 if kind == "dog" else 0.62))),
                chain((on_head(0, -0.02, build.muzzle * 0.8), radius * 0.56), (tip, radius * 0.56)),
            ),
            shade=(coat, muzzle),
            nearer=0.02,
        ),
        Piece(
            chains=(chain((joints["nose"], radius * (0.3 if kind == "dog" else 0.2))),),
            shade=(_EYE,),
            joints=("nose",),
            nearer=0.035,
            rimmed=False,
        ),
    ]
    for side, sign in SIDES:
        pieces += _eye_and_ear(joints[f"{side} eye"], side, sign, on_head, radius, coat, kind)
    if kind == "horse":
        mane = taper([on_head(0, radius, -0.05), moved(neck, (0.0, 0.16, -0.1))], 0.05, 0.07)
        pieces.append(Piece(chains=(mane,), shade=(mixed(coat, _BLACK, 0.55),), nearer=0.016))
    return pieces


def _eye_and_ear(
    eye: Spot,
    side: str,
    sign: float,
    on_head: Callable[[float, float, float], Spot],
    radius: float,
    coat: Shade,
    kind: str,
) -> list[Piece]:
    """Build what stands on one side of the head; `on_head` places a spot of it."""
    root = on_head(sign * radius * 0.62, radius * 0.78, -radius * 0.25)
    if kind == "dog":
        tip = on_head(sign * radius * 1.1, -radius * 0.75, -radius * 0.5)
        ear, shade = taper([root, tip], radius * 0.38, radius * 0.34), mixed(coat, _BLACK, 0.45)
    else:
        tip = on_head(sign * radius * 0.6, radius * 1.75, -radius * 0.2)
        ear, shade = taper([root, tip], radius * 0.3, radius * 0.08), coat
    dot = chain((eye, radius * 0.2))
    return [
        Piece(chains=(dot,), shade=(_EYE,), joints=(f"{side} eye",), nearer=0.024, rimmed=False),
        Piece(chains=(ear,), shade=(shade,), nearer=0.026),
    ]
