"""The measures of benches/accuracy/metrics.sql against numpy, on random series with gaps; with METRICS=FILE.py and DATA=FOLDER also
against that file's `score(Y, P, Q, past, m)`, on them and on a benchmark set that has just been forecast."""
import importlib.util
import os

import numpy as np
import psycopg

db = psycopg.connect(autocommit=True)
LEVELS = [0.025, *np.arange(1, 10) / 10, 0.975]
NAMES = ["mase", "mase_series", "rmsse", "wape", "smape", "wql", "bias", "cov80", "cov95"]


def scales(history, season):
    """Mean absolute and mean squared seasonal difference of one series, of neighbours where no season fits; NaN for none or zero."""
    for lag in (season, 1):
        difference = history[lag:] - history[:-lag]
        difference = difference[~np.isnan(difference)]
        if difference.size:
            return [value if value > 0 else np.nan for value in (np.abs(difference).mean(), (difference**2).mean())]
    return [np.nan, np.nan]


def measures(actual, forecast, quantiles, histories, season):
    """Series by series, as the definitions read: actual and forecast `[series, step]`, quantiles `[series, step, level]`."""
    scaled, mase, rmsse, smape, error, size, loss, inside = [], [], [], [], [], [], [], []
    for y, f, q, history in zip(actual, forecast, quantiles, histories):
        y, f, q = (part[~np.isnan(y)] for part in (y, f, q))
        absolute, squared = scales(history, season)
        scaled.extend(abs(y - f) / absolute)
        mase.append(np.mean(abs(y - f)) / absolute if y.size else np.nan)
        rmsse.append(np.sqrt(np.mean((y - f) ** 2) / squared) if y.size else np.nan)
        both = abs(y) + abs(f)
        smape.append(np.mean(2 * abs(y - f)[both > 0] / both[both > 0]) if (both > 0).any() else np.nan)
        error.extend(f - y)
        size.extend(abs(y))
        loss.extend(np.mean([2 * np.maximum(p * (y - v), (p - 1) * (y - v)) for p, v in zip(LEVELS[1:10], q.T[1:10])], axis=0))
        inside.extend(zip((y >= q[:, 1]) & (y <= q[:, 9]), (y >= q[:, 0]) & (y <= q[:, 10])))
    cover = np.mean(inside, axis=0)
    wape, bias = np.sum(np.abs(error)) / np.sum(size), np.sum(error) / np.sum(size)
    means = [np.nanmean(part) for part in (scaled, mase, rmsse)]
    return dict(zip(NAMES, [*means, wape, 100 * np.nanmean(smape), np.mean(loss) / np.mean(size), bias, *cover]))


def other_measures(actual, forecast, quantiles, histories, season):
    """The same from the file METRICS."""
    spec = importlib.util.spec_from_file_location("other", os.environ["METRICS"])
    other = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(other)
    levels = {round(float(level), 3): quantiles[:, :, at] for at, level in enumerate(LEVELS)}
    score = other.score(actual, forecast, levels, histories, season)
    return {name.lower(): value for name, value in score.items() if name.lower() in NAMES}


def compare(found, panel, what):
    for source in [measures] + ([other_measures] if "METRICS" in os.environ else []):
        for name, expected in source(*panel).items():
            close = abs(found[name] - expected) <= 1e-9 * max(1.0, abs(expected))
            assert close, f"{what}, {source.__name__}, {name}: {found[name]} is not {expected}"


def score(history, points, season):
    cursor = db.execute("SELECT * FROM bench.score(%s, %s, %s)", (history, points, season))
    return dict(zip([column.name for column in cursor.description], cursor.fetchone()))


def copy(table, rows):
    with db.cursor().copy(f"COPY {table} FROM STDIN") as out:
        for row in rows:
            out.write_row([None if isinstance(value, float) and np.isnan(value) else value for value in row])


