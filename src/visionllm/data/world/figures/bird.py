"""Birds: two legs, two wings in the place of front legs, and a beak whose tip is the nose."""

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

POSTURES: tuple[str, ...] = ("standing", "walking", "flying", "pecking", "spreading")
_BEAKS: tuple[Shade, ...] = ((238, 160, 32), (224, 108, 30), (70, 64, 60))
_EYE: Shade = (14, 12, 12)
_BLACK: Shade = (24, 20, 22)


def build_bird(dice: Dice, posture: str, coat: Shade) -> Body:
    """Build a bird.

    Args:
        dice: Draws of proportions and angles.
        posture: One of `POSTURES`; a spreading bird stands with its wings up.
        coat: Colour of its feathers.

    Raises:
        ValueError: If the posture is unknown.
    """
    if posture not in POSTURES:
        raise ValueError(f"expected one of the postures {', '.join(POSTURES)}, got {posture!r}")
    rise = {"flying": dice.uniform(-4, 14), "pecking": dice.uniform(-22, -8)}.get(posture, dice.uniform(14, 38))
    girth, beak = dice.uniform(0.85, 1.2), dice.choose(_BEAKS)
    wing = mixed(coat, _BLACK, 0.32) if dice.chance(0.6) else mixed(coat, (255, 255, 255), 0.4)
    joints: dict[str, Spot] = {"root of tail": pitched((0.0, 0.0, -0.33), rise)}
    joints["neck"] = pitched((0.0, 0.14, 0.24), rise)
    pieces: list[Piece] = []
    swap = dice.chance(0.5)
    step = dice.uniform(14, 30) if posture == "walking" else dice.uniform(0, 5)
    for index, (side, sign) in enumerate(SIDES):
        swing = step if (index == 0) != swap else -step
        pieces.append(_leg(dice, joints, side, sign, swing, rise, beak, flying=posture == "flying"))
    lift = dice.uniform(38, 80) if dice.chance(0.7) else dice.uniform(-58, -38)
    for side, sign in SIDES:
        pieces.append(_wing(dice, joints, side, sign, rise, wing, lift, spread=posture in ("flying", "spreading")))
    breast = mixed(coat, (255, 255, 255), 0.35)
    trunk = (
        chain((joints["root of tail"], 0.08), (pitched((0.0, 0.0, 0.0), rise), 0.17 * girth)),
        chain((pitched((0.0, 0.0, 0.0), rise), 0.17 * girth), (pitched((0.0, 0.04, 0.16), rise), 0.17 * girth)),
    )
    pieces.append(
        Piece(chains=trunk, shade=(coat, breast), joints=("neck", "root of tail", "left hip", "right hip"), nearer=0.0)
    )
    fan = pitched((0.0, 0.0, -0.75), rise * 0.7)
    tail = (chain((joints["root of tail"], 0.06), (fan, 0.09)),)
    pieces.append(Piece(chains=tail, shade=(wing,), joints=("root of tail",), nearer=-0.01))
    pieces += _head(dice, joints, coat, beak, posture)
    return Body(joints=joints, pieces=tuple(pieces))


def _leg(
    dice: Dice,
    joints: dict[str, Spot],
    side: str,
    sign: float,
    swing: float,
    rise: float,
    shade: Shade,
    *,
    flying: bool,
) -> Piece:
    hip = pitched((sign * 0.075, -0.1, -0.06), rise)
    upper, lower = (dice.uniform(-75, -50), dice.uniform(-95, -70)) if flying else (swing + 18, swing - 8)
    knee = moved(hip, hanging(sign, upper, 0), 0.14)
    foot = moved(knee, hanging(sign, lower, 0), 0.2)
    joints[f"{side} hip"], joints[f"{side} knee"], joints[f"{side} back paw"] = hip, knee, foot
    toes = moved(foot, hanging(sign, lower + 85, 0), 0.1)
    heel = moved(foot, hanging(sign, lower - 95, 0), 0.05)
    return Piece(
        chains=(
            chain((hip, 0.06), (knee, 0.032)),
            chain((knee, 0.026), (foot, 0.022)),
            chain((foot, 0.022), (toes, 0.02)),
            chain((foot, 0.022), (heel, 0.016)),
        ),
        shade=(shade,) * 4,
        joints=(f"{side} hip", f"{side} knee", f"{side} back paw"),
        nearer=-0.02,
    )


def _wing(
    dice: Dice, joints: dict[str, Spot], side: str, sign: float, rise: float, shade: Shade, lift: float, *, spread: bool
) -> Piece:
    shoulder = pitched((sign * 0.14, 0.09, 0.15), rise)
    if spread:
        up = lift + dice.uniform(-8, 8)
        elbow = moved(shoulder, hanging(sign, -18, 90 + up), 0.28)
        tip = moved(elbow, hanging(sign, -40, 90 + up * 0.8), 0.46)
        back: Spot = (0.0, -0.02, -0.12)
        rows = (
            taper([shoulder, elbow, tip], 0.075, 0.045),
            taper([moved(shoulder, back, 1.0), moved(elbow, back, 1.2), moved(tip, back, 0.6)], 0.1, 0.05),
        )
    else:
        elbow = pitched((sign * 0.185, -0.03, -0.08), rise)
        tip = pitched((sign * 0.1, -0.05, -0.48), rise)
        rows = (chain((shoulder, 0.075), (elbow, 0.1), (tip, 0.03)),)
    joints[f"{side} shoulder"], joints[f"{side} elbow"], joints[f"{side} front paw"] = shoulder, elbow, tip
    names = (f"{side} shoulder", f"{side} elbow", f"{side} front paw")
    return Piece(chains=rows, shade=(shade,) * len(rows), joints=names, nearer=0.03)


def _head(dice: Dice, joints: dict[str, Spot], coat: Shade, beak: Shade, posture: str) -> list[Piece]:
    reach = dice.uniform(0.12, 0.2)
    rise = dice.uniform(-50, -30) if posture == "pecking" else dice.uniform(42, 66)
    nod = dice.uniform(-45, -25) if posture == "pecking" else dice.uniform(-10, 12)
    turn = dice.uniform(-16, 16)
    neck, radius = joints["neck"], dice.uniform(0.115, 0.14)
    centre = moved(neck, pitched((0.0, 0.0, reach), rise))

    def on_head(x: float, y: float, z: float) -> Spot:
        return moved(centre, turned(pitched((x, y, z), nod), turn), radius)

    joints["nose"] = on_head(0, 0.0, 1.0 + dice.uniform(0.7, 1.3))
    pieces = [
        Piece(
            chains=(chain((moved(neck, (0, -0.05, -0.04)), 0.12), (centre, radius * 0.85)),),
            shade=(coat,),
            joints=("neck",),
            nearer=0.01,
        ),
        Piece(chains=(chain((centre, radius)),), shade=(coat,), nearer=0.02),
        Piece(
            chains=(chain((on_head(0, -0.05, 0.8), radius * 0.34), (joints["nose"], 0.016)),),
            shade=(beak,),
            joints=("nose",),
            nearer=0.022,
        ),
    ]
    for side, sign in SIDES:
        joints[f"{side} eye"] = on_head(sign * 0.66, 0.28, 0.58)
        spot = joints[f"{side} eye"]
        pieces.append(
            Piece(
                chains=(chain((spot, radius * 0.22)),),
                shade=(_EYE,),
                joints=(f"{side} eye",),
                nearer=0.025,
                rimmed=False,
            )
        )
    return pieces
