import os
import struct
from pathlib import Path

import pytest

from smista_mcp.core.facts import LiveModel
from smista_mcp.core.values import Locality
from smista_mcp.errors import Code, ProviderError, UnknownModel
from smista_mcp.providers.gguf_models import check_model, context_length, find_model, llamacpp_facts, models


def a_folder(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).write_bytes(b"GGUF")
    return path


def header(*pairs: bytes) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + b"".join(pairs)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def test_models_are_the_gguf_files_of_the_folder_itself(tmp_path: Path) -> None:
    a_folder(tmp_path, "b.gguf", "a.GGUF", "notes.txt", ".gguf")
    (tmp_path / "folder.gguf").mkdir()
    (tmp_path / "deep").mkdir()
    a_folder(tmp_path / "deep", "c.gguf")
    assert models(tmp_path) == {"a": tmp_path / "a.GGUF", "b": tmp_path / "b.gguf"}


def test_of_a_model_in_several_files_the_first_is_named(tmp_path: Path) -> None:
    a_folder(tmp_path, "big-00001-of-00002.gguf", "big-00002-of-00002.gguf")
    assert list(models(tmp_path)) == ["big-00001-of-00002"]


def test_a_missing_folder_has_no_models(tmp_path: Path) -> None:
    assert models(tmp_path / "nowhere") == {}
    with pytest.raises(UnknownModel) as refusal:
        find_model(tmp_path / "nowhere", "x")
    assert "local install" in refusal.value.fix


def test_a_model_is_found_whatever_the_case(tmp_path: Path) -> None:
    assert find_model(a_folder(tmp_path, "SmolLM2.gguf"), "smollm2") == tmp_path / "SmolLM2.gguf"


def test_two_files_that_differ_in_case_alone_are_none(tmp_path: Path) -> None:
    a_folder(tmp_path, "x.gguf", "X.gguf", "y.gguf")
    if len(list(tmp_path.iterdir())) < 3:
        pytest.skip("this file system does not tell them apart")
    assert list(models(tmp_path)) == ["y"]
    with pytest.raises(UnknownModel) as refusal:
        find_model(tmp_path, "x")
    assert "y" in refusal.value.fix


@pytest.mark.parametrize("name", ["../outside", "models/../../outside", "/etc/passwd", "..", "", "outside.gguf", "a\0"])
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    a_folder(tmp_path, "outside.gguf")
    folder = tmp_path / "models"
    folder.mkdir()
    a_folder(folder, "inside.gguf")
    with pytest.raises(UnknownModel) as refusal:
        find_model(folder, name)
    assert refusal.value.code is Code.UNKNOWN_MODEL


@pytest.mark.parametrize(
    "content",
    [b"", b"GGUF", b"PK\x03\x04" + b"x" * 40, b"GGUF" + struct.pack("<I", 1) + b"x" * 40],
    ids=["empty", "cut short", "a wheel", "version 1"],
)
def test_a_file_that_cannot_be_a_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    with pytest.raises(ProviderError) as refusal:
        check_model(path)
    assert refusal.value.code is Code.PROVIDER_UNAVAILABLE


def test_what_is_no_regular_file_is_refused_without_being_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    for path in (tmp_path, tmp_path / "pipe.gguf", tmp_path / "missing.gguf"):
        with pytest.raises(ProviderError):
            check_model(path)


def test_a_real_model_file_passes_and_tells_its_window(tiny_model: Path) -> None:
    assert check_model(tiny_model).st_size > 0
    assert context_length(tiny_model) == 4096


@pytest.mark.parametrize(
    ("content", "window"),
    [
        (header(pair("general.name", 8, text("x")), pair("a.context_length", 4, struct.pack("<I", 8192))), 8192),
        (header(pair("a.context_length", 10, struct.pack("<Q", 131_072))), 131_072),
        (header(pair("l", 9, struct.pack("<IQ", 4, 2) + b"12345678"), pair("a.context_length", 4, b"\1\0\0\0")), 1),
        (header(pair("l", 9, struct.pack("<IQ", 8, 1) + text("x")), pair("a.context_length", 4, b"\2\0\0\0")), 2),
        (header(pair("t", 7, b"\1"), pair("a.context_length", 4, b"\3\0\0\0")), 3),
        (header(pair("a.context_length", 8, text("8192"))), None),
        (header(pair("a.context_length", 4, b"\0\0\0\0")), None),
        (header(pair("l", 9, struct.pack("<IQ", 4, 1 << 60))), None),
        (header(pair("l", 9, struct.pack("<IQ", 10, 1 << 61) + b"x" * 99)), None),
        (header(pair("l", 9, struct.pack("<IQ", 10, (1 << 64) - 1) + b"x" * 99)), None),
        (header(pair("l", 9, struct.pack("<IQ", 8, (1 << 64) - 1) + bytes(200_000))), None),
        (header(struct.pack("<Q", (1 << 64) - 1)), None),
        (header(pair("a.context_length", 10, b"\xff" * 8)), None),
        (header(pair("l", 99, b"")), None),
        (header(struct.pack("<Q", 1 << 60) + b"x"), None),
        (header()[:12], None),
        (header(), None),
        (b"", None),
        (b"PK\x03\x04" * 10, None),
    ],
)
def test_a_header_tells_the_window_or_nothing(tmp_path: Path, content: bytes, window: int | None) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    assert context_length(path) == window


def test_the_facts_of_the_folder_are_local_and_need_no_server(tiny_model: Path) -> None:
    facts = llamacpp_facts(tiny_model.parent)
    assert (facts.locality, facts.reachable) == (Locality.LOCAL, True)
    assert facts.models == {"tiny": LiveModel("tiny", context_window=4096)}


def test_an_empty_folder_says_how_to_get_a_model(tmp_path: Path) -> None:
    facts = llamacpp_facts(tmp_path)
    assert facts.models == {}
    assert "local install" in facts.detail
