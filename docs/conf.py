from importlib.metadata import version as installed

import sphinx_autosummary_accessors

import xinpaint  # noqa: F401  registers the accessors that the API page lists

project = "xinpaint"
author = "xinpaint developers"
copyright = "2026, xinpaint developers"
release = version = installed("xinpaint")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx_autosummary_accessors",
]
templates_path = [sphinx_autosummary_accessors.templates_path]
exclude_patterns = ["_build"]
html_theme = "sphinx_book_theme"
html_title = "xinpaint"
html_theme_options = {"show_toc_level": 2, "home_page_in_toc": True}

autosummary_generate = True
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type"]
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 900  # a busy machine is no reason to fail
