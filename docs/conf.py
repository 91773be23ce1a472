import argparse
import os
import shutil
from importlib.metadata import version as installed
from pathlib import Path

import sphinx_autosummary_accessors

import xinpaint  # noqa: F401  registers the accessors that the API page lists
from xinpaint import cli

project = "xinpaint"
author = "xinpaint developers"
copyright = "2026, xinpaint developers"
release = version = installed("xinpaint")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_autosummary_accessors",
]
templates_path = [sphinx_autosummary_accessors.templates_path]
exclude_patterns = ["_build", "generated/commands.md"]
html_theme = "sphinx_book_theme"
html_title = "xinpaint"
html_static_path = ["_static"]
html_css_files = ["narrow.css"]
html_theme_options = {"show_toc_level": 2, "home_page_in_toc": True}

autosummary_generate = True
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type"]
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_output_stderr = "warn"  # no reader is shown a warning: the build fails first
nb_execution_timeout = 900  # a busy machine is no reason to fail

HERE = Path(__file__).parent
MADE = HERE / "generated"


def commands() -> str:
    """The help of every command, as a page says it."""
    os.environ["COLUMNS"] = "80"
    parser = cli._parser()
    chosen = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    parts = [
        f"## {name}\n\n```text\n{command.format_help().strip()}\n```\n"
        for name, command in chosen.choices.items()
    ]
    return "\n".join(parts)


def prepare() -> None:
    """Lay out what pages are made from: the commands' help, the notebooks, the changelog."""
    MADE.mkdir(exist_ok=True)
    (MADE / "commands.md").write_text(commands())
    shutil.copy(HERE.parent / "CHANGELOG.md", MADE / "changelog.md")
    for notebook in sorted((HERE.parent / "examples").glob("*.ipynb")):
        shutil.copy(notebook, MADE / notebook.name)


prepare()
