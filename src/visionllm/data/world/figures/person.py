"""People: seventeen joints, a dozen postures, clothes in one of the world's colours."""

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

POSTURES: tuple[str, ...] = (
    "standing",
    "walking",
    "running",
    "waving",
    "cheering",
    "sitting",
    "jumping",
    "kicking",
    "kneeling",
)
_SKINS: tuple[Shade, ...] = ((244, 208, 178), (226, 178, 140), (196, 142, 104), (150, 98, 66), (104, 66, 44))
_HAIRS: tuple[Shade, ...] = ((38, 28, 26), (86, 54, 34), (140, 92, 48), (214, 176, 92), (160, 160, 164))
_TROUSERS: tuple[Shade, ...] = ((44, 52, 84), (60, 60, 66), (98, 92, 80), (34, 34, 40), (128, 138, 150))

Limb = tuple[float, float, float, float]


@dataclass(frozen=True)
class _Stance:
    """Angles in degrees: swing and spread of the upper, then of the lower half of each limb; lean of the trunk."""

    arms: tuple[Limb, Limb]
    legs: tuple[Limb, Limb]
    lean: float = 0.0


def _stance(dice: Dice, posture: str) -> _Stance:
    """Draw the angles of a posture; the first limb of a pair may be the left or the right one."""
    loose = dice.uniform

    def arm() -> Limb:
        swing, spread = loose(-12, 12), loose(6, 24)
        return swing, spread, swing + loose(5, 35), spread * loose(0.2, 1.0)

    def leg() -> Limb:
        swing, spread = loose(-5, 5), loose(3, 10)
        return swing, spread, swing - loose(0, 5), spread * loose(0.4, 1.0)

    arms, legs, lean = [arm(), arm()], [leg(), leg()], loose(-3, 4)
    if dice.chance(0.2):
        arms[0] = (loose(-5, 5), loose(38, 52), loose(10, 30), loose(-55, -40))
    if posture == "walking":
        step, bend = loose(18, 32), loose(4, 16)
        legs = [(step, 3, step - bend, 3), (-step * 0.8, 3, -step * 0.8 - loose(10, 34), 3)]
        arms = [(-step, 8, -step + loose(5, 30), 6), (step, 8, step + loose(10, 40), 6)]
    elif posture == "running":
        legs = [(loose(40, 65), 3, loose(-25, 15), 3), (loose(-40, -22), 3, loose(-105, -70), 3)]
        arms = [(loose(-55, -35), 10, loose(20, 50), 4), (loose(25, 50), 10, loose(95, 130), 4)]
        lean = loose(6, 18)
    elif posture == "waving":
        arms[0] = (loose(-5, 10), loose(85, 125), loose(-5, 10), loose(145, 190))
    elif posture == "cheering":
        arms = [(loose(-5, 10), loose(125, 160), loose(-5, 10), loose(140, 180)) for _ in range(2)]
    elif posture == "sitting":
        legs = [(loose(72, 96), loose(4, 14), loose(-8, 14), loose(2, 8)) for _ in range(2)]
        arms = [(loose(5, 35), loose(6, 16), loose(45, 85), loose(-8, 8)) for _ in range(2)]
    elif posture == "jumping":
        legs = [(loose(-6, 14), loose(20, 38), loose(-40, -5), loose(14, 30)) for _ in range(2)]
        arms = [(loose(-5, 12), loose(85, 140), loose(-5, 15), loose(100, 165)) for _ in range(2)]
    elif posture == "kicking":
        legs[0] = (loose(50, 82), loose(4, 14), loose(35, 66), loose(4, 12))
        arms = [(loose(-30, 30), loose(35, 80), loose(-20, 40), loose(30, 85)) for _ in range(2)]
        lean = loose(-14, -4)
    elif posture == "kneeling":
        legs = [(loose(60, 88), 5, loose(-12, 6), 4), (loose(-12, 10), 4, loose(-95, -80), 4)]
    return _Stance((arms[0], arms[1]), (legs[0], legs[1]), lean)


@dataclass(frozen=True)
class _Look:
    """Colours and proportions of one person."""

    shirt: Shade
    skin: Shade
    hair: Shade
    trousers: Shade
    shoes: Shade
    sleeves: bool
    shorts: bool
    dress: bool
    long_hair: bool
    cap: bool
    girth: float
    legs: float
    arms: float
    head: float
    shoulders: float
    hips: float


