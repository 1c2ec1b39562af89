"""The command line. Each command imports its module only when it is called."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from stages import __version__
from stages.commands.process import exclusive


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="foldlab")
def cli() -> None:
    """Train image classifiers by cross-validation and compare them.

    DVC runs the stages environment, prepare, members, train, evaluate, plot, publish and compare,
    then champion. Run the other commands yourself. A VARIANT is a row of `variants` in params.yaml.
    """


def _check_name(context: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    from stages.settings.params import check_name

    if name is not None:
        check_name(name)
    return name


def _add(module: str, text: str, *parameters: click.Parameter, name: str = "", **options) -> None:
    """Add the command that calls a module's function of the same name; stages run one at a time."""
    function_name = module.removeprefix("commands.")

    def run(**arguments: Any) -> None:
        function = getattr(import_module(f"stages.{module}"), function_name)
        with _stage(module, *arguments.values()) if function_name == module else nullcontext():
            if function(**arguments) is False:
                sys.exit(1)

    name = name or function_name.replace("_", "-")
    cli.add_command(click.Command(name, callback=run, help=text, params=[*parameters], **options))


@contextmanager
def _stage(name: str, *item: str) -> Iterator[None]:
    """Run a block as a stage: one at a time in this folder, and without edits meanwhile."""
    from stages.commands.edits import unedited
    from stages.tracking import signature

    if name == "train":  # not in its module, because DVC would train again after an edit of it
        signature.check_key()
    with exclusive("-".join([name, *item])), unedited(name, *item):
        yield


