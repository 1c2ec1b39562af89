"""The parts of docs/team_server.md as real processes, and the pipeline's own commands over them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from benchmarks import load_publish
from tests.tracking import access
from tests.tracking import team as parts
from tests.tracking.made_results import make_comparison, make_repository, make_results
from tests.tracking.served import inherited

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
DOCS = parts.DOCS.read_text()
for package in ("boto3", "dvc_s3", "flask_wtf", "moto", "psycopg"):
    pytest.importorskip(
        package, reason=f"{package} is missing: pip install -r requirements-team.txt"
    )
for package, found in (("postgresql", parts.programs()), ("nginx", shutil.which("nginx"))):
    if not found:
        pytest.skip(f"{package} is missing: apt-get install {package}", allow_module_level=True)


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    with parts.started(tmp_path_factory.mktemp("team")) as team:
        yield team


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    root = make_repository(tmp_path_factory.mktemp("anna") / "repository", "basic", "other")
    make_comparison(root, basic=0.9005, other=0.9105)  # the means of the made folds
    identity = "git config user.name a && git config user.email a@b.c"
    well(f"git init -q -b main && {identity}", root, inherited())
    well("git add params.yaml && git commit -qm settings", root, inherited())
    return root


def call(command, folder, environment):
    return subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True
    )


def well(command, folder, environment):
    done = call(command, folder, environment)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


PUBLISH = "python -m stages publish --all"


@pytest.fixture(scope="module")
def proxy(team):
    with parts.proxy(team) as found:
        yield found


@pytest.fixture(scope="module")
def published(team, proxy, repository, tmp_path_factory):
    """Publish as anna over TLS, from a machine without boto3; return the command's stderr."""
    without = tmp_path_factory.mktemp("without")
    for name in ("boto3", "psycopg", "flask_wtf"):
        (without / f"{name}.py").write_text("raise ImportError('not on a client')\n")
    uri, _, certificate = proxy
    environment = team.client("anna", PYTHONPATH=f"{without}:{ROOT}") | {
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_TRACKING_SERVER_CERT_PATH": str(certificate),
    }
    return well(PUBLISH, repository, environment)


def everything(team, name="mlflow"):
    """Return each row of each table of a database, and each object of the bucket of its name."""
    tables = {}
    with team.database(name) as connection:
        names = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'public'"
        ).fetchall()
        for (table,) in names:
            tables[table] = sorted(map(str, connection.execute(f'select * from "{table}"')))
    return tables, objects(team, "mlflow")


def objects(team, bucket):
    """Return the digest of each object in a bucket by its name."""
    listed = team.store.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {entry["Key"]: entry["ETag"] for entry in listed}


def test_runs_figures_and_models_are_in_the_database_and_the_bucket(team, repository, published):
    tables, objects = everything(team)
    assert len(tables["runs"]) == 2 * (1 + 2) + 1  # variants with two folds each; the comparison
    assert len(tables["model_versions"]) == 2
    assert sum(key.endswith("model.keras") for key in objects) == 2
    assert sum(key.endswith("curves.png") for key in objects) == 2
    key = next(key for key in objects if key.endswith("model.keras"))
    stored = team.store.get_object(Bucket="mlflow", Key=key)["Body"].read()
    written = [repository / "results" / name / "model.keras" for name in ("basic", "other")]
    assert stored in [path.read_bytes() for path in written]