def _look(dice: Dice, shirt: Shade) -> _Look:
    child = dice.chance(0.25)
    # Legs in the shirt's own colour would hide where a hand lies on them.
    trousers = dice.choose(_TROUSERS) if dice.chance(0.7) else mixed(shirt, (40, 40, 60), 0.6)
    return _Look(
        shirt=shirt,
        skin=dice.choose(_SKINS),
        hair=dice.choose(_HAIRS),
        trousers=trousers,
        shoes=dice.choose(((40, 34, 34), (96, 60, 40), (230, 230, 230))),
        sleeves=dice.chance(0.5),
        shorts=dice.chance(0.3),
        dress=dice.chance(0.2),
        long_hair=dice.chance(0.35),
        cap=dice.chance(0.15),
        girth=dice.uniform(0.85, 1.25),
        legs=dice.uniform(0.92, 1.1) * (0.82 if child else 1.0),
        arms=dice.uniform(0.92, 1.1) * (0.9 if child else 1.0),
        head=dice.uniform(0.92, 1.1) * (1.25 if child else 1.0),
        shoulders=dice.uniform(0.105, 0.14),
        hips=dice.uniform(0.062, 0.085),
    )


def build_person(dice: Dice, posture: str, shirt: Shade) -> Body:
    """Build a person.

    Args:
        dice: Draws of proportions, colours and angles.
        posture: One of `POSTURES`.
        shirt: Colour of what is worn above the waist.

    Raises:
        ValueError: If the posture is unknown.
    """
    if posture not in POSTURES:
        raise ValueError(f"expected one of the postures {', '.join(POSTURES)}, got {posture!r}")
    look, stance, swap = _look(dice, shirt), _stance(dice, posture), dice.chance(0.5)
    joints: dict[str, Spot] = {}
    pieces: list[Piece] = []
    trunk = 0.28
    for index, (side, sign) in enumerate(SIDES):
        first = index if not swap else 1 - index
        joints[f"{side} shoulder"] = pitched((sign * look.shoulders, trunk, 0.0), -stance.lean)
        joints[f"{side} hip"] = (sign * look.hips, 0.0, 0.0)
        pieces += _arm(look, joints, side, sign, stance.arms[first])
        pieces += _leg(look, joints, side, sign, stance.legs[first])
    pieces += _trunk(look, joints)
    pieces += _head(look, joints, pitched((0.0, trunk, 0.0), -stance.lean), dice.uniform(-28, 28), stance.lean)
    return Body(joints=joints, pieces=tuple(pieces))


def _arm(look: _Look, joints: dict[str, Spot], side: str, sign: float, limb: Limb) -> list[Piece]:
    shoulder = joints[f"{side} shoulder"]
    elbow = moved(shoulder, hanging(sign, limb[0], limb[1]), 0.155 * look.arms)
    ahead = hanging(sign, limb[2], limb[3])
    wrist = moved(elbow, ahead, 0.145 * look.arms)
    hand = moved(wrist, ahead, 0.035)
    joints[f"{side} elbow"], joints[f"{side} wrist"] = elbow, wrist
    thick, sleeve = look.girth**0.5, look.shirt if look.sleeves else look.skin
    return [
        Piece(
            chains=(
                chain((shoulder, 0.046 * thick), (elbow, 0.037 * thick)),
                chain((elbow, 0.036 * thick), (wrist, 0.028 * thick)),
                chain((wrist, 0.027 * thick), (hand, 0.034)),
            ),
            shade=(look.shirt, sleeve, look.skin),
            joints=(f"{side} shoulder", f"{side} elbow", f"{side} wrist"),
            nearer=0.06,
            limb=True,
        )
    ]


def _leg(look: _Look, joints: dict[str, Spot], side: str, sign: float, limb: Limb) -> list[Piece]:
    hip = joints[f"{side} hip"]
    knee = moved(hip, hanging(sign, limb[0], limb[1]), 0.23 * look.legs)
    ankle = moved(knee, hanging(sign, limb[2], limb[3]), 0.22 * look.legs)
    # The foot points ahead of the shin.
    toe = moved(moved(ankle, hanging(sign, limb[2] + 78, limb[3] * 0.5), 0.065), (sign * 0.02, 0.0, 0.0))
    joints[f"{side} knee"], joints[f"{side} ankle"] = knee, ankle
    thick, shin = look.girth**0.5, look.skin if look.shorts or look.dress else look.trousers
    return [
        Piece(
            chains=(
                chain((hip, 0.066 * thick), (knee, 0.048 * thick)),
                chain((knee, 0.047 * thick), (ankle, 0.033 * thick)),
                chain((ankle, 0.034), (toe, 0.03)),
            ),
            shade=(look.skin if look.dress else look.trousers, shin, look.shoes),
            joints=(f"{side} hip", f"{side} knee", f"{side} ankle"),
            limb=True,
        )
    ]


