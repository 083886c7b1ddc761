"""What every measurement needs: the server, repeated timing, and one JSON line for each figure."""

import json
import os
import statistics
import time

import psycopg

FAST = bool(os.environ.get("FAST"))


def connect():
    """A connection to the benchmark's server, found through PGHOST, PGPORT and their kin."""
    return psycopg.connect(autocommit=True, options="-c client_min_messages=error")


def emit(row, who, name, values, unit):
    """One figure: `who` is ours, peer or limit; `values` are repeated measurements."""
    values = [float(value) for value in values]
    figure = {
        "row": row,
        "who": who,
        "name": name,
        "median": statistics.median(values),
        "least": min(values),
        "most": max(values),
        "unit": unit,
    }
    print(json.dumps(figure), flush=True)


def left_out(row, reason):
    """A row that cannot be measured here, and why."""
    print(json.dumps({"row": row, "who": "left out", "name": reason}), flush=True)


def seconds(run, times=3):
    """Seconds of each of some runs, after one that warms up."""
    run()
    return [once(run) for _ in range(times)]


def once(run):
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def milliseconds(run, times):
    """Sorted milliseconds of many short runs."""
    return sorted(1e3 * once(run) for _ in range(times))


def quantile(ordered, level):
    return ordered[min(len(ordered) - 1, int(level * len(ordered)))]


def train(connection, model, source, **arguments):
    """`CALL forecast_train`; returns its row."""
    arguments = {"model": model, "source": source, **arguments}
    named = ", ".join(f"{name} => %({name})s" for name in arguments)
    arguments = {name: json.dumps(v) if isinstance(v, dict) else v for name, v in arguments.items()}
    return connection.execute(f"SELECT * FROM forecast_fit({named})", arguments).fetchone()