def test_the_champion_is_named_and_fetched_through_the_server(team, published, tmp_path):
    assert "is champion because there was none" in published
    code = "from pathlib import Path; from stages.tracking.model import fetch; "
    code += "print(fetch('models:/foldlab@champion', Path('.'))[0])"
    done = call(f'{sys.executable} -c "{code}"', tmp_path, team.client("ben"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / done.stdout.strip()).read_bytes()[:2] == b"PK"


def test_a_second_person_may_promote_by_hand(team, repository, published):
    promoted = well("python -m stages promote basic", repository, team.client("ben"))
    assert "was made champion by hand by ben." in promoted
    rule = "python -m stages champion"
    assert "was made champion by hand" in well(rule, repository, team.client("anna"))
    well("python -m stages promote --release", repository, team.client("ben"))
    assert "replaces basic (version 1): +0.01" in well(rule, repository, team.client("anna"))


def test_two_people_with_other_results_keep_their_verdicts(team, repository, published, tmp_path):
    def verdicts():
        with team.database("mlflow") as connection:
            query = "select run_uuid, value from tags where key = 'foldlab.verdict'"
            return dict(connection.execute(query).fetchall())

    of_anna = verdicts()
    own = make_repository(tmp_path / "ben", "basic", "other")
    make_results(own / "results/other", "other", 2, 2, 0.02)
    make_comparison(own, "undecided: +2.00 points", basic=0.9005, other=0.9205)
    well(PUBLISH, own, team.client("ben"))
    both = verdicts()
    assert both.items() > of_anna.items()
    assert {verdict.split()[1] for verdict in both.values() if "+" in verdict} == {"+1.00", "+2.00"}
    well(PUBLISH, repository, team.client("anna"))
    assert verdicts() == both


def test_what_only_the_owner_may_delete_stays(team, repository, published, tmp_path):
    """A new champion alone has no challenger, but ben may not delete the alias of anna's model."""
    own = make_repository(tmp_path / "ben", "basic")
    make_results(own / "results/basic", "basic", 2, 2, 0.04)
    make_comparison(own, basic=0.9405)
    assert "replaces other" in well(PUBLISH, own, team.client("ben"))
    assert len(everything(team)[0]["registered_model_aliases"]) == 2
    well(PUBLISH, repository, team.client("anna"))


def test_what_one_person_deletes_another_may_publish_again(team, repository, published):
    query = (
        "select run_uuid from tags where key = 'foldlab.verdict' and value like '%+1.00 points%'"
    )
    with team.database("mlflow") as connection:
        ((deleted,),) = connection.execute(query).fetchall()
        team.ask("anna", "runs/delete", {"run_id": deleted})
        well(PUBLISH, repository, team.client("ben"))
        (run_id,) = {row[0] for row in connection.execute(query).fetchall()} - {deleted}
        version = f"select version from model_versions where run_id = '{run_id}'"
        assert len(connection.execute(version).fetchall()) == 1


def test_without_the_right_password_nothing_is_read_or_written(team, repository, published):
    before = everything(team)
    environment = team.client("anna") | {"MLFLOW_TRACKING_PASSWORD": "guessed"}
    done = call("python -m stages publish --all", repository, environment)
    assert done.returncode == 1
    assert done.stderr.startswith("foldlab: publishing basic, other to MLflow at http")
    assert "guessed" not in done.stderr
    assert everything(team) == before
    with pytest.raises(requests.HTTPError, match="401"):
        team.ask("stranger", "experiments/search?max_results=1")


def test_people_who_publish_at_once_lose_nothing(team, published, tmp_path):
    root = make_repository(tmp_path / "root")
    names = [f"of_{person}" for person in range(3)]
    checkouts = [load_publish.person(root, tmp_path / name, [name]) for name in names]
    anna = {key: text for key, text in team.client("anna").items() if key.startswith("MLFLOW_")}
    load_publish.at_once(checkouts[:1], anna)
    load_publish.at_once(checkouts[1:], anna)
    held = load_publish.complete(team, names)
    assert held["variants_incomplete"] == 0
    assert held["runs"] == 3 * (1 + 2)
    assert load_publish.complete(team, [*names, "of_nobody"])["variants_incomplete"] == 1


def test_every_route_but_the_open_ones_asks_for_a_password(team):
    """Those that a later MLflow adds too."""
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


def test_a_reader_reads_and_changes_nothing_of_others(team, published, monkeypatch):
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


def test_dvc_pushes_to_the_store_and_pulls_over_tls(team, proxy, repository, published, tmp_path):
    """By the commands of docs/team_server.md; here pip has nothing to install."""
    (setup,) = re.findall(r"^dvc remote add .*?(?=```)", DOCS, re.M | re.S)
    setup = setup.replace("http://127.0.0.1:8333", team.s3)
    (trust,) = re.findall(r"^(dvc remote modify --local team ssl_verify) \S+$", DOCS, re.M)
    keys = inherited(STORE_PASSWORD=team.password["s3"])
    results = [
        "dvc init -q && dvc config core.analytics false",
        "dvc add -q results/basic results/other data/prepared && git add -A",
        "git commit -qm results",
    ]
    well(" && ".join(results), repository, keys)
    well(setup, repository, keys)
    well("dvc push", repository, keys)
    clone = tmp_path / "clone"
    well(f"git clone -q {repository} {clone}", tmp_path, keys)
    assert not (clone / "results/basic").exists()
    _, store, certificate = proxy
    well(f"{setup.replace(team.s3, store)}\n{trust} {certificate}", clone, keys)
    well("dvc pull", clone, keys)
    names = [path.relative_to(repository) for path in repository.glob("results/*/**/*")]
    files = [name for name in names if (repository / name).is_file()]
    assert len(files) > 20
    assert all((clone / name).read_bytes() == (repository / name).read_bytes() for name in files)

    before = everything(team)  # what was pulled is what anna has published
    well(PUBLISH, clone, team.client("ben"))
    assert everything(team) == before


# Runs on this machine what the documented command runs in a service.
COMPOSE = """set -e
docker() {
    case $2 in
        exec) shift 4 ;;
        run) shift 7 ;;
        *) return ;;
    esac
    "$@"
}
"""


def test_a_backup_is_restored_into_a_new_server(team, repository, published, tmp_path):
    """By the commands of docs/team_server.md."""
    blocks = re.findall(r"```bash\n(.*?)```", DOCS, re.S)
    (save,) = [block for block in blocks if "pg_dump" in block]
    (load,) = [block for block in blocks if "pg_restore" in block]

    def run(commands, on):
        there = on.server | {
            "PATH": f"{parts.programs()}:{on.server['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(on.database_port),
            "AWS_ENDPOINT_URL": on.s3,
        }
        well(COMPOSE + commands.replace('"/backup/', f'"{tmp_path}/backup/'), tmp_path, there)

    run(save, team)
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o700
    with parts.started(tmp_path, lambda new: run(load, new)) as new:
        assert everything(new) == everything(team)
        assert everything(new, "auth") == everything(team, "auth")
        assert objects(new, "dvc") == objects(team, "dvc")
        new.password |= {"anna": team.password["anna"]}
        before = everything(new)
        well(PUBLISH, repository, new.client("anna"))
        assert everything(new) == before


def test_no_password_is_in_any_file_log_or_row(team, repository, published):
    held = [path for path in team.folder.rglob("*") if path.is_file()]
    held += [path for path in repository.rglob("*") if path.is_file()]
    held.remove(repository / ".dvc/config.local")  # mode 600, and Git ignores it
    tables, _ = everything(team)
    texts = {str(path): path.read_bytes() for path in held} | {"rows": repr(tables).encode()}
    for name, text in texts.items():
        for whose, password in team.password.items():
            assert password.encode() not in text, f"the password of {whose} is in {name}"


def test_a_server_that_denies_is_a_failing_store(team, repository, published):
    right = {"username": "ben", "resource_type": "experiment", "resource_id": "1"}
    team.ask(parts.ADMIN, "users/permissions/grant", right | {"permission": "DENY"}, "3.0")
    for name in ("basic", "other"):
        make_results(repository / "results" / name, name, 2, 2, 0.03)
    done = call(PUBLISH, repository, team.client("ben"))
    assert done.returncode == 1
    assert done.stderr.startswith("foldlab: publishing basic, other to MLflow at http")
    assert "ermission denied" in done.stderr
    assert done.stderr.count("\n") == 1
