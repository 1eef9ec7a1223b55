import math

import pytest
import torch
from asc_bench.baselines.sample_cnn import SampleCnn, SampleCnnParams
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from asc_bench.api import FINE, Budget, ConfigError
from asc_bench.reporting.published import published_values
from asc_bench.runs.variant import parse_variants
from asc_bench.training.batches import Batch
from tests.unit.small_sets import task

LENGTHS = [3**9 // 3**i for i in range(9)]
WIDTHS = [128, 128, 128, 256, 256, 256, 256, 256, 256, 512]


def blocks_of(module):
    """Stem, then the nine blocks."""
    body, _ = module
    _, stem, levels = body
    return stem, list(levels.blocks)


@pytest.mark.parametrize(
    ("block", "n_50", "n_70"),
    [
        ("basic", 2_683_442, 2_703_942),
        ("se", 24_742_706, 24_763_206),
        ("res", 4_920_882, 4_941_382),
        ("rese", 26_980_146, 27_000_646),
    ],
)
def test_parameter_count_with_the_last_three_levels(block, n_50, n_70):
    for n_classes, expected in ((50, n_50), (70, n_70)):
        with torch.device("meta"):
            module = SampleCnn(task(n_classes), SampleCnnParams(block=block, multi=True)).build()
        assert sum(p.numel() for p in module.parameters() if p.requires_grad) == expected


def test_multiply_adds_counted_by_hand():
    stem = 3**9 * 3 * 128
    pairs = list(zip(WIDTHS[:-1], WIDTHS[1:], LENGTHS, strict=True))
    first = sum(n * a * b * 3 for a, b, n in pairs)
    second = sum(n * b * b * 3 for _, b, n in pairs)
    shortcuts = LENGTHS[2] * 128 * 256 + LENGTHS[8] * 256 * 512
    gates = sum(2 * b * 16 * b for b in WIDTHS[1:])
    head = 512 * 512 + 512 * 10
    expected = {
        "basic": first,
        "se": first + gates,
        "res": first + second + shortcuts,
        "rese": first + second + shortcuts + gates,
    }
    for block, body in expected.items():
        system = SampleCnn(task(10), SampleCnnParams(block=block), Budget.QUICK)
        system.module = _on_meta(system)
        assert system.complexity()["n_multiply_adds"] == 3 * (stem + body + head)


def _on_meta(system):
    with torch.device("meta"):
        return system.build()


def test_maps_shrink_by_three_to_a_single_step():
    for block in ("se", "rese"):
        stem, blocks = blocks_of(_on_meta(SampleCnn(task(10), SampleCnnParams(block=block))))
        x = stem(torch.empty(2, 1, 59_049, device="meta"))
        shapes = [x.shape[1:]]
        for layer in blocks:
            x = layer(x)
            shapes.append(x.shape[1:])
        assert shapes == [(width, 1, length) for width, length in zip(WIDTHS, [*LENGTHS, 1], strict=True)]


def test_channels_are_last_in_memory_all_the_way():
    """Where one layer leaves this layout, a CPU computes all that follow slowly."""
    seen = []
    module = SampleCnn(task(3), SampleCnnParams(block="rese"), Budget.SMOKE).build().eval()
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.BatchNorm2d | nn.MaxPool2d):
            layer.register_forward_hook(lambda layer, given, out: seen.append(out))
    module(torch.randn(2, 59_049))
    assert len(seen) == 2 + 9 * 5 + 2 * 2
    assert all(maps.is_contiguous(memory_format=torch.channels_last) for maps in seen)


def test_the_stem_is_a_strided_convolution():
    torch.manual_seed(0)
    stem, _ = blocks_of(SampleCnn(task(3), SampleCnnParams(), Budget.SMOKE).build())
    x = torch.randn(2, 1, 100)
    expected = F.conv1d(x, stem[0].weight, stem[0].bias, stride=3)
    torch.testing.assert_close(stem[0](x).squeeze(2), expected)


def gate(x, layers):
    """Squeeze and excitation with torch's functions."""
    hidden, out = (layer for layer in layers if isinstance(layer, nn.Linear))
    squeezed = F.linear(x.mean(dim=2), hidden.weight, hidden.bias).relu()
    return x * torch.sigmoid(F.linear(squeezed, out.weight, out.bias))[:, :, None]


def convolved(x, conv, norm):
    x = F.conv1d(x, conv.weight, conv.bias, padding=conv.kernel_size[0] // 2)
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=1e-3)  # as Keras has it


