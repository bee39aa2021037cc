"""The three backbones: their sizes, SpeechFormer's stages, HRF that leaves no trace, and that they learn."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from random_models import LABELS, clips, randomise, spec_of

from tfser.keras import keras, tf
from tfser.models.build import build_model, sites_of
from tfser.models.layers import SplitHeads
from tfser.models.speechformer import FEATURES, STAGES
from tfser.reparam.certificate import MERGE_ATOL
from tfser.reparam.graph_pass import merge
from tfser.spec import ARCHITECTURES, HRF_DEPTHS, HRF_RATIOS, HRF_SITES, HrfSpec

SMALL_PARAMETERS = 100_000

# Layers that a site widens, by the end of their names; SpeechFormer's linear merges stand for convolutions.
WIDENED = {
    "ffn1": ("ffn1/expand", "ffn1/project"),
    "ffn2": ("ffn2/expand", "ffn2/project"),
    "attention": ("attention/query", "attention/key", "attention/value", "attention/output"),
    "conv": ("frontend/project", "conv/value", "conv/gate", "conv/pointwise"),
    "speechformer conv": ("merge/linear",),
}


@functools.cache
def plain(arch):
    """The small model without HRF. Tests must not change it."""
    return build_model(spec_of(arch))


@functools.cache
def trained_like(arch):
    """The small model with random weights. Tests must not change it."""
    return randomise(build_model(spec_of(arch)))


@pytest.mark.parametrize(("size", "norm"), [("small", "batch"), ("small", "layer"), ("base", "batch")])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_size_builds_and_answers(arch, size, norm):
    spec = spec_of(arch, size=size, norm=norm)
    model = build_model(spec)
    assert (model.name, model.input_names) == (arch, ["features"])
    assert model.input_shape == (None, spec.frames, spec.mel_bands)
    assert model.output_shape == (None, len(LABELS))
    logits = model(clips(model, 2), training=False).numpy()
    assert logits.dtype == np.float32 and np.isfinite(logits).all() and np.ptp(logits, axis=0).all()
    if size == "small":
        assert model.count_params() <= SMALL_PARAMETERS
    else:
        assert model.count_params() > plain(arch).count_params()


# --- what the graph leaves to the start of a kernel -----------------------------------------------------------
def spread(model, name):
    """Standard deviation of a kernel over that of a Glorot start."""
    kernel = model.get_layer(name).kernel.numpy()
    return kernel.std() * np.sqrt(np.mean(kernel.shape))


@pytest.mark.parametrize(("arch", "layer", "expected"), [
    ("conformer", "block1/ffn1/project", 0.5),  # the half step of a Conformer
    ("convtransformer", "block1/ffn1/project", 1.0),
    ("conformer", "block1/attention/query", 1 / np.sqrt(10)),  # the scale of the scores, 1 / sqrt(d_head)
    ("convtransformer", "block1/attention/query", 1 / np.sqrt(12)),
    ("convtransformer", "block1/attention/key", 1.0),
])
def test_scales_are_in_the_start_of_a_kernel(arch, layer, expected):
    assert spread(plain(arch), layer) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_keys_alone_have_no_bias(arch):
    """It would move all scores of a query alike."""
    without = {layer.name for layer in plain(arch).layers
               if isinstance(layer, keras.layers.Dense) and not layer.use_bias}
    assert without == {layer.name for layer in plain(arch).layers if layer.name.endswith("attention/key")}


# --- SpeechFormer -----------------------------------------------------------------------------------------
def test_the_windows_and_merges_of_the_publication_in_milliseconds():
    """arXiv 2203.03812, section 3: windows of 50, 400 and 2000 ms, then all; tokens of 50, 250 and 1000 ms."""
    token_ms = 1000 * FEATURES.hop_samples / FEATURES.sample_rate_hz
    windows, merges = [], []
    for stage in STAGES:
        windows.append(stage.window and stage.window * token_ms)
        token_ms *= stage.merge or 1
        merges.append(token_ms if stage.merge else None)
    assert windows == [50, 400, 2000, None]
    assert merges == [50, 250, 1000, None]


@pytest.mark.parametrize(("size", "layers"), [("small", [1, 1, 2, 2]), ("base", [2, 2, 4, 4])])
def test_the_graph_has_those_stages(size, layers):
    model = build_model(spec_of("speechformer", size=size))
    tokens = FEATURES.frames
    for number, (stage, count) in enumerate(zip(STAGES, layers, strict=True), start=1):
        heads = [layer for layer in model.layers
                 if isinstance(layer, SplitHeads) and layer.name.startswith(f"stage{number}/")]
        assert len(heads) == 3 * count
        assert {(layer.window, layer.input_shape[2]) for layer in heads} == {(stage.window or tokens, tokens)}
        if stage.merge:
            pool = model.get_layer(f"stage{number}/merge/pool")
            assert pool.pool_size == (1, stage.merge) and tokens % stage.merge == 0
            tokens //= stage.merge
    assert model.get_layer("head/mean").input_shape[2] == tokens == 2
    width = model.get_layer("frontend/project").units
    assert [model.get_layer(f"head/dense{i}").units for i in (1, 2, 3)] == [width, width // 2, width // 4]


@pytest.mark.parametrize(("stage", "frames_a_token"), [(1, 1), (2, 5), (3, 25), (4, 100)])
def test_attention_sees_its_window_and_nothing_else(stage, frames_a_token):
    """One frame is changed: the tokens of its window change, all of them, and no other."""
    model = trained_like("speechformer")
    last = max(layer.name for layer in model.layers if layer.name.startswith(f"stage{stage}/")
               and layer.name.endswith("/ffn1/norm"))
    inside = keras.Model(model.input, model.get_layer(last).output)
    tokens = inside.output_shape[2]
    window = STAGES[stage - 1].window or tokens
    x = clips(model, 1)
    before = inside(x, training=False).numpy()
    for frame in (0, 57, 199):
        changed = x.copy()
        changed[0, frame] += 1.0
        after = inside(changed, training=False).numpy()
        first = frame // frames_a_token // window * window
        seen = np.flatnonzero(np.any(before != after, axis=(0, 1, 3)))
        assert list(seen) == list(range(first, min(first + window, tokens)))


# --- HRF ---------------------------------------------------------------------------------------------------
def assert_no_trace(arch, hrf):
    model = randomise(build_model(spec_of(arch, hrf=hrf)))
    widened = {layer.name.rpartition("/hrf")[0] for layer in model.layers if "/hrf" in layer.name}
    ends = tuple(end for site in hrf.sites for end in WIDENED.get(f"{arch} {site}", WIDENED[site]))
    assert widened == {layer.name for layer in plain(arch).layers if layer.name.endswith(ends)}
    result = merge(model)
    assert {chain.layers[-1] for chain in result.merged} == widened
    assert {len(chain.layers) for chain in result.merged} == {hrf.depth}
    assert result.model.get_config() == plain(arch).get_config()
    assert [weight.shape for weight in result.model.weights] == [weight.shape for weight in plain(arch).weights]

    x = clips(model, 4, seed=2)
    expected, merged = (m(x, training=False).numpy() for m in (model, result.model))
    assert np.ptp(expected, axis=0).min() > 1000 * MERGE_ATOL  # the clips differ, so a wrong weight would show
    np.testing.assert_allclose(merged, expected, rtol=0, atol=MERGE_ATOL)


@pytest.mark.parametrize("depth", HRF_DEPTHS)
@pytest.mark.parametrize("ratio", HRF_RATIOS)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_hrf_everywhere_leaves_no_trace(arch, ratio, depth):
    assert_no_trace(arch, HrfSpec(ratio, depth, sites_of(arch)))


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_of_the_low_rank_control_pairs_stay_where_they_are_smaller(arch):
    """Merged and unmerged alike, it gives the answers that it was trained to give."""
    model = randomise(build_model(spec_of(arch, hrf=HrfSpec(0.5, 2, sites_of(arch)))))
    result = merge(model)
    assert any("would add parameters" in record.reason for record in result.refused)
    assert result.model.count_params() < plain(arch).count_params()
    x = clips(model, 4, seed=2)
    expected, merged = (m(x, training=False).numpy() for m in (model, result.model))
    assert np.ptp(expected, axis=0).min() > 1000 * MERGE_ATOL
    np.testing.assert_allclose(merged, expected, rtol=0, atol=MERGE_ATOL)


@pytest.mark.parametrize(("arch", "site"), [(arch, site) for arch in ARCHITECTURES for site in HRF_SITES
                                            if not (site == "ffn2" and arch != "conformer")])
def test_hrf_at_one_site_leaves_no_trace(arch, site):
    assert_no_trace(arch, HrfSpec(2, 2, (site,)))


# --- training -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_it_learns(arch):
    """A few steps on a few clips halve their loss, and move every weight."""
    keras.utils.set_random_seed(0)
    model = build_model(spec_of(arch, hrf=HrfSpec(2, 2, sites_of(arch)), dropout=0.0))
    x, y = clips(model, 8), np.arange(8) % len(LABELS)
    model.compile(keras.optimizers.Adam(5e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  run_eagerly=True)  # tracing the graph would take longer than these steps
    before = [tf.identity(weight) for weight in model.trainable_weights]
    losses = [model.train_on_batch(x, y) for _ in range(10)]
    assert losses[-1] < 0.5 * losses[0]
    still = [weight.name for weight, start in zip(model.trainable_weights, before, strict=True)
             if np.array_equal(weight, start)]
    assert still == []
