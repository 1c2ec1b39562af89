"""compose.yaml cannot be run where tests run: it is read, and held against what they did run."""

import inspect
import re
from pathlib import Path

import pytest
import yaml

from tests.tracking import team

HERE = Path(__file__).parents[2]
TEXT = (HERE / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
DOCS = (HERE / "docs" / "team_server.md").read_text()


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_image_has_a_version(name):
    service = SERVICES[name]
    image = (
        service.get("image") or re.search(r"^FROM (\S+)", service["build"]["dockerfile_inline"])[1]
    )
    assert re.fullmatch(r"[\w./-]+:\d+\.[\d.]+(-slim)?", image)


def test_ports_are_on_loopback_and_the_database_has_none():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert sorted(ports) == ["127.0.0.1:5000:5000", "127.0.0.1:8333:8333"]
    assert "ports" not in SERVICES["database"]
    for port in ports:
        assert port.rpartition(":")[0].removesuffix(":" + port.rpartition(":")[2]) in DOCS


def test_the_server_has_the_settings_that_the_native_test_runs_with():
    ran = inspect.getsource(team._mlflow) + inspect.getsource(team.Team.keys)
    names = set(re.findall(r"\b((?:MLFLOW|AWS)_\w+|PGPASSWORD)\b", ran))
    assert len(names) > 10
    assert names <= set(SERVICES["mlflow"]["environment"])
    for flag in ("--app-name basic-auth", "--workers"):
        assert flag in SERVICES["mlflow"]["command"]
    auth = COMPOSE["configs"]["auth"]["content"]
    for line in ("[mlflow]", "default_permission = EDIT", "auth_cache_ttl_seconds = 60"):
        assert line in auth
        assert line in ran
    assert "create database auth" in COMPOSE["configs"]["databases"]["content"]


def test_every_address_names_a_service_and_every_config_and_volume_is_declared():
    hosts = set(re.findall(r"(?:@|http://)([a-z]+)[:/]", TEXT))
    assert hosts <= set(SERVICES)
    for service in SERVICES.values():
        assert {entry["source"] for entry in service.get("configs", [])} <= set(COMPOSE["configs"])
        named = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert named <= set(COMPOSE["volumes"])
        assert set(service.get("depends_on", [])) <= set(SERVICES)


def test_no_password_is_written_out_and_the_docs_make_each_one():
    asked = set(re.findall(r"\$\{(\w+)(?::\?[^}]*)?\}", TEXT))
    (made,) = re.findall(r"^for name in (.*); do$", DOCS, re.M)
    assert asked == set(made.split())
    secret = r"(?i)(?:password|secret\w*key|session_key): +(?!\$\{)\S+$"
    assert not re.findall(secret, TEXT, re.M)
    assert not re.findall(r"://\w+:\S+@", TEXT + DOCS)
    assert "/.env" in (HERE / ".gitignore").read_text().splitlines()
