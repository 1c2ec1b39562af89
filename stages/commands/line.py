"""Every command with its options; each imports what it runs only when it is called."""

import re
import sys
from pathlib import Path

import click

from stages.entry import exclusive
from stages.errors import UserError

NAME = re.compile(r"[a-z][a-z0-9_]*")  # of a variant, which is a folder's name too


def _name(context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    if given is not None and not NAME.fullmatch(given):
        raise UserError(
            f"variant is {given!r}, but a name is a lower-case letter, then letters, digits or _; "
            "give a row of params.yaml."
        )
    return given


variant = click.argument("variant", callback=_name)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def line() -> None:
    """Honest experiments on image classifiers.

    DVC runs the stages environment, prepare, members, train, evaluate, plot, publish and compare;
    the other commands are for you. VARIANT is a row of `variants` in params.yaml.
    """


@line.command()
def prepare() -> None:
    """Check the images, hold out a test set, assign the folds."""
    from stages import prepare

    exclusive(prepare.prepare)()


@line.command()
def environment() -> None:
    """Record the versions and kernels that compute."""
    from stages import environment

    exclusive(environment.environment)()


@line.command()
def members() -> None:
    """List the settings of each chosen ensemble's members."""
    from stages import members

    exclusive(members.members)()


@line.command()
@variant
def train(variant: str) -> None:
    """Train the folds of one variant and make its model."""
    from stages import train

    exclusive(train.train)(variant=variant)


@line.command()
@variant
def evaluate(variant: str) -> None:
    """Score the model that will be shipped on the test set."""
    from stages import evaluate

    exclusive(evaluate.evaluate)(variant=variant)


@line.command()
@variant
def plot(variant: str) -> None:
    """Draw the figures of one variant and write its model card."""
    from stages import plot

    exclusive(plot.plot)(variant=variant)


@line.command()
@click.argument("variant", required=False, callback=_name)
@click.option("--all", "everything", is_flag=True, help="Every chosen variant that has results.")
def publish(variant: str | None, everything: bool) -> None:
    """Complete the runs and the model of one variant, or of all, in MLflow."""
    if everything == bool(variant):
        raise click.UsageError("give one VARIANT, or --all")
    from stages import publish

    if variant:
        publish.publish(variant)
    elif not publish.publish_all():
        sys.exit(1)


@line.command()
def compare() -> None:
    """Compare the chosen variants by their fold scores."""
    from stages import compare

    exclusive(compare.compare)()


@line.command()
def champion() -> None:
    """Show the comparison in MLflow and name the champion."""
    from stages.commands import champion

    champion.champion()


@line.command()
def sweep() -> None:
    """Train the unfinished folds of all chosen variants as one pool."""
    from stages.commands import sweep

    sweep.sweep()


@line.command()
@click.option("--trials", type=click.IntRange(0), default=0, help="In all; 0: as in params.yaml.")
@click.option(
    "--write",
    type=click.Choice(["yes", "no"]),
    is_flag=False,
    flag_value="yes",
    default="no",
    help="Put the best row into params.yaml.",
)
def search(trials: int, write: str) -> None:
    """Try the settings that params.yaml declares under `search`."""
    from stages.commands import search

    search.search(trials, write == "yes")


@line.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--model", default="", help="Variant, .keras file or models:/ address.")
@click.option("--output", type=click.Path(path_type=Path), default="predictions.png")
def predict(images: tuple[str, ...], model: str, output: Path) -> None:
    """Classify image files or folders of them, and draw what the model saw."""
    from stages.commands import predict

    if not predict.predict(images, model, output):
        sys.exit(1)


@line.command()
@click.argument("name", required=False)
@click.option("--release", is_flag=True, help="Let the rule decide again.")
@click.option("--reason", default="", help="Why, in your words.")
def promote(name: str | None, release: bool, reason: str) -> None:
    """Make the model of the variant NAME the champion by hand."""
    if release == bool(name):
        raise click.UsageError("give one NAME, or --release")
    from stages.commands import promote

    print(promote.promote(name, reason) if name else promote.release())


@line.command()
@click.argument("model")
def fetch(model: str) -> None:
    """Fetch MODEL, models:/name/version or models:/name@alias, to start a variant from."""
    from stages.commands import fetch

    fetch.fetch(model)


@line.command("pull-request")
@click.argument("base")
@click.option("--output", type=click.Path(path_type=Path), help="File instead of standard output.")
@click.option("--figures", default="", help="Address of the folder of comparison.png.")
def pull_request(base: str, output: Path | None, figures: str) -> None:
    """Report in Markdown what a branch changes against the commit BASE."""
    from stages.commands import pull_request

    pull_request.report(base, output, figures)


@line.command(hidden=True)
@click.argument("seconds", type=float)
@click.argument("experiment")
@click.argument("fingerprints")
def live(seconds: float, experiment: str, fingerprints: str) -> None:
    """Show trainings in MLflow while they run; train and sweep start this."""
    from stages.commands import live

    live.live(seconds, experiment, fingerprints.split(","))
