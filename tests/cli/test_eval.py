#!/usr/bin/env python3
"""liveness eval and calibrate from the outside. Arguments as test_cli.py."""

import csv
import html.parser
import io
import json
import math
import pathlib
import shutil
import sys
import unittest

import test_cli
from test_cli import main, run

PLOTS = 4  # two a unit


def root() -> pathlib.Path:
    return test_cli.ROOT


def pictures() -> pathlib.Path:
    """A folder a species: 6 live (one clip), 5 + 1 prints (the last passes, one without a face), a video and a broken file."""
    top = root() / "set"
    if not top.exists():
        for i in range(6):
            (top / "bona_fide" / "me").mkdir(parents=True, exist_ok=True)
            shutil.copy(root() / "pictures" / "live.png", top / "bona_fide" / "me" / f"{i}.png")
        (top / "print").mkdir()
        for i in range(5):
            shutil.copy(root() / "pictures" / "spoof.png", top / "print" / f"{i}.png")
        shutil.copy(root() / "pictures" / "live.png", top / "print" / "passes.png")
        shutil.copy(root() / "pictures" / "nobody.png", top / "print" / "nobody.png")
        (top / "replay").mkdir()
        shutil.copy(root() / "clip.avi", top / "replay" / "clip.avi")
        (top / "replay" / "broken.png").write_text("no picture")
    return top


def figures(*args: object, code: int = 0) -> dict:
    return json.loads(run("eval", *args, "--json", "-", code=code).stdout)


