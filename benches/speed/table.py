"""Joins the figures of all measurements into one Markdown table: `table.py FIGURES`; the machine's description comes from stdin."""

import json
import sys


def number(value):
    digits = 0 if value >= 1000 else 1 if value >= 100 else 2 if value >= 10 else 3
    return f"{value:,.{digits}f}"


def shown(figure):
    text = number(figure["median"])
    if figure["least"] != figure["most"]:
        text += f" ({number(figure['least'])} to {number(figure['most'])})"
    return text


def ratio(ours, other, unit):
    """Above 1: ours is better."""
    better, worse = (ours, other) if unit.endswith("/s") else (other, ours)
    return f"{better / worse:.2f}" if worse else "-"


def best(figures, who):
    own = [figure for figure in figures if figure["who"] == who]
    pick = max if own and own[0]["unit"].endswith("/s") else min
    return pick(own, key=lambda figure: figure["median"]) if own else None


def main():
    rows = {}
    for line in open(sys.argv[1], encoding="utf-8"):
        figure = json.loads(line)
        rows.setdefault(figure["row"], []).append(figure)
    print("# Speed and memory\n")
    print(sys.stdin.read().strip() + "\n")
    print("Medians, with the least and the most of all repetitions; ratios above 1 say that ours is better. Of several peers or limits the best one is in the table, all are below it.\n")
    print("| what | unit | ours | peer | limit | ours : peer | ours : limit |")
    print("|---|---|---|---|---|---|---|")
    others = []
    for row, figures in rows.items():
        reasons = [figure["name"] for figure in figures if figure["who"] == "left out"]
        ours, peer, limit = (best(figures, who) for who in ("ours", "peer", "limit"))
        if not ours:
            print(f"| {row} | | not measured: {'; '.join(reasons)} | | | | |")
            continue
        unit = ours["unit"]
        named = [f"{figure['name']}: {shown(figure)}" if figure else "-" for figure in (peer, limit)]
        ratios = [ratio(ours["median"], other["median"], unit) if other else "-" for other in (peer, limit)]
        print("| " + " | ".join([row, unit, shown(ours), *named, *ratios]) + " |")
        others += [(row, figure) for figure in figures if figure["who"] in ("peer", "limit") and figure not in (peer, limit)]
        others += [(row, {"who": "note", "name": reason}) for reason in reasons]
    if others:
        print("\nFurther figures:\n")
        for row, figure in others:
            print(f"- {row}: {figure['name']}" + (f": {shown(figure)} {figure['unit']}" if "unit" in figure else ""))


main()
