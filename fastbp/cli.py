"""The command line: fastbp mnist, fastbp book, fastbp info, fastbp warmup.

Exit status 0 is success, 2 a user's mistake, 130 Ctrl-C. A mistake is answered by one line on
stderr that begins with the command and says what is wrong and where; results go to stdout.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any, NoReturn

import click

from fastbp import __version__
from fastbp.architecture import HIDDEN
from fastbp.book_cli import book
from fastbp.errors import DivergenceError
from fastbp.info import describe
from fastbp.mnist_run import LEARNING_RATES, MnistRun
from fastbp.threads import MOST_THREADS
from fastbp.warmup import describe_warmup

__all__ = ["main"]

USER_MISTAKE, INTERRUPTED = 2, 130

# What the API and the file system raise for a user's mistake; anything else is a bug of ours.
MISTAKES = (ValueError, OSError, ImportError, MemoryError, DivergenceError)


class Program(click.Group):
    """A group of commands that answers a mistake with one line, where click prints several."""

    def main(self, *arguments: Any, **options: Any) -> NoReturn:
        """Run a command, and exit."""
        options["standalone_mode"] = False  # so that click raises what it would print
        options["prog_name"] = self.name  # also where this is not run from the installed script
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always", UserWarning)
                warnings.showwarning = _show_warning
                status = super().main(*arguments, **options)
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else self.name
            _fail(f"{where}: {_one_line(error.format_message())}", USER_MISTAKE)
        except click.ClickException as error:
            _fail(error.format_message(), USER_MISTAKE)
        except click.Abort:
            _fail(f"{self.name}: interrupted", INTERRUPTED)
        raise SystemExit(status if isinstance(status, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was chosen; say which it was when it fails."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader of stdout has left: click ends quietly
            raise
        except MISTAKES as error:
            command = f"{ctx.command_path} {ctx.invoked_subcommand}"
            raise click.ClickException(f"{command}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return _one_line(str(error))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _fail(line: str, status: int) -> NoReturn:
    click.echo(line, err=True)
    raise SystemExit(status)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    click.echo(f"warning: {message}", err=True)


class _Echo(logging.Handler):
    """Prints what is logged, to stderr as it is now: tests exchange it."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=True)


def layer_sizes(_: click.Context, __: click.Parameter, value: str) -> tuple[int, ...]:
    """Return the sizes of hidden layers that 256,128 stands for."""
    sizes = value.split(",")
    if not all(size.strip().isdecimal() and int(size) > 0 for size in sizes):
        raise click.BadParameter(f"{value!r} is not a list of positive integers, as in 256,128.")
    return tuple(map(int, sizes))


@click.group(name="fastbp", cls=Program, invoke_without_command=True)
@click.version_option(__version__, prog_name="fastbp", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Train multi-layer perceptrons by backpropagation, on CPUs."""
    logger, handler = logging.getLogger("fastbp"), _Echo()
    before = logger.level, logger.propagate

    def restore() -> None:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]

    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    ctx.call_on_close(restore)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@main.command(context_settings={"show_default": True})
@click.option(
    "--hidden",
    default="256,128",
    metavar="SIZES",
    callback=layer_sizes,
    help="Neurons of the hidden layers.",
)
@click.option("--epochs", type=click.IntRange(1), default=10, help="Passes over the images.")
@click.option("--batch-size", type=click.IntRange(1), default=64, help="Images of a step.")
@click.option("--optimizer", type=click.Choice(tuple(LEARNING_RATES)), default="adam")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    show_default=", ".join(f"{rate:g} for {name}" for name, rate in LEARNING_RATES.items()),
    help="Of the first step; it falls to 0 along a cosine.",
)
@click.option("--activation", type=click.Choice(HIDDEN), default="relu", help="Of hidden layers.")
@click.option(
    "--dropout",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    help="Rate at which hidden activations are dropped.",
)
@click.option("--seed", type=click.IntRange(0), default=0, help="Same seed, same result.")
@click.option(
    "--threads",
    type=click.IntRange(1, MOST_THREADS),
    show_default="by the work of a step",
    help="At most; they change the speed, not the result.",
)
@click.option(
    "--data",
    "path",
    type=click.Path(exists=True, path_type=Path),
    show_default="cache, web, or the sample in fastbp",
    help="MNIST, or data of its form: a folder of IDX files, an npz, or mnist.pkl.gz.",
)
@click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to keep the training in after each epoch, and to go on from where it exists.",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Picture to write: learning curves, weights, confusion matrix, worst mistakes.",
)
def mnist(path: Path | None, plot: Path | None, **settings: Any) -> None:
    """Train a net on the MNIST digits, and test it.

    The last twelfth of the training images is held out for validation. Training loss and accuracy
    are those of each batch before its step, with dropout; the test images are used once, at the
    end.
    """
    MnistRun(**settings).run(path, plot, click.echo)


main.add_command(book)


@main.command()
def info() -> None:
    """Say what fastbp runs on, and where it keeps compiled kernels."""
    for line in describe():
        click.echo(line)


@main.command()
def warmup() -> None:
    """Compile all kernels now, so that later programs start at once."""
    describe_warmup(click.echo)