def unsettled(module):
    """Normalisation that does something, with weights of either sign."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.weight.data, layer.bias.data, layer.running_mean):
                values.normal_()
            layer.running_var.uniform_(0.5, 2.0)
    return module.eval()


def test_an_se_block_gates_what_is_pooled():
    torch.manual_seed(0)
    _, blocks = blocks_of(SampleCnn(task(3), SampleCnnParams(block="se"), Budget.SMOKE).build())
    block = unsettled(blocks[2])
    x = torch.randn(2, 16, 27)
    conv, norm = block[0], block[1]
    expected = gate(F.max_pool1d(convolved(x, conv, norm).relu(), 3), block.modules())
    torch.testing.assert_close(block(x.unsqueeze(2)).squeeze(2), expected)


@pytest.mark.parametrize("block", ["res", "rese"])
@pytest.mark.parametrize("index", [1, 2])
def test_a_residual_block_gates_before_the_sum_and_pools_after_it(block, index):
    torch.manual_seed(0)
    _, blocks = blocks_of(SampleCnn(task(3), SampleCnnParams(block=block), Budget.SMOKE).build())
    chosen = unsettled(blocks[index])
    x = torch.randn(2, 16, 27)
    widened = index == 2
    layers = [m for m in chosen.modules() if isinstance(m, nn.Conv1d | nn.BatchNorm2d)]
    shortcut = convolved(x, *(m for m in chosen.shortcut)) if widened else x
    a, norm_a, b, norm_b = layers[2:] if widened else layers
    inner = convolved(convolved(x, a, norm_a).relu(), b, norm_b)
    inner = gate(inner, chosen.modules()) if block == "rese" else inner
    torch.testing.assert_close(chosen(x.unsqueeze(2)).squeeze(2), F.max_pool1d((shortcut + inner).relu(), 3))


def test_convolutions_begin_as_he_draws_them_gates_and_shortcuts_as_glorot_does():
    torch.manual_seed(0)
    module = SampleCnn(task(10), SampleCnnParams(block="rese"), Budget.SMOKE).build()
    body, head = module
    n_seen = 0
    for layer in body.modules():
        if isinstance(layer, nn.Conv1d | nn.Linear):
            n_out, n_in = layer.weight.shape[:2]
            is_he = isinstance(layer, nn.Conv1d) and layer.kernel_size == (3,)
            bound = math.sqrt(6 / (3 * n_in)) if is_he else math.sqrt(6 / (n_in + n_out))
            assert 0.9 * bound < float(layer.weight.detach().abs().max()) <= bound
            assert not layer.bias.any()
            n_seen += 1
    assert n_seen == 1 + 9 * 2 + 2 + 9 * 2
    assert float(head[0].weight.detach().abs().max()) <= math.sqrt(6 / (2 * 64))


@pytest.mark.parametrize(("text", "dropout"), [("sample-cnn", 0.5), ("sample-cnn[dropout=0.2]", 0.2)])
def test_dropout_before_the_last_layer_is_that_of_the_authors_unless_set(text, dropout):
    (variant,) = parse_variants(text)
    _, head = variant.build(task(3), Budget.SMOKE).build()
    assert [layer.p for layer in head if isinstance(layer, nn.Dropout)] == [dropout]


def test_dropout_must_leave_something():
    with pytest.raises(ConfigError, match=r"dropout is 1.0, must be at least 0 and below 1"):
        SampleCnnParams(dropout=1.0)


def test_an_unknown_block_is_named_with_those_that_there_are():
    with pytest.raises(ConfigError, match=r"block is 'dense', but must be one of basic, se, res, rese"):
        parse_variants("sample-cnn[block=dense]")


def test_the_published_row_is_that_of_basic_blocks():
    (entry,) = SampleCnn.card.published
    assert {80.16, 85.21} <= set(published_values(entry).values())
    defaults = SampleCnnParams()
    assert all(str(getattr(defaults, name)) == value for name, value in entry.when.items())


@pytest.mark.parametrize("block", ["se", "res", "rese"])
def test_every_weight_has_a_gradient(block):
    torch.manual_seed(0)
    system = SampleCnn(task(3), SampleCnnParams(block=block, multi=True), Budget.SMOKE)
    module = system.build().train()
    batch = Batch(features=torch.randn(3, 59_049), labels={FINE: torch.arange(3)})
    system.loss(system.forward(module, batch), batch).backward()
    weights = {name: p for name, p in module.named_parameters() if name.endswith("weight")}
    assert all(p.grad.isfinite().all() and p.grad.any() for p in weights.values())
