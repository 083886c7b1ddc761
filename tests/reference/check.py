"""Least squares, every error measure, and the classic networks: SQL against numpy and torch."""
import json

import numpy as np
import psycopg
import torch

db = psycopg.connect(autocommit=True)


def rows(sql, *parameters):
    return db.execute(sql, parameters or None).fetchall()


def close(found, expected, what, within=1e-4):
    assert abs(found - expected) <= within * max(1.0, abs(expected)), f"{what}: {found} is not {expected}"


def least_squares():
    """hidden: [] is linear regression; the coefficients of numpy.linalg.lstsq, to four digits."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 3)).round(4)
    y = (x @ [3, -2, 0.5] + 1 + 0.1 * rng.normal(size=500)).round(4)
    db.execute("CREATE TABLE line (a float8, b float8, c float8, y float8)")
    with db.cursor().copy("COPY line FROM STDIN") as copy:
        for row in np.column_stack([x, y]):
            copy.write_row(row.tolist())
    rows("""SELECT 1 FROM forecast_fit('line', 'line', 'y', options => '{"test_share": 0.01,
         "network": {"hidden": [], "epochs": 800, "batch_size": 500, "learning_rate": 0.05}}')""")
    solution = np.linalg.lstsq(np.column_stack([x, np.ones(500)]), y, rcond=None)[0]
    for point in [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [2, -1, 1]]:
        features = json.dumps(dict(zip("abc", point)))
        found = rows("SELECT forecast('line', features => %s::jsonb)", features)[0][0]
        close(found, solution @ [*point, 1], f"least squares at {point}", 1e-3)
    print("least squares: as numpy.linalg.lstsq")


def measures(actual, forecast, history, season):
    """The definitions of the field over `[series, step]`, the scale of each series from its history."""
    error = forecast - actual
    lag = [h[season:] - h[:-season] for h in history]
    absolute = np.array([np.abs(d).mean() for d in lag])[:, None]
    squared = np.array([(d**2).mean() for d in lag])[:, None]
    size = np.abs(actual) + np.abs(forecast)
    with np.errstate(invalid="ignore", divide="ignore"):
        smape = np.nanmean(np.where(size > 0, 200 * np.abs(error) / size, np.nan))
    return {
        "mse": (error**2).mean(), "mae": np.abs(error).mean(), "rmse": np.sqrt((error**2).mean()),
        "wape": np.abs(error).sum() / np.abs(actual).sum(), "smape": smape, "bias": error.sum() / np.abs(actual).sum(),
        "mase": (np.abs(error) / absolute).mean(), "rmsse": np.sqrt((error**2 / squared).mean(1)).mean(),
    }  # fmt: skip