def random_series():
    """Gaps on both sides of the origin, series shorter than a season, constant and all zero ones, a series without a scored step."""
    rng = np.random.default_rng(5)
    series, horizon, season = 40, 9, 7
    histories = [rng.poisson(3, rng.integers(3, 60)).astype(float) for _ in range(series)]
    histories[0][:] = 0
    histories[1][:] = 4
    for history in histories[2:]:
        history[rng.random(history.size) < 0.15] = np.nan
    actual = rng.poisson(2, (series, horizon)).astype(float)
    actual[rng.random(actual.shape) < 0.1] = np.nan
    actual[3] = np.nan
    actual[4] = 0
    quantiles = np.sort(rng.gamma(2, 1.5, (series, horizon, 11)), axis=2).round(3)
    forecast = quantiles[:, :, 5].copy()
    forecast[4, :5] = 0
    db.execute("""CREATE TABLE random_history (id text, step int, y float8);
        CREATE TABLE random_point (id text, actual float8, forecast float8, quantiles float8[])""")
    copy("random_history", [(str(i), step, float(y)) for i, history in enumerate(histories) for step, y in enumerate(history)])
    steps = [(i, k) for i in range(series) for k in range(horizon)]
    copy("random_point", [(str(i), float(actual[i, k]), float(forecast[i, k]), quantiles[i, k].tolist()) for i, k in steps])
    for m in (season, 1, 52):
        found = score("TABLE random_history", "TABLE random_point", m)
        compare(found, (actual, forecast, quantiles, histories, m), f"random series, season {m}")
    naive = db.execute("SELECT id::int, step, forecast FROM bench.seasonal_naive('TABLE random_history', %s, %s)", (season, horizon))
    naive = naive.fetchall()
    for i, step, found in naive:
        history = histories[i]
        filled = [history[: at + 1][~np.isnan(history[: at + 1])] for at in range(history.size)]
        filled = [known[-1] if known.size else None for known in filled]
        at = len(filled) - season + (step - 1) % season
        expected = filled[at] if at >= 0 and filled[at] is not None else filled[-1]
        assert found == expected, f"seasonal naive of {i} at {step}: {found} is not {expected}"
    assert len(naive) == series * horizon
    print("measures of metrics.sql: as numpy on random series with gaps")


def benchmark_sets():
    """What origin.sql has left in bench.point and bench.result."""
    ran = db.execute("SELECT task, scale, origin FROM bench.result WHERE who = 'sales_forecast' ORDER BY 1, 2, 3").fetchall()
    for window in ran:
        task, season, origin = window
        history = db.execute("SELECT history FROM bench.origin(%s, %s)", (task, origin)).fetchone()[0]
        past = {}
        for name, y in db.execute(f"SELECT id, y FROM ({history}) AS history ORDER BY id, step").fetchall():
            past.setdefault(name, []).append(np.nan if y is None else y)
        points = db.execute("""SELECT id, actual, forecast, quantiles FROM bench.point
            WHERE (task, origin) = (%s, %s) ORDER BY id, step""", (task, origin)).fetchall()  # fmt: skip
        horizon = len(points) // len(past)
        assert [row[0] for row in points] == [name for name in past for _ in range(horizon)]
        actual = np.array([np.nan if row[1] is None else row[1] for row in points]).reshape(-1, horizon)
        forecast = np.array([row[2] for row in points]).reshape(-1, horizon)
        quantiles = np.array([row[3] for row in points]).reshape(-1, horizon, len(LEVELS))
        found = db.execute(f"""SELECT {", ".join(NAMES)} FROM bench.result
            WHERE (task, scale, origin, who) = (%s, %s, %s, 'sales_forecast')""", window).fetchone()  # fmt: skip
        compare(dict(zip(NAMES, found)), (actual, forecast, quantiles, [np.array(y) for y in past.values()], season), task)
        print(f"{task}, season {season}, origin {origin}: every measure agrees")


random_series()
if "DATA" in os.environ:
    benchmark_sets()
