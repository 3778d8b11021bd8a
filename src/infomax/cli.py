"""The command line: a verb is a function. Bad input exits with 2 and one message."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Learn by maximizing mutual information between views, and say it honestly, in nats.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
recipes_app = typer.Typer(help="The shipped recipes, one paper each.", invoke_without_command=True)
app.add_typer(recipes_app, name="recipes")

ALONE = 3.0
"""Seconds after which torchrun has ended the other processes, if the first one failed too."""

Recipe = Annotated[str, typer.Argument(help="A shipped recipe's name, or a YAML file.")]
AllowCode = Annotated[
    bool, typer.Option("--allow-code", help="Import encoders the recipe names as python: ....")
]
Run = Annotated[Path, typer.Argument(help="A run folder, as `infomax train --out` wrote it.")]


@app.command()
def train(
    recipe: Recipe,
    data: Annotated[
        str | None, typer.Option(help="SOURCE or SOURCE:PATH instead of the recipe's data.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run folder; runs/RECIPE if not given.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, e.g. train.epochs=5; repeatable.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the run in --out.")] = False,
    allow_code: AllowCode = False,
    profile: Annotated[bool, typer.Option(help="Show where a step's time goes.")] = False,
) -> None:
    """Train a recipe, evaluate it on held-out data, and write a report.

    [dim]infomax train mnist-halves
    infomax train simclr --data fashion-mnist:DIR --set train.epochs=5 --out runs/fashion
    torchrun --nproc-per-node 2 -m infomax train mnist-halves[/dim]
    """
    from infomax import console, runs
    from infomax import recipe as recipes
    from infomax.data import override
    from infomax.engine import Clock

    chosen = recipes.read(recipe, set_)
    if data is not None:
        chosen = chosen.model_copy(update={"data": override(chosen.data, data)})
    folder = out or Path("runs") / Path(chosen.name).name
    clock = Clock(on=profile)
    try:
        with console.Progress(silent=_process() > 0) as progress:
            results = runs.train(
                chosen,
                folder,
                resume=resume,
                allow_code=allow_code,
                watch=progress.step,
                say=progress.say,
                note=progress.note,
                clock=clock,
            )
    except KeyboardInterrupt as stopped:
        how = str(stopped) or "the last saved state is whole; go on with --resume"
        if _process() == 0:
            sys.stderr.write(f"infomax: interrupted: {how}\n")
        raise typer.Exit(130) from None
    if results is None:  # one of several processes, and not the first
        return
    if profile:
        console.profile(clock.table())
    console.table(results)
    console.line(f"report: {folder / 'report.html'}")


@app.command()
def evaluate(
    run: Run,
    data: Annotated[
        str | None, typer.Argument(help="SOURCE or SOURCE:PATH instead of the run's data.")
    ] = None,
    allow_code: AllowCode = False,
) -> None:
    """Evaluate a run again, on its own data or on other data.

    Own data: results.json and the report are written anew. Other data: a table only.
    """
    from infomax import console, runs

    with console.Progress() as progress:
        results = runs.evaluate(run, data, allow_code=allow_code, say=progress.say)
    console.table(results)
    if data is None:
        console.line(f"report: {run / 'report.html'}")


@app.command()
def embed(
    run: Run,
    data: Annotated[str, typer.Argument(help="SOURCE or SOURCE:PATH.")],
    view: Annotated[str, typer.Option(help="The view to write, named as in the recipe.")],
    out: Annotated[Path, typer.Option(help="FILE.npy or FILE.parquet.")],
    allow_code: AllowCode = False,
) -> None:
    """Write one view of every context as an array (.npy) or a table (.parquet)."""
    import numpy as np

    from infomax import console, runs
    from infomax.records import check_target, writing

    check_target(out, "--out", ".npy", ".parquet")
    with console.Progress() as progress:
        progress.say("embedding")
        array, contexts = runs.embed(run, data, view, allow_code=allow_code)
    with writing(out):
        runs.write_array(array, contexts, out)
    console.line(f"wrote {' x '.join(map(str, array.shape))} to {out}")
    lacking = int(np.isnan(array).reshape(len(array), -1).any(1).sum())
    if lacking:
        console.line(f"{lacking} of these contexts lack the view: NaN in their rows")


@app.command()
def report(
    run: Run,
    figures: Annotated[
        Path | None, typer.Option(help="Write the drawings to this folder too, as SVG and PNG.")
    ] = None,
) -> None:
    """Write report.html of a run folder anew, and figures for a paper."""
    from infomax import console
    from infomax import report as reports

    console.line(f"report: {reports.write(run)}")
    if figures is not None:
        for path in reports.write_figures(run, figures):
            console.line(f"figure: {path}")


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Run folders.")],
    out: Annotated[Path | None, typer.Option(help="Write the page FILE.html as well.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Put runs side by side: nats, probes, retrieval, profiles, and what differs in the recipes.

    [dim]infomax compare runs/simclr runs/dim-local --out compare.html[/dim]
    """
    from infomax import comparison, console
    from infomax.records import check_target, dumps

    if out is not None:
        check_target(out, "--out", ".html")
    found = comparison.compare(folders)
    if out is not None:
        comparison.write(found, out)
    if json:
        sys.stdout.write(dumps(found.to_json(), indent=2) + "\n")
        return
    console.compared(found)
    if out is not None:
        console.line(f"page: {out}")


