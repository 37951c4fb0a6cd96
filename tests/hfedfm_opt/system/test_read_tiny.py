from pathlib import Path

from hfedfm_opt.system.check_instance import check_instance
from hfedfm_opt.system.read import instance_text, parse_instance, read_instance, write_instance

TINY = Path(__file__).parents[2] / "data" / "tiny.json"


def test_a_valid_file_is_read_without_defects():
    instance = read_instance(TINY)

    assert instance.name == "tiny"
    assert [node.id for node in instance.nodes] == ["cloud", "e1", "d1", "d2", "d3"]
    assert check_instance(instance) == ()


def test_reading_and_writing_give_the_same_bytes(tmp_path):
    path = tmp_path / "copy.json"

    write_instance(read_instance(TINY), path)

    assert path.read_bytes() == TINY.read_bytes()


def test_packed_files_hold_the_same_instance_and_the_same_bytes_each_time(tmp_path):
    instance = read_instance(TINY)
    write_instance(instance, tmp_path / "a.json.gz")
    write_instance(instance, tmp_path / "b.json.gz")

    assert read_instance(tmp_path / "a.json.gz") == instance
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


def test_the_layout_has_an_element_on_each_line():
    lines = instance_text(read_instance(TINY)).splitlines()

    assert lines[0] == "{"
    assert lines[1] == ' "format": "hfedfm-instance",'
    assert ' "nodes": [' in lines
    assert '  {"id": "cloud", "tier": "cloud"},' in lines
    assert lines[-1] == "}"


def test_defaults_are_left_out_but_the_kind_of_processor_stays():
    text = instance_text(read_instance(TINY))

    assert '"limits"' not in text
    assert '"both_ways"' not in text
    assert '"processor": {"type": "cpu", "flops_per_cycle": 4.0' in text


def test_numbers_keep_all_digits_and_names_their_letters():
    text = (
        TINY.read_text().replace('"gain": 1e-10', '"gain": 1.2345678901234567e-10').replace("d3", "d\u00e9")
    )

    copied = parse_instance(instance_text(parse_instance(text)))

    assert copied.wireless_links[0].gain == 1.2345678901234567e-10
    assert copied.nodes[-1].id == "d\u00e9"
    assert "d\u00e9" in instance_text(copied)


def test_a_byte_order_mark_is_accepted(tmp_path):
    path = tmp_path / "bom.json"
    path.write_bytes(b"\xef\xbb\xbf" + TINY.read_bytes())

    assert read_instance(path) == read_instance(TINY)
