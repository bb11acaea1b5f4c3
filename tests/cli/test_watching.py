"""Progress bars."""

from visionllm.cli.watching import watched


def test_progress_goes_to_standard_error_and_never_beyond_the_total(capsys):
    with watched("test", 4) as advance:
        advance(2, 10)
        advance(6, 30)
    assert capsys.readouterr().out == ""
