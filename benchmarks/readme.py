"""The table of the README, out of docs/results-time.md: `python -m benchmarks.readme` writes it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
START, END = "<!-- results: python -m benchmarks.readme -->", "<!-- end of results -->"
#: Section of the page -> column of the README.
SECTIONS = {
    "Oakville: real SLC-off gaps, the truth one day away": "SLC-off: next day's truth",
    "Oakville: the same dates under each other's gaps, the truth their own": "SLC-off: own truth",
    "Oakville: SLC-off gaps over clear dates": "clear dates",
    "Two dates of places never trained on": "other places",
}
#: Row of the page -> name in the README.
ROWS = {
    "fillnodata": "GDAL `fillnodata`",
    "telea r=9": "OpenCV Telea",
    "biharmonic": "scikit-image biharmonic",
    "linear_time": "linear in time",
    "histogram": "local histogram matching (USGS)",
    "nspi": "NSPI (Chen et al. 2011)",
    "regression": "local regression",
    "convnp K=6": "`convnp`",
}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def section(page: str, title: str) -> dict[str, dict[str, str]]:
    """The table under a title: method -> column -> cell."""
    part = page.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    head = cells(lines[0])
    rows = [dict(zip(head, cells(line), strict=True)) for line in lines[2:]]
    return {row["method"]: row for row in rows}


def table(page: str) -> str:
    """Mean PSNR of each method in dB, the best in bold; how often the 90 % interval holds."""
    found = {short: section(page, title) for title, short in SECTIONS.items()}
    lines = ["| PSNR of the hidden pixels, dB | " + " | ".join(found) + " |"]
    lines.append("|---" * (len(found) + 1) + "|")
    scores = {k: [rows[k]["mean PSNR"].strip("*") for rows in found.values()] for k in ROWS}
    best = [max(map(float, column)) for column in zip(*scores.values(), strict=True)]
    for key, name in ROWS.items():
        told = [f"**{s}**" if float(s) == b else s for s, b in zip(scores[key], best, strict=True)]
        lines.append(f"| {name} | " + " | ".join(told) + " |")
    inside = [rows["convnp K=6"]["90 %"] for rows in found.values()]
    lines.append("| truth inside `convnp`'s 90 % interval | " + " | ".join(inside) + " |")
    return "\n".join(lines)


def written(readme: str, made: str) -> str:
    """The README with this table in its place."""
    before, rest = readme.split(START, 1)
    return f"{before}{START}\n\n{made}\n\n{END}{rest.split(END, 1)[1]}"


def main() -> None:
    readme = ROOT / "README.md"
    made = table((ROOT / "docs" / "results-time.md").read_text())
    readme.write_text(written(readme.read_text(), made))
    print(made)


if __name__ == "__main__":
    main()
