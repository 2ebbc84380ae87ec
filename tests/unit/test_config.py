"""`tinyc.toml`: what it may say, and what is said about mistakes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.text_models import write_tokenizer
from tinyc.audio.settings import AudioSettings
from tinyc.config import load_config
from tinyc.errors import TinycError
from tinyc.objective import Limits, Objective
from tinyc.resources import data_folder
from tinyc.scaffold import scaffold
from tinyc.source import resolve

pytestmark = pytest.mark.unit

EXAMPLES = data_folder("boards").parent / "examples"

WHOLE = """
[model]
path = "models/net.keras"
name = "spotter"
[quantize]
calibration = "calibration.npz"
method = "mse"
samples = 50
[input]
type = "audio"
[audio]
hop = 160
[labels]
names = ["no", "yes"]
[boards]
default = "nrf52840"
[evaluation]
data = "evaluation.npz"
[build]
optimize = "ram"
max_arena = "24k"
max_flash = 100000
[signing]
key = "keys/mine.pem"
security_counter = 3
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the files that `WHOLE` names."""
    (tmp_path / "models").mkdir()
    for name in ("models/net.keras", "calibration.npz", "evaluation.npz"):
        (tmp_path / name).touch()
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "tinyc.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_that_a_file_may_say(project: Path) -> None:
    config = load_config(write(project, WHOLE))
    assert config.model == project / "models" / "net.keras"
    assert config.calibration == project / "calibration.npz"
    assert config.evaluation == project / "evaluation.npz"
    assert (config.name, config.method, config.samples) == ("spotter", "mse", 50)
    assert config.audio == AudioSettings(hop=160)
    assert config.labels == ("no", "yes")
    assert config.default_board == "nrf52840"
    assert config.optimize is Objective.RAM
    assert config.limits == Limits(24 * 1024, 100_000)
    # The key is needed only where an image is signed.
    assert (config.signing_key, config.security_counter) == (project / "keys" / "mine.pem", 3)


def test_the_least_that_a_file_must_say(project: Path) -> None:
    write(project, '[model]\npath = "models/net.keras"\n')
    config = load_config(project)
    assert (config.name, config.method, config.samples, config.input_type) == ("net", "auto", 0, "raw")
    assert (config.audio, config.labels, config.calibration, config.default_board) == (None, (), None, None)
    assert config.optimize is Objective.BALANCED
    assert (config.signing_key, config.security_counter) == (None, 0)


def test_paths_are_relative_to_the_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, WHOLE)
    monkeypatch.chdir(project.parent)
    assert load_config(Path(project.name)).model.is_file()


def test_audio_input_without_a_table_has_the_defaults(project: Path) -> None:
    text = '[model]\npath = "models/net.keras"\n[input]\ntype = "audio"\n'
    assert load_config(write(project, text)).audio == AudioSettings()


TEXT = '[model]\npath = "models/net.keras"\n[input]\ntype = "text"\n[text]\ntokenizer = "tokenizer.json"\n'


def test_text_input(project: Path) -> None:
    write_tokenizer(project)
    config = load_config(write(project, TEXT))
    assert config.input_type == "text" and config.tokenizer is not None
    assert config.tokenizer.file == (project / "tokenizer.json").read_bytes()
    assert load_config(write(project, TEXT.replace('[input]\ntype = "text"\n', ""))).input_type == "text"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace("tokenizer.json", "absent.json"), "text.tokenizer: names 'absent.json', which is not"),
        (TEXT.split("[text]")[0], "text.tokenizer: is missing; needs the path of a tokenizer.json"),
        (TEXT.replace("tokenizer =", "tokens ="), "text.tokens: is not a key"),
        (TEXT.replace('"text"', '"raw"'), 'text: is given for a raw input; set [input] type = "text"'),
        (TEXT + "[audio]\n", "audio: is given for a text input"),
        (TEXT.replace("tokenizer.json", "models/net.keras"), "is not JSON"),
        (TEXT.replace("tokenizer.json", "padded.json"), "text.tokenizer: pads with the id 1; 0, with which"),
        (TEXT.replace("tokenizer.json", "word.json"), "has no padding token, and 'play' has the id 0"),
    ],
)
def test_mistakes_about_text(project: Path, text: str, message: str) -> None:
    write_tokenizer(project)
    write_tokenizer(project, "padded.json", padding={"direction": "Right", "pad_id": 1})
    write_tokenizer(project, "word.json", padding=None, without=("[PAD]",))
    with pytest.raises(TinycError) as caught:
        load_config(write(project, text))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[quantize]", "[quantise]", "quantise: is not a table of tinyc.toml; did you mean `quantize`?"),
        ('name = "spotter"', "nmae = 1", "model.nmae: is not a key of tinyc.toml; did you mean `name`?"),
        ('"models/net.keras"', '"absent.keras"', "model.path: names 'absent.keras', which is not there"),
        ('"calibration.npz"', '"c.npz"', "quantize.calibration: names 'c.npz', which is not there"),
        ('path = "models/net.keras"', "", "model.path: is missing"),
        ('"models/net.keras"', "5", "model.path: is 5; needs a text"),
        ('"spotter"', '""', "model.name: is ''; needs a text that is not empty"),
        ('"mse"', '"means"', "quantize.method: is 'means'"),
        ("samples = 50", "samples = 0", "quantize.samples: is 0; needs a number from 1"),
        ("samples = 50", "samples = true", "quantize.samples: is True"),
        ('"24k"', '"24 kB"', "build.max_arena: is '24 kB'; needs bytes, as 32768 or 32k (1k = 1024)"),
        ("= 100000", "= 0", "build.max_flash: is 0; needs bytes"),
        ('"audio"', '"sound"', "input.type: is 'sound'; allowed: raw, audio, text"),
        ('"audio"', '"raw"', "audio: is given for a raw input"),
        ("hop = 160", "hop = 0", "audio.hop: is 0; allowed: 1 to 2048"),
        ("hop = 160", "hopp = 160", "audio.hopp: is not an audio setting; did you mean `hop`?"),
        ('["no", "yes"]', '["no", "no"]', "labels.names: has no twice"),
        ('["no", "yes"]', '"no"', "labels.names: is 'no'; needs a list of texts"),
        ('"nrf52840"', '"nrf52480"', "boards.default: is 'nrf52480'; did you mean `nrf52840`?"),
        ('"ram"', '"speed"', "build.optimize: is 'speed'; allowed: balanced, time, ram, flash, tuned"),
        ('"keys/mine.pem"', '""', "signing.key: is ''; needs a text that is not empty"),
        ('"keys/mine.pem"', "7", "signing.key: is 7; needs a text"),
        (
            "counter = 3",
            "counter = -1",
            "signing.security_counter: is -1; needs a number from 0 to 4294967295",
        ),
        ("counter = 3", "counter = 4294967296", "signing.security_counter: is 4294967296; needs"),
        ("counter = 3", "counter = true", "signing.security_counter: is True; needs"),
        ("counter = 3", 'counter = "3"', "signing.security_counter: is '3'; needs"),
        ("counter = 3", "counter = 3.0", "signing.security_counter: is 3.0; needs"),
        ("security_counter", "counter", "signing.counter: is not a key of tinyc.toml"),
        ("[signing]", "[sign]", "sign: is not a table of tinyc.toml; did you mean `signing`?"),
        ("[model]", "[model", "cannot be read"),
    ],
)
def test_mistakes_are_named(project: Path, old: str, new: str, message: str) -> None:
    assert old in WHOLE
    with pytest.raises(TinycError) as caught:
        load_config(write(project, WHOLE.replace(old, new, 1)))
    text = str(caught.value)
    assert message in text
    assert str(project / "tinyc.toml") in text


def test_all_mistakes_come_at_once(project: Path) -> None:
    text = '[model]\npath = "x"\n[audio]\nhop = 0\n[boards]\ndefault = "b"\n[lables]\n'
    with pytest.raises(TinycError) as caught:
        load_config(write(project, text))
    assert len(caught.value.problems) == 4


def test_a_table_may_not_be_a_value(project: Path) -> None:
    with pytest.raises(TinycError, match="model: is 3; needs a table"):
        load_config(write(project, "model = 3\n"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TinycError, match="no such file"):
        load_config(tmp_path / "tinyc.toml")
    (tmp_path / "tinyc.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(TinycError, match="is not UTF-8 text"):
        load_config(tmp_path)


@pytest.mark.parametrize("name", ["net.tflite", "net.keras", 'odd "name\\.keras', "größe.keras"])
@pytest.mark.parametrize("audio", [True, False])
def test_a_scaffold_loads(tmp_path: Path, name: str, audio: bool) -> None:
    model = tmp_path / name
    model.touch()
    path = scaffold(tmp_path / "project", model, board="host", audio=audio)
    config = load_config(path)
    assert config.model.samefile(model)
    assert config.name == model.stem
    assert config.default_board == "host"
    assert config.audio == (AudioSettings() if audio else None)


def test_a_scaffold_names_the_calibration_data(tmp_path: Path) -> None:
    model, data = tmp_path / "net.keras", tmp_path / "data" / "some.npz"
    data.parent.mkdir()
    model.touch(), data.touch()
    config = load_config(scaffold(tmp_path / "project", model, calibration=data))
    assert config.calibration is not None and config.calibration.samefile(data)
    with pytest.raises(TinycError, match="no such calibration data"):
        scaffold(tmp_path / "other", model, calibration=tmp_path / "none.npz")


def test_a_scaffold_overwrites_nothing(project: Path) -> None:
    path = write(project, "mine\n")
    with pytest.raises(TinycError, match="exists already"):
        scaffold(project, project / "models" / "net.keras")
    assert path.read_text(encoding="utf-8") == "mine\n"


def test_a_scaffold_needs_its_model(tmp_path: Path) -> None:
    with pytest.raises(TinycError, match="no such model"):
        scaffold(tmp_path, tmp_path / "absent.tflite")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in EXAMPLES.glob("*/tinyc.toml")))
def test_the_examples_are_valid(folder: str, tmp_path: Path) -> None:
    example = EXAMPLES / folder
    if folder == "person_detection":
        # Its model is what the user copies there.
        example = shutil.copytree(example, tmp_path / folder)
        (example / "person_detection.tflite").touch()
    config = load_config(example)
    # An int8 model brings its scales along.
    assert config.calibration is not None or config.model.suffix == ".tflite"
    assert config.default_board == "nrf52840"


@pytest.mark.parametrize("counter", [0, 1, 2**32 - 1])
def test_a_source_knows_how_it_is_signed(project: Path, counter: int) -> None:
    path = write(project, WHOLE.replace("counter = 3", f"counter = {counter}"))
    source = resolve(path)
    assert (source.signing_key, source.security_counter) == (project / "keys" / "mine.pem", counter)
    bare = resolve(project / "models" / "net.keras")
    assert (bare.signing_key, bare.security_counter) == (None, 0)


def test_the_scaffold_shows_how_to_sign(tmp_path: Path) -> None:
    model = tmp_path / "net.tflite"
    model.touch()
    path = scaffold(tmp_path / "project", model)
    text = path.read_text(encoding="utf-8")
    assert load_config(path).signing_key is None
    text = text.replace("# [signing]", "[signing]").replace("# key =", "key =")
    path.write_text(text.replace("# security_counter", "security_counter"), encoding="utf-8")
    assert load_config(path).signing_key == path.parent / "tinyc-key.pem"


def test_the_scaffold_shows_how_to_learn(tmp_path: Path) -> None:
    model = tmp_path / "net.tflite"
    model.touch()
    path = scaffold(tmp_path / "project", model)
    text = path.read_text(encoding="utf-8")
    assert load_config(path).learn is None
    for line in ("[learn]", 'data = "factory.npz"', "capacity = 12"):
        assert f"# {line}" in text
        text = text.replace(f"# {line}", line)
    path.write_text(text, encoding="utf-8")
    (path.parent / "factory.npz").touch()
    found = load_config(path).learn
    assert found is not None and found.capacity == 12
    assert found.data == path.parent / "factory.npz"


@pytest.mark.parametrize("version", ["0.0.1", "1.2.3", "255.255.65535", "1.3.0-rc.0", "1.3.0-rc.12"])
def test_a_version(project: Path, version: str) -> None:
    text = WHOLE.replace('name = "spotter"', f'version = "{version}"')
    assert load_config(write(project, text)).version == version
    assert load_config(write(project, WHOLE)).version == "0.0.0"


@pytest.mark.parametrize(
    "version",
    [
        "1",
        "1.2",
        "1.2.3.4",
        "v1.2.3",
        "01.2.3",
        "1.2.-3",
        "1.2.3-rc1",
        "1.2.3-rc.01",
        "1.2.3-beta.1",
        "1.2.3+int8",
        " 1.2.3",
        "256.0.0",
        "1.2.65536",
        "1.2.x",
    ],
)
def test_what_is_no_version(project: Path, version: str) -> None:
    text = WHOLE.replace('name = "spotter"', f'version = "{version}"')
    with pytest.raises(TinycError, match="not valid") as caught:
        load_config(write(project, text))
    assert [problem.where for problem in caught.value.problems] == ["model.version"]


def test_what_a_model_comes_from_and_promises(project: Path) -> None:
    text = WHOLE.replace('name = "spotter"', 'name = "spotter"\nbase = "words@1.0.0"\nrelation = "pruned"')
    text = text.replace('type = "audio"', 'type = "audio"\nunits = "pcm"\nsensor = "microphone"')
    config = load_config(write(project, text + "[envelope.nrf52840]\nflash = 65536\n"))
    assert (config.base, config.relation) == ("words@1.0.0", "pruned")
    assert (config.units, config.sensor) == ("pcm", "microphone")
    assert config.envelope == {"nrf52840": {"flash": 65_536}}


@pytest.mark.parametrize(
    ("model", "rest", "where"),
    [
        ('base = "x"', "", "model.relation"),
        ('relation = "pruned"', "", "model.relation"),
        ('base = "x"\nrelation = "cloned"', "", "model.relation"),
        ("", "[envelope.nrf52841]\nflash = 1", "envelope.nrf52841"),
        ("", "[envelope]\nnrf52840 = 3", "envelope.nrf52840"),
        ("", "[envelope.nrf52840]\nflush = 1", "envelope.nrf52840"),
        ("", "[envelope.nrf52840]\nram = 0", "envelope.nrf52840"),
        ("", "[envelope.nrf52840]\nram = true", "envelope.nrf52840"),
    ],
)
def test_mistakes_in_origin_and_promise(project: Path, model: str, rest: str, where: str) -> None:
    text = WHOLE.replace('name = "spotter"', f'name = "spotter"\n{model}') + rest
    with pytest.raises(TinycError, match="not valid") as caught:
        load_config(write(project, text))
    assert [problem.where for problem in caught.value.problems] == [where]
