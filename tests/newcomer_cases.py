"""What the newcomer of `newcomer.py` tries: programs with what cannot be."""

import json
import re
import shutil

from newcomer_material import OLD_RUN, Case, bomb, damaged, flipped, one_bad, photos
from newcomer_servers import wrong_servers
from PIL import Image


def wrong_flags(place):
    """Flags of train.py that cannot be; nothing is written."""
    theirs = place / "theirs"
    theirs.mkdir()
    (theirs / "thesis.tex").write_text("all of it")
    (place / "list.json").write_text("[]")
    (place / "binary.json").write_bytes(b"\xff\xfe\x00")
    run = ["--run_dir", place / "new"]
    rows = {
        "a misspelt flag": (["--dataste", "svhn"], "dataste"),
        "an argument without a flag": (["svhn"], "unexpected argument 'svhn'"),
        "an unknown data set": (["--dataset", "imagenet"], "--dataset.*imagenet.*digits"),
        "an unknown preset": (["--preset", "huge"], "--preset.*huge.*digits"),
        "an unknown stage": (["--stages", "level7"], "--stages.*level7.*encoder"),
        "an unknown cut": (["--cuts", "fc9"], "--cuts.*fc9"),
        "cuts from the top down": (["--cuts", "fc3,pool2"], "--cuts.*order"),
        "a size that cannot be": (["--image_size", "10"], "--image_size.*10"),
        "a size of nothing": (["--image_size", "0"], "image_size"),
        "no epochs": (["--epochs", "0"], "epochs"),
        "epochs in words": (["--epochs", "many"], "epochs"),
        "a negative seed": (["--seed", "-1"], "--seed"),
        "a seed of half": (["--seed", "0.5"], "seed"),
        "another filter": (["--resize", "stretch"], "resize"),
        "a setting that is none": (["--set", "levels.0.lamda=1"], "--set.*lamda"),
        "a setting without a value": (["--set", "levels.0.z_dim"], "name=value"),
        "a word for a number": (["--set", "levels.0.z_dim=big"], "z_dim"),
        "noise of no dimension": (["--set", "levels.0.z_dim=0"], "z_dim"),
        "a level that is not there": (["--set", "levels.9.z_dim=1"], "levels.9"),
        "an unknown loss": (["--set", "levels.0.loss.adversarial=wgan"], "adversarial.*wgan"),
        "no widths": (["--set", "levels.0.generator.channels=[]"], "generator.channels"),
        "a list that is none": (["--set", "levels.0.generator.channels=8"], "generator.channels"),
        "not a number": (["--set", "levels.0.loss.lambda_ent=nan"], "lambda_ent"),
        "dropout of all": (["--set", "encoder.dropout=1"], "encoder.dropout"),
        "a batch of one": (["--set", "batch_size=1"], "batch_size"),
        "a batch of more than there is": (["--set", "batch_size=5000"], "batch_size.*5000"),
        "the seed as a setting": (["--set", "seed=3"], "seed has a flag"),
        "sixty-four GPUs": (["--devices", "64"], "--devices.*64"),
        "some GPUs": (["--devices", "some"], "--devices.*some"),
        "XLA without a GPU": (["--jit", "--devices", "cpu"], "--jit.*GPU"),
        "a file of settings that is not there": (["--config", place / "no.json"], "no.json"),
        "a file of settings that is a list": (["--config", place / "list.json"], "list.json"),
        "a file of settings that is no text": (["--config", place / "binary.json"], "binary.json"),
        "a folder as a file of settings": (["--config", theirs], "theirs"),
        "a classifier that is not there": (
            ["--encoder", "clf.keras", "--cuts", "fc1"],
            "--encoder.*clf.keras",
        ),
        "a classifier, and no word of where to cut it": (
            ["--encoder", place / "list.json"],
            "--cuts.*--encoder",
        ),
        "a classifier that is no Keras file": (
            ["--encoder", place / "list.json", "--cuts", "fc1"],
            "--encoder.*list.json.*save",
        ),
        "a classifier by a name that is none": (
            ["--encoder", "mobilnet", "--encoder_weights", "imagenet", "--cuts", "none"],
            "--encoder.*mobilnet.*MobileNet",
        ),
        "a classifier's input, without one": (
            ["--encoder_input", "0..255"],
            "--encoder_input.*--encoder",
        ),
        "labels of no kind": (["--labels", "some"], "--labels.*some.*clusters:K"),
        "one cluster": (["--labels", "clusters:1"], "--labels.*clusters:1"),
        "more clusters than images": (["--labels", "clusters:9999"], "--labels.*clusters:9999"),
        "labels not used, of a classifier": (
            ["--labels", "none", "--encoder", place / "list.json", "--cuts", "fc1"],
            "--labels.*--encoder",
        ),
        "a data set that is not prepared": (
            ["--dataset", "mnist", "--data_dir", theirs],
            "mnist is not prepared in .*theirs",
        ),
        "a place that cannot be written": (["--run_dir", "/proc/run"], "/proc/run"),
        "their own folder as a run": (["--run_dir", theirs], "--run_dir.*theirs"),
        "their own folder, overwritten": (
            ["--run_dir", theirs, "--overwrite"],
            "theirs",
        ),
        "a file as a run": (["--run_dir", theirs / "thesis.tex"], "thesis.tex"),
    }
    for title, (arguments, names) in rows.items():
        where = [] if "--run_dir" in arguments else run
        yield Case(title, "train", [*arguments, *where], names, (theirs,))


