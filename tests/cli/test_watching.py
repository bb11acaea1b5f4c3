"""Progress bars."""

from visionllm.cli.watching import watched, watched_bytes


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