VARIANT = click.Argument(["variant"], callback=_check_name)
_add("prepare", "Check the images, split off a test set and assign folds.")
_add("environment", "Record library versions, kernels and what precision `auto` means.")
_add("members", "List the settings of the members of each compared ensemble.")
_add("train", "Train all folds of VARIANT and build its final model.", VARIANT)
_add("evaluate", "Score the final model of VARIANT on the test set.", VARIANT)
_add("plot", "Draw the figures of VARIANT and write its model card.", VARIANT)
_add("compare", "Compare variants by their fold scores and write the report.")
_add(
    "commands.repro",
    "Train, evaluate and compare whatever is not up to date.\n\n"
    "Gives the same results as `dvc repro`, but faster: all folds are trained together, and the "
    "stages share one process that has imported the libraries. With STAGE, such as `prepare`, runs "
    "only that stage and those that it depends on.",
    click.Argument(["stages"], nargs=-1, metavar="[STAGE]..."),
    click.Option(["--hints/--no-hints"], default=True, hidden=True),
)
_add(
    "commands.sweep",
    "Train unfinished folds of all compared variants together.\n\n"
    "Run this before `dvc repro` to keep all cores busy; the results are the same.",
)
_add(
    "commands.pairs",
    "Test all pairs of compared variants.\n\n"
    "`compare` writes the same tests to results/pairs.csv, for at most 20 variants.",
)
_add(
    "commands.cost",
    "Measure latency, file size and multiply-adds of each compared model.\n\n"
    "Prints them beside the scores, and writes results/cost.csv and results/plots/cost.png.",
)
_add(
    "commands.suite",
    "Compare the variants on several data sets.\n\n"
    "The section `suite` of params.yaml names them. Prints one table, and writes "
    "results/suite.csv and results/plots/suite.png. What is trained already is not trained again.",
)
_add(
    "commands.prune",
    "List what is left of variants that were removed from params.yaml.\n\n"
    "Result files, markers and entries of dvc.lock. Git and DVC's cache keep what was committed.",
    click.Option(["--yes"], is_flag=True, help="Remove it."),
    click.Option(
        ["--mlflow"],
        is_flag=True,
        help="Also list runs and models in the store on this machine, including other branches'.",
    ),
)
_add(
    "commands.fetch",
    "Download a registered model to start a variant from.\n\n"
    "MODEL is models:/name/version or models:/name@alias. Prints the `architecture` to use in "
    "params.yaml.",
    click.Argument(["model"]),
)
_add(
    "commands.search",
    "Search for better settings of a variant.\n\n"
    "The section `search` of params.yaml names the variant, the settings and their bounds. An "
    "interrupted search is resumed.",
    click.Option(
        ["--trials"],
        type=click.IntRange(0),
        default=0,
        help="Total number of trials, finished ones included; 0 means the number in params.yaml.",
    ),
    click.Option(
        ["--write"],
        metavar="[yes|no]",
        type=click.BOOL,
        is_flag=False,
        flag_value="yes",
        default="no",
        help="Add the best settings to params.yaml as a new variant.",
    ),
)
_add(
    "commands.predict",
    "Classify image files, folders of images, or CSV files of pixels.\n\n"
    "Prints the two most probable classes of each image and draws the images as the model sees "
    "them. Folders are searched recursively.",
    click.Argument(["images"], nargs=-1, required=True, metavar="IMAGE..."),
    click.Option(
        ["--model"],
        default="",
        help="A variant, a .keras file or a models:/ address; by default the best variant.",
    ),
    click.Option(
        ["--coverage"],
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        help="Print each image's prediction set, chosen so that sets contain the true class for "
        "this share of images, for example 0.95. By default predict.coverage.",
    ),
    click.Option(
        ["--explain"],
        is_flag=True,
        help="Show in the figure which parts of an image its prediction depends on.",
    ),
    click.Option(
        ["--output"],
        type=click.Path(path_type=Path),
        default="predictions.png",
        show_default=True,
        help="The figure to write, a .png file.",
    ),
    click.Option(
        ["--csv"],
        type=click.Path(path_type=Path),
        default=None,
        help="A .csv file to write instead of printing: file,predicted,probability.",
    ),
)
_add(
    "commands.export",
    "Convert a model to ONNX or TFLite and check that it predicts the same.\n\n"
    "MODEL is a variant, a .keras file or a models:/ address; by default the best variant. Writes "
    "the file, and beside it the comparison of both on the test set as JSON. Without --format, "
    "writes what `export` in the variant's row names, or in all compared rows, as `make repro` "
    "does.",
    click.Argument(["model"], default=""),
    click.Option(
        ["--format", "file_format"],
        type=click.Choice(["onnx", "tflite"]),
        help="The format of the file.",
    ),
    click.Option(
        ["--int8"],
        is_flag=True,
        help="Quantize weights and activations of a TFLite file, calibrated on training images.",
    ),
    click.Option(
        ["--output"],
        type=click.Path(path_type=Path, file_okay=False),
        help="The folder to write to; by default export/ beside the model.",
    ),
)
_add(
    "commands.try_out",
    "Run the whole pipeline on 1,000 training digits, in a minute.\n\n"
    "It uses its own folder and its own MLflow store, and changes nothing else.",
    name="try",
)
_add(
    "commands.learning_curve",
    "Estimate what more images would gain.\n\n"
    "Trains the folds of each VARIANT, by default the baseline and the best compared one, on 1/8, "
    "1/4 and 1/2 of their images, and extrapolates the scores to twice the images. Writes "
    "results/learning_curve.csv and results/plots/learning_curve.png. An interrupted run is "
    "resumed.",
    click.Argument(["names"], nargs=-1, metavar="[VARIANT]..."),
)
_add(
    "commands.ui",
    "Open MLflow's web interface for the store on this machine.",
    click.Option(["--port"], type=click.IntRange(1, 65535), default=5000, show_default=True),
)
_add(
    "commands.new",
    "Set up params.yaml for your own images.\n\n"
    "DATA is a folder or a file of images. Prints what is found there, and chooses data, folds, "
    "training and variants to compare. The old settings are kept in params.yaml.old.",
    click.Argument(["data"]),
    click.Option(
        ["--format", "data_format"],
        help="The data.format of DATA if it is ambiguous, such as labels.",
    ),
)
_add(
    "commands.pull_request",
    "Report changes against the commit BASE in Markdown.",
    click.Argument(["base"]),
    click.Option(
        ["--output"],
        type=click.File("w", encoding="utf-8", atomic=True),
        default="-",
        help="A file instead of stdout.",
    ),
    click.Option(["--figures"], default="", help="URL of the folder that holds comparison.png."),
)
_add(
    "commands.warm",
    "Run stage commands that other processes send; started by repro.",
    click.Argument(["path"]),
    hidden=True,
)
_add(
    "commands.live",
    "Log training runs to MLflow while they last; started by train and sweep.",
    click.Argument(["seconds"], type=float),
    click.Argument(["experiment"]),
    click.Argument(["fingerprints"], nargs=-1),
    hidden=True,
)


@cli.command()
@click.argument("variant", required=False, callback=_check_name)
@click.option("--all", "everything", is_flag=True, help="Every compared variant with results.")
def publish(variant: str | None, everything: bool) -> None:
    """Log the results and model of VARIANT to MLflow; with --all, also the comparison.

    Only what is missing from MLflow is added, so publishing twice changes nothing. --all chooses
    the champion too, and its exit status is 1 if anything is still missing from MLflow.
    """
    if everything == bool(variant):
        raise click.UsageError("give either a VARIANT or --all")
    from stages import publish
    from stages.commands import champion
    from stages.commands.edits import unedited

    if variant:
        with unedited("publish", variant):
            publish.publish(variant)
    elif not (publish.publish_all() and champion.complete()):
        sys.exit(1)


@cli.command()
def champion() -> None:
    """Log the comparison to MLflow and choose the champion."""
    from stages.commands import champion
    from stages.commands.edits import unedited

    with unedited("compare", is_later=True):
        champion.champion()


@cli.command()
@click.argument("variant", required=False)
@click.option("--release", is_flag=True, help="Let the comparison choose the champion again.")
@click.option("--reason", default="", help="The reason, which is stored with the model version.")
def promote(variant: str | None, release: bool, reason: str) -> None:
    """Make the current model of VARIANT the champion by hand."""
    if release == bool(variant):
        raise click.UsageError("give either a VARIANT or --release")
    from stages.commands import promote

    print(promote.promote(variant, reason) if variant else promote.release())
