import errno
import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from hfedfm_opt.system.files import FileError, read_bytes, read_text, write_bytes, write_pieces, write_text


def test_what_was_written_is_read_back(tmp_path):
    write_text(tmp_path / "a.json", "g\u00e4in\n")

    assert read_text(tmp_path / "a.json") == "g\u00e4in\n"
    assert (tmp_path / "a.json").read_bytes() == "g\u00e4in\n".encode()


def test_packed_files_are_the_same_bytes_each_time_and_hold_no_time(tmp_path):
    write_text(tmp_path / "a.json.gz", "x" * 1000)
    write_text(tmp_path / "b.json.gz", "x" * 1000)

    packed = (tmp_path / "a.json.gz").read_bytes()
    assert packed == (tmp_path / "b.json.gz").read_bytes()
    assert packed[4:8] == bytes(4)
    assert gzip.decompress(packed) == b"x" * 1000
    assert read_text(tmp_path / "a.json.gz") == "x" * 1000


def test_nothing_but_the_file_is_left_in_the_folder(tmp_path):
    write_text(tmp_path / "a.json", "one")
    write_text(tmp_path / "a.json", "two")

    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert read_text(tmp_path / "a.json") == "two"


def test_a_full_disk_leaves_the_old_file_and_one_line(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_text(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError) as caught:
        write_text(path, "new")

    message = f"{path}: cannot be written: the disk is full; what was there before is unchanged"
    assert str(caught.value) == message
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_device_is_never_replaced_by_a_file():
    with pytest.raises(FileError, match=r"^/dev/full: is a device, pipe or socket, must be a file$"):
        write_bytes("/dev/full", b"x")


def test_a_symbolic_link_still_points_to_the_file_after_writing(tmp_path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")

    write_text(tmp_path / "link.json", "new")

    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "new"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileError, match=r"there is no folder '.*nowhere'; create it \(mkdir -p\)$"):
        write_text(tmp_path / "nowhere" / "a.json", "x")


def test_a_folder_is_neither_read_nor_written(tmp_path):
    with pytest.raises(FileError, match=r": is a folder, must be a file$"):
        read_text(tmp_path)
    with pytest.raises(FileError, match=r": is a folder, must be a file$"):
        write_text(tmp_path, "x")


def test_a_folder_that_is_not_writable_is_named(tmp_path, monkeypatch):
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("hfedfm_opt.system.files.write_whole", denied)
    with pytest.raises(FileError, match=r"the folder '.*' is not writable; choose another one$"):
        write_text(tmp_path / "a.json", "x")


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text("x")

    def denied(_: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(FileError, match=r"a\.json: may not be read; change its permissions"):
        read_text(tmp_path / "a.json")


def test_a_missing_file_offers_the_nearest_name(tmp_path):
    (tmp_path / "campus.json").write_text("{}")

    with pytest.raises(FileError, match=r"there is no such file; did you mean '.*campus\.json'\?$"):
        read_text(tmp_path / "campsu.json")
    with pytest.raises(FileError, match=r"there is no such file$"):
        read_text(tmp_path / "zzz")
    with pytest.raises(FileError, match=r"there is no such file, nor its folder '.*nowhere'$"):
        read_text(tmp_path / "nowhere" / "a.json")


def test_a_file_over_the_limit_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("x" * 1001)

    with pytest.raises(FileError, match=r"is 1,001 bytes, must be at most 1,000 bytes$"):
        read_text(tmp_path / "a.json", max_bytes=1000)


def test_a_packed_file_that_unpacks_beyond_the_limit_is_refused(tmp_path):
    write_text(tmp_path / "a.json.gz", "x" * 1001)

    assert read_bytes(tmp_path / "a.json.gz", max_bytes=1001) == b"x" * 1001
    with pytest.raises(FileError, match=r"is larger unpacked, must be at most 1,000 bytes$"):
        read_bytes(tmp_path / "a.json.gz", max_bytes=1000)


def test_text_that_is_not_utf_8_is_refused_with_its_place(tmp_path):
    (tmp_path / "a.json").write_bytes(b"caf\xe9")

    with pytest.raises(FileError, match=r"byte 3 is 0xe9, must be UTF-8 text; save the file as UTF-8$"):
        read_text(tmp_path / "a.json")


@pytest.mark.parametrize("cut", [slice(None, 20), slice(5, None), slice(0, 0)])
def test_a_damaged_packed_file_is_refused(tmp_path, cut):
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b"hello" * 100, mtime=0)[cut])

    if cut == slice(0, 0):
        assert read_text(tmp_path / "a.json.gz") == ""
    else:
        with pytest.raises(FileError, match=r"is damaged or no gzip file: .*; fetch or write it again$"):
            read_text(tmp_path / "a.json.gz")


def test_a_name_that_no_system_allows_is_one_line(tmp_path):
    with pytest.raises(FileError, match=r"cannot be read: .*null"):
        read_text("a\0b")
    with pytest.raises(FileError, match=r"cannot be written: .*"):
        write_text(tmp_path / ("x" * 300), "x")


def test_the_collector_is_set_back_as_it_was():
    import gc

    from hfedfm_opt.system.collector import collector_paused

    def fail():
        with collector_paused():
            assert not gc.isenabled()
            with collector_paused():
                pass
            assert not gc.isenabled()
            raise ValueError("inside")

    assert gc.isenabled()
    with pytest.raises(ValueError, match="inside"):
        fail()
    assert gc.isenabled()


def test_a_packed_city_is_small_and_the_same(tmp_path):
    from hfedfm_opt.system.generate import city_instance
    from hfedfm_opt.system.read import instance_text, read_instance, write_instance

    instance = city_instance(2_000, 40)
    for name in ("a.json.gz", "b.json.gz"):
        write_instance(instance, tmp_path / name)

    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()
    assert (tmp_path / "a.json.gz").stat().st_size * 10 < len(instance_text(instance))
    assert read_instance(tmp_path / "a.json.gz") == instance


def test_a_packed_file_written_piece_by_piece_has_the_bytes_of_the_whole_text(tmp_path):
    rng = np.random.default_rng(0)
    pieces = [f"{value!r}, " for value in rng.normal(size=20_000)]
    for name in ("text.json.gz", "text.json"):
        write_pieces(tmp_path / name, iter(pieces))
        write_text(tmp_path / f"whole-{name}", "".join(pieces))
        assert (tmp_path / name).read_bytes() == (tmp_path / f"whole-{name}").read_bytes()