class Balanced(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.svg = 0

    def handle_starttag(self, tag: str, attrs: list) -> None:
        assert not any(name in ("src", "href") for name, _ in attrs), "a report needs no other file"
        assert tag != "script"
        if tag not in ("meta",):
            self.open.append(tag)
        self.svg += tag == "svg"

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag


class Eval(unittest.TestCase):
    def test_folders_of_species(self) -> None:
        done = run("eval", pictures(), "--json", "-", code=1)
        self.assertIn("broken.png", done.stderr)
        j = json.loads(done.stdout)
        self.assertEqual(len(j["failures"]), 1)
        p = j["picture"]
        self.assertEqual((p["bona_fide"], p["attacks"]), (6, 37))
        species = {s["species"]: s for s in p["species"]}
        self.assertEqual((species["print"]["apcer"]["errors"], species["print"]["apcer"]["total"]), (1, 6))
        self.assertEqual((species["print"]["apnrr"]["errors"], species["print"]["apnrr"]["total"]), (1, 7))
        self.assertEqual((species["replay"]["apcer"]["errors"], species["replay"]["apcer"]["total"]), (15, 30))
        self.assertEqual(p["worst_species"], "replay")
        self.assertAlmostEqual(p["bpcer"]["high"], 1 - 0.025 ** (1 / 6), places=9)
        self.assertEqual(p["live"], 0)  # log-odds of 0.5
        self.assertEqual(j["clip"]["bona_fide"], 1)  # the pictures of one folder are a clip
        self.assertNotIn("subject", j)

    def test_threads_do_not_matter(self) -> None:
        one = figures(pictures(), code=1)
        self.assertEqual(figures(pictures(), "--threads", 3, code=1), one)

    def test_list_with_boxes_sets_and_subjects(self) -> None:
        text = "species,input,subject,set,x,y,width,height\n"
        for i in range(4):
            text += f"real,pictures/live{i}.png,ann,{'a' if i < 2 else 'b'},80,80,80,80\n"
            text += f"screen,pictures/spoof{i}.png,ann,{'a' if i < 2 else 'b'},80,80,80,80\n"
            shutil.copy(root() / "pictures" / "live.png", root() / "pictures" / f"live{i}.png")
            shutil.copy(root() / "pictures" / "spoof.png", root() / "pictures" / f"spoof{i}.png")
        (root() / "list.csv").write_text(text)
        j = figures("list.csv")
        self.assertEqual(j["picture"]["auc"], 1)
        self.assertEqual(j["subject"]["bona_fide"], 1)
        self.assertEqual(j["sets"], ["a", "b"])
        self.assertEqual(j["hter_across_sets"], [[0, 0], [0, 0]])
        for i in range(4):
            (root() / "pictures" / f"live{i}.png").unlink()
            (root() / "pictures" / f"spoof{i}.png").unlink()
        (root() / "twice.csv").write_text("input,species\npictures/live.png,real\npictures/live.png,print\n")
        self.assertIn("listed twice", run("eval", "twice.csv", code=2).stderr)

    def test_score_file_is_gone_on_with(self) -> None:
        scores = root() / "scores.csv"
        scores.unlink(missing_ok=True)
        whole = figures(pictures(), "--scores", scores, code=1)
        text = scores.read_bytes()
        lines = text.splitlines(keepends=True)
        # Killed in the middle of a line, after 12 pictures.
        scores.write_bytes(b"".join(lines[:14]) + lines[14][:9])
        done = run("eval", pictures(), "--scores", scores, "--json", "-", code=1)
        self.assertIn("12 pictures were scored already", done.stderr)
        self.assertIn("last line is damaged", done.stderr)
        self.assertEqual(json.loads(done.stdout), whole)
        self.assertEqual(sorted(scores.read_bytes().splitlines()), sorted(text.splitlines()))
        # The file alone says the same.
        alone = figures(scores, code=1)
        self.assertEqual(alone["picture"], whole["picture"])
        # Other options, or another model, would mix scores that do not belong together.
        self.assertIn("another min_face", run("eval", pictures(), "--scores", scores, "--min-face", 10, code=2).stderr)
        self.assertIn("another models", run("eval", pictures(), "--scores", scores, "--model", "tiny_strict.safetensors", code=2).stderr)
        (root() / "mine.txt").write_text("input,species\n1,real\n")
        self.assertIn("would be overwritten", run("eval", pictures(), "--scores", "mine.txt", code=2).stderr)
        # A broken picture that was mended counts with its last line.
        shutil.copy(root() / "pictures" / "spoof.png", pictures() / "replay" / "broken.png")
        self.assertEqual(figures(pictures(), "--scores", scores)["picture"]["attacks"], 38)
        self.assertEqual(figures(scores)["picture"]["attacks"], 38)
        (pictures() / "replay" / "broken.png").write_text("no picture")

    def test_scores_of_others_and_bob(self) -> None:
        (root() / "others.csv").write_text("file,label,score\n" + "".join(f"p{i},live,{i}\n" for i in range(10)) + "".join(f"q{i},mask,{i - 8}\n" for i in range(10)))
        j = figures("others.csv")
        self.assertEqual(j["scale"], "as given")
        self.assertTrue(j["picture"]["threshold_from_eer"])
        pairs = [(a > b) + (a == b) / 2 for a in range(10) for b in range(-8, 2)]
        self.assertAlmostEqual(j["picture"]["auc"], sum(pairs) / 100)
        self.assertEqual(figures("others.csv", "--threshold", "5")["picture"]["bpcer"]["errors"], 5)
        for name in ("bob.csv", "bob.txt"):
            run("eval", "others.csv", "--bob", name)
            again = figures(name)
            self.assertEqual(again["picture"], j["picture"])
        (root() / "five.txt").write_text("ann m ann live1 0.9\nann m print p1 0.1\nbob m bob live2 0.7\n")
        self.assertEqual([s["species"] for s in figures("five.txt")["picture"]["species"]], ["print"])

    def test_report_is_one_file(self) -> None:
        run("eval", pictures(), "--html", "out/report.html", "--csv", "out/report.csv", code=1)
        text = (root() / "out" / "report.html").read_text()
        parser = Balanced()
        parser.feed(text)
        self.assertEqual(parser.open, [])
        self.assertEqual(parser.svg, PLOTS)
        self.assertNotIn("nan", text.replace("finance", ""))
        self.assertNotIn("http", text)
        rows = list(csv.DictReader(io.StringIO((root() / "out" / "report.csv").read_text())))
        (bpcer,) = [r for r in rows if r["unit"] == "picture" and r["figure"] == "bpcer"]
        self.assertEqual((bpcer["errors"], bpcer["total"]), ("0", "6"))
        self.assertAlmostEqual(float(bpcer["high"]), 0.4593, places=4)

    def test_compare(self) -> None:
        head = "input,species,score\n"
        good = [(f"l{i}", "live", 10 + i) for i in range(20)] + [(f"a{i}", "print", -i) for i in range(20)]
        bad = [(n, s, v if i % 3 else -v) for i, (n, s, v) in enumerate(good)]
        (root() / "good.csv").write_text(head + "".join(f"{n},{s},{v}\n" for n, s, v in good))
        (root() / "bad.csv").write_text(head + "".join(f"{n},{s},{v}\n" for n, s, v in reversed(bad)) + "only,live,1\n")
        done = run("eval", "--compare", "bad.csv", "good.csv", "--threshold", 0.5, "--json", "-")
        c = json.loads(done.stdout)
        self.assertEqual((c["presentations"], c["auc_b"]), (40, 1))
        self.assertEqual(c["only_a_right"], 0)
        self.assertAlmostEqual(c["mcnemar"], 2 * 0.5 ** c["only_b_right"])
        self.assertGreater(c["low"], 0)
        self.assertEqual(run("eval", "--compare", "bad.csv", "good.csv", "--threshold", 0.5, "--json", "-").stdout, done.stdout)
        self.assertIn("1 in one only", run("eval", "--compare", "bad.csv", "good.csv").stdout)

    def test_refusals_name_the_line(self) -> None:
        for text, message in {
            "": "is empty",
            "input,score\na,1\n": ":1: no column species",
            "input,species\na\n": ":2: species: is empty",
            "input,species,score\na,live,high\n": ":2: score: 'high' is not a number",
            "input,label,score\na,1,0.5\n": ":2: species: '1' is a number",
            "input,species\n\"a,live\n": ":2: a quote does not close",
            "input,species,x,y\na,live,1,2\n": ":1: a face box takes",
            "a b c 0.5\na b 0.5\n": ":2: expected 4 columns, found 3",
        }.items():
            (root() / "wrong.csv").write_text(text)
            self.assertIn("wrong.csv" + message if message.startswith(":") else message, run("eval", "wrong.csv", code=2).stderr)
        self.assertIn("cannot be opened", run("eval", "missing.csv", code=2).stderr)
        self.assertIn("SPECIES=PATH", run("eval", "--attack", "print", "--bona-fide", "pictures", code=2).stderr)
        run("eval", code=2)
        run("eval", "others.csv", "--compare", "a", "b", code=2)


class Calibrate(unittest.TestCase):
    def test_calibration_moves_scores_and_thresholds(self) -> None:
        out = run("calibrate", pictures(), "-o", "camera.yaml", "--method", "platt", "--target", "strict=apcer:20%", code=1).stdout
        self.assertIn("held-out loss:", out)
        self.assertIn("it takes 17", out)  # 1 - 0.025^(1/n) <= 20 %
        plain = json.loads(run("score", "--json", "pictures/live.png").stdout)
        moved = json.loads(run("score", "--json", "--calibration", "camera.yaml", "pictures/live.png").stdout)
        self.assertNotEqual(plain["score"], moved["score"])
        self.assertEqual(moved["faces"][0]["members"][0]["logit"], plain["logit"])
        parameters = [line for line in (root() / "camera.yaml").read_text().splitlines() if line.startswith("parameters")][0]
        a, b = json.loads(parameters.split(":")[1])
        self.assertAlmostEqual(moved["logit"], a * plain["logit"] + b, places=4)
        self.assertAlmostEqual(moved["score"], 1 / (1 + math.exp(-moved["logit"])), places=5)
        strict = json.loads(run("score", "--json", "--calibration", "camera.yaml", "--profile", "strict", "pictures/live.png").stdout)
        self.assertGreaterEqual(strict["threshold"], moved["threshold"])
        j = figures(pictures(), "--calibration", "camera.yaml", code=1)
        self.assertIn("calibrated", j["threshold"])
        self.assertIn("strict", run("score", "--calibration", "camera.yaml", "--profile", "none", "pictures/live.png", code=2).stderr)

    def test_it_belongs_to_its_models(self) -> None:
        run("calibrate", pictures(), "-o", "own.json", code=1)
        refused = run("score", "--calibration", "own.json", "--model", "tiny_strict.safetensors", "pictures/live.png", code=2).stderr
        self.assertIn('made for model "tiny_pad"', refused)
        self.assertIn('given is "tiny_strict"', refused)
        (root() / "strangers.csv").write_text("input,species,score\na,live,1\nb,print,0\n")
        self.assertIn("which models", run("calibrate", "strangers.csv", "-o", "x.yaml", code=2).stderr)
        self.assertFalse((root() / "x.yaml").exists())
        (root() / "wrong.yaml").write_text((root() / "own.json").read_text().replace('"method"', '"mehtod"'))
        self.assertRegex(run("score", "--calibration", "wrong.yaml", "pictures/live.png", code=2).stderr, r"wrong\.yaml:\d+:\d+: .*did you mean")

    def test_score_file_serves_too(self) -> None:
        run("eval", pictures(), "--scores", "kept.csv", code=1)
        a = run("calibrate", pictures(), "-o", "a.yaml", code=1)
        run("calibrate", "kept.csv", "-o", "b.yaml", code=1)
        self.assertEqual((root() / "a.yaml").read_text(), (root() / "b.yaml").read_text())
        self.assertIn("written: a.yaml", a.stdout)

    def test_bona_fide_alone(self) -> None:
        done = run("calibrate", "--bona-fide", pictures() / "bona_fide", "-o", "floor.yaml")
        self.assertIn("nothing about how many attacks pass", done.stdout)
        self.assertNotIn("strict     LIVE", done.stdout)

    def test_drift(self) -> None:
        run("calibrate", "--bona-fide", "clip.avi", "--frames", 15, "-o", "clip.yaml")
        same = json.loads(run("eval", "--bona-fide", "clip.avi", "--frames", 15, "--against", "clip.yaml", "--json", "-").stdout)
        self.assertEqual({d["name"] for d in same["drift"]}, {"logit", "luminance", "sharpness", "face_pixels"})
        self.assertFalse(any(d["drifted"] for d in same["drift"]))
        # The second half of the clip is darker.
        (root() / "late.csv").write_text("input,species\n" + "".join(f"late{i}.png,live\n" for i in range(12)))
        for i in range(12):
            shutil.copy(root() / "pictures" / "spoof.png", root() / f"late{i}.png")
        done = run("eval", "late.csv", "--against", "clip.yaml", "--json", "-", code=1)
        self.assertTrue({d["name"]: d for d in json.loads(done.stdout)["drift"]}["luminance"]["drifted"])
        self.assertIn("calibrate again", done.stderr)

    def test_guided_capture(self) -> None:
        answers = "\ns\n\ns\nprint\n\nscreen/\n\n"
        done = run("calibrate", "--capture", "clip.avi", "--save", "taken", "--shots", 4, "-o", "taken.yaml", stdin=answers)
        self.assertIn("Come close", done.stdout)
        self.assertEqual(sorted(p.name for p in (root() / "taken" / "bona_fide").iterdir()), ["near-1", "turned-1"])
        self.assertEqual(len(list((root() / "taken").rglob("*.png"))), 12)
        self.assertIn("cannot be the name", done.stdout)
        self.assertTrue((root() / "taken.yaml").exists())
        self.assertIn("somebody at the keyboard", run("calibrate", "--capture", "clip.avi", "--save", "t2", "-o", "t.yaml", code=2).stderr)

    def test_refusals(self) -> None:
        for given in ("strict", "strict=apcer", "strict=apcer:0", "strict=apcer:120%", "=equal"):
            self.assertIn("--target", run("calibrate", pictures(), "-o", "x.yaml", "--target", given, code=2).stderr)
        self.assertIn("no bona fide", run("calibrate", "--bona-fide", "pictures/nobody.png", "--attack", "print=pictures/spoof.png", "-o", "x.yaml", code=2).stderr)
        run("calibrate", pictures(), code=2)


if __name__ == "__main__":
    sys.exit(main())
