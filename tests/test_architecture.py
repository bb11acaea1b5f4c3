"""The written rules hold, and each of them catches what it is against."""

from pathlib import Path

import pytest

from tests.architecture import ROW_OF, RULES, Rule, Source, has_code, imports, mirrors_of, sources

each_rule = pytest.mark.parametrize("rule", [pytest.param(rule, id=name) for name, rule in RULES.items()])


@pytest.fixture(scope="module")
def files(repository: Path) -> list[Source]:
    return sources(repository)


@each_rule
def test_every_file_keeps_the_rule(rule: Rule, files: list[Source]):
    offences = [f"{file.path}:{line}: {what}" for file in files for line, what in rule.offences(file)]
    assert not offences, "\n".join(["", *offences, rule.lesson])


@each_rule
def test_the_rule_catches_a_file_that_breaks_it(rule: Rule):
    assert list(rule.offences(rule.breaches))


@each_rule
def test_the_rule_lets_an_innocent_file_pass(rule: Rule):
    innocent = '"""Boxes."""\nfrom visionllm.types import Box\ndef f() -> Box:\n    raise ValueError("expected")\n'
    assert not list(rule.offences(Source("src/visionllm/ops/boxes.py", innocent)))


def test_every_module_with_code_has_its_test_file(files: list[Source], repository: Path):
    modules = [f for f in files if f.inside and f.unit != "__main__" and has_code(f)]
    lonely = [
        f"{f.path}: {mirrors_of(f)[0]}" for f in modules if not any((repository / t).is_file() for t in mirrors_of(f))
    ]
    assert not lonely, "\n".join(["", *lonely, "tests/ mirrors src/: write the test file named beside each module."])


def test_a_file_of_abstract_methods_needs_no_test_file():
    assert not has_code(
        Source("src/visionllm/decoders/base.py", 'class D:\n    def f(self):\n        """Do."""\n        ...')
    )
    assert has_code(Source("src/visionllm/decoders/base.py", "class D:\n    def f(self):\n        return 1"))


def test_a_docstring_does_not_count_as_lines():
    source = Source("src/visionllm/ops/boxes.py", 'def f():\n    """One.\n\n    Two.\n    """\n    return 1\n')
    assert source.lines_between(1, 6) == 2


def test_the_named_exception_covers_one_import_only():
    rule = RULES["a-unit-imports-rows-above-it-only"]
    draws = "from visionllm.rendering import draw_detections"
    assert not list(rule.offences(Source("src/visionllm/types/results.py", draws)))
    assert list(rule.offences(Source("src/visionllm/types/regions.py", draws)))
    assert list(rule.offences(Source("src/visionllm/types/results.py", "from visionllm.ops.boxes import box_area")))


def test_a_handler_that_cleans_up_and_raises_on_may_catch_everything():
    rule = RULES["an-except-names-its-errors"]
    tidy = "try:\n    f()\nexcept BaseException:\n    clean()\n    raise"
    assert not list(rule.offences(Source("src/visionllm/ops/boxes.py", tidy)))
    assert list(rule.offences(Source("src/visionllm/ops/boxes.py", tidy.replace("raise", "pass"))))


def test_an_import_by_name_counts_as_an_import():
    source = Source("src/visionllm/ops/boxes.py", "import importlib\nimportlib.import_module('visionllm.cli')")
    assert (2, "visionllm.cli", "") in list(imports(source))


def test_the_table_of_the_docs_was_read():
    assert ROW_OF["types"] == 0
    assert ROW_OF["super_link"] == ROW_OF["decoders"] == 3
    assert ROW_OF["cli"] == 9
