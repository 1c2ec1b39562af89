"""The command line: `python -m stages --help` lists every command."""

import sys
from collections.abc import Callable, Sequence


def handle(command: Callable[[], object]) -> None:
    """Call `command` and turn what it raises into a message and an exit status.

    A UserError, and an OSError that only the user can fix, is one sentence on stderr and status 1;
    an interrupt, also during imports, is one sentence and status 130. Everything else is a bug of
    ours and keeps its traceback.
    """
    try:
        from stages.errors import UserError, system_refusal

        try:
            command()
        except UserError as error:
            sys.exit(f"foldlab: {error}")
        except OSError as error:
            if refusal := system_refusal(error):
                sys.exit(f"foldlab: {refusal}")
            raise
    except KeyboardInterrupt:
        from signal import SIG_IGN, SIGINT, signal

        signal(SIGINT, SIG_IGN)  # a second one must not interrupt the clean-up at exit
        print("foldlab: stopped; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name; None: those of this process."""
    import click

    from stages.commands.line import line

    given = list(sys.argv[1:] if arguments is None else arguments)
    try:  # not line.main(), which turns an interrupt into words of its own
        with line.make_context("python -m stages", given) as context:
            line.invoke(context)
    except click.exceptions.Exit as end:  # after --help
        sys.exit(end.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)


def main() -> None:
    """Run this process' command; SIGTERM ends it like an exit."""
    from stages.entry import end_in_order

    end_in_order()
    run()


if __name__ == "__main__":
    handle(main)
