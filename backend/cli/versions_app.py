"""`nerloop versions`: its commands put together."""

from __future__ import annotations

import typer

from backend.cli.comparison_commands import compare
from backend.cli.decision_commands import archive, pin, unpin
from backend.cli.version_commands import (
    export,
    list_versions,
    show_lineage,
    show_version,
    verify,
)

app = typer.Typer(no_args_is_help=True, help="Look at the adapter versions of a project.")
app.command("list")(list_versions)
app.command("show")(show_version)
app.command("compare")(compare)
app.command("lineage")(show_lineage)
app.command("verify")(verify)
app.command("export")(export)
app.command("pin")(pin)
app.command("unpin")(unpin)
app.command("archive")(archive)
