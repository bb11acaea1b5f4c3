"""Lines of a log."""

import io
import logging

from visionllm.server.logs import SafeFormatter, escape, log_to


def test_control_characters_and_turned_text_are_written_as_numbers():
    assert escape("a\r\n\x00\x1b[2J\u202e\x85é") == "a\\x0d\\x0a\\x00\\x1b[2J\\u202e\\x85é"


def test_a_record_is_one_line():
    record = logging.LogRecord("x", logging.INFO, "", 1, "first\nINFO second %s", ("\x1b",), None)
    assert "\n" not in SafeFormatter().format(record)


def test_an_exception_is_written_without_its_words():
    stream = io.StringIO()
    log_to(stream)
    try:
        raise ValueError("a secret\nline")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in app", stack_info=True)
    line = stream.getvalue()
    assert line.count("\n") == 1 and "ValueError in test_an_exception" in line
    assert "secret" not in line
    logging.getLogger("uvicorn").handlers.clear()
    logging.getLogger("visionllm.server").handlers.clear()
