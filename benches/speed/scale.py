"""Training on ever longer tables of a large retailer's shape: seconds, peak memory, and how both grow.

One network instead of five: what does not grow with the rows weighs less then, and all of it takes minutes.
"""

import math


from measure import FAST, connect, emit, left_out, train

DAYS, COVARIATES, HORIZON = 1_541, 8, 28
# Rows, about: 10^5 to 4.7 x 10^7.
SERIES = [65, 650, 6_500] if FAST else [65, 650, 6_500, 30_490]


def create(connection, series, days, covariates):
    """`retail`: ten stores, a price, promotions and other 0/1 covariates; sales that follow weekday, season and promotion."""
    columns = ["round((2 + item % 7 + 0.1 * (d % 5))::numeric, 2)::float4 AS price"]
    columns += [f"((d * {3 + 2 * i} + item * {5 + i} + store) % {7 + 4 * i} = 0)::int::float4 AS promo_{i}" for i in range(1, covariates)]
    connection.execute("DROP TABLE IF EXISTS retail")
    connection.execute(f"""
        CREATE UNLOGGED TABLE retail AS
        SELECT date '2011-01-29' + d AS day, store, item,
               floor(random() * (2 + item % 9) * (1 + ((d + 3) % 7 > 4)::int) * (1.2 + sin(d / 58.0)))::float4 AS sold
               {"".join(", " + column for column in columns[:covariates])}
        FROM generate_series(1, {series}) AS n, generate_series(0, {days} - 1) AS d,
             LATERAL (SELECT n % 10 AS store, n / 10 AS item) AS key""")
    connection.execute("ANALYZE retail")


def measure(connection, series):
    create(connection, series, DAYS, COVARIATES)
    rows = connection.execute("SELECT count(*) FROM retail").fetchone()[0]
    # A connection of its own, whose peak memory is this training's.
    with connect() as fresh:
        future = ["price"] + [f"promo_{i}" for i in range(1, COVARIATES)]
        found = train(fresh, "retail", "retail", target="sold", time_column="day", series_columns=["store", "item"], horizon=HORIZON, frequency="day",
                      future_covariates=future, options={"network": {"members": 1}})
        memory, phases = fresh.execute("SELECT peak_memory_mb, metrics -> 'seconds' FROM sales_forecast.version WHERE model = 'retail' ORDER BY version DESC LIMIT 1").fetchone()
    return rows, found[5], memory, phases


def exponent(points):
    """The slope of log seconds over log rows, least squares."""
    logs = [(math.log(rows), math.log(seconds)) for rows, seconds in points]
    x, y = (sum(axis) / len(logs) for axis in zip(*logs))
    return sum((a - x) * (b - y) for a, b in logs) / sum((a - x) ** 2 for a, _ in logs)


def main():
    connection = connect()
    points = []
    for series in SERIES:
        rows, seconds, memory, phases = measure(connection, series)
        name = f"training one network on {rows:,} rows, {COVARIATES} covariates"
        emit(name + ", time", "ours", "sales_forecast", [seconds], "s")
        emit(name + ", peak memory", "ours", "sales_forecast", [memory], "MB")
        emit(name + ", peak memory", "limit", "aim of 3 GB", [3 * 1024], "MB")
        left_out(name + ", time", ", ".join(f"{stage} {taken:.1f} s" for stage, taken in phases.items()))
        points.append((rows, seconds))
    emit("training time grows with rows to the power of", "ours", "sales_forecast", [exponent(points)], "exponent")
    emit("training time grows with rows to the power of", "limit", "linear", [1.0], "exponent")
    if FAST:
        left_out("training on 47 million rows", "FAST")
    connection.execute("DROP TABLE retail")


if __name__ == "__main__":
    main()