@app.command()
def explore(
    run: Run,
    data: Annotated[
        str | None, typer.Argument(help="SOURCE or SOURCE:PATH instead of the run's data.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="8765 if not given, or one that is free.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Another address than this machine's own: others can reach it.")
    ] = "127.0.0.1",
    max_upload: Annotated[float, typer.Option(min=0.001, help="MB that may be sent.")] = 10.0,
    allow_code: AllowCode = False,
) -> None:
    """Open a page to search a run: by a picture, a sound, a sentence, or a context.

    It is served to this machine alone, from this machine alone, until Ctrl-C.
    """
    from infomax import console
    from infomax import explore as exploring

    with exploring.listening(host, port) as door:
        try:
            with console.Progress() as progress:
                index = exploring.opened(run, data, allow_code=allow_code, say=progress.say)
        except KeyboardInterrupt:
            sys.stderr.write("infomax: interrupted\n")
            raise typer.Exit(130) from None
        exploring.serve(index, door, host, upload=round(max_upload * 1e6), say=console.line)


@app.command()
def estimate(
    x: Annotated[str, typer.Argument(help="FILE.npy, FILE.npz:key, FILE.csv:col,col, .parquet.")],
    y: Annotated[str, typer.Argument(help="The paired rows, likewise.")],
    given: Annotated[str | None, typer.Option(help="Rows of Z: estimate I(X; Y | Z).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw to FILE.html or FILE.png.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same answer.")] = 0,
    budget: Annotated[float | None, typer.Option(help="Seconds to take, about.")] = None,
    max_dropped: Annotated[
        float, typer.Option(help="Share of rows that may be dropped for NaN or infinity.")
    ] = 0.1,
    discrete: Annotated[
        str, typer.Option(help="Which hold classes: auto, x, y, both or none.")
    ] = "auto",
) -> None:
    """Estimate how much X and Y tell about each other, in nats, with what may be claimed.

    [dim]infomax estimate x.npy y.npy
    infomax estimate table.csv:age,weight table.csv:disease --json --plot found.html[/dim]
    """
    from infomax.estimation import command

    command.run(
        x,
        y,
        given=given,
        as_json=json,
        plot=plot,
        seed=seed,
        budget=budget,
        max_dropped=max_dropped,
        discrete=discrete,
    )


@recipes_app.callback()
def recipes(context: typer.Context) -> None:
    """List the shipped recipes with their paper and views."""
    if context.invoked_subcommand is None:
        from infomax import console
        from infomax import recipe as schema

        console.recipes({name: schema.read(name) for name in schema.shipped()})


@recipes_app.command()
def show(name: Annotated[str, typer.Argument(help="A shipped recipe's name.")]) -> None:
    """Print a recipe as YAML, ready to edit."""
    from infomax import recipe as schema

    schema.read(name)
    sys.stdout.write(schema.shipped()[name].read_text(encoding="utf-8"))


def _process() -> int:
    """Number of this process among those that torchrun started; 0 where there is one."""
    return int(os.environ.get("RANK", "0"))


def main() -> None:
    """Run the command line; the entry point of `infomax` and of ``python -m infomax``.

    One of several processes ends without the teardown of the libraries that joined them: now and
    then it aborts (SIGABRT, threads of its own not joined), and torchrun then kills the others in
    the middle of their work.
    """
    try:
        _run()
    except SystemExit as ended:
        if os.environ.get("WORLD_SIZE", "1") == "1":
            raise
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(ended.code or 0))


def _run() -> None:
    """Always ends in SystemExit; what cannot be done is told in one message."""
    from infomax._errors import InfomaxError

    try:
        app()
    except InfomaxError as error:
        if _process() > 0:  # the first process says it; this one only if that one does not
            time.sleep(ALONE)
        sys.stderr.write(f"infomax: this cannot be done\n{error}\n")
        sys.exit(2)
