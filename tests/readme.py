"""Runs the SQL of README.md in order, and compares what it shows with what comes out.

A ```text block shows the output of the ```sql block before it. Numbers may differ by 5 % and one unit of the last digit
shown, as other processors round differently; seconds may be anything; alignment does not count. ACCEPT=1 writes what
comes out into the README.
"""
import os
import re
import subprocess
import sys

readme = open(sys.argv[1]).read()
blocks = re.findall(r"^```(sql|text)\n(.*?)^```", readme, re.S | re.M)


def cells(output):
    """The table's cells by row, and the lines around it; row counts and rules are layout."""
    lines = [line for line in output.splitlines() if line.strip() and not re.fullmatch(r"[-+ ]+|\(\d+ rows?\)", line)]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def agrees(shown, found):
    try:
        expected, value = float(shown), float(found)
    except ValueError:
        return shown == found
    unit = 10.0 ** -len(shown.partition(".")[2])
    return abs(expected - value) <= 0.05 * abs(expected) + unit


failed = 0
output = ""
for kind, text in blocks:
    if kind == "sql":
        run = subprocess.run(["psql", "-X", "-v", "ON_ERROR_STOP=1"], input=text, text=True, capture_output=True)
        notices = [line for line in run.stderr.splitlines() if not re.match(r"NOTICE:  \w+: +\d+ %", line)]
        output = "\n".join(notices) + "\n" + run.stdout
        if run.returncode:
            print(f"{text}\n{run.stderr}")
            failed += 1
        continue
    shown, found = cells(text), cells(output)
    seconds = {row.index("seconds") for row in shown if "seconds" in row}
    same = len(shown) == len(found) and all(
        len(a) == len(b) and all(i in seconds or agrees(x, y) for i, (x, y) in enumerate(zip(a, b)))
        for a, b in zip(shown, found)
    )
    if not same and os.environ.get("ACCEPT"):
        lines = [line.rstrip() for line in output.splitlines() if line.strip() and not re.fullmatch(r"\(\d+ rows?\)", line)]
        readme = readme.replace(text, "\n".join(lines) + "\n")
    elif not same:
        print(f"README shows\n{text}but it is\n{output}")
        failed += 1
if os.environ.get("ACCEPT"):
    open(sys.argv[1], "w").write(readme)
sys.exit(failed > 0)
