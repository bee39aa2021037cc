"""The documents of a small build, as ``tfser build`` writes them, for the page's tests."""

from __future__ import annotations

MANIFEST = {
    "schema_version": 1, "target": "cortex-m7", "tool_versions": {"tfser": "0.1.0"},
    "files": {"model.tflite": "ab" * 32, "report.html": "ef" * 32},
    "model": {"arch": "conformer", "size": "small", "norm": "batch", "activation": "swish", "parameters": 65767,
              "hrf": {"ratio": 2, "depth": 2, "sites": ["ffn1", "ffn2"]}},
    "labels": ["fear", "anger"],  # not in the order of a sorted JSON object
    "features": {"sample_rate_hz": 16000, "window_samples": 400, "hop_samples": 320, "fft_size": 512,
                 "mel_bands": 40, "frames": 100},
    "train": {"epochs": 65, "batch_size": 32, "learning_rate": 0.002, "seed": 0},
    "quantisation": {"input": {"scale": 0.0377561, "zero_point": -93}, "output": {"scale": 0.5, "zero_point": 7},
                     "activations": "int8", "method": "percentile", "percentile": 99.99, "clips": 70,
                     "clips_by_label": {"fear": 35, "anger": 35}, "clips_by_speaker": {"11": 40, "12": 30}},
    "layer_errors": {"clips": 16, "logit_rms": 0.0583, "worst": "features", "layers": [
        {"operator": None, "kind": "INPUT", "layer": "features", "scale": 0.03776, "range_used": 0.847, "clipped": 0.0,
         "sqnr_db": 35.83, "rms_steps": 0.42, "alone_sqnr_db": 35.83, "alone_rms_steps": 0.42, "logit_rms": 0.0442,
         "logit_share": 0.52},
        {"operator": 0, "kind": "RESHAPE", "layer": "frontend/image", "scale": 0.03776, "range_used": 0.847,
         "clipped": 0.0125, "sqnr_db": 35.83, "rms_steps": 0.42, "alone_sqnr_db": None, "alone_rms_steps": 0.0,
         "logit_rms": 0.0, "logit_share": 0.0}]},
    "operators": {"ADD": 3, "CONV_2D": 26, "MUL": 3},
    "measured": {"model_bytes": 95760, "arena_bytes": 48800, "instructions_per_inference": 4000,
                 "application_bytes": 9360, "frontend_instructions_per_second": 1100000,
                 "decision_instructions": None, "stack_bound_bytes": 800, "stack_bytes": 600},
    "reasons": {"decision_instructions": "nothing ran it"},
    "profile": [{"step": "operator 0 CONV_2D", "instructions": 3000},
                {"step": "operator 1 CONV_2D, operator 2 LOGISTIC", "instructions": 600},
                {"step": "operator 3 ADD", "instructions": 400}],
    "plan": {"arena_bytes": 48800, "lower_bound_bytes": 48000,
             "steps": [{"parts": ["operator 0 CONV_2D"]},
                       {"parts": ["operator 1 CONV_2D, operator 2 LOGISTIC", "operator 3 ADD"]}],
             "graph": [{"layer": "block1/project", "shape": [1, 1, 25, 40], "inputs": [-1]},
                       {"layer": "block1/sigmoid", "shape": [1, 1, 25, 40], "inputs": [0]},
                       {"layer": "block1/add", "shape": [1, 1, 25, 40], "inputs": [0, 1]}]},
    "constants": {"weights_bytes": 1500, "tables_bytes": 70,
                  "parts": [{"weights_bytes": 900, "tables_bytes": 40}, {"weights_bytes": 600, "tables_bytes": 30},
                            {"weights_bytes": 0, "tables_bytes": 0}]},
    "real_time": {"assumption": "one instruction per cycle", "decide_every_s": 0.5,
                  "boards": [{"board": "nucleo-f767zi", "core": "cortex-m7", "clock_hz": 216000000, "share": 0.0385,
                              "fits": True},
                             {"board": "slow", "core": "cortex-m7", "clock_hz": 1000000, "share": 8.3, "fits": True},
                             {"board": "small", "core": "cortex-m7", "clock_hz": 9000000, "share": 0.9, "fits": False},
                             {"board": "pico-2", "core": "cortex-m33", "clock_hz": 150000000, "share": None,
                              "fits": None}]},
    "split": {"corpus": "emodb", "fold": 0, "folds": 5, "train": ["11", "12"], "validation": ["09", "10"],
              "test": ["03", "08"], "fingerprint": "cd" * 32},
    "scores": {"test": {"utterances": 4, "wf1": 0.5, "uar": 0.25, "wa": 0.75, "macro_f1": 0.125,
                        "classes": {"fear": {"recall": 0.75, "support": 4}, "anger": {"recall": None, "support": 0}},
                        "speakers": {"03": {"uar": 0.625, "wa": 0.5, "utterances": 4}},
                        "confusion": [[3, 1], [0, 0]]}},
    "validation": {"passed": True, "findings": [
        {"code": "TF-DOC-17", "severity": "warning", "text": "an odd shape", "fix": "nothing to do"}],
        "checks": [{"name": "int8", "passed": True, "detail": "no float"},
                   {"name": "agreement", "passed": True, "detail": "70 of 70", "agree": 69, "clips": 70,
                    "confusion": [[40, 1], [0, 29]]}]},
    "size": {"board": "nucleo-f767zi", "core": "cortex-m7",
             "figures": {"flash_bytes": {"value": 2000, "unit": "B", "kind": "estimate", "how": "weights and code"},
                         "ram_bytes": {"value": None, "unit": "B", "kind": "not measured", "how": "no compiler"},
                         "model_bytes": {"value": 95760, "unit": "B", "kind": "measured", "how": "the file"},
                         "stack_bytes": {"value": 840, "unit": "B", "kind": "estimate", "how": "of another model"}},
             "groups": {"flash_sections": [{"name": ".weights", "bytes": 1500}, {"name": ".text", "bytes": 500}],
                        "functions": [{"name": f"function{number}", "bytes": 100 - number} for number in range(13)]},
             "budget": [{"resource": "flash", "used": 300, "limit": 1200, "unit": "B", "kind": "estimate",
                         "origin": "what the board has", "ok": True, "text": "flash 300 B <= 1200 B"},
                        {"resource": "ram", "used": 250, "limit": 500, "unit": "B", "kind": "measured",
                         "origin": "budget.toml", "ok": True, "text": "ram 250 B <= 500 B"}],
             "largest_weights": [{"name": "frontend/w", "bytes": 9600}],
             "largest_activations": [{"name": "frontend/relu", "bytes": 16000}]},
}
_INTERVAL = {"mean": 0.5, "low": 0.281, "high": 0.719, "unit": "recording", "units": 4, "confidence": 0.95, "p": None}
#: As far as the page draws it.
MANIFEST["card"] = {
    "model": {"labels": MANIFEST["labels"]}, "split": MANIFEST["split"],
    "corpora": [{"name": "emodb", "terms": "published as CC0-1.0", "commercial": True, "citation": "Burkhardt et al.",
                 "speech": "German; ten actors", "acted": True}],
    "scores": {"test": {**MANIFEST["scores"]["test"], "intervals": {
        **dict.fromkeys(("wf1", "uar", "wa", "macro_f1"), _INTERVAL), "recall": {"fear": _INTERVAL}}}}}
