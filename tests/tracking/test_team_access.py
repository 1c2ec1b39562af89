"""What a team's server answers without a password, to a reader, to a publisher and to an admin."""

import re

import pytest
import requests

from tests.tracking import access
from tests.tracking import team as parts
from tests.tracking.made_results import make_results
from tests.tracking.team_fixtures import PUBLISH, call, everything

pytestmark = pytest.mark.slow


def test_without_the_right_password_nothing_is_read_or_written(team, annas, published):
    before = everything(team)
    environment = team.client("anna") | {"MLFLOW_TRACKING_PASSWORD": "guessed"}
    done = call("python -m stages publish --all", annas, environment)
    assert done.returncode == 1
    assert done.stderr.startswith("foldlab: publishing basic, other to MLflow at http")
    assert "guessed" not in done.stderr
    assert everything(team) == before
    with pytest.raises(requests.HTTPError, match="401"):
        team.ask("stranger", "experiments/search?max_results=1")


def test_every_route_but_the_open_ones_asks_for_a_password(team):
    """Including those that a later MLflow adds."""
    found = access.routes(team)
    assert len(found) > 300
    with requests.Session() as session:
        asked = {
            route: session.request(route[0], team.uri + route[1], allow_redirects=False, timeout=20)
            for route in found
        }
    answered = [route for route, answer in asked.items() if answer.status_code != 401]
    assert all(re.fullmatch(access.OPEN, path) for _, path in answered), answered
    assert ("GET", "/health") in answered


def test_a_reader_reads_and_changes_nothing_of_others(team, published):
    wanted = access.made(team, "anna")
    experiment = wanted[0][2]["experiment_id"]
    reads = [
        ("GET", f"api/2.0/mlflow/experiments/get?experiment_id={experiment}", None),
        ("POST", "api/2.0/mlflow/runs/search", {"experiment_ids": [experiment]}),
        ("GET", "api/2.0/mlflow/registered-models/get?name=theirs", None),
    ]
    before = everything(team)
    assert set(access.statuses(team, None, reads + wanted)) == {401}
    assert set(access.statuses(team, "stranger", reads + wanted)) == {401}
    assert access.statuses(team, parts.READER, reads) == [200] * len(reads)
    assert access.statuses(team, parts.READER, wanted) == [403] * len(wanted)
    assert everything(team) == before
    assert access.statuses(team, "anna", wanted) == [200] * len(wanted)  # so each was a real one


@pytest.mark.parametrize("user", [None, "stranger", parts.READER, "anna"])
def test_only_an_admin_administers(team, published, user):
    before = everything(team, "auth")
    refused = 403 if user in team.password else 401
    assert set(access.statuses(team, user, access.ADMINISTRATION)) == {refused}
    assert everything(team, "auth") == before


def test_no_name_leads_out_of_its_folder(team, published):
    out = "artifacts/1/%2e%2e/%2e%2e/%2e%2e/x"
    wanted = [
        ("POST", "api/2.0/mlflow/registered-models/create", {"name": ".."}),
        ("POST", "api/2.0/mlflow/registered-models/create", {"name": "../x"}),
        ("PUT", f"api/2.0/mlflow-artifacts/{out}", None),
        ("GET", f"api/2.0/mlflow-artifacts/{out}", None),
        ("POST", f"api/2.0/mlflow-artifacts/mpu/create/{out.partition('/')[2]}", access.PART),
    ]
    before = everything(team)
    assert set(access.statuses(team, None, wanted)) == {401}
    for user in (parts.READER, "anna", parts.ADMIN):
        assert set(access.statuses(team, user, wanted)) <= {400, 403}
    assert everything(team) == before


def test_no_job_runs_and_no_assistant_answers_through_the_proxy(team, proxy, published):
    job = ("POST", "ajax-api/3.0/jobs/", {"job_name": "invoke_scorer", "params": {}})
    assert "not enabled" in team.request(parts.ADMIN, *job).text
    uri, _, certificate = proxy
    auth = (parts.ADMIN, team.password["admin"])
    for path, status in (("ajax-api/3.0/mlflow/assistant/config", 403), ("version", 200)):
        answer = requests.get(f"{uri}/{path}", auth=auth, verify=certificate, timeout=20)
        assert answer.status_code == status


def test_no_password_is_in_any_file_log_or_row(team, annas, published):
    private = annas / ".dvc/config.local"  # mode 600, and Git ignores it
    found = {*team.folder.rglob("*"), *annas.rglob("*")} - {private}
    held = [path for path in found if path.is_file()]
    tables, _ = everything(team)
    texts = {str(path): path.read_bytes() for path in held} | {"rows": repr(tables).encode()}
    for name, text in texts.items():
        for whose, password in team.password.items():
            assert password.encode() not in text, f"the password of {whose} is in {name}"


def test_a_server_that_denies_is_a_failing_store(team, annas, published):
    right = {"username": "ben", "resource_type": "experiment", "resource_id": "1"}
    team.ask(parts.ADMIN, "users/permissions/grant", right | {"permission": "DENY"}, "3.0")
    for name in ("basic", "other"):
        make_results(annas / "results" / name, name, 2, 2, 0.03)
    done = call(PUBLISH, annas, team.client("ben"))
    assert done.returncode == 1
    assert done.stderr.startswith("foldlab: publishing basic, other to MLflow at http")
    assert "ermission denied" in done.stderr
    assert done.stderr.count("\n") == 1
