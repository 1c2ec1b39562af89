"""The command line. Each command imports its module only when it is called."""

import re
import sys
from pathlib import Path

import click

from stages.commands.process import exclusive
from stages.errors import UserError

NAME = re.compile(r"[a-z][a-z0-9_]*")  # of a variant; it is also a folder's name


def _name(context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    if given is not None and not NAME.fullmatch(given):
        raise UserError(
            f"variant is {given!r}, but a name is a lower-case letter, then lower-case letters, "
            "digits or _; give a row of params.yaml."
        )
    return given


variant = click.argument("variant", callback=_name)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def line() -> None:
    """Train image classifiers by cross-validation and compare them.

    DVC runs the stages environment, prepare, members, train, evaluate, plot, publish and compare,
    then champion. Run the other commands yourself. A VARIANT is a row of `variants` in params.yaml.
    """


@line.command()
def prepare() -> None:
    """Check the images, split off a test set and assign folds."""
    from stages import prepare

    exclusive(prepare.prepare)()


@line.command()
def environment() -> None:
    """Record library versions, kernels and processor features."""
    from stages import environment

    exclusive(environment.environment)()


@line.command()
def members() -> None:
    """List the settings of the members of each compared ensemble."""
    from stages import members

    exclusive(members.members)()


@line.command()
@variant
def train(variant: str) -> None:
    """Train all folds of VARIANT and build its final model."""
    from stages import train

    exclusive(train.train)(variant=variant)


@line.command()
@variant
def evaluate(variant: str) -> None:
    """Score the final model of VARIANT on the test set."""
    from stages import evaluate

    exclusive(evaluate.evaluate)(variant=variant)


@line.command()
@variant
def plot(variant: str) -> None:
    """Draw the figures of VARIANT and write its model card."""
    from stages import plot

    exclusive(plot.plot)(variant=variant)


@line.command()
@click.argument("variant", required=False, callback=_name)
@click.option(
    "--all", "everything", is_flag=True, help="Publish every compared variant that has results."
)
def publish(variant: str | None, everything: bool) -> None:
    """Log the results and model of VARIANT to MLflow.

    Only what is missing from MLflow is added, so publishing twice changes nothing.
    """
    if everything == bool(variant):
        raise click.UsageError("give either a VARIANT or --all")
    from stages import publish

    if variant:
        publish.publish(variant)
    elif not publish.publish_all():
        sys.exit(1)


@line.command()
def compare() -> None:
    """Compare variants by their fold scores and write the report."""
    from stages import compare

    exclusive(compare.compare)()


@line.command()
def champion() -> None:
    """Log the comparison to MLflow and choose the champion."""
    from stages.commands import champion

    champion.champion()


@line.command()
def sweep() -> None:
    """Train unfinished folds of all compared variants together.

    Run this before `dvc repro` to keep all cores busy; the results are the same.
    """
    from stages.commands import sweep

    sweep.sweep()


@line.command()
@click.option(
    "--trials",
    type=click.IntRange(0),
    default=0,
    help="Total number of trials, finished ones included; 0 means the number in params.yaml.",
)
@click.option(
    "--write",
    type=click.Choice(["yes", "no"]),
    is_flag=False,
    flag_value="yes",
    default="no",
    help="Add the best settings to params.yaml as a new variant.",
)
def search(trials: int, write: str) -> None:
    """Search for better settings of a variant.

    The section `search` of params.yaml names the variant, the settings and their bounds. An
    interrupted search is resumed.
    """
    from stages.commands import search

    search.search(trials, write == "yes")


@line.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--model",
    default="",
    help="A variant, a .keras file or a models:/ address; by default the best variant.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default="predictions.png",
    show_default=True,
    help="The figure to write.",
)
def predict(images: tuple[str, ...], model: str, output: Path) -> None:
    """Classify image files or folders of images.

    Prints the two most probable classes of each image and draws the images as the model sees them.
    """
    from stages.commands import predict

    if not predict.predict(images, model, output):
        sys.exit(1)


@line.command()
@click.argument("variant", required=False)
@click.option("--release", is_flag=True, help="Let the comparison choose the champion again.")
@click.option("--reason", default="", help="Why; it is stored with the model version.")
def promote(variant: str | None, release: bool, reason: str) -> None:
    """Make the current model of VARIANT the champion by hand."""
    if release == bool(variant):
        raise click.UsageError("give either a VARIANT or --release")
    from stages.commands import promote

    print(promote.promote(variant, reason) if variant else promote.release())


@line.command()
@click.argument("model")
def fetch(model: str) -> None:
    """Download a registered model to start a variant from.

    MODEL is models:/name/version or models:/name@alias. Prints the `architecture` to use in
    params.yaml.
    """
    from stages.commands import fetch

    fetch.fetch(model)


@line.command("pull-request")
@click.argument("base")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Write to this file instead of standard output.",
)
@click.option("--figures", default="", help="URL of the folder that holds comparison.png.")
def pull_request(base: str, output: Path | None, figures: str) -> None:
    """Report changes against the commit BASE in Markdown."""
    from stages.commands import pull_request

    pull_request.report(base, output, figures)


@line.command()
def repro() -> None:
    """Train, evaluate and compare all compared variants that are not up to date.

    The results are those of `dvc repro`, sooner: all folds are trained together, and the stages
    share one process that has imported the libraries.
    """
    from stages.commands import repro

    repro.repro()


@line.command(hidden=True)
@click.argument("path")
def warm(path: str) -> None:
    """Run stage commands that other processes send; started by repro."""
    from stages.commands import warm

    warm.serve(path)


@line.command(hidden=True)
@click.argument("seconds", type=float)
@click.argument("experiment")
@click.argument("fingerprints")
def live(seconds: float, experiment: str, fingerprints: str) -> None:
    """Log trainings to MLflow while they run; started by train and sweep."""
    from stages.commands import live

    live.live(seconds, experiment, fingerprints.split(","))
