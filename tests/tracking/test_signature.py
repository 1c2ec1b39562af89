import re
import subprocess

import pytest

from stages import publish
from stages.errors import UserError
from stages.tracking import signature
from stages.tracking.model import fetch
from tests.command import status
from tests.refusals import command_refusal, refusal
from tests.tracking.made_results import everything, make_comparison
from tests.tracking.team import DOCS

pytestmark = pytest.mark.slow
pytest.importorskip("model_signing", reason="pip install -r requirements-team.txt")
MODEL = "models:/foldlab/1"


def documented(start):
    """Return the command in docs/team_server.md that starts so."""
    (command,) = re.findall(rf"^{start}(?:.*\\\n)*.*", DOCS.read_text(), re.M)
    return command


def make_key(folder):
    folder.mkdir()
    make = [documented(f"openssl {word} ") for word in ("ecparam", "ec")]
    subprocess.run(["bash", "-ec", "\n".join(make)], cwd=folder, check=True, capture_output=True)
    return folder / "private.pem", folder / "public.pem"


def fetch_refusal(folder):
    message = refusal(fetch, MODEL, folder)
    assert MODEL in message
    return message


def test_only_what_the_key_s_holder_published_is_fetched(repository, monkeypatch, tmp_path):
    (private, public), (_, other) = make_key(tmp_path / "own"), make_key(tmp_path / "other")
    publish.publish("basic")
    monkeypatch.setenv(signature.PUBLIC, str(public))
    assert "no signature" in fetch_refusal(tmp_path / "unsigned")

    monkeypatch.setenv(signature.PRIVATE, str(private))
    publish.publish("basic")  # adds the signature that is missing
    path, _ = fetch(MODEL, tmp_path / "champion")
    assert path.read_bytes() == (repository / "results/basic/model.keras").read_bytes()
    check = documented("model_signing verify").replace("~/public.pem", str(public))
    subprocess.run(["bash", "-ec", check], cwd=tmp_path, check=True)
    (signed,) = repository.glob("mlartifacts/**/model.sig")
    before = signed.read_bytes()
    publish.publish("basic")
    assert signed.read_bytes() == before

    monkeypatch.setenv(signature.PUBLIC, str(other))
    assert "Key mismatch" in fetch_refusal(tmp_path / "of_another_key")
    monkeypatch.setenv(signature.PUBLIC, str(public))
    for name in ("code/numpy.py", ".git/config"):  # Python would import the first for numpy
        added = signed.parent / name
        added.parent.mkdir(exist_ok=True)
        added.write_text("")
        assert name in fetch_refusal(tmp_path / added.name)
        added.unlink()
    (signed.parent / "data/model.keras").write_bytes(b"another")
    assert "data/model.keras" in fetch_refusal(tmp_path / "changed")
    signed.write_text("{}")
    assert "damaged" in fetch_refusal(tmp_path / "damaged")
    monkeypatch.delenv(signature.PUBLIC)
    fetch(MODEL, tmp_path / "unchecked")


@pytest.mark.parametrize("change", ["key", "file"])
def test_a_model_that_is_not_as_our_key_signed_it_is_published_again(
    repository, monkeypatch, tmp_path, change
):
    keys = make_key(tmp_path / "old")
    for variable, key in zip((signature.PRIVATE, signature.PUBLIC), keys, strict=True):
        monkeypatch.setenv(variable, str(key))
    make_comparison(repository, basic=0.9005)
    assert status("publish", "--all") == 0
    if change == "key":
        keys = make_key(tmp_path / "new")
        for variable, key in zip((signature.PRIVATE, signature.PUBLIC), keys, strict=True):
            monkeypatch.setenv(variable, str(key))
    else:
        (signed,) = repository.glob("mlartifacts/**/model.sig")
        (signed.parent / "code/numpy.py").touch()
    fetch_refusal(tmp_path / "first")
    assert status("publish", "--all") == 0
    _, pinned = fetch("models:/foldlab@champion", tmp_path / "champion")
    assert pinned == "models:/foldlab/2"
    before = everything(repository)
    assert status("publish", "--all") == 0
    assert everything(repository) == before


@pytest.mark.parametrize("command", ["train basic", "sweep", "publish basic", "publish --all"])
def test_a_wrong_key_is_refused_before_anything_is_read(folder, monkeypatch, command):
    monkeypatch.setenv(signature.PRIVATE, "/nowhere/private.pem")
    assert signature.PRIVATE in command_refusal(*command.split())


@pytest.mark.parametrize("variable", [signature.PRIVATE, signature.PUBLIC])
@pytest.mark.parametrize("content", [None, "no key"])
def test_what_is_no_key_is_refused_by_name(tmp_path, monkeypatch, variable, content):
    monkeypatch.setenv(variable, str(tmp_path / "key.pem"))
    if content:
        (tmp_path / "key.pem").write_text(content)
    sign = variable == signature.PRIVATE
    with pytest.raises(UserError, match=variable):
        signature.sign(tmp_path) if sign else signature.check(tmp_path, MODEL)
