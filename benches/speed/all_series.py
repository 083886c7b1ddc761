"""Forecasts of all series of a large retailer: 28 days of each from 1,941 days of history."""

import time

import numpy as np
import pandas as pd

from measure import FAST, connect, emit, left_out, once, train
from networks import Ensemble
from scale import create

SERIES, DAYS, HORIZON, LOOKBACK = (1_000 if FAST else 30_490), 1_941, 28, 56
ROW = f"all series, one network: {SERIES:,} x {HORIZON} days from {DAYS:,} days of history"
SAMPLE = 24 if FAST else 100


def statsforecast(connection):
    """Seconds of AutoETS for a sample of series, scaled to all of them; one process."""
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS

    frame = pd.DataFrame(connection.execute("SELECT store * 100000 + item, day, sold FROM retail WHERE item <= 10 ORDER BY 1, 2 LIMIT %s", (SAMPLE * DAYS,)).fetchall(), columns=["unique_id", "ds", "y"])
    frame["ds"] = pd.to_datetime(frame["ds"])
    model = StatsForecast(models=[AutoETS(season_length=7)], freq="D")
    taken = once(lambda: model.forecast(df=frame, h=HORIZON))
    return taken * SERIES / frame["unique_id"].nunique()


def main():
    connection = connect()
    create(connection, SERIES, DAYS, covariates=0)
    train(connection, "retail", "retail", target="sold", time_column="day", series_columns=["store", "item"], horizon=HORIZON, frequency="day",
          options={"method": "network", "network": {"members": 1}, "backtest": {"windows": 0}})
    forecast = "SELECT count(*), sum(forecast) FROM forecast('retail')"
    for _ in range(2):
        started = time.perf_counter()
        found = connection.execute(forecast).fetchone()
        taken = time.perf_counter() - started
    assert found[0] == SERIES * HORIZON, found
    emit(ROW, "ours", "sales_forecast", [taken], "s")
    tail = "SELECT count(*), sum(sold) FROM (SELECT * FROM retail WHERE day >= date '2011-01-29' + %s) AS tail"
    emit(ROW, "limit", "scan for the tail of 56 days", [once(lambda: connection.execute(tail, (DAYS - LOOKBACK,)).fetchone())], "s")
    network, windows = Ensemble(2 * LOOKBACK + 9, HORIZON * 11, members=1), np.ones((SERIES, 2 * LOOKBACK + 9), "f4")
    emit(ROW, "limit", "onnxruntime on arrays in memory", [once(lambda: network(windows))], "s")
    try:
        emit(ROW, "peer", f"statsforecast AutoETS, {SAMPLE} series scaled up", [statsforecast(connection)], "s")
    except Exception as error:  # A peer that fails is told, not fatal.
        left_out(ROW, f"statsforecast: {error}")
    connection.execute("DROP TABLE retail")


main()
