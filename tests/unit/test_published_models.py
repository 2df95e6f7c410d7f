"""Published models: taken as they were trained, or trained anew with the difference told."""

from pathlib import Path

import pytest

from minset.files import write_json
from minset.published.models import MODELS, TRAINED, hashes_of, identity_of, take_model

RUN = "random-n8-s1-small"
IDENTITY = identity_of({"model": "schnet", "cutoff_A": 6.0}, {"max_epochs": 40}, 1, ["12", "ab"])


@pytest.fixture
def folder(tmp_path) -> Path:
    """A published folder with a model of two files."""
    model = tmp_path / "published" / MODELS / RUN
    model.mkdir(parents=True)
    (model / "model.pt").write_bytes(b"weights")
    (model / "model.json").write_text("{}")
    files = hashes_of([model / "model.pt", model / "model.json"])
    write_json(model / TRAINED, {"identity": IDENTITY, "files": files})
    return tmp_path / "published"


@pytest.fixture
def outputs(tmp_path) -> list[Path]:
    return [tmp_path / "results" / name for name in ("model.pt", "model.json")]


def test_a_model_trained_in_the_same_way_is_taken_to_the_byte(folder, outputs, capsys):
    assert take_model(folder, RUN, IDENTITY, outputs)
    assert outputs[0].read_bytes() == b"weights"
    assert hashes_of(outputs) == hashes_of([folder / MODELS / RUN / p.name for p in outputs])
    assert "the model is that of" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"settings": {"model": "schnet", "cutoff_A": 7.0}},
            "settings.cutoff_A 6.0, the study has",
        ),
        ({"seed": 2}, "seed 1, the study has 2"),
        ({"inputs": ["12", "cd"]}, "inputs"),
    ],
)
def test_one_trained_otherwise_is_left_and_the_difference_told(
    folder, outputs, capsys, changed, said
):
    assert not take_model(folder, RUN, IDENTITY | changed, outputs)
    assert said in (out := capsys.readouterr().out)
    assert "trained anew" in out
    assert not any(path.exists() for path in outputs)


def test_one_that_is_not_published_is_left(folder, outputs):
    assert not take_model(folder, "random-n8-s2-small", IDENTITY, outputs)


def test_a_damaged_one_is_refused_and_nothing_is_written(folder, outputs):
    (folder / MODELS / RUN / "model.pt").write_bytes(b"weighty")
    with pytest.raises(ValueError, match=r"is damaged or was changed .*git checkout"):
        take_model(folder, RUN, IDENTITY, outputs)
    (folder / MODELS / RUN / TRAINED).write_text("{")
    with pytest.raises(ValueError, match="is damaged or was changed"):
        take_model(folder, RUN, IDENTITY, outputs)
    assert not any(path.exists() for path in outputs)
