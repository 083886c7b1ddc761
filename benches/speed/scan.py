"""Reading (date, int, int, float8, float8) of a table into typed columns, keys encoded: rows a second."""

import pandas as pd
import numpy as np

from measure import FAST, connect, emit, seconds, train

ROWS = 1_000_000 if FAST else 5_000_000
ROW = f"reading a table of {ROWS // 1_000_000} million rows (date, int, int, float8, float8)"
TABLE = f"""
    CREATE TABLE scanned AS
    SELECT date '2020-01-01' + (i % 1000) AS day, i / 50000 AS store, (i / 1000) % 50 AS item,
           100 * random() AS qty, 10 * random() AS price
    FROM generate_series(0, {ROWS} - 1) AS i"""
SUMS = "SELECT sum(day - date '2020-01-01'), sum(store), sum(item), sum(qty), sum(price) FROM scanned"
# A row of COPY BINARY: the number of fields, then the length of each before it.
FIELDS = [("day", ">i4"), ("store", ">i4"), ("item", ">i4"), ("qty", ">f8"), ("price", ">f8")]
BINARY = np.dtype([("fields", ">i2"), *[pair for name, kind in FIELDS for pair in ((f"{name}_", ">i4"), (name, kind))]])


def copy_binary(connection):
    """psycopg reads COPY BINARY, numpy decodes it, pandas encodes the keys."""
    with connection.cursor().copy("COPY scanned TO STDOUT (FORMAT binary)") as copy:
        data = b"".join(bytes(block) for block in copy)
    rows = np.frombuffer(data, BINARY, count=(len(data) - 21) // BINARY.itemsize, offset=19)
    frame = pd.DataFrame({name: rows[name].astype("f4" if kind == ">f8" else "i4") for name, kind in FIELDS})
    for key in ("store", "item"):
        frame[key], _ = pd.factorize(frame[key])
    assert len(frame) == ROWS
    return frame


def fetch(connection):
    """What most pipelines do: fetchall into a data frame; of a tenth of the rows."""
    cursor = connection.execute(f"SELECT * FROM scanned LIMIT {ROWS // 10}")
    frame = pd.DataFrame(cursor.fetchall(), columns=[name for name, _ in FIELDS])
    assert len(frame) == ROWS // 10


def ours(connection, times=4):
    """Seconds that a training reports for reading; the first one warms up."""
    found = []
    for _ in range(times):
        train(connection, "scan", "scanned", target="qty", time_column="day", series_columns=["store", "item"],
              past_covariates=["price"], horizon=7, frequency="day",
              options={"method": "naive", "backtest": {"windows": 0}})
        found.append(connection.execute(
            "SELECT (metrics -> 'seconds' ->> 'reading')::float8 FROM sales_forecast.version WHERE model = 'scan' ORDER BY version DESC LIMIT 1").fetchone()[0])
    return found[1:]


def main():
    connection = connect()
    connection.execute(TABLE)
    connection.execute("VACUUM ANALYZE scanned")
    connection.execute("SET sales_forecast.max_memory = '4GB'")
    connection.execute("SET max_parallel_workers_per_gather = 0")
    rate = lambda times, rows=ROWS: [rows / time for time in times]
    emit(ROW, "ours", "sales_forecast", rate(ours(connection)), "rows/s")
    emit(ROW, "limit", "SELECT count(*), one process", rate(seconds(lambda: connection.execute("SELECT count(*) FROM scanned"))), "rows/s")
    emit(ROW, "peer", "SELECT sum of all columns, one process", rate(seconds(lambda: connection.execute(SUMS))), "rows/s")
    emit(ROW, "peer", "psycopg COPY BINARY, numpy, pandas", rate(seconds(lambda: copy_binary(connection))), "rows/s")
    emit(ROW, "peer", "psycopg fetchall, pandas", rate(seconds(lambda: fetch(connection)), ROWS // 10), "rows/s")
    connection.execute("DROP TABLE scanned")


main()
