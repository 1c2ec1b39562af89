"""The command line: `python -m stages --help` lists every command."""

import os
import select
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress


def handle(command: Callable[[], object]) -> None:
    """Call `command` and turn its exceptions into a message and an exit status.

    A UserError, an OSError that the user can fix, or a missing package gives one sentence on stderr
    and status 1. An interrupt, even during imports, gives one sentence and status 130. If stdout is
    a closed pipe, as after `| head -1`, the command ends silently with status 1. Any other
    exception is a bug and keeps its traceback.
    """
    try:
        from stages.errors import UserError, system_refusal

        try:
            command()
            sys.stdout.flush()
        except BrokenPipeError:
            if not _discard_unread():
                raise
            sys.exit(1)
        except UserError as error:
            sys.exit(f"foldlab: {error}")
        except OSError as error:
            if refusal := system_refusal(error):
                sys.exit(f"foldlab: {refusal}")
            raise
        except ModuleNotFoundError as error:
            if not error.name or error.name.partition(".")[0] == "stages":
                raise
            sys.exit(
                f"foldlab: the package {error.name} is not installed for {sys.executable}; run "
                "`source .venv/bin/activate` first, or `make .venv/ready` if .venv is missing."
            )
        finally:
            with suppress(OSError):
                sys.stdout.flush()
            _discard_unread()
    except KeyboardInterrupt:
        from signal import SIG_IGN, SIGINT, signal

        signal(SIGINT, SIG_IGN)  # a second interrupt must not stop the clean-up at exit
        print("foldlab: stopped; run the same command again to continue.", file=sys.stderr)
        sys.exit(130)


def _discard_unread() -> bool:
    """Return whether stdout is a closed pipe; if so, discard what is written to it."""
    stdout = select.poll()
    stdout.register(1, 0)  # reports errors only
    if is_unread := bool(stdout.poll(0)):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return is_unread


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command in `arguments`; None means this process' arguments."""
    import click

    from stages.commands.cli import cli

    given = list(sys.argv[1:] if arguments is None else arguments)
    try:  # not cli.main(), which has its own message for an interrupt
        with cli.make_context("python -m stages", given) as context:
            cli.invoke(context)
    except click.exceptions.Exit as end:  # after --help
        sys.exit(end.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)


def main() -> None:
    """Run the command line, in the warm process if possible; SIGTERM acts like sys.exit."""
    if sys.platform == "win32":
        sys.exit("foldlab: Windows is not supported; run it in the Windows Subsystem for Linux.")
    from stages.commands import warm

    if (status := warm.ask(sys.argv[1:])) is not None:
        sys.exit(status)
    from stages.commands.process import exit_on_sigterm

    exit_on_sigterm()
    run()


if __name__ == "__main__":
    handle(main)
