from visionllm.processing.phrases import clean_phrase, mirrored_phrase


def test_phrases_lose_marks_and_keep_blanks():
    assert clean_phrase("Don't: the (red)  t-shirt/hat?") == "dont the red  t shirt hat"
    assert clean_phrase("") == ""


def test_left_and_right_change_places_everywhere():
    assert mirrored_phrase("upright, leftmost") == "upleft, rightmost"
    assert mirrored_phrase("middle") == "middle"