def evaluation():
    """forecast_evaluate against forecasts made as of the day before the held-out window."""
    horizon, season = 14, 7
    db.execute("""CREATE TABLE daily AS SELECT category, day, sum(units)::float8 AS units FROM sales_until_december
        WHERE category IN (SELECT category FROM sales_until_december GROUP BY 1 ORDER BY sum(units) DESC LIMIT 20) GROUP BY 1, 2""")
    rows(f"""SELECT 1 FROM forecast_fit('held', 'daily', 'units', 'day', '{{category}}', {horizon},
         options => '{{"refit": false, "series_end": "common", "method": "network", "backtest": {{"windows": 1}},
                      "network": {{"members": 2, "epochs": 3}}}}')""")
    names = [name for (name,) in rows("SELECT DISTINCT category FROM daily ORDER BY 1")]
    first, last = rows("SELECT min(day), max(day) FROM daily")[0]
    origin = rows("SELECT (max(day) - %s)::timestamptz FROM daily", horizon)[0][0]
    said = rows("SELECT series->>'category', forecast, lower, upper FROM forecast('held', as_of => %s) ORDER BY 1, time", origin)
    quantiles = rows("""SELECT series->>'category', time, quantile, value FROM forecast_quantiles('held',
        '{0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9}', as_of => %s) ORDER BY 1, 2, 3""", origin)
    days = (last - first).days + 1
    values = np.zeros((len(names), days))
    for name, day, units in rows("SELECT category, day, units FROM daily"):
        values[names.index(name), (day - first).days] += units
    starts = [int(np.flatnonzero(v)[0]) for v in values]
    actual, history = values[:, -horizon:], [v[s:-horizon] for v, s in zip(values, starts)]
    forecast = np.array([row[1] for row in said]).reshape(len(names), horizon)
    found = dict(zip(*_columns("SELECT * FROM forecast_evaluate('held')")))
    for name, expected in measures(actual, forecast, history, season).items():
        close(found[name], expected, name)
    naive = np.array([h[-season:][np.arange(horizon) % season] for h in history])
    close(found["baseline_value"], measures(actual, naive, history, season)["mase"], "seasonal naive")
    q = np.array([row[3] for row in quantiles]).reshape(len(names), horizon, 9)
    level = np.arange(1, 10) / 10
    error = actual[:, :, None] - q
    pinball = 2 * np.maximum(level * error, (level - 1) * error)
    # Widths of intervals follow the window that was scored without them.
    close(found["wql"], pinball.mean(2).sum() / actual.sum(), "wql", 0.03)
    held = rows("SELECT lower, upper, forecast FROM forecast_backtest('held', 1, %s) ORDER BY series->>'category', time", horizon)
    lower, upper, again = (np.array([row[at] for row in held]).reshape(actual.shape) for at in range(3))
    assert np.allclose(again, forecast, rtol=1e-5), "a backtest on demand forecasts what was scored"
    close(found["coverage_80"], ((actual >= lower) & (actual <= upper)).mean(), "coverage")
    winkler = (upper - lower) + 10 * np.maximum(lower - actual, 0) + 10 * np.maximum(actual - upper, 0)
    close(found["winkler_80"], winkler.mean(), "winkler", 1e-3)
    names_by_series, by_series = _columns("SELECT * FROM forecast_evaluate('held', by => 'series')", all_rows=True)
    for row in by_series:
        found = dict(zip(names_by_series, row))
        at = names.index(found["series"]["category"])
        for name, expected in measures(actual[at : at + 1], forecast[at : at + 1], history[at : at + 1], season).items():
            close(found[name], expected, f"{name} of {names[at]}")
    print(f"{len(names)} series: every measure as numpy has it, and forecasts as of the origin are those that were scored")


def _columns(sql, all_rows=False):
    cursor = db.execute(sql)
    names = [column.name for column in cursor.description]
    return names, cursor.fetchall() if all_rows else cursor.fetchone()


def classic():
    """The same features, split and networks in torch: our test error is no worse than 3 % above the mean of three seeds."""
    data = rows("SELECT day, purchase_frequency, product_sales, avg_rating, spent FROM classic ORDER BY day")
    x = np.array([[float("nan") if v is None else float(v) for v in row[1:4]] for row in data])
    y = np.array([float(row[4]) for row in data])
    split = len(y) - round(0.2 * len(y))
    low, high = np.nanmin(x[:split], 0), np.nanmax(x[:split], 0)
    scaled = np.hstack([np.nan_to_num((x - low) / (high - low)), np.isnan(x)]).astype("f4")
    x_train, x_test = (torch.from_numpy(part) for part in (scaled[:split], scaled[split:]))
    bottom, top = y[:split].min(), y[:split].max()
    y_train = torch.from_numpy(((y[:split] - bottom) / (top - bottom)).astype("f4"))
    mean = ((y[split:] - y[:split].mean()) ** 2).mean()
    for hidden in (10, 128):
        errors = []
        for seed in range(3):
            torch.manual_seed(seed)
            net = torch.nn.Sequential(torch.nn.Linear(6, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 1))
            adam = torch.optim.Adam(net.parameters(), lr=1e-3)
            for _ in range(100):
                for batch in torch.randperm(split).split(32):
                    adam.zero_grad()
                    torch.nn.functional.mse_loss(net(x_train[batch])[:, 0], y_train[batch]).backward()
                    adam.step()
            with torch.no_grad():
                said = np.maximum(net(x_test)[:, 0].numpy() * (top - bottom) + bottom, 0)
            errors.append(((said - y[split:]) ** 2).mean())
        (ours,) = rows("SELECT value FROM forecast_models WHERE model = %s", f"classic_{hidden}")[0]
        print(f"3-{hidden}-1: test MSE {ours:.1f}, torch {' '.join(f'{e:.1f}' for e in errors)}, mean of the training rows {mean:.1f}")
        assert ours <= 1.03 * np.mean(errors)


least_squares()
evaluation()
classic()
