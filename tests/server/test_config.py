"""Limits of a server, and its keys."""

from hashlib import sha256

import pytest

from visionllm.server import ServerConfig, read_keys


def test_without_a_key_only_this_machine_is_listened_to():
    for host in ("127.0.0.1", "::1", "localhost", "127.5.5.5"):
        assert ServerConfig(host=host).local
    for host in ("0.0.0.0", "::", "192.168.0.4", "example.org"):
        with pytest.raises(ValueError, match="expected an API key where others can reach the server"):
            ServerConfig(host=host)
        assert not ServerConfig(host=host, insecure=True).local


def test_the_names_of_this_machine_and_the_allowed_ones_are_known():
    assert ServerConfig(host="0.0.0.0", insecure=True).hosts == {"127.0.0.1", "localhost", "[::1]"}
    config = ServerConfig(host="::1", allowed_hosts=("Example.org",))
    assert config.hosts == {"127.0.0.1", "localhost", "[::1]", "example.org"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_images": 0}, "expected max_images above 0, got 0"),
        ({"deadline_s": float("inf")}, "expected deadline_s above 0, got inf"),
        ({"port": 70_000}, "expected a port"),
        ({"allowed_origins": ("*",)}, "expected an origin"),
        ({"allowed_origins": ("https://example.org/",)}, "expected an origin"),
        ({"allowed_hosts": ("*",)}, "expected the name of a host"),
    ],
)
def test_a_wrong_limit_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        ServerConfig(**wrong)


def test_keys_are_kept_as_digests_only(tmp_path):
    file = tmp_path / "keys"
    file.write_text("# of the team\n\na-key-of-many-letters\n  another-key-of-many-letters \n")
    first, second = read_keys(file)
    assert first == sha256(b"a-key-of-many-letters").digest()
    assert second == sha256(b"another-key-of-many-letters").digest()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected an API key in"),
        ("# nothing\n", "expected an API key in"),
        ("short", "line 1 of"),
        ("fine-and-long-enough\ntwo words that are long", "line 2 of"),
        ("ключ-из-многих-букв-и-знаков", "line 1 of"),
    ],
)
def test_a_file_of_bad_keys_is_refused_and_not_repeated(text, message, tmp_path):
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(ValueError, match=message) as refused:
        read_keys(file)
    assert not text.strip("# ") or text.splitlines()[-1] not in str(refused.value)


def test_a_missing_file_of_keys_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected a text file with an API key a line"):
        read_keys(tmp_path / "none")