def wrong_images(place):
    """Folders of images that cannot be trained on."""
    base = photos(place / "photos")
    png = (base / "cats" / "0.png").read_bytes()
    jpg = (base / "cats" / "1.jpg").read_bytes()
    one, empty, loose = place / "one", place / "empty", place / "loose"
    shutil.copytree(base / "cats", one / "cats")
    empty.mkdir()
    loose.mkdir()
    (loose / "a.png").write_bytes(png)
    hollow = place / "hollow"
    for name in ("cats", "dogs"):
        (hollow / name).mkdir(parents=True)
        (hollow / name / "notes.txt").write_text("none")
    few = place / "few"
    for name in ("cats", "dogs"):
        (few / name).mkdir(parents=True)
        (few / name / "0.png").write_bytes(png)

    def folder(path, *more):
        return ["--dataset", "folder", "--data_dir", path, "--run_dir", place / "new", *more]

    rows = {
        "a folder that is not there": (folder(place / "nowhere"), "--data_dir.*nowhere"),
        "no folder at all": (folder("")[:2] + folder("")[4:], "--data_dir"),
        "a file in place of a folder": (folder(base / "cats" / "0.png"), "--data_dir.*0.png"),
        "an empty folder": (folder(empty), "--data_dir.*empty"),
        "one class": (folder(one), "--data_dir.*1 sub-director"),
        "images in no sub-folder": (folder(loose), "--data_dir.*loose.*--labels none"),
        "folders of no images": (folder(hollow), "no image|hollow"),
        "two images": (folder(few), "batch_size|few"),
        "photos without --dataset folder": (
            ["--data_dir", base, "--run_dir", place / "new"],
            "--dataset folder",
        ),
    }
    contents = {
        "half a PNG": ("half.png", png[: len(png) // 2]),
        "half a JPEG": ("half.jpg", jpg[: len(jpg) // 3]),
        "an empty PNG": ("empty.png", b""),
        "text named PNG": ("text.png", b"hello"),
        "a picture of 3.6 billion pixels": ("bomb.png", bomb()),
        "noise named GIF": ("noise.gif", b"GIF89a" + bytes(range(200))),
        "a TIFF cut short": ("cut.tif", b"II*\x00\x08\x00\x00\x00"),
        "HTML named JPEG": ("page.jpg", b"<html><body>404</body></html>"),
    }
    for title, (name, content) in contents.items():
        bad = one_bad(base, place / f"bad-{name}", name, content)
        rows[title] = (folder(bad), re.escape(name))
    many = place / "many"
    shutil.copytree(base, many, symlinks=True)
    for i in range(3):
        (many / "dogs" / f"bad{i}.png").write_bytes(b"bad")
    rows["three bad images, named at once"] = (folder(many), "bad0.png.*bad1.png.*bad2.png")
    for title, (arguments, names) in rows.items():
        yield Case(title, "train", arguments, names, (base,))


def broken_runs(place):
    """A finished run of which something is damaged, and what each program says to it."""
    for name, change, title, names in (
        ("config.json", lambda c: c[: len(c) // 2], "half a config.json", "config.json"),
        ("config.json", lambda c: b"[]", "a config.json of a list", "config.json"),
        (
            "config.json",
            lambda c: json.dumps({**json.loads(c), "schema": 99}).encode(),
            "a config.json of the future",
            "newer version",
        ),
        ("data.json", lambda c: b"{", "a damaged data.json", "data.json"),
        ("data.json", lambda c: b"[]", "a data.json of a list", "data.json"),
        ("checkpoints/encoder.safetensors", flipped(0.9), "a flipped bit of a weight", "encoder"),
        ("checkpoints/joint.safetensors", flipped(0.9), "the same, of the last stage", "joint"),
        ("checkpoints/joint.safetensors", flipped(0.0), "a flipped bit at the start", "joint"),
        (
            "checkpoints/joint.safetensors",
            lambda c: c[: len(c) // 2],
            "half a checkpoint",
            "joint",
        ),
        ("checkpoints/joint.safetensors", lambda c: b"", "an empty checkpoint", "joint"),
        ("checkpoints/joint.safetensors", lambda c: b"PK\x03\x04", "a ZIP's start", "joint"),
    ):
        folder = damaged(OLD_RUN, place / f"run{len(list(place.iterdir()))}", name, change)
        for program in ("export", "evaluate", "figures"):
            arguments = ["--run_dir", folder]
            if program == "export":
                arguments += ["--export_dir", place / "exports"]
            yield Case(f"{title}: {program}", program, arguments, names, (folder,))


def wrong_uses(place):
    """Programs that use a run, on what is none, or with flags that cannot be."""
    run = place / "finished"
    shutil.copytree(OLD_RUN, run)
    unfinished = place / "unfinished"
    shutil.copytree(OLD_RUN, unfinished)
    for name in ("joint", "level1"):
        (unfinished / "checkpoints" / f"{name}.safetensors").unlink()
    nothing = place / "nothing"
    nothing.mkdir()
    for program in ("export", "evaluate", "figures"):
        for folder, title in (
            (place / "nowhere", "a run that is not there"),
            (nothing, "an empty folder"),
            (unfinished, "an unfinished run"),
        ):
            yield Case(
                f"{title}: {program}", program, ["--run_dir", folder], folder.name, (folder,)
            )
        yield Case(f"no run: {program}", program, [], "run_dir")
    exports = ["--run_dir", run, "--export_dir", place / "exports"]
    image = place / "own.png"
    Image.new("L", (8, 8), 200).save(image)
    (place / "text.png").write_text("hello")
    rows = {
        "a version of 0": ("export", [*exports, "--version", "0"], "--version.*0"),
        "a name with a slash": ("export", [*exports, "--name", "a/b"], "--name.*a/b"),
        "no rows": ("export", [*exports, "--max_batch", "0"], "--max_batch.*0"),
        "another format": ("export", [*exports, "--format", "pickle"], "format"),
        "another precision": ("export", [*exports, "--precision", "float16"], "precision"),
        "bfloat16 where there is none": (
            "export",
            [*exports, "--precision", "bfloat16", "--format", "onnx"],
            "--precision.*onnx.*--format",
        ),
        "an export nowhere": (
            "export",
            ["--run_dir", run, "--export_dir", "/proc/exports"],
            "/proc/exports",
        ),
        "no samples": ("evaluate", ["--run_dir", run, "--samples", "0"], "samples"),
        "too few samples": ("evaluate", ["--run_dir", run, "--samples", "3"], "samples"),
        "an Inception that is not there": (
            "evaluate",
            ["--run_dir", run, "--inception", place / "no"],
            "inception|no",
        ),
        "ablations of no preset": ("ablations", ["--preset", "huge"], "preset.*huge"),
        "ablations of no row": ("ablations", ["--rows", "z"], "rows.*z"),
        "samples of nothing": ("sample", [], "--model"),
        "samples of two": ("sample", ["--model", "digits", "--run_dir", run], "--run_dir"),
        "samples of an unknown stack": ("sample", ["--model", "minst"], "--model.*minst.*digits"),
        "samples of a class that is none": (
            "sample",
            ["--model", "digits", "--label", "cat", "--out", place / "x.png"],
            "--label.*cat",
        ),
        "samples of a folder without a stack": ("sample", ["--model", nothing], "--model.*nothing"),
        "samples of no export": ("sample", ["--export", nothing], "--export.*nothing"),
        "a shard beyond the last": (
            "sample",
            ["--model", "digits", "--format", "npz", "--shard", "8/8", "--out", place / "s"],
            "--shard.*8/8",
        ),
        "shards in a file": (
            "sample",
            ["--model", "digits", "--format", "npz", "--out", run / "config.json"],
            "--out.*config.json",
        ),
        "no image to inspect": ("inspection", ["--run_dir", run], "--images"),
        "an image that is not there": (
            "inspection",
            ["--run_dir", run, "--images", place / "no.png"],
            "--images.*no.png",
        ),
        "images of which one is text": (
            "inspection",
            ["--run_dir", run, "--images", image, place / "text.png"],
            "--images.*text.png",
        ),
        "one draw, that varies in nothing": (
            "inspection",
            ["--run_dir", run, "--images", image, "--draws", "1"],
            "draws",
        ),
        "a picture over their own image": (
            "inspection",
            ["--run_dir", run, "--images", image, "--out", image],
            "--out.*own.png",
        ),
        "a picture that would cost the run its data.json": (
            "inspection",
            ["--run_dir", run, "--images", image, "--out", run / "data.png"],
            "--out.*data.json",
        ),
        "an unfinished run: inspection": (
            "inspection",
            ["--run_dir", unfinished, "--images", image],
            "unfinished",
        ),
        "no server": ("client", ["--label", "1", "--url", "http://localhost:1"], "localhost:1"),
        "a server of no protocol": ("client", ["--label", "1", "--url", "ftp://x"], "url.*ftp"),
        "no images": ("client", ["--label", "1", "--count", "0"], "count"),
        "a huge seed": ("client", ["--label", "1", "--seed", str(2**63)], "seed"),
        "no time": ("client", ["--label", "1", "--timeout", "0"], "timeout"),
        "a picture of no kind": (
            "client",
            ["--label", "1", "--out", place / "x.doc"],
            "out.*x.doc",
        ),
        "a picture nowhere": (
            "client",
            ["--label", "1", "--out", place / "no" / "x.png"],
            "out.*no|no/x.png",
        ),
    }
    for title, (program, arguments, names) in rows.items():
        yield Case(title, program, arguments, names, (run,))
    yield from wrong_servers(place, run)
    broken = {"TF_CONFIG": "{"}
    yield Case("TF_CONFIG of half", "train", ["--run_dir", place / "w"], "TF_CONFIG", (), 2, broken)
