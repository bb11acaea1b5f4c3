from visionllm.engine.errors import Cancelled, JobFailed, NotFinite, QueueFull, as_engine_error


def test_errors_of_the_model_are_chained_and_their_text_stays_inside():
    secret = RuntimeError("at 0x7f00")
    failed = as_engine_error(secret)
    assert isinstance(failed, JobFailed) and failed.__cause__ is secret
    assert "0x7f00" not in str(failed)


def test_what_is_no_number_has_a_name_of_its_own():
    failed = as_engine_error(FloatingPointError("expected boxes that are numbers, got NaN or infinity"))
    assert isinstance(failed, NotFinite) and "boxes" in str(failed)


def test_errors_of_the_engine_stay_as_they_are():
    error = Cancelled("gone")
    assert as_engine_error(error) is error
    assert QueueFull(7).retry_after_s == 7 and "7 s" in str(QueueFull(7))
