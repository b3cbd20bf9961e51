#!/usr/bin/env python3
"""The program from the outside. Run by CTest; by hand: test_cli.py --liveness PROGRAM --make MAKE_TINY_PACKAGES --source TREE"""

import argparse
import csv
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ARGS = argparse.Namespace()
ROOT = pathlib.Path()
KEYS = ["input", "frame", "width", "height", "verdict", "score", "logit", "threshold", "reasons", "faces", "model", "time_ms", "from_cache", "error"]
FACE_KEYS = ["box", "landmarks", "detection", "verdict", "score", "logit", "members", "quality", "views", "spread", "reasons"]


def run(*args: object, code: int = 0, env: dict[str, str] | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the program in the folder of the made inputs with the made packages as its models."""
    settings = {**os.environ, "LIVENESS_MODEL_PATH": str(ROOT / "models"), **(env or {})}
    done = subprocess.run([ARGS.liveness, *map(str, args)], cwd=ROOT, env=settings, input=stdin, capture_output=True, text=True, timeout=120)
    if done.returncode != code:
        raise AssertionError(f"{args}: exit code {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}")
    return done


def lines(done: subprocess.CompletedProcess[str]) -> list[dict]:
    return [json.loads(line) for line in done.stdout.splitlines()]


class Score(unittest.TestCase):
    def test_json_has_every_field(self) -> None:
        (r,) = lines(run("score", "--json", "pictures/live.png"))
        self.assertEqual(list(r), KEYS)
        self.assertEqual(r["input"], "pictures/live.png")
        self.assertEqual((r["frame"], r["width"], r["height"]), (0, 320, 320))
        self.assertEqual(r["verdict"], "LIVE")
        self.assertGreater(r["score"], 0.98)
        self.assertGreater(r["logit"], 4)
        self.assertEqual(r["threshold"], 0.5)
        self.assertEqual(r["reasons"], [])
        self.assertIsNone(r["error"])
        self.assertEqual(r["model"], "tiny_pad")
        self.assertEqual(list(r["time_ms"]), ["read", "detect", "roi", "infer", "total"])
        (face,) = r["faces"]
        self.assertEqual(list(face), FACE_KEYS)
        for got, want in zip(face["box"], [80, 80, 80, 80]):
            self.assertAlmostEqual(got, want, delta=2)
        self.assertEqual(len(face["landmarks"]), 5)
        self.assertEqual(face["members"], [{"model": "tiny_pad", "score": face["score"], "logit": face["logit"]}])
        self.assertGreater(face["quality"]["sharpness"], 15)

    def test_verdicts_over_a_folder_in_order(self) -> None:
        for threads in (1, 3):
            found = {r["input"]: r["verdict"] for r in lines(run("score", "--json", "--threads", threads, "pictures"))}
            want = {
                "pictures/deeper/two, faces.png": "LIVE",
                "pictures/live.png": "LIVE",
                "pictures/nobody.png": "NO_FACE",
                "pictures/spoof.png": "SPOOF",
            }
            self.assertEqual(list(found.items()), list(want.items()))

    def test_no_face_has_no_score(self) -> None:
        (r,) = lines(run("score", "--json", "pictures/nobody.png"))
        self.assertEqual((r["verdict"], r["score"], r["faces"], r["error"]), ("NO_FACE", None, [], None))

    def test_all_faces(self) -> None:
        (one,) = lines(run("score", "--json", "pictures/deeper/two, faces.png"))
        self.assertEqual(one["reasons"], ["several_faces"])
        self.assertEqual(len(one["faces"]), 1)
        (both,) = lines(run("score", "--json", "--faces", "all", "pictures/deeper/two, faces.png"))
        self.assertEqual([f["verdict"] for f in both["faces"]], ["LIVE", "SPOOF"])

    def test_threshold_profile_and_fusion(self) -> None:
        (r,) = lines(run("score", "--json", "--threshold", "0.999", "pictures/live.png"))
        self.assertEqual((r["verdict"], r["threshold"]), ("SPOOF", 0.999))
        (r,) = lines(run("score", "--json", "--profile", "strict", "pictures/live.png"))
        self.assertEqual(r["threshold"], 0.9)
        pair = ["--model", "tiny_pad", "--model", "tiny_strict.safetensors"]
        (r,) = lines(run("score", "--json", *pair, "--fusion", "minimum", "pictures/live.png"))
        self.assertEqual(r["model"], "tiny_pad+tiny_strict")
        self.assertEqual(r["score"], min(m["score"] for m in r["faces"][0]["members"]))
        (r,) = lines(run("score", "--json", *pair, "--fusion", "weighted", "--weights", "1,3", "pictures/live.png"))
        a, b = (m["score"] for m in r["faces"][0]["members"])
        self.assertAlmostEqual(r["score"], (a + 3 * b) / 4, places=5)

    def test_csv(self) -> None:
        done = run("score", "--csv", "--faces", "all", "pictures", "missing.png", code=1)
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        self.assertEqual(len(rows), 6)
        self.assertEqual([r["face"] for r in rows[:2]], ["0", "1"])
        self.assertEqual(rows[0]["input"], "pictures/deeper/two, faces.png")
        self.assertEqual(rows[-1]["error"], "no such file")
        self.assertTrue(all(None not in r and None not in r.values() for r in rows), "every row has every column")

    def test_text_tells_reasons_in_sentences(self) -> None:
        done = run("score", "pictures/deeper/two, faces.png", "pictures/spoof.png")
        self.assertIn("There are several faces in the picture", done.stdout)
        self.assertRegex(done.stdout, r"SPOOF +0\.0")
        self.assertIn("2 pictures: 1 LIVE, 1 SPOOF", done.stderr)

    def test_list(self) -> None:
        (ROOT / "lists").mkdir(exist_ok=True)
        (ROOT / "lists" / "all.txt").write_text("# comment\n\npictures/live.png\n../pictures/spoof.png\n")
        found = lines(run("score", "--json", "--list", "lists/all.txt"))
        self.assertEqual([r["verdict"] for r in found], ["LIVE", "SPOOF"])
        found = lines(run("score", "--json", "--list", "-", stdin="pictures/live.png\n"))
        self.assertEqual([r["verdict"] for r in found], ["LIVE"])
        run("score", "--list", "lists/none.txt", code=2)

    def test_boxes(self) -> None:
        (ROOT / "boxes.csv").write_text(
            "# input,x,y,width,height\npictures/nobody.png,10,10,50,60\npictures/deeper/two, faces.png,80,80,80,80\nclip.avi,3,80,80,80,80\n"
        )
        found = lines(run("score", "--json", "--boxes", "boxes.csv", "pictures/nobody.png", "pictures/deeper/two, faces.png"))
        self.assertEqual(found[0]["faces"][0]["box"], [10, 10, 50, 60])
        self.assertEqual(found[1]["verdict"], "SPOOF")
        found = lines(run("score", "--json", "--boxes", "boxes.csv", "--frames", 4, "clip.avi", code=1))
        self.assertEqual([r["error"] is None for r in found], [False, False, False, True])
        (ROOT / "bad.csv").write_text("pictures/live.png,1,2,3,x\n")
        self.assertIn("bad.csv:1", run("score", "--boxes", "bad.csv", "pictures/live.png", code=2).stderr)
        (ROOT / "bad.csv").write_text("a.png,1,2,3,4\na.png,1,2,3,5\n")
        self.assertIn("bad.csv:2: a second box", run("score", "--boxes", "bad.csv", "a.png", code=2).stderr)

    def test_video(self) -> None:
        found = lines(run("score", "--json", "clip.avi"))
        self.assertEqual([r["frame"] for r in found], list(range(30)))
        self.assertEqual([r["verdict"] for r in found], ["LIVE"] * 15 + ["SPOOF"] * 15)
        found = lines(run("score", "--json", "--every", 10, "--threads", 2, "clip.avi"))
        self.assertEqual([r["frame"] for r in found], [0, 10, 20])
        found = lines(run("score", "--json", "--frames", 2, "clip.avi"))
        self.assertEqual([r["frame"] for r in found], [0, 1])

    def test_bad_inputs_lose_no_other(self) -> None:
        whole = (ROOT / "whole.jpg").read_bytes()
        made = {
            "text.jpg": (b"this is no picture", "not a picture"),
            "empty.jpg": (b"", "the file is empty"),
            "cut.jpg": (whole[: len(whole) // 2], "cut short"),
            "cut.png": ((ROOT / "pictures" / "live.png").read_bytes()[:-30], "cut short"),
            "text.mp4": (b"this is no video", "not a video"),
            "cut.avi": ((ROOT / "clip.avi").read_bytes()[: (ROOT / "clip.avi").stat().st_size // 2], "cut short"),
        }
        for name, (data, _) in made.items():
            (ROOT / name).write_bytes(data)
        inputs = [*made, "missing.png", "missing.avi", "7", "empty", "camera:none", "pictures/live.png"]
        found = lines(run("score", "--json", *inputs, code=1))
        errors = {r["input"]: r["error"] for r in found if r["error"]}
        for name, (_, message) in made.items():
            self.assertIn(message, errors[name])
        self.assertEqual(errors["missing.png"], "no such file")
        self.assertEqual(errors["missing.avi"], "no such file")
        self.assertIn("camera:7", errors["7"])
        self.assertIn("holds no picture", errors["empty"])
        self.assertIn("camera:N", errors["camera:none"])
        for r in found:
            self.assertEqual(list(r), KEYS)
            if r["error"]:
                self.assertEqual((r["verdict"], r["score"], r["faces"]), (None, None, []))
        self.assertEqual(found[-1]["verdict"], "LIVE")
        self.assertGreater(sum(r["input"] == "cut.avi" and r["error"] is None for r in found), 5)

    def test_annotated_pictures_sheet_and_video(self) -> None:
        run("score", "--annotate", "out/one.png", "pictures/live.png")
        self.assertEqual((ROOT / "out" / "one.png").read_bytes()[:4], b"\x89PNG")
        run("score", "--annotate", "out/many", "--sheet", "out/sheet.png", "pictures", "missing.png", code=1)
        self.assertEqual({p.name for p in (ROOT / "out" / "many").iterdir()}, {"live.png", "spoof.png", "nobody.png", "two, faces.png"})
        self.assertGreater((ROOT / "out" / "sheet.png").stat().st_size, 5000)
        run("score", "--annotate", "out/scored.avi", "--frames", 12, "clip.avi")
        self.assertEqual(len(lines(run("score", "--json", "out/scored.avi"))), 12)
        self.assertIn("need", run("score", "--annotate", "whole.jpg", "pictures", code=2).stderr)
        self.assertNotEqual((ROOT / "pictures" / "live.png").read_bytes(), (ROOT / "out" / "one.png").read_bytes())

    def test_views(self) -> None:
        (plain,) = lines(run("score", "--json", "pictures/live.png"))
        self.assertEqual((plain["faces"][0]["views"], plain["faces"][0]["spread"]), (1, 0))
        views = ("--crops", 3, "--flip", "--brightness", 0.1)
        (every,) = lines(run("score", "--json", *views, "--settled", 0, "pictures/live.png"))
        self.assertEqual(every["faces"][0]["views"], 7)
        self.assertGreater(every["faces"][0]["spread"], 0)
        (enough,) = lines(run("score", "--json", "--crops", 26, "--threshold", 0.01, "pictures/live.png"))
        self.assertLess(enough["faces"][0]["views"], 27)
        self.assertEqual(enough["verdict"], "LIVE")

    def test_cache(self) -> None:
        twice = ["pictures/live.png", "pictures/live.png"]
        self.assertEqual([r["from_cache"] for r in lines(run("score", "--json", *twice))], [False, False])
        first, again = lines(run("score", "--json", "--cache", "1MB", *twice))
        self.assertEqual([first["from_cache"], again["from_cache"]], [False, True])
        self.assertEqual(again["faces"], first["faces"])
        done = run("score", "--cache", "1MB", "--times", *twice)
        self.assertRegex(done.stderr, r"cache_hits\W+1\b")

    def test_times(self) -> None:
        done = run("score", "--times", "pictures")
        self.assertRegex(done.stderr, r"infer +3 ")
        self.assertRegex(done.stderr, r"frames +4")

    def test_usage_errors(self) -> None:
        run("score", code=2)
        run(code=2)
        run("score", "--json", "--csv", "a.png", code=2)
        run("score", "--fusion", "median", "a.png", code=2)
        self.assertIn("profile: 'loose'", run("score", "--profile", "loose", "pictures/live.png", code=2).stderr)
        self.assertIn("model 'none'", run("score", "--model", "none", "pictures/live.png", code=2).stderr)
        self.assertIn("not a PAD network", run("score", "--model", "tiny_detector", "pictures/live.png", code=2).stderr)
        (ROOT / "broken.safetensors").write_bytes(b"\xff" * 100)
        self.assertIn("broken.safetensors", run("score", "--model", "broken.safetensors", "pictures/live.png", code=2).stderr)

    def test_without_any_model(self) -> None:
        nothing = {"LIVENESS_MODEL_PATH": str(ROOT / "empty"), "LIVENESS_MODELS": str(ROOT / "empty")}
        done = subprocess.run([ARGS.liveness, "score", "pictures/live.png"], cwd=ROOT, env={**os.environ, **nothing}, capture_output=True, text=True)
        if done.returncode == 2:  # a source tree that ships packages has models of its own
            self.assertIn("liveness doctor", done.stderr)
        else:
            self.assertEqual(done.returncode, 0)


class Optimize(unittest.TestCase):
    PAD = "models/tiny_pad.safetensors"

    def test_quantize_with_labels(self) -> None:
        done = run("quantize", self.PAD, "-o", "small.safetensors", "--detector", "tiny_detector", "--bona-fide", "pictures/live.png", "--attacks",
                   "pictures/spoof.png", "--json")
        report = json.loads(done.stdout)
        self.assertEqual(report["bytes_after"], (ROOT / "small.safetensors").stat().st_size)
        (q,) = report["qualifications"]
        self.assertTrue(q["passed"], q["reason"])
        self.assertEqual(q["drift"]["before"], {"apcer": 0, "bpcer": 0, "attacks": 1, "bona_fide": 1})
        self.assertEqual(json.loads(run("info", "small.safetensors", "--json").stdout)["contract"]["qualified"], ["int8"])

    def test_quantize_tells_what_it_could_not_use(self) -> None:
        done = run("quantize", self.PAD, "-o", "small.safetensors", "--detector", "tiny_detector", "--samples", "pictures", code=1)
        self.assertIn("pictures/nobody.png: no face found", done.stderr)
        self.assertIn("int8: qualified", done.stdout)
        done = run("quantize", self.PAD, "-o", "small.safetensors", "--samples", "pictures/live.png", code=2)
        self.assertIn("give --boxes or --detector", done.stderr)

    def test_quantize_without_pictures_claims_nothing(self) -> None:
        done = run("quantize", self.PAD, "-o", "small.safetensors", "--qualify", "bf16,int8")
        self.assertIn("bf16: NOT qualified", done.stdout)
        self.assertIn("int8: NOT qualified", done.stdout)

    def test_prune_refuses_what_cannot_shrink(self) -> None:
        done = run("prune", self.PAD, "-o", "pruned.safetensors", code=2)
        self.assertIn("multiply-accumulates can be taken out", done.stderr)
        self.assertFalse((ROOT / "pruned.safetensors").exists())

    def test_export(self) -> None:
        self.assertIn("opset 17", run("export", self.PAD, "-o", "net.onnx", "--opset", 17).stdout)
        (ROOT / "net.json").write_text(json.dumps(json.loads(run("info", self.PAD, "--json").stdout)["contract"]))
        for model in (self.PAD, "net.onnx"):
            (r,) = lines(run("score", "--json", "--model", model, "pictures/live.png"))
            self.assertAlmostEqual(r["score"], 0.989, delta=0.01)
        run("export", self.PAD, "-o", "net.onnx", "--quantized", code=2)

    def test_logits_beside_the_verdicts(self) -> None:
        run("score", "--logits", "teacher.jsonl", "--faces", "all", "pictures/live.png", "pictures/deeper")
        found = [json.loads(line) for line in (ROOT / "teacher.jsonl").read_text().splitlines()]
        self.assertEqual([(f["input"], f["face"]) for f in found],
                         [("pictures/live.png", 0), ("pictures/deeper/two, faces.png", 0), ("pictures/deeper/two, faces.png", 1)])
        for f in found:
            (member,) = f["members"]
            self.assertEqual(member["model"], "tiny_pad")
            self.assertEqual(set(member["classes"]), {"live", "attack0", "attack2"})
        # The live logit is (green - 128) / 16, the others are -log 2.
        classes = found[0]["members"][0]["classes"]
        self.assertAlmostEqual(classes["live"] - classes["attack0"], (200 - 128) / 16 + 0.693, delta=0.3)
        run("score", "--logits", "nowhere/file/", "pictures/live.png", code=2)


def events(done: subprocess.CompletedProcess[str]) -> list[dict]:
    return [json.loads(line) for line in done.stdout.splitlines()]


# The miniature detector knows a grid only, and its faces are no faces: every frame is searched, quality does not matter.
QUICK = [
    part
    for setting in (
        *("pipeline.tracker=none", "pipeline.birth=1", "pipeline.score_every=1", "pipeline.same_scene=-1"),
        *("accuracy.min_sharpness=0", "accuracy.min_face_pixels=0", "accuracy.min_luminance=0", "accuracy.max_overexposed=1"),
        *("accuracy.max_outside=1", "accuracy.max_yaw=180", "accuracy.max_pitch=180", "decision.max_seconds=4"),
    )
    for part in ("--set", setting)
]


class Watch(unittest.TestCase):
    def test_events_of_a_clip(self) -> None:
        """The face of stream.avi is live for 15 frames of 10 a second, then a spoof."""
        found = events(run("watch", "stream.avi", "--events", "-", *QUICK))
        kinds = [e["event"] for e in found]
        self.assertEqual((kinds[0], kinds[-1]), ("started", "stopped"))
        self.assertIn("new_track", kinds)
        decided = [e for e in found if e["event"] == "decided"]
        self.assertEqual(decided[0]["verdict"], "LIVE")
        self.assertLess(decided[0]["seconds"], 1.5)
        self.assertGreater(decided[0]["score"], 0.5)
        self.assertEqual({"track", "previous", "confidence", "scores", "reasons", "text", "frame"} - set(decided[0]), set())
        # The attack that replaces the face is decided too, on this track or a new one.
        later = [e for e in found if e["event"] in ("decided", "changed") and e["seconds"] >= 1.5]
        self.assertTrue(any(e["verdict"] == "SPOOF" for e in later), later)

    def test_exit_codes_for_scripts(self) -> None:
        done = run("watch", "stream.avi", "--until-decided", "--timeout", 10, *QUICK)
        self.assertIn("LIVE", done.stderr)
        run("watch", "attack", "--until-decided", *QUICK, code=3)
        run("watch", "stream.avi", "--until-decided", "--timeout", 0.2, *QUICK, code=4)
        nobody = ROOT / "nobody"
        nobody.mkdir(exist_ok=True)
        (nobody / "a.png").write_bytes((ROOT / "pictures" / "nobody.png").read_bytes())
        run("watch", "nobody", "--until-decided", code=4)
        self.assertIn("no such camera", run("watch", "camera:77", code=1).stderr)
        run("watch", "camera:x", code=2)
        run("watch", "empty", code=2)
        run("watch", code=2)

    def test_faults_are_events(self) -> None:
        cut = ROOT / "cut.avi"
        cut.write_bytes((ROOT / "stream.avi").read_bytes()[: (ROOT / "stream.avi").stat().st_size // 2])
        found = events(run("watch", "cut.avi", "--events", "-", code=1))
        self.assertIn("input_failed", [e["event"] for e in found])
        mixed = ROOT / "mixed"
        mixed.mkdir(exist_ok=True)
        for i, name in enumerate(["live.png", "live.png", "live.png"]):
            (mixed / f"{i}.png").write_bytes((ROOT / "pictures" / name).read_bytes())
        (mixed / "3.png").write_bytes(b"not a picture")
        (mixed / "4.ppm").write_bytes(b"P6 64 48 255\n" + bytes(64 * 48 * 3))
        found = events(run("watch", "mixed", "--events", "-", code=1))
        kinds = [e["event"] for e in found]
        self.assertIn("input_failed", kinds)
        self.assertIn("format", kinds)
        self.assertEqual(kinds[-1], "stopped")
        run("watch", "missing.mp4", code=1)

    def test_what_cannot_be_written_is_told_and_the_stream_goes_on(self) -> None:
        found = events(run("watch", "stream.avi", "--record", "/dev/full", "--events", "-", *QUICK, code=1))
        kinds = [e["event"] for e in found]
        self.assertEqual(kinds.count("record_failed"), 1)
        self.assertIn("decided", kinds)
        self.assertEqual(kinds[-1], "stopped")
        done = run("watch", "stream.avi", "--events", "/dev/full", *QUICK, code=1)
        self.assertEqual(done.stderr.count("events cannot be written"), 1)
        self.assertIn("LIVE", done.stderr)
        self.assertIn("stopped", done.stderr)
        run("watch", "stream.avi", "--set", "monitoring.metrics=/dev/full/m.prom", *QUICK, code=1)

    def test_trackers(self) -> None:
        opencv = (pathlib.Path(ARGS.liveness).parent / "liveness_followers.so").exists()
        for tracker in ("redetect", "none", "flow", "csrt", "kcf"):
            has = opencv or tracker in ("redetect", "none")
            done = run("watch", "stream.avi", "--tracker", tracker, "--frames", 5, code=0 if has else 2)
            if not has:
                self.assertIn("liveness_followers", done.stderr)
        run("watch", "stream.avi", "--tracker", "guess", code=2)

    def test_metrics_alerts_and_recording(self) -> None:
        run("watch", "stream.avi", "--record", "out/watched.mp4", "--set", "monitoring.metrics=m.prom", *QUICK)
        text = (ROOT / "m.prom").read_text()
        self.assertRegex(text, r"(?m)^liveness_frames_total 30$")
        self.assertRegex(text, r"(?m)^liveness_events_total\{event=\"new_track\"\} \d+$")
        self.assertRegex(text, r"(?m)^process_resident_memory_bytes [\d.e+]+$")
        self.assertRegex(text, r'(?m)^liveness_stage_seconds\{stage="total",quantile="0.99"\} [\d.]+$')
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[\d.e+-]+)$')
        again = lines(run("score", "--json", "out/watched.mp4"))
        self.assertEqual(len(again), 30)
        found = events(
            run("watch", "stream.avi", "--real-time", "--events", "-", "--set", "monitoring.low_fps=900", "--set", "monitoring.interval=0.3", *QUICK)
        )
        self.assertEqual([e["text"].split(":")[0] for e in found if e["event"] == "alert"], ["low_fps"])

    def test_metrics_over_http_and_reload(self) -> None:
        config = ROOT / "live.yaml"
        config.write_text("monitoring: {port: 0, interval: 0.2}\n")
        import socket
        import time
        import urllib.request

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        env = {**os.environ, "LIVENESS_MODEL_PATH": str(ROOT / "models"), "LIVENESS_MONITORING_PORT": str(port)}
        command = [ARGS.liveness, "watch", "stream.avi", "--real-time", "--config", str(config), "--events", "-"]
        with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
            text = ""
            for _ in range(100):
                try:
                    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2).read().decode()
                    break
                except OSError:
                    time.sleep(0.05)
            config.write_text("monitoring: {port: 0, interval: 0.2, low_fps: 1}\npipeline: {queue: 9}\n")
            out, _ = watching.communicate(timeout=60)
        self.assertIn("liveness_frames_total", text)
        found = [json.loads(line) for line in out.splitlines()]
        reloaded = [e["text"] for e in found if e["event"] == "reloaded"]
        self.assertEqual(reloaded, ["changed: monitoring.low_fps; waiting for a new start: pipeline.queue"])

    def test_phone_videos_stand_upright(self) -> None:
        plain = bytearray((ROOT / "phone.mp4").read_bytes())
        at = plain.index(b"tkhd") + 4
        matrix = at + (52 if plain[at] == 1 else 40)
        one, zero, minus = b"\x00\x01\x00\x00", b"\x00" * 4, b"\xff\xff\x00\x00"
        self.assertEqual(plain[matrix : matrix + 4], one)
        corners = {}
        for degrees, abcd in {0: (one, zero, zero, one), 90: (zero, one, minus, zero), 180: (minus, zero, zero, minus), 270: (zero, minus, one, zero)}.items():
            a, b, c, d = abcd
            turned = bytes(plain[:matrix]) + a + b + zero + c + d + zero + bytes(plain[matrix + 24 :])
            (ROOT / f"phone{degrees}.mp4").write_bytes(turned)
            (r,) = lines(run("score", "--json", "--frames", 1, f"phone{degrees}.mp4"))
            box = r["faces"][0]["box"] if r["faces"] else None
            corners[degrees] = box
        # The one face of the clip lies in the cell at (80, 80) of 320 x 320 pixels, upright.
        want = {0: (80, 80), 90: (160, 80), 180: (160, 160), 270: (80, 160)}
        for degrees, box in corners.items():
            self.assertAlmostEqual(box[0], want[degrees][0], delta=6, msg=f"{degrees}")
            self.assertAlmostEqual(box[1], want[degrees][1], delta=6, msg=f"{degrees}")


class Others(unittest.TestCase):
    def test_help_and_version(self) -> None:
        self.assertRegex(run("--version").stdout, r"liveness \d+\.\d+\.\d+")
        self.assertIn("Examples", run("--help").stdout)
        for verb in ("score", "info", "convert", "bench", "doctor"):
            self.assertIn("--help", run(verb, "--help").stdout)
            self.assertIn(verb, run("--help").stdout)

    def test_info(self) -> None:
        j = json.loads(run("info", "--json", "--verify", "models/tiny_pad.safetensors").stdout)
        self.assertEqual(j["contract"]["name"], "tiny_pad")
        self.assertEqual(j["goldens"], 2)
        self.assertTrue(j["verified"]["ok"])
        self.assertEqual(j["macs"], 9)
        self.assertEqual(j["parameters"], 12)
        self.assertEqual([n["type"] for n in j["nodes"]], ["global_average_pool", "reshape", "linear"])
        text = run("info", "tiny_pad").stdout
        for word in ("tiny_pad", "Apache-2.0", "made by hand for tests", "global_average_pool"):
            self.assertIn(word, text)
        self.assertIn("no golden inputs", run("info", "--verify", "tiny_strict.safetensors", code=1).stdout)
        run("info", "missing.safetensors", code=2)

    def test_info_verify_finds_a_changed_weight(self) -> None:
        data = bytearray((ROOT / "models" / "tiny_pad.safetensors").read_bytes())
        header = int.from_bytes(data[:8], "little")
        entry = json.loads(data[8 : 8 + header])["weight"]["data_offsets"]
        start = 8 + header + entry[0]
        data[start : entry[1] + 8 + header] = b"\0\0\x80\x3f" * ((entry[1] - entry[0]) // 4)
        (ROOT / "changed.safetensors").write_bytes(data)
        self.assertIn("NO", run("info", "--verify", "changed.safetensors", code=1).stdout)
        run("score", "--model", "changed.safetensors", "pictures/live.png", code=2)

    def test_bench(self) -> None:
        j = json.loads(run("bench", "--json", "--rounds", 5, "--steps", "--jitter", "pictures").stdout)
        self.assertEqual([r["model"] for r in j["rows"]], ["tiny_pad", "tiny_detector"])
        self.assertGreater(j["rows"][0]["p50_ms"], 0)
        self.assertLessEqual(j["rows"][0]["p50_ms"], j["rows"][0]["p99_ms"])
        self.assertTrue(j["rows"][0]["steps"])
        self.assertEqual((j["jitter"]["pictures"], j["jitter"]["without_face"]), (3, 1))
        (row,) = j["jitter"]["rows"]
        self.assertEqual(row["boxes"], 3 * j["jitter"]["boxes_a_picture"])
        self.assertLessEqual(row["pictures_with_flip"], 3)
        self.assertIn("GMAC/s", run("bench", "--rounds", 3).stdout)
        run("bench", "--rounds", 3, "--jitter", "empty", code=2)

    def test_doctor(self) -> None:
        j = json.loads(run("doctor", "--json").stdout)
        self.assertTrue(j["ready"])
        self.assertIn("portable", j["engine"]["available"])
        self.assertEqual({p["task"] for p in j["packages"] if str(ROOT) in p["file"]}, {"pad", "detector"})
        native, torch = j["backends"]
        self.assertEqual((native["backend"], native["available"], native["devices"]), ("native", True, ["cpu"]))
        self.assertEqual(torch["backend"], "torch")
        self.assertEqual(torch["available"], torch["missing"] is None)
        self.assertIn("backend torch", run("doctor").stdout)
        self.assertIn("ready", run("doctor").stdout)
        (ROOT / "broken").mkdir(exist_ok=True)
        (ROOT / "broken" / "bad.safetensors").write_bytes(b"nothing")
        env = {"LIVENESS_MODEL_PATH": f"{ROOT}/broken:{ROOT}/models"}
        j = json.loads(run("doctor", "--json", env=env).stdout)
        self.assertIn("bad.safetensors", " ".join(j["missing"]))

    def test_config(self) -> None:
        file = ROOT / "door.yaml"
        file.write_text("pipeline:\n  skip: 2\nresources: {cpu: 0.25}\n")
        self.assertIn("2 keys, all right", run("config", "check", file).stdout)
        shown = json.loads(run("config", "show", file, "--json", "--set", "logging.level=debug", env={"LIVENESS_PIPELINE_QUEUE": "5"}).stdout)
        self.assertEqual(shown["pipeline.skip"], {"value": 2, "source": "file", "where": f"{file}:2:3", "live": True})
        self.assertEqual(shown["pipeline.queue"]["source"], "environment")
        self.assertEqual(shown["logging.level"]["source"], "flag")
        self.assertEqual(shown["pipeline.birth"]["source"], "default")
        changed = run("config", "show", file, "--changed").stdout.splitlines()
        self.assertEqual(changed, [f"pipeline.skip = 2  # {file}:2:3", f"resources.cpu = 0.25  # {file}:3:13"])
        (ROOT / "shown.yaml").write_text(run("config", "show", file).stdout)
        run("config", "check", "shown.yaml")
        self.assertEqual(run("config", "docs").stdout, (pathlib.Path(ARGS.source) / "docs" / "configuration.md").read_text())
        file.write_text("pipeline:\n  skp: 2\n")
        refused = run("config", "check", file, code=2).stderr
        self.assertIn(f'{file}:2:3: pipeline.skp: unknown key; did you mean "pipeline.skip"?', refused)
        run("config", "show", "--set", "nonsense", code=2)
        run("config", "check", code=2)
        run("config", code=2)

    def test_isa(self) -> None:
        for isa in json.loads(run("doctor", "--json").stdout)["engine"]["available"]:
            (r,) = lines(run("score", "--json", "--isa", isa, "pictures/live.png"))
            self.assertEqual(r["verdict"], "LIVE")

    def test_precision(self) -> None:
        for precision in ("fp32", "bf16", "int8"):
            (r,) = lines(run("score", "--json", "--precision", precision, "pictures/live.png"))
            self.assertEqual(r["verdict"], "LIVE")
            j = json.loads(run("info", "--json", "--precision", precision, "models/tiny_pad.safetensors").stdout)
            self.assertTrue(j["precision"] == precision or j["fallback"])
            self.assertEqual((j["backend"], j["device"]), ("native", "cpu"))
        portable = ("--precision", "bf16", "--isa", "portable")
        fallback = json.loads(run("info", "--json", *portable, "models/tiny_pad.safetensors").stdout)["fallback"]
        self.assertEqual(run("score", *portable, "pictures/live.png").stderr.count(fallback), 1)
        self.assertIn("fp16", run("info", "--precision", "fp16", "models/tiny_pad.safetensors", code=2).stderr)
        self.assertIn("gpu", run("score", "--device", "gpu", "pictures/live.png", code=2).stderr)
        self.assertIn("fast_precisions", json.loads(run("doctor", "--json").stdout)["engine"])

    def test_convert_third_party(self) -> None:
        models = pathlib.Path(os.environ.get("LIVENESS_MODELS", pathlib.Path(ARGS.source).parent / "shared" / "models"))
        onnx = models / "minifasnet_v2_80_scale2.7.onnx"
        if not onnx.exists():
            if "LIVENESS_REQUIRE_MODELS" in os.environ:
                self.fail(f"missing {onnx}")
            self.skipTest(f"{onnx} is not there")
        contract = pathlib.Path(ARGS.source) / "models" / "contracts" / "minifasnet_v2_80.yaml"
        run("convert", onnx, "--contract", contract, "-o", "v2.safetensors", "--goldens", 2)
        self.assertTrue(json.loads(run("info", "--json", "--verify", "v2.safetensors").stdout)["verified"]["ok"])
        a = json.loads(run("info", "--json", onnx).stdout)
        self.assertEqual(a["contract"]["name"], "minifasnet_v2_80")
        report = json.loads(run("prune", "v2.safetensors", "-o", "pruned.safetensors", "--ratio", 0.4, "--json").stdout)
        pruned = json.loads(run("info", "--json", "--verify", "pruned.safetensors").stdout)
        self.assertEqual(pruned["macs"], report["macs_after"])
        self.assertLessEqual(report["macs_after"], 0.6 * report["macs_before"])
        self.assertTrue(pruned["verified"]["ok"])
        run("convert", onnx, "--contract", "missing.yaml", "-o", "x.safetensors", code=2)
        self.assertFalse((ROOT / "x.safetensors").exists())


def main() -> int:
    global ROOT
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--liveness", "--make", "--source"):
        parser.add_argument(name, required=True)
    rest = parser.parse_known_args(namespace=ARGS)[1]
    with tempfile.TemporaryDirectory() as folder:
        ROOT = pathlib.Path(folder).resolve()
        subprocess.run([ARGS.make, folder], check=True)
        return 0 if unittest.main(argv=[sys.argv[0], *rest], exit=False, verbosity=1).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
