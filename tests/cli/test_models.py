#!/usr/bin/env python3
"""`liveness models` and networks by name. Run by CTest; by hand: test_models.py --liveness PROGRAM --make MAKE_TINY_PACKAGES --source TREE"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

ARGS = argparse.Namespace()
ROOT = pathlib.Path()


def run(*args: object, code: int = 0, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "XDG_DATA_HOME": str(ROOT / "data"), **(env or {})}
    settings.pop("LIVENESS_MODEL_PATH", None)
    settings.update(env or {})
    done = subprocess.run([ARGS.liveness, *map(str, args)], cwd=ROOT, env=settings, capture_output=True, text=True, timeout=120)
    if done.returncode != code:
        raise AssertionError(f"{args}: exit code {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}")
    return done


class Models(unittest.TestCase):
    def setUp(self) -> None:
        shutil.rmtree(ROOT / "data", ignore_errors=True)
        self.package = (ROOT / "models" / "tiny_pad.safetensors").read_bytes()
        self.source = ROOT / "source.safetensors"
        self.source.write_bytes(self.package)
        self.place = ROOT / "data" / "liveness" / "models" / "far.safetensors"
        self.part = self.place.with_name(self.place.name + ".part")

    def manifest(self, **changes: object) -> pathlib.Path:
        """One model, "far-away", of one file."""
        file = {"file": "far.safetensors", "address": self.source.as_uri(), "size": len(self.package), "sha256": hashlib.sha256(self.package).hexdigest()}
        file.update(changes)
        document = {"models": {"far-away": {"task": "pad", "licence": "Apache-2.0", "provenance": "made for this test", "files": [file]}}}
        path = ROOT / "manifest.json"
        path.write_text(json.dumps({k: v for k, v in document.items() if v is not None}))
        return path

    def get(self, *, code: int = 0, **changes: object) -> str:
        done = run("models", "get", "far-away", "--manifest", self.manifest(**changes), code=code)
        return done.stdout if code == 0 else done.stderr

    def test_get_list_verify(self) -> None:
        self.assertIn("to be had", run("models", "list", "--manifest", self.manifest()).stdout)
        self.assertIn("not here", run("models", "verify", "far-away", "--manifest", self.manifest(), code=1).stdout)
        said = self.get()
        self.assertIn("Apache-2.0", said)
        self.assertIn("made for this test", said)
        self.assertEqual(self.place.read_bytes(), self.package)
        self.assertFalse(self.part.exists())
        self.assertIn("here already", self.get())
        listed = json.loads(run("models", "list", "--json", "--manifest", self.manifest()).stdout)
        self.assertEqual([(m["name"], m["here"]) for m in listed["models"]], [("far-away", True)])
        self.assertEqual(listed["models"][0]["files"][0]["here"], str(self.place))
        self.assertIn("right", run("models", "verify", "far-away", "--manifest", self.manifest()).stdout)
        # The search path finds it by name.
        self.assertIn("tiny_pad", run("info", "far").stdout)
        broken = bytearray(self.package)
        broken[-1] ^= 1
        self.place.write_bytes(broken)
        self.assertIn("SHA-256", run("models", "verify", "--manifest", self.manifest(), code=1).stdout)
        self.place.write_bytes(self.package[:-1])
        self.assertIn("the manifest says", run("models", "verify", "--manifest", self.manifest(), code=1).stdout)

    def test_goes_on_where_it_broke_off(self) -> None:
        self.place.parent.mkdir(parents=True)
        self.part.write_bytes(self.package[:100])
        self.get()
        self.assertEqual(self.place.read_bytes(), self.package)
        # A wrong beginning is found out, nothing of it stays, and the next try is whole.
        self.place.unlink()
        self.part.write_bytes(b"x" * 100)
        self.assertIn("try again", self.get(code=2))
        self.assertFalse(self.place.exists() or self.part.exists())
        self.get()
        # More than there can be is no beginning.
        self.place.unlink()
        self.part.write_bytes(b"x" * (len(self.package) + 1))
        self.get()
        self.assertEqual(self.place.read_bytes(), self.package)

    def test_a_folder_of_ones_own(self) -> None:
        done = run("models", "get", "far-away", "--manifest", self.manifest(), "--to", ROOT / "mine" / "deep")
        self.assertEqual((ROOT / "mine" / "deep" / "far.safetensors").read_bytes(), self.package)
        self.assertIn(f"--model {ROOT}/mine/deep/far.safetensors", done.stdout)
        self.assertFalse(self.place.exists())

    def test_what_goes_wrong_is_named(self) -> None:
        said = self.get(code=2, sha256="0" * 64)
        self.assertIn(hashlib.sha256(self.package).hexdigest(), said)
        self.assertIn("0" * 64, said)
        self.assertFalse(self.place.exists() or self.part.exists())
        self.assertIn("truncated", self.get(code=2, size=len(self.package) + 7))
        self.assertIn("manifest says", self.get(code=2, size=len(self.package) - 7))
        self.assertIn("bytes left", self.get(code=2, size=1 << 60))
        self.assertIn("no such file", self.get(code=2, address=(ROOT / "nowhere").as_uri()))
        with socket.socket() as closed:  # a port of this machine that nobody listens on
            closed.bind(("127.0.0.1", 0))
            said = self.get(code=2, address=f"https://127.0.0.1:{closed.getsockname()[1]}/far")
        self.assertIn("is there a network?", said)
        self.assertFalse(self.place.exists())
        near = run("models", "get", "far-awry", "--manifest", self.manifest(), code=2).stderr
        self.assertIn('did you mean "far-away"?', near)
        self.assertIn("apt-get install curl", run("models", "get", "far-away", "--manifest", self.manifest(), code=2, env={"PATH": str(ROOT)}).stderr)

    def test_a_bad_manifest_is_refused(self) -> None:
        for changes, message in (
            ({"address": "http://example.org/far"}, "https://"),
            ({"file": "../far"}, "plain file name"),
            ({"sha256": "abc"}, "hexadecimal"),
            ({"size": 0}, "size"),
            ({"colour": 1}, "colour"),
        ):
            self.assertIn(message, run("models", "list", "--manifest", self.manifest(**changes), code=2).stderr)

    def test_onnx_gets_its_contract(self) -> None:
        onnx = pathlib.Path(os.environ.get("LIVENESS_MODELS", pathlib.Path(ARGS.source).parent / "shared" / "models")) / "yunet_s_320_320.onnx"
        if not onnx.is_file():
            self.skipTest(f"{onnx} is not there (LIVENESS_MODELS)")
        shutil.copytree(pathlib.Path(ARGS.source) / "models" / "contracts", ROOT / "contracts", dirs_exist_ok=True)
        manifest = self.manifest(
            file="eyes.onnx", address=onnx.resolve().as_uri(), size=onnx.stat().st_size, sha256=hashlib.sha256(onnx.read_bytes()).hexdigest(), contract="contracts/yunet_320.yaml"
        )
        run("models", "get", "far-away", "--manifest", manifest)
        self.assertTrue(self.place.with_name("eyes.yaml").is_file())
        self.assertIn("yunet_320", run("info", "eyes").stdout)

    def test_the_shipped_manifest(self) -> None:
        listed = json.loads(run("models", "list", "--json").stdout)
        by_name = {m["name"]: m for m in listed["models"]}
        self.assertIn("minifasnet-pair", by_name)
        models = pathlib.Path(ARGS.source) / "models"
        for m in listed["models"]:
            for f in m["files"]:
                if f["address"] is None:
                    data = (models / f["file"]).read_bytes()
                    self.assertEqual((len(data), hashlib.sha256(data).hexdigest()), (f["size"], f["sha256"]), f"{f['file']}: run models/manifest.py")
        self.assertIn("liveness models get minifasnet-pair", run("info", "minifasnet-pair", code=2).stderr)

    def test_what_is_built_in(self) -> None:
        built_in = json.loads(run("models", "list", "--json").stdout)["built_in"]
        empty = {"LIVENESS_MODELS": str(ROOT / "empty")}
        if not built_in:
            self.assertIn("liveness doctor", run("score", "pictures/nobody.png", code=2, env=empty).stderr)
            return
        (line,) = run("score", "--json", "pictures/nobody.png", env=empty).stdout.splitlines()
        self.assertIn(json.loads(line)["model"], [b["name"] for b in built_in])
        for b in built_in:
            self.assertEqual(json.loads(run("info", b["name"], "--json").stdout)["contract"]["licence"], b["licence"])
            self.assertIn(f"built in  ({b['name']}", run("doctor").stdout)
        self.assertIn("right", run("models", "verify", env=empty).stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("--liveness", "--make", "--source"):
        parser.add_argument(name, required=True)
    ARGS, rest = parser.parse_known_args()
    if shutil.which("curl") is None:
        print("skipped: the program curl is not here")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        ROOT = pathlib.Path(folder).resolve()
        subprocess.run([ARGS.make, folder], check=True)
        unittest.main(argv=[sys.argv[0], *rest])
