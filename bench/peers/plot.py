"""The comparison as a picture: one group of bars a test, one bar an engine, in SVG."""

from xml.sax.saxutils import escape

# By order of engines: Quern's first, in one hue, then the others in greys.
QUERN = ["#c2571a", "#e08a4f", "#f0b78d"]
OTHERS = ["#5b6b7b", "#8b9aa8", "#b9c3cc"]
WIDTH, LABELS, VALUES = 720, 130, 150  # the picture, the engines' names, room behind a bar
BAR, GAP, HEAD = 18, 30, 58


def colours(engines: list[str]) -> dict[str, str]:
    ours = [e for e in engines if e.startswith("quern")]
    others = [e for e in engines if e not in ours]
    return dict(zip(ours, QUERN)) | dict(zip(others, OTHERS))


def line(x: float, y: float, text: str, size: int = 12, anchor: str = "start", bold=False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"{weight}>'
        f"{escape(text)}</text>"
    )


def svg(title: str, note: str, tests: list[tuple[str, dict[str, float]]], command: str) -> str:
    """tests: (name, engine -> tokens per second; engines that did not run are left out). Bars of a
    group are relative to its fastest."""
    engines = list(dict.fromkeys(e for _, speeds in tests for e in speeds))
    colour = colours(engines)
    body, y = [], HEAD
    for name, speeds in tests:
        body.append(line(16, y + 14, name, 13, bold=True))
        y += 22
        most = max(speeds.values(), default=1)
        for engine, speed in speeds.items():
            length = max(1.0, (WIDTH - LABELS - VALUES) * speed / most)
            body.append(line(LABELS - 8, y + 13, engine, anchor="end"))
            body.append(
                f'<rect x="{LABELS}" y="{y}" width="{length:.1f}" height="{BAR - 4}" rx="2" '
                f'fill="{colour.get(engine, OTHERS[-1])}"/>'
            )
            body.append(line(LABELS + length + 6, y + 12, f"{speed:,.1f} tokens/s"))
            y += BAR
        y += GAP - BAR
    height = y + 12
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" fill="#1f2933">',
            f"<desc>{escape(command)}</desc>",
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            line(16, 24, title, 16, bold=True),
            line(16, 44, note, 12),
            *body,
            "</svg>\n",
        ]
    )
