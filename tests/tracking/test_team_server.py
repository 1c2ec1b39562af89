"""The parts of docs/team_server.md as real processes, and the pipeline's own commands over them."""

import re
import sys

import pytest

from benchmarks import load_publish
from tests.tracking import team as parts
from tests.tracking.made_results import make_comparison, make_repository, make_results
from tests.tracking.served import inherited
from tests.tracking.team_fixtures import PUBLISH, call, everything, objects, succeed

pytestmark = pytest.mark.slow
DOCS = parts.DOCS.read_text()


def test_runs_figures_and_models_are_in_the_database_and_the_bucket(team, annas, published):
    tables, objects = everything(team)
    assert len(tables["runs"]) == 2 * (1 + 2) + 1  # variants with two folds each; the comparison
    assert len(tables["model_versions"]) == 2
    assert sum(key.endswith("model.keras") for key in objects) == 2
    assert sum(key.endswith("curves.png") for key in objects) == 2
    key = next(key for key in objects if key.endswith("model.keras"))
    stored = team.store.get_object(Bucket="mlflow", Key=key)["Body"].read()
    written = [annas / "results" / name / "model.keras" for name in ("basic", "other")]
    assert stored in [path.read_bytes() for path in written]


def test_the_champion_is_named_and_fetched_through_the_server(team, published, tmp_path):
    assert "is champion because there was none" in published
    code = "from pathlib import Path; from stages.tracking.model import fetch; "
    code += "print(fetch('models:/foldlab@champion', Path('.'))[0])"
    done = call(f'{sys.executable} -c "{code}"', tmp_path, team.client("ben"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / done.stdout.strip()).read_bytes()[:2] == b"PK"


def test_a_second_person_may_promote_by_hand(team, annas, published):
    promoted = succeed("python -m stages promote basic", annas, team.client("ben"))
    assert "was made champion by hand by ben." in promoted
    rule = "python -m stages champion"
    assert "was made champion by hand" in succeed(rule, annas, team.client("anna"))
    succeed("python -m stages promote --release", annas, team.client("ben"))
    assert "replaces basic (version 1): +0.01" in succeed(rule, annas, team.client("anna"))


def test_two_people_with_other_results_keep_their_verdicts(team, annas, published, tmp_path):
    def verdicts():
        with team.database("mlflow") as connection:
            query = "select run_uuid, value from tags where key = 'foldlab.verdict'"
            return dict(connection.execute(query).fetchall())

    of_anna = verdicts()
    own = make_repository(tmp_path / "ben", "basic", "other")
    make_results(own / "results/other", "other", 2, 2, 0.02)
    make_comparison(own, "undecided: +2.00 points", basic=0.9005, other=0.9205)
    succeed(PUBLISH, own, team.client("ben"))
    both = verdicts()
    assert both.items() > of_anna.items()
    assert {verdict.split()[1] for verdict in both.values() if "+" in verdict} == {"+1.00", "+2.00"}
    succeed(PUBLISH, annas, team.client("anna"))
    assert verdicts() == both


def test_what_only_the_owner_may_delete_stays(team, annas, published, tmp_path):
    """A new champion alone has no challenger, but ben may not delete the alias of anna's model."""
    own = make_repository(tmp_path / "ben", "basic")
    make_results(own / "results/basic", "basic", 2, 2, 0.04)
    make_comparison(own, basic=0.9405)
    assert "replaces other" in succeed(PUBLISH, own, team.client("ben"))
    assert len(everything(team)[0]["registered_model_aliases"]) == 2
    succeed(PUBLISH, annas, team.client("anna"))


def test_what_one_person_deletes_another_may_publish_again(team, annas, published):
    query = (
        "select run_uuid from tags where key = 'foldlab.verdict' and value like '%+1.00 points%'"
    )
    with team.database("mlflow") as connection:
        ((deleted,),) = connection.execute(query).fetchall()
        team.ask("anna", "runs/delete", {"run_id": deleted})
        succeed(PUBLISH, annas, team.client("ben"))
        (run_id,) = {row[0] for row in connection.execute(query).fetchall()} - {deleted}
        version = f"select version from model_versions where run_id = '{run_id}'"
        assert len(connection.execute(version).fetchall()) == 1


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


def test_dvc_pushes_to_the_store_and_pulls_over_tls(team, proxy, annas, published, tmp_path):
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
    succeed(" && ".join(results), annas, keys)
    succeed(setup, annas, keys)
    succeed("dvc push", annas, keys)
    clone = tmp_path / "clone"
    succeed(f"git clone -q {annas} {clone}", tmp_path, keys)
    assert not (clone / "results/basic").exists()
    _, store, certificate = proxy
    succeed(f"{setup.replace(team.s3, store)}\n{trust} {certificate}", clone, keys)
    succeed("dvc pull", clone, keys)
    names = [path.relative_to(annas) for path in annas.glob("results/*/**/*")]
    files = [name for name in names if (annas / name).is_file()]
    assert len(files) > 20
    assert all((clone / name).read_bytes() == (annas / name).read_bytes() for name in files)

    before = everything(team)  # what was pulled is what anna has published
    succeed(PUBLISH, clone, team.client("ben"))
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


def test_a_backup_is_restored_into_a_new_server(team, annas, published, tmp_path):
    """By the commands of docs/team_server.md; one more bucket is empty."""
    blocks = re.findall(r"```bash\n(.*?)```", DOCS, re.S)
    (save,) = [block for block in blocks if "pg_dump" in block]
    (load,) = [block for block in blocks if "pg_restore" in block]

    team.store.create_bucket(Bucket="empty")
    save = save.replace("/mlflow backup", "/empty backup/mlflow backup")

    def run(commands, on):
        commands = commands.replace("mlflow dvc;", "mlflow dvc empty;")
        there = on.server | {
            "PATH": f"{parts.programs()}:{on.server['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(on.database_port),
            "AWS_ENDPOINT_URL": on.s3,
        }
        succeed(COMPOSE + commands.replace('"/backup/', f'"{tmp_path}/backup/'), tmp_path, there)

    run(save, team)
    team.store.delete_bucket(Bucket="empty")
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o700
    with parts.started(tmp_path, lambda new: run(load, new)) as new:
        assert everything(new) == everything(team)
        assert everything(new, "auth") == everything(team, "auth")
        assert objects(new, "dvc") == objects(team, "dvc")
        new.password |= {"anna": team.password["anna"]}
        before = everything(new)
        succeed(PUBLISH, annas, new.client("anna"))
        assert everything(new) == before
