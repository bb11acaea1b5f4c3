"""Signs: what they say, and which one says something."""

from visionllm.data.world.families.base import GRD, Desk, Family
from visionllm.data.world.grammar import Grammar, marked, told, told_to
from visionllm.data.world.scene import WorldSign
from visionllm.data.world.signs import BOARDS, sample_words
from visionllm.data.world.words import joined
from visionllm.types import Part, Routed, Sample

NO_SIGN, NO_SUCH_SIGN = "There is no sign.", "There is no such sign."
_NOTHING_SHARE = 0.15

READ = Grammar(
    (
        "what does {sign} say?",
        "read {sign}.",
        "what is written on {sign}?",
        "what is on {sign}?",
    ),
    (
        "what (does {sign} say|is written on {sign}|stands on {sign}|can you read on {sign})( <where>|)?",
        "(what|which) (word is|words are|text is|words can be read|text do you see) on {sign}( <where>|)?",
        told_to("(read|spell out|read out) {sign}( <where>|)"),
        told("what (is written on {sign}|{sign} says|you can read on {sign})( <where>|)"),
    ),
)
READ_MARKED = Grammar(
    ("read {mark}.", "what does {mark} say?", "what is written here? {mark}", "read this. {mark}"),
    (
        marked("what does IT say?"),
        marked("what is written on IT?"),
        marked("(what|which) (word|words|text) can you read on IT?"),
        marked(told_to("(read|read out) IT")),
        marked(told("what IT says")),
    ),
)
READ_ALL = Grammar(
    ("read all signs.", "what do the signs say?", "what can you read?", "read the text in this picture."),
    (
        "what (do (the|all) signs say|is written|can you read|text do you see)( <where>|)?",
        told_to(
            "(read|spell out|read out) (all signs|every sign|all words|the words|all text|what is written)( <where>|)"
        ),
        told("what (the signs say|is written|words you can read)( <where>|)"),
        "(which|what) (words|text) (can you read|do you see|can be read)( <where>|)?",
    ),
)
FIND = Grammar(
    (
        'find the sign that says "{text}".',
        "where is the sign that says {text}?",
        "find the {text} sign.",
        'find the words "{text}".',
    ),
    (
        told_to(
            '(find|locate|show me) the (sign|board) (that says|that reads|with the words) ({text}|"{text}")( <where>|)'
        ),
        'where (is|do you see|can I find) the (sign|board) (that says|that reads|with) ({text}|"{text}")( <where>|)?',
        'which (sign|board) (says|reads) ({text}|"{text}")( <where>|)?',
        '(I am looking for|I need) the (sign|board) (that says|with the words) ({text}|"{text}")( <where>|).',
        "where does it say {text}( <where>|)?",
    ),
)


def quoted(text: str) -> str:
    """Return words as an answer cites them."""
    return f'"{text}"'


def unique_signs(signs: tuple[WorldSign, ...]) -> list[WorldSign]:
    """Return the signs whose board has a colour of its own."""
    colours = [sign.colour for sign in signs]
    return [sign for sign in signs if colours.count(sign.colour) == 1]


def _read(desk: Desk) -> Sample | None:
    if desk.signs and not desk.dice.chance(_NOTHING_SHARE):
        if len(desk.signs) == 1 and desk.dice.chance(0.6):
            return desk.sample(desk.words(READ, sign="the sign"), f"It says {quoted(desk.signs[0].text)}.")
        if not (told_apart := unique_signs(desk.signs)):
            return None
        sign = desk.dice.choose(told_apart)
        return desk.sample(desk.words(READ, sign=f"the {sign.colour} sign"), f"It says {quoted(sign.text)}.")
    if not desk.signs and desk.dice.chance(0.5):
        return desk.sample(desk.words(READ, sign="the sign"), NO_SIGN)
    others = [colour for colour in BOARDS if colour not in {sign.colour for sign in desk.signs}]
    colour = desk.dice.choose(others)
    return desk.sample(desk.words(READ, sign=f"the {colour} sign"), f"There is no {colour} sign.")


def _read_marked(desk: Desk) -> Sample | None:
    nothing = not desk.signs or desk.dice.chance(_NOTHING_SHARE)
    others = (*desk.objects, *desk.figures)
    thing = (desk.dice.choose(others) if others else None) if nothing else desk.dice.choose(desk.signs)
    pointed = desk.mark(thing)
    if pointed is None:
        return None
    question = desk.words(READ_MARKED, mark=pointed[0], way=pointed[1])
    return desk.sample(
        question, f"It says {quoted(thing.text)}." if isinstance(thing, WorldSign) else "It says nothing."
    )


def _read_all(desk: Desk) -> Sample:
    question = desk.words(READ_ALL)
    if not desk.signs:
        return desk.sample(question, "There is no text.")
    rows = sorted(desk.signs, key=lambda sign: (sign.box[1] + sign.box[3], sign.box[0]))
    return desk.sample(question, f"{joined([quoted(sign.text) for sign in rows])}.")


def _find(desk: Desk) -> Sample | None:
    texts = [sign.text.lower() for sign in desk.signs]
    alone = [sign for sign in desk.signs if texts.count(sign.text.lower()) == 1]
    if not alone or desk.dice.chance(_NOTHING_SHARE):
        text = _other_words(desk, texts)
        return desk.sample(desk.words(FIND, text=text), NO_SUCH_SIGN)
    sign = desk.dice.choose(alone)
    answer: tuple[Part, ...] = ("Here it is ", Routed("", GRD), ".")
    return desk.sample(desk.words(FIND, text=_said(desk, sign.text)), answer, [[sign]])


def _said(desk: Desk, text: str) -> str:
    """Say words as the sign writes them, or in small letters."""
    return text if desk.dice.chance(0.5) else text.lower()


def _other_words(desk: Desk, texts: list[str]) -> str:
    """Draw words that no sign says; often one word away from a sign of two or three."""
    while True:
        words = list(sample_words(desk.dice))
        if texts and desk.dice.chance(0.6):
            there = desk.dice.choose(texts).split()
            there[desk.dice.integer(0, len(there) - 1)] = words[0]
            words = there
        text = " ".join(words)
        if text not in texts:
            return text.upper() if desk.dice.chance(0.5) else text


FAMILIES: tuple[Family, ...] = tuple(
    Family(
        name=name,
        group="read",
        score=score,
        example=example,
        build=build,
        grammars=grammars,
        version=2,
        theme="signs",
    )
    for name, score, example, build, grammars in (
        ("read-sign", "exact", 'What does the red sign say? It says "EXIT".', _read, (READ,)),
        ("read-marked", "exact", 'What does region1 say? It says "EXIT".', _read_marked, (READ_MARKED,)),
        ("read-all", "exact", 'Read all signs. "EXIT" and "Tea Shop".', _read_all, (READ_ALL,)),
        ("find-sign", "iou", 'Find the sign that says "EXIT". Here it is.', _find, (FIND,)),
    )
)
