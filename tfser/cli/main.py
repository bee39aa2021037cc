"""Entry point: the table of commands, and errors turned into one message and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
import traceback

import click

from tfser import __version__

# Command -> module below tfser.cli, whose function `command` is the click command. A module is
# imported when its command runs, so that `--help` needs no TensorFlow.
COMMANDS = {
    "build": ("tfser.cli.build", "Checkpoint to checked int8 firmware source: the main job."),
    "corpus": ("tfser.cli.corpus", "What a corpus folder holds, and what is missing in it."),
    "train": ("tfser.cli.train", "Train a model on a corpus, speakers disjoint."),
    "card": ("tfser.cli.card", "The model card of a checkpoint: data, scores, what it is not for."),
    "evaluate": ("tfser.cli.evaluate", "Score a checkpoint or a .tflite file on a corpus."),
    "compile": ("tfser.cli.compile", "Any int8 .tflite file to C, ahead of time."),
    "run": ("tfser.cli.run", "Run a build on an emulated chip or on this machine."),
    "validate": ("tfser.cli.validate", "Check that a .tflite file is sound, all int8 and runs on TFLite Micro."),
    "size": ("tfser.cli.size", "Flash and RAM of a build against a budget."),
    "predict": ("tfser.cli.predict", "Label and probabilities of a recording."),
    "targets": ("tfser.cli.targets", "Cores and boards with their flash, RAM and clock."),
    "bench": ("tfser.cli.bench", "Studies that train many models: what HRF brings."),
    "report": ("tfser.cli.report", "The HTML page of a build folder."),
}

EXIT_BAD_INPUT = 2
EXIT_TOOL_FAILED = 3
EXIT_INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return importlib.import_module(COMMANDS[name][0]).command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tfser")
def cli() -> None:
    """Speech emotion Transformers, from training to a microcontroller."""


def main(argv: list[str] | None = None, command: click.Command = cli) -> int:
    """Run a command line and return its exit code (see DESIGN: 0, 1, 2, 3, 130).

    ``command`` is ``tfser``, or one of the project's tools, whose errors then read alike.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments or bool(os.environ.get("TFSER_DEBUG"))
    arguments = [argument for argument in arguments if argument != "--debug"]
    if not arguments and command is cli:
        arguments = ["--help"]
    try:
        result = command.main(arguments, prog_name="tfser" if command is cli else None, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted; nothing was changed", EXIT_INTERRUPTED, debug)
    except click.ClickException as error:
        return _fail(_usage(error), EXIT_BAD_INPUT, debug)
    except OSError as error:
        return _fail(f"error TF-OS-01: {error}\n  Fix: check the path, its permissions and the free space",
                     EXIT_BAD_INPUT, debug)
    except Exception as error:  # the last resort: still one message, no traceback
        if hasattr(error, "exit_code") and hasattr(error, "code"):
            return _fail(f"error {error}", error.exit_code, debug)
        return _fail(f"error TF-BUG-01: {type(error).__name__}: {error}\n"
                     "  Fix: run again with --debug and report what it prints", EXIT_TOOL_FAILED, debug)


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f"\n  Fix: see '{context.command_path} --help'" if context else ""
    return f"error TF-USE-01: {error.format_message()}{hint}"


def _fail(message: str, exit_code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    click.echo(f"tfser: {message}", err=True)
    return exit_code


def run(command: click.Command = cli) -> None:
    """Console script."""
    sys.exit(main(command=command))
