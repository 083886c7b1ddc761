#!/usr/bin/env python3
"""Writes src/engine/holidays.txt, the public holidays of options.holidays, from the Python package `holidays` (MIT).

    python3 -m venv venv && venv/bin/pip install holidays==0.109 && venv/bin/python scripts/holiday_table.py

The file begins with the package's licence and the rules that several holidays share. Then comes a line for each area
("=DE DEU Germany") and below it a line for each of its holidays: name, "|", and rules separated by blanks, which
src/engine/holidays.rs reads:

    1225             25 December of every year
    e-2, o+1         days from Western or Orthodox Easter
    0>0525           the first Monday on or after 25 May, 1 is Tuesday
    1225@1995-2010   a rule in these years only; an open side is the first or last year of the table
    :059u9u          days after 1990-01-01 or the one before, two digits of base 36 each; "zz" adds to the next one
    *7               the shared rules with this number, from 0

A subdivision ("=DE-BY") has the holidays of its country but for the names that it lists itself. Names are made ones
that come back: an estimated date is the holiday itself, a holiday moved to another day keeps its name, and a further
day off beside it is a "Substitute holiday". What happened on one day only is left out.
"""
import re
from collections import Counter, defaultdict
from datetime import date, timedelta
from importlib.metadata import files
from pathlib import Path

import holidays
from dateutil.easter import EASTER_ORTHODOX, EASTER_WESTERN, easter
from holidays.registry import COUNTRIES

YEARS = range(1990, 2061)
START = date(YEARS[0], 1, 1)
SUBSTITUTE = "Substitute holiday"
FEWEST_YEARS = 8  # in which a rule must hold to be shorter than a list of days
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
ADDED = r" \((observed|in lieu|substitute day|substituted from [^)]*)\)"


def named_days(country, subdivision=None):
    """{name: set of days}"""
    found, days = defaultdict(set), defaultdict(set)
    table = holidays.country_holidays(country, subdiv=subdivision, years=YEARS, language="en_US")
    for day in table:
        for name in table.get_list(day):
            found[re.sub(r" \(estimated\)|, estimated", "", name)].add(day)
    for name, dates in found.items():
        base = re.sub(ADDED, "", name)
        for day in dates:
            beside = base.startswith("Day off") or any(abs((day - other).days) < 30 for other in found.get(base, ()))
            days[SUBSTITUTE if base != name and beside else base].add(day)
    return {name: dates for name, dates in days.items() if len(dates) > 1}


def rules_of(day):
    """All rules that hold on a day."""
    yield f"{day:%m%d}"
    for letter, method in (("e", EASTER_WESTERN), ("o", EASTER_ORTHODOX)):
        offset = (day - easter(day.year, method)).days
        if abs(offset) <= 70:
            yield f"{letter}{offset:+d}"
    for back in range(7):
        first = day - timedelta(back)
        if first.year == day.year and (first.month, first.day) != (2, 29):
            yield f"{day.weekday()}>{first:%m%d}"


def encode(days):
    """The rules of a set of days: the one that holds longest first; what is left is a list."""
    left, rules = set(days), []
    while True:
        years = defaultdict(dict)
        for day in sorted(left):
            for rule in rules_of(day):
                years[rule][day.year] = day
        best = (0,)
        for rule, found in years.items():
            first = previous = None
            for year in sorted(found):
                first, previous = first if previous == year - 1 else year, year
                best = max(best, (year - first + 1, -len(rule), rule, first, year))
        if best[0] < FEWEST_YEARS:
            break
        _, _, rule, first, last = best
        left -= {years[rule][year] for year in range(first, last + 1)}
        within = f"{first if first != YEARS[0] else ''}-{last if last != YEARS[-1] else ''}"
        rules.append(rule if within == "-" else f"{rule}@{within}")
    text, last = "", START
    for day in sorted(left):
        whole, rest = divmod((day - last).days, 36 * 36 - 1)
        last, text = day, text + "zz" * whole + DIGITS[rest // 36] + DIGITS[rest % 36]
    return " ".join(sorted(rules) + ([f":{text}"] if left else []))


def areas():
    """(line, {name: set of days}) of every country and subdivision."""
    entries = {entry[1]: entry for entry in COUNTRIES.values()}
    for country, subdivisions in sorted(holidays.list_supported_countries(include_aliases=False).items()):
        title, _, alpha_3, *aliases = entries[country]
        titles = [re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name) for name in (title, *aliases) if name[:8] != "Holidays"]
        own = named_days(country)
        yield f"={country} {alpha_3} {'/'.join(titles)}", own
        for subdivision in sorted(subdivisions):
            theirs = named_days(country, subdivision)
            changed = [name for name in {**own, **theirs} if theirs.get(name) != own.get(name)]
            yield f"={country}-{subdivision}", {name: theirs.get(name, ()) for name in changed}


def main():
    lines = {line: {name: encode(days) for name, days in sorted(named.items())} for line, named in areas()}
    uses = Counter(rules for named in lines.values() for rules in named.values())
    shared = {rules: f"*{at}" for at, rules in enumerate(r for r, n in uses.items() if n > 1 and len(r) > 8)}
    licence = next(path for path in files("holidays") if path.name == "LICENSE").read_text()
    text = [f"# Written by scripts/holiday_table.py from the Python package holidays {holidays.__version__}:"]
    text += [f"# {line}".rstrip() for line in licence.splitlines()] + list(shared)
    for line, named in lines.items():
        text += [line, *(f"{name}|{shared.get(rules, rules)}" for name, rules in named.items())]
    target = Path(__file__).parent.parent / "src/engine/holidays.txt"
    target.write_text("\n".join(text) + "\n")
    print(target.stat().st_size, "bytes,", len(lines), "areas")


main()
