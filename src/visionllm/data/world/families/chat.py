"""Plain chat without a picture: greetings, what the model is and knows, and simple things about its world."""

from dataclasses import dataclass

from visionllm.data.world.families.base import Desk, Family
from visionllm.data.world.grammar import Grammar, told, told_to
from visionllm.data.world.scene import COLOURS, KINDS
from visionllm.data.world.words import joined, plural, with_article
from visionllm.types import Message, Request, Sample

# What follows "A star is".
DEFINITIONS: dict[str, str] = {
    "circle": "a round shape without corners",
    "square": "a shape with four equal sides and four right angles",
    "triangle": "a shape with three sides and three corners",
    "star": "a shape with five points",
    "heart": "the shape that stands for love",
    "ring": "a round band with a hole in the middle",
    "cross": "a shape like a plus sign",
    "crescent": "the shape of a young moon",
    "hexagon": "a shape with six equal sides",
    "arrow": "a sign that points in a direction",
    "drop": "a small amount of water that falls",
    "tree": "a tall plant with a trunk and leaves",
    "house": "a building to live in",
    "fish": "an animal that swims in water",
    "boat": "a small ship that sails on water",
    "cup": "a vessel to drink from",
    "key": "a tool that opens a lock",
    "flower": "the colourful part of a plant",
    "umbrella": "a roof to carry in the rain",
    "car": "a machine with wheels that drives on roads",
}
_USES: dict[str, str] = {
    "key": "It opens a lock.",
    "cup": "You drink from it.",
    "boat": "You sail in it.",
    "umbrella": "It keeps you dry in the rain.",
    "house": "You live in it.",
    "car": "You drive it.",
    "arrow": "It shows a direction.",
    "ring": "You wear it on a finger.",
}
_CORNERS: dict[str, str] = {"triangle": "three", "square": "four", "hexagon": "six", "circle": "no"}
_PATTERNS: dict[str, str] = {
    "solid": "Solid means filled with one colour.",
    "striped": "Striped means drawn with stripes.",
    "dotted": "Dotted means drawn with dots.",
    "outlined": "Outlined means that only the edge is drawn.",
}
_MIXTURES: dict[tuple[str, str], str] = {
    ("red", "yellow"): "orange",
    ("blue", "yellow"): "green",
    ("red", "blue"): "purple",
}
_NATURE: dict[str, str] = {
    "the sky": "blue",
    "grass": "green",
    "blood": "red",
    "the sun": "yellow",
    "chocolate": "brown",
    "a carrot": "orange",
}


@dataclass(frozen=True)
class Intent:
    """Something people say, and the answer to it."""

    grammar: Grammar
    answer: str


def _sentence(plain: tuple[str, ...], *rules: str, answer: str) -> Intent:
    return Intent(Grammar(plain, rules), answer)


_MANNERS: tuple[Intent, ...] = (
    _sentence(
        ("hello", "hello!", "hi", "hi!", "hey"),
        "(hello|hi|hey|good morning|good afternoon|good evening)( there|| model| friend| VisionLLM|, you)(!|.)",
        answer="Hello! Ask me about a picture.",
    ),
    _sentence(
        ("how are you?",),
        "(hi, |hello, |)how (are you|are you doing|do you do|is it going)( today||, my friend)?",
        answer="I am fine, thank you.",
    ),
    _sentence(
        ("thanks", "thank you", "thanks!"),
        "(thanks|thank you|many thanks|thanks a lot|thank you very much)(!|.|, that helps.|, that was good.)",
        answer="You are welcome.",
    ),
    _sentence(
        ("bye", "goodbye"),
        "(ok, |)(bye|goodbye|good night|see you|see you later|bye for now|farewell)(!|.)",
        answer="Goodbye!",
    ),
    _sentence(
        ("well done!", "very good!"),
        "(well done|very good|good job|great|nice work|that is right|wonderful)(!|., you are good at this.)",
        answer="Thank you!",
    ),
    _sentence(
        ("that is wrong.", "no, that is wrong."),
        "(no, |sorry, |)(that is|this is|your answer is) (wrong|not right|not true|a mistake).",
        answer="I am sorry. I make mistakes.",
    ),
)
_SELF: tuple[Intent, ...] = (
    _sentence(
        ("who are you?", "what are you?", "what is your name?"),
        "(who|what) (are you|am I talking to)?",
        "what is your name(, please|)?",
        told("(who|what) you are"),
        told("your name"),
        answer="I am VisionLLM, a small model that looks at drawings.",
    ),
    _sentence(
        ("what can you do?", "help", "what can I ask?"),
        "what (can|do) you do( for me|)?",
        "(how can you|can you) help( me|)?",
        "what (can|may|should) I ask( you|)?",
        told("what you can do( for me|)"),
        told("what I can ask( you|)"),
        answer="I describe drawings, count, answer questions, and find and cut out things.",
    ),
    _sentence(
        ("are you a human?", "are you a robot?"),
        "are you (a human|a person|human|alive|a robot|a machine|a real person)?",
        told("(if|whether) you are (a human|a person|a machine|a robot)"),
        answer="I am a computer model.",
    ),
    _sentence(
        ("can you look at photos?",),
        "(can|do) you (understand|look at|know|read) (real |)(photos|photographs)?",
        told("(if|whether) you (know|understand) (photos|photographs)"),
        answer="No, I only know drawings.",
    ),
    _sentence(
        ("which languages do you speak?",),
        "(which|what) languages do you (speak|know|understand)?",
        "do you speak (German|French|Spanish|Chinese|any other language)?",
        told("which languages you (speak|know)"),
        answer="I only speak English.",
    ),
    _sentence(
        ("what kinds of things do you know?", "which things do you know?"),
        "(which|what) (things|objects|shapes|kinds|kinds of things) (do|can) you (know|recognise|see|find)?",
        told("(which|what) (things|objects|shapes|kinds) you (know|recognise)"),
        told_to("(list|name) the (things|objects|shapes|kinds) you know"),
        answer=f"I know {joined([plural(kind) for kind in KINDS])}.",
    ),
    _sentence(
        ("which colours do you know?", "what colours do you know?"),
        "(which|what) (colours|colors) (do|can) you (know|recognise|see)?",
        told("(which|what) (colours|colors) you (know|recognise)"),
        told_to("(list|name) the (colours|colors) you know"),
        answer=f"I know {joined(COLOURS)}.",
    ),
    _sentence(
        ("which sizes do you know?",),
        "(which|what) sizes (do|can) you (know|see|tell apart)?",
        told("(which|what) sizes you know"),
        answer="I know small, medium and large.",
    ),
    _sentence(
        ("which patterns do you know?",),
        "(which|what) (patterns|fills) (do|can) you (know|see|tell apart)?",
        told("(which|what) (patterns|fills) you know"),
        answer="I know solid, striped, dotted and outlined.",
    ),
    _sentence(
        ("how do I find something?",),
        "how (do|can) (I|you) (find|detect|search for) (something|things|a thing)?",
        told("how (I|you) (find|detect) (something|things|a thing)"),
        answer="Say: find the red star.",
    ),
    _sentence(
        ("how do I point at something?",),
        "how (do|can) I (point at|mark|show you) (something|a thing|a place)?",
        told("how I (point at|mark) (something|a thing|a place)"),
        answer="Use a box, a point, a scribble or a mask.",
    ),
    _sentence(
        ("tell me a joke.",),
        "(please |)tell me (a|another) joke.",
        "do you know (a|any|a good) (joke|jokes)?",
        answer="Why is the circle so calm? It has no corners.",
    ),
)


