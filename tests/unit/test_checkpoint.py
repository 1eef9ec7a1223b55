import os
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from asc_bench.api import StoreError
from asc_bench.features.encoders.foreign import foreign_tensors, load_foreign_state
from asc_bench.training.checkpoint import load_matching, read_tensors, write_tensors

TENSORS = {
    "a/weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "b": torch.tensor(3, dtype=torch.int64),
    "c": torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "d": torch.tensor([True, False]),
    "e": torch.ones(3, dtype=torch.bfloat16),
}
FACTS = {"step": 12, "best": None, "rate": 0.1}


class Hostile:
    """Unpickling this creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mknod, (str(self.path),)


def test_round_trip(tmp_path):
    path = tmp_path / "deep" / "state.safetensors"
    write_tensors(path, TENSORS, FACTS)
    tensors, facts = read_tensors(path)
    assert facts == FACTS
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)
    assert [p.name for p in path.parent.iterdir()] == ["state.safetensors"]


def test_tensors_that_share_memory_are_written_each(tmp_path):
    whole = torch.arange(4.0)
    write_tensors(tmp_path / "s", {"whole": whole, "half": whole[:2]}, {})
    tensors, _ = read_tensors(tmp_path / "s")
    assert tensors["half"].tolist() == [0, 1]


def test_every_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "state.safetensors"
    write_tensors(path, {"a": torch.arange(6.0)}, {"step": 3})
    content = path.read_bytes()
    for place in range(len(content)):
        harmed = bytearray(content)
        harmed[place] ^= 1
        path.write_bytes(harmed)
        with pytest.raises(StoreError, match=r"state\.safetensors"):
            read_tensors(path)


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "state.safetensors"
    write_tensors(path, TENSORS, {"step": 1})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"safetensors cannot be written .No space left.*\d+ bytes were needed"):
        write_tensors(path, TENSORS, {"step": 2})
    assert read_tensors(path)[1] == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["state.safetensors"]


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(StoreError, match="no such file"):
        read_tensors(tmp_path / "none")
    save_file({"a": torch.ones(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(StoreError, match="format None"):
        read_tensors(tmp_path / "foreign.safetensors")


@pytest.mark.parametrize("how", ["torch.save", "pickle"])
def test_hostile_checkpoint_is_refused_and_runs_nothing(tmp_path, how):
    path, victim = tmp_path / "weights.pth", tmp_path / "victim"
    content = {"state_dict": Hostile(victim)}
    if how == "torch.save":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(StoreError, match=r"refused.*convert it where you trust it"):
        load_foreign_state(path)
    assert not victim.exists()
    pickle.loads(pickle.dumps(content))
    assert victim.exists(), "the case shows nothing unless the file is dangerous"


def test_harmless_foreign_checkpoints_are_read(tmp_path):
    state = {"fc.weight": torch.ones(2, 2)}
    torch.save({"iteration": 15_000, "state_dict": state}, tmp_path / "md_15000_iters.tar")
    found = load_foreign_state(tmp_path / "md_15000_iters.tar")
    assert found["iteration"] == 15_000 and torch.equal(found["state_dict"]["fc.weight"], state["fc.weight"])
    save_file(state, tmp_path / "weights.safetensors")
    assert load_foreign_state(tmp_path / "weights.safetensors").keys() == state.keys()


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04 broken zip"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_broken_foreign_checkpoints_are_refused(tmp_path, content, suffix):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="weights"):
        load_foreign_state(path)


def test_a_web_page_is_not_called_dangerous(tmp_path):
    (tmp_path / "page.pth").write_bytes(b"<html>404</html>")
    with pytest.raises(StoreError, match=r"page.pth: not a checkpoint, it begins with b'<html>40'"):
        load_foreign_state(tmp_path / "page.pth")
    for content in (b"hello", b"abc", b""):  # which torch takes for opcodes of pickle
        (tmp_path / "text.pth").write_bytes(content)
        with pytest.raises(StoreError, match=rf"text.pth: not a checkpoint, it begins with {content!r}"):
            load_foreign_state(tmp_path / "text.pth")
    with pytest.raises(StoreError, match=r"cannot be read: Is a directory"):
        load_foreign_state(tmp_path)


def test_foreign_checkpoint_missing_or_no_dict(tmp_path):
    with pytest.raises(StoreError, match="no such file"):
        load_foreign_state(tmp_path / "none.pth")
    torch.save(torch.ones(2), tmp_path / "tensor.pth")
    with pytest.raises(StoreError, match="holds a Tensor, expected a dict"):
        load_foreign_state(tmp_path / "tensor.pth")


def test_the_tensors_of_a_foreign_checkpoint_are_found_where_only_one_place_holds_them():
    state = {"fc.weight": torch.ones(2, 2), "fc.bias": torch.ones(2)}
    wrapped = {f"module.{name}": tensor for name, tensor in state.items()}
    moments = {"fc.weight": torch.zeros(2, 2)}
    for content in (
        state,
        wrapped,
        {"iteration": 1, "state_dict": state, "optimiser": moments},
        {"model": wrapped, "optimiser": {"lr": 0.1}},
    ):
        assert foreign_tensors(content) == state
    several = {"model": state, "ema": moments}
    assert foreign_tensors(several) == several, "no guess which of two is meant"
    beside = {"fc.bias": torch.ones(2), "module.fc.weight": torch.ones(2, 2)}
    assert foreign_tensors(beside) == beside


def test_mismatch_is_listed_name_by_name_and_changes_nothing():
    module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = {name: t.clone() for name, t in module.state_dict().items()}
    state = {
        "0.weight": torch.zeros(3, 4),
        "0.bias": torch.zeros(3),
        "1.weight": torch.zeros(1, 3),
        "extra": torch.zeros(2),
    }
    with pytest.raises(StoreError) as caught:
        load_matching(module, state, source="weights.pth")
    message = str(caught.value)
    assert "weights.pth does not fit Sequential, 3 differences" in message
    assert "0.weight: shape (3, 4), expected (3, 2)" in message
    assert "1.bias: missing, expected shape (1,)" in message
    assert "extra: unexpected, shape (2,)" in message
    assert all(torch.equal(t, before[name]) for name, t in module.state_dict().items())


def test_names_can_be_translated():
    module = nn.Linear(2, 1)
    state = {"module.weight": torch.ones(1, 2), "module.bias": torch.ones(1)}
    load_matching(module, state, source="x", rename=lambda name: name.removeprefix("module."))
    assert module.weight.tolist() == [[1, 1]]
