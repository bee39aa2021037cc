"""A study's folder: whole records, nothing counted twice, nothing mixed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from test_sweep import task

from tfser.errors import InputError
from tfser.training.study import locked, open_study, record_of, save_study
from tfser.training.sweep import Part, Variant

RECIPE = {"epochs": "2"}


def opened(folder, *tasks, recipe=None):
    study = open_study(folder, recipe or RECIPE, tasks)
    save_study(study)
    return study


def done(one):
    return record_of(one, result={"test": {"wf1": 0.5}}, error=None, seconds=1.5)


def test_a_record_comes_back(tmp_path):
    first, second = task(0), task(1)
    study = opened(tmp_path / "out", first, second)
    assert study.records() == {} and study.record(first.part) is None
    study.write(first.part, done(first))
    assert study.records() == {first.part: done(first)} and study.record(second.part) is None
    assert done(first)["key"] == first.key and done(first)["part"]["kind"] == "none"
    study.write(first.part, done(first))  # such as by a worker that was thought dead
    assert len(study.records()) == 1


def test_a_study_grows_and_keeps_what_it_has(tmp_path):
    study = opened(tmp_path / "out", task(0), task(1))
    study.write(task(0).part, done(task(0)))
    grown = opened(tmp_path / "out", task(1), task(2))
    assert [part.seed for part in sorted(grown.keys)] == [0, 1, 2] and list(grown.records()) == [task(0).part]
    text = (tmp_path / "out" / "study.json").read_bytes()
    opened(tmp_path / "out", task(2), task(0))
    assert (tmp_path / "out" / "study.json").read_bytes() == text


def test_a_part_of_another_configuration_is_run_again_and_the_old_one_not_counted(tmp_path):
    study = opened(tmp_path / "out", task(0))
    study.write(task(0).part, done(task(0)))
    changed = task(0, deploy=True)
    study = opened(tmp_path / "out", changed)
    assert study.records() == {} and study.others() == 1
    study.write(changed.part, done(changed))
    assert len(study.records()) == 1 and study.others() == 1


def test_another_recipe_is_refused(tmp_path):
    opened(tmp_path / "out", task(0))
    with pytest.raises(InputError, match="TF-BENCH-05") as raised:
        open_study(tmp_path / "out", {"epochs": "3", "norm": "layer"}, [task(0)])
    assert "epochs is 2 there and 3 here; norm is None there and layer here" in raised.value.received


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"key": "other", "status": "done"}', b"\xff"])
def test_a_damaged_record_is_named(tmp_path, content):
    study = opened(tmp_path / "out", task(0))
    study.write(task(0).part, done(task(0)))
    (path,) = (tmp_path / "out" / "parts").iterdir()
    path.write_bytes(content)
    with pytest.raises(InputError, match="TF-BENCH-01") as raised:
        study.records()
    assert path.name in raised.value.received


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"parts": [{}], "recipe": {}}'])
def test_a_damaged_plan_is_named(tmp_path, content):
    (tmp_path / "study.json").write_bytes(content)
    with pytest.raises(InputError, match="TF-BENCH-04"):
        open_study(tmp_path, RECIPE, [task(0)])


def test_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="TF-BENCH-02"):
        open_study(tmp_path, RECIPE, [task(0)])
    with pytest.raises(InputError, match="TF-BENCH-02"):
        open_study(tmp_path / "thesis.tex", RECIPE, [task(0)])


def test_two_runs_do_not_share_a_folder_and_a_killed_one_leaves_it_free(tmp_path):
    code = f"from tfser.training.study import locked\nfrom pathlib import Path\nimport time\n" \
           f"with locked(Path({str(tmp_path)!r})):\n    print('held', flush=True)\n    time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="TF-BENCH-03"), locked(tmp_path):
            raise AssertionError("locked twice")
        other.kill()
        other.wait(20)
    with locked(tmp_path):
        assert json.dumps([path.name for path in tmp_path.iterdir()]) == '[".lock"]'


def test_an_order_of_parts_for_files():
    plain, wide = Variant("emodb", "conformer"), Variant("emodb", "conformer", "ffn", 2, 2)
    parts = [Part(wide, 0, 0), Part(plain, 1, 0), Part(plain, 0, 1), Part(plain, 0, 0)]
    assert sorted(parts) == [*parts[:0:-1], parts[0]]
    assert replace(parts[0], variant=plain) == parts[3]