CERTIFICATE = {
    "merged": [{"layers": [f"{name}/hrf1", name], "kernels_before": [[40, 160], [160, 80]], "kernel_after": [40, 80]}
               for name in ("block1/a", "block2/a")],
    "refused": [{"layers": [f"{name}/a", f"{name}/b"],
                 "reason": f"activation 'relu' between them ('{name}/relu', '{name}/again')"}
                for name in ("block1", "block2")],
    "parameters_before": 156327, "parameters_after": 65767, "float32_bytes_saved": 362240,
    "max_abs_error": 1.4e-6, "tolerance": 1e-5, "decisions_agree": 70, "decisions_total": 70,
}
PICTURE = ('<svg xmlns="http://www.w3.org/2000/svg" class="tfser-memory" role="img" width="9" height="9">'
           '<title>Memory over time</title><style>.tfser-memory text { fill: #17202b; } '
           '.tfser-memory .box { fill: #fff; }</style>'
           '<g><title>a: 4 &lt; 5</title><rect class="box" x="1" y="2" width="3" height="4"/>'
           '<text x="1" y="2">a 4</text></g></svg>\n')
#: What ``tfser report --corpus`` adds to the manifest; one decision differs, and it is right.
DEPLOYED = {
    "corpus": "emodb", "role": "test", "speakers": ["03", "08"], "fold": 0, "folds": 5, "split_fingerprint": "cd" * 32,
    "intervals": {"wf1": {**_INTERVAL, "low": 0.613, "unit": "speaker", "units": 6}},
    "float": MANIFEST["scores"]["test"], "float_is": "the checkpoint, on the same clips", "decisions": [[3, 0], [1, 0]],
    "int8": {"utterances": 4, "wf1": 0.75, "uar": 0.5, "wa": 1.0, "macro_f1": 0.25,
             "classes": {"fear": {"recall": 1.0, "support": 4}, "anger": {"recall": None, "support": 0}},
             "speakers": {"03": {"uar": 0.875, "wa": 0.75, "utterances": 4}}, "confusion": [[4, 0], [0, 0]]}}
BARE = {"schema_version": 1, "target": "cortex-m4", "files": {}, "measured": {}, "reasons": {}}