def _world() -> list[Intent]:
    """Return what the model knows about its own world, one intent a fact."""
    intents = []
    for kind, definition in DEFINITIONS.items():
        a = with_article(kind)
        intents.append(
            _sentence(
                (f"what is {a}?",),
                f"(what is|what's) {a}( exactly|, please|)?",
                f"(define {a}|define the word {kind}|explain (to me |)what {a} is).",
                f"what (does the word {kind} mean|is meant by {a})?",
                told(f"what {a} is"),
                answer=f"{a.capitalize()} is {definition}.",
            )
        )
    for kind, use in _USES.items():
        a = with_article(kind)
        rules = (
            f"what (is {a} (for|good for|used for)|do you do with {a}|do people do with {a})?",
            told(f"what {a} is for"),
        )
        intents.append(_sentence((f"what is {a} for?",), *rules, answer=use))
    for kind, number in _CORNERS.items():
        a = with_article(kind)
        rules = (f"(how many|what number of) corners does {a} have?", told(f"how many corners {a} has"))
        answer = f"{a.capitalize()} has {number} corners."
        intents.append(_sentence((f"how many corners does {a} have?",), *rules, answer=answer))
    for word, answer in _PATTERNS.items():
        rules = (f"what (does {word} mean|is meant by {word}|do you mean by {word})?", told(f"what {word} means"))
        intents.append(_sentence((f"what does {word} mean?",), *rules, answer=answer))
    for (one, two), colour in _MIXTURES.items():
        pair = f"({one} and {two}|{two} and {one})"
        rules = (f"what (do you get from|is the mixture of|colour do you get from|do you get if you mix) {pair}?",)
        plain = (f"what do you get from {one} and {two}?",)
        intents.append(_sentence(plain, *rules, told(f"what {pair} make"), answer=f"You get {colour}."))
    for thing, colour in _NATURE.items():
        rules = (f"(what|which) <colour> is {thing}?", told(f"(what|which) <colour> {thing} is"))
        answer = f"{thing.capitalize()} is {colour}."
        intents.append(_sentence((f"what colour is {thing}?",), *rules, answer=answer))
    return intents


INTENTS: tuple[Intent, ...] = (*_MANNERS, *_SELF, *_world())


def _chat(desk: Desk) -> Sample:
    intents = [intent for intent in INTENTS if intent.grammar.forms(desk.phrasing)]
    intent = desk.dice.choose(intents)
    question = desk.words(intent.grammar)
    return Sample(request=Request((Message("user", question),)), answer=Message("assistant", (intent.answer,)))


FAMILIES: tuple[Family, ...] = (
    Family(
        name="chat",
        group="talk",
        score="exact",
        example="What is a hexagon? A hexagon is a shape with six equal sides.",
        build=_chat,
        grammars=tuple(intent.grammar for intent in INTENTS),
    ),
)