def _trunk(look: _Look, joints: dict[str, Spot]) -> list[Piece]:
    left, right = joints["left shoulder"], joints["right shoulder"]
    hips = [joints[f"{side} hip"] for side, _ in SIDES]
    middle = tuple((a + b) / 2 for a, b in zip(left, right, strict=True))
    chest = moved((middle[0], middle[1], middle[2]), (0.0, -0.02, 0.0))
    waist, girth = (0.0, 0.03, 0.0), look.girth
    shirt = (
        chain((left, 0.044), (moved(hips[0], (0.0, 0.03, 0.0)), 0.045 * girth)),
        chain((right, 0.044), (moved(hips[1], (0.0, 0.03, 0.0)), 0.045 * girth)),
        chain((chest, 0.075 * girth), (waist, 0.07 * girth)),
        chain((left, 0.044), (right, 0.044)),
    )
    owned = ("left shoulder", "right shoulder")
    pieces = [Piece(chains=shirt, shade=(look.shirt,) * len(shirt), joints=owned, nearer=0.02)]
    if look.dress:
        hem = 0.2
        skirt = [chain((waist, 0.07 * girth), ((0.0, -hem, 0.0), 0.08 * girth))]
        for hip in hips:
            low = moved(hip, (0.5 * hip[0], -hem, 0.0))
            skirt.append(chain((moved(hip, (0.0, 0.02, 0.0)), 0.05 * girth), (low, 0.06 * girth)))
        owned = ("left hip", "right hip")
        pieces.append(Piece(chains=tuple(skirt), shade=(look.shirt,) * 3, joints=owned, nearer=0.012))
    else:
        seat = chain((hips[0], 0.06 * girth), (hips[1], 0.06 * girth))
        pieces.append(Piece(chains=(seat,), shade=(look.trousers,), joints=("left hip", "right hip"), nearer=0.005))
    return pieces


def _head(look: _Look, joints: dict[str, Spot], neck: Spot, turn: float, lean: float) -> list[Piece]:
    radius = 0.084 * look.head
    centre = moved(neck, pitched((0.0, 1.0, 0.0), -lean * 0.6), 0.075 + radius)

    def on_head(x: float, y: float, z: float) -> Spot:
        return moved(centre, turned((x, y, z), turn), radius)

    joints["nose"] = on_head(0, -0.12, 1.0)
    for side, sign in SIDES:
        joints[f"{side} eye"] = on_head(sign * 0.38, 0.14, 0.84)
        joints[f"{side} ear"] = on_head(sign * 0.98, 0.0, 0.02)
    dark = (30, 24, 24)
    pieces = [
        Piece(chains=(chain((neck, 0.034), (centre, 0.034)),), shade=(look.skin,), nearer=-0.01),
        Piece(chains=(chain((on_head(0, 0, 0.12), 0.95 * radius)),), shade=(look.skin,)),
        Piece(
            chains=(chain((joints["nose"], 0.15 * radius)),),
            shade=(mixed(look.skin, (150, 50, 40), 0.4),),
            joints=("nose",),
            nearer=0.01,
            rimmed=False,
        ),
    ]
    crown = look.shirt if look.cap else look.hair
    hair = [chain((on_head(0, 0.28, -0.22), 0.98 * radius))]
    if look.long_hair:
        hair.append(taper([on_head(0, 0.2, -0.4), on_head(0, -0.9, -0.55)], 0.8 * radius, 0.6 * radius))
    shades = (crown, look.hair)[: len(hair)]
    pieces.append(Piece(chains=tuple(hair), shade=shades, nearer=0.0))
    if look.cap:
        brim = chain((on_head(0.3, 0.55, 0.75), 0.16 * radius), (on_head(-0.3, 0.55, 0.75), 0.16 * radius))
        peak = chain((on_head(0, 0.5, 1.25), 0.14 * radius))
        pieces.append(Piece(chains=(brim, peak), shade=(look.shirt, look.shirt), nearer=0.012))
    for side, _ in SIDES:
        eye, ear = joints[f"{side} eye"], joints[f"{side} ear"]
        pieces += [
            Piece(
                chains=(chain((eye, 0.15 * radius)),), shade=(dark,), joints=(f"{side} eye",), nearer=0.01, rimmed=False
            ),
            Piece(
                chains=(chain((ear, 0.24 * radius)),),
                shade=(mixed(look.skin, (170, 80, 60), 0.25),),
                joints=(f"{side} ear",),
                nearer=0.004,
            ),
        ]
    return pieces
