"""Configurations: what holds and where it came from, refusals, and what is made from them."""

from pathlib import Path

import liveness
import numpy as np
import pytest
from conftest import TINY, scene
from liveness import Config


def test_values_and_where_they_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "c.yaml"
    file.write_text("pipeline:\n  skip: 2\ndecision:\n  abstain: [dark]\n")
    monkeypatch.setenv("LIVENESS_PIPELINE_QUEUE", "7")
    config = Config(file)
    config["decision.profile"] = "strict"
    config["accuracy.weights"] = [1, 0.5]
    config["accuracy.adaptive"] = True
    config["decision.threshold"] = None
    assert config["pipeline.skip"] == 2
    assert config["decision.abstain"] == ["dark"]
    assert config["accuracy.weights"] == [1, 0.5]
    assert config["accuracy.adaptive"] is True
    assert config["decision.threshold"] is None
    assert config.entry("pipeline.skip").where == f"{file}:2:3"
    assert config.entry("pipeline.queue").source == "environment"
    assert config.entry("decision.profile").source == "flag"
    assert config.entry("resources.cpu").live
    assert [Config.parse(config.to_yaml())[k] for k in config.keys()] == [config[k] for k in config.keys()]


def test_refusals():
    with pytest.raises(liveness.ConfigInvalidError, match=r'text:1:12: .*did you mean "pipeline.skip"'):
        Config.parse("pipeline: {skp: 1}")
    with pytest.raises(liveness.ConfigInvalidError, match=r"31 is not in 0\.\.30"):
        Config()["pipeline.skip"] = 31
    with pytest.raises(liveness.NotFoundError):
        Config()["nothing.here"]
    with pytest.raises(liveness.NotFoundError):
        Config("no_such_file.yaml")


def test_reload(tmp_path: Path):
    file = tmp_path / "c.yaml"
    file.write_text("resources: {cpu: 0.25}")
    config = Config(file)
    file.write_text("resources: {cpu: 0.5}\npipeline: {queue: 9}")
    assert config.reload() == liveness.Reloaded(("resources.cpu",), ("pipeline.queue",))
    assert config["resources.cpu"] == 0.5


def test_what_is_made_from_it(tmp_path: Path, predictor: liveness.Predictor):
    config = Config.parse("resources: {cpu: 0.25}\ndecision: {profile: balanced}")
    config["models.pad"] = [str(TINY / "pad.safetensors")]
    config["models.detector"] = str(TINY / "detector.safetensors")
    profiler = liveness.Profiler()
    frame = np.ascontiguousarray(scene((1, 1, 150)))
    with config.ensemble(profiler) as ensemble:
        result = ensemble.predict(frame, color="bgr")
    assert result.score == predictor.predict(frame, color="bgr").score
    assert profiler.get("frames") == 1
    assert config.governor().admit(0.0)


def test_without_names_the_networks_inside_the_library_are_taken():
    inside = Config().networks()
    assert [m.name for m in inside.pad] == ["pad_default"]
    assert inside.detector is not None and inside.detector.name == "face_detector"
    black = np.zeros((240, 320, 3), np.uint8)
    with Config().ensemble() as ensemble:
        assert ensemble.predict(black, color="bgr").verdict == liveness.Verdict.NO_FACE
    with Config().verifier() as verifier:
        assert verifier.push(black, 0.0, color="bgr").verdict == liveness.Verdict.NO_FACE
    with pytest.raises(liveness.ConfigInvalidError, match=r"models\.pad"):
        Config().verifier(liveness.Networks((), inside.detector))
    with pytest.raises(liveness.ConfigInvalidError, match=r"models\.detector"):
        Config().verifier(liveness.Networks(inside.pad, None))


def test_streams_that_share_models(tmp_path: Path):
    config = Config.parse("pipeline: {tracker: none, birth: 1, score_every: 1}\ndecision: {min_frames: 3, min_seconds: 0.2}")
    for key in ("min_face_pixels", "min_sharpness", "min_luminance"):
        config[f"accuracy.{key}"] = 0
    for key in ("max_outside", "max_overexposed"):
        config[f"accuracy.{key}"] = 1
    config["models.pad"] = [str(TINY / "pad.safetensors")]
    config["models.detector"] = str(TINY / "detector.safetensors")
    networks = config.networks()
    assert [m.name for m in networks.pad] == ["tiny_pad"]
    profiler = liveness.Profiler()
    noise = np.random.default_rng(1)
    with config.verifier(networks, profiler) as live, config.verifier(networks) as attack:
        for i in range(30):
            grain = noise.integers(0, 2, (320, 320, 3), dtype=np.uint8)
            seen = [
                stream.push(scene((1, 1, green)) ^ grain, i / 10, color="bgr").tracks[0]
                for stream, green in ((live, 190), (attack, 40))
            ]
            if i == 0:
                assert seen[0].scored  # birth 1 and score_every 1 came through
    assert [t.verdict for t in seen] == [liveness.Verdict.LIVE, liveness.Verdict.SPOOF]
    assert profiler.get("frames") == 30
    config["models.calibration"] = str(tmp_path / "none.json")
    with pytest.raises(liveness.NotFoundError):
        config.verifier(networks)


def test_documentation_is_what_the_library_says():
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    assert page.read_text() == Config.reference()
