import re
import subprocess

import pytest

from stages import publish
from stages.errors import UserError
from stages.tracking import signature
from stages.tracking.model import fetch
from tests.refusals import refusal
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
    monkeypatch.delenv(signature.PUBLIC)
    fetch(MODEL, tmp_path / "unchecked")


@pytest.mark.parametrize("variable", [signature.PRIVATE, signature.PUBLIC])
@pytest.mark.parametrize("content", [None, "no key"])
def test_what_is_no_key_is_refused_by_name(tmp_path, monkeypatch, variable, content):
    monkeypatch.setenv(variable, str(tmp_path / "key.pem"))
    if content:
        (tmp_path / "key.pem").write_text(content)
    sign = variable == signature.PRIVATE
    with pytest.raises(UserError, match=variable):
        signature.sign(tmp_path) if sign else signature.check(tmp_path, MODEL)
