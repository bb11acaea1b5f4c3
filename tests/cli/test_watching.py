"""Progress bars."""

import sys

from visionllm.cli.watching import watched, watched_bytes, watched_lines

GONE = "\r\x1b[1A\x1b[2K"
"""Back to the line of the bar, which is erased."""


def test_progress_goes_to_standard_error_and_never_beyond_the_total(capsys):
    with watched("test", 4) as advance:
        advance(2, 10)
        advance(6, 30)
    assert capsys.readouterr().out == ""


def test_where_it_is_no_terminal_a_bar_of_bytes_prints_nothing(capsys):
    with watched_bytes("test") as advance:
        advance(2, 10)
        advance(10, 10)
    assert capsys.readouterr() == ("", "")


def test_a_bar_beside_lines_is_gone_while_they_are_printed(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with watched_lines("asking", 2) as bar:
        for line in ("one", "two"):
            with bar.step():
                before = capsys.readouterr()
                assert "asking" in before.err and before.err.endswith(GONE)
                sys.stdout.write(f"{line}\n")
                assert capsys.readouterr() == (f"{line}\n", "")
    assert "2/2" in capsys.readouterr().err


def test_where_it_is_no_terminal_a_bar_beside_lines_prints_nothing(capsys):
    with watched_lines("asking", 1) as bar, bar.step():
        sys.stdout.write("one\n")
    assert capsys.readouterr() == ("one\n", "")
