"""Scoring rows with a regression model of 128 hidden units inside a SELECT: rows a second."""

import numpy as np
from sklearn.neural_network import MLPRegressor

from measure import FAST, connect, emit, seconds, train
from networks import session

ROWS = 200_000 if FAST else 1_000_000
ROW = "scoring rows with a regression model, 3 features, 128 hidden units"
BATCH = 8192
TABLE = f"""
    CREATE TABLE scored AS
    SELECT a::float8, b::float8, c::float8, a + 2 * b - c + 0.1 * random() AS y
    FROM (SELECT random() AS a, random() AS b, random() AS c FROM generate_series(1, {ROWS})) AS drawn"""
FIELDS = np.dtype([("fields", ">i2")] + [pair for name in "abc" for pair in ((f"{name}_", ">i4"), (name, ">f8"))])


def fetch(connection):
    """All features as an array, over COPY BINARY, the fastest way out of the server."""
    with connection.cursor().copy("COPY (SELECT a, b, c FROM scored) TO STDOUT (FORMAT binary)") as copy:
        data = b"".join(bytes(block) for block in copy)
    rows = np.frombuffer(data, FIELDS, count=ROWS, offset=19)
    return np.stack([rows[name].astype("f4") for name in "abc"], axis=1)


def main():
    connection = connect()
    connection.execute(TABLE)
    connection.execute("VACUUM ANALYZE scored")
    connection.execute("SET max_parallel_workers_per_gather = 0")
    train(connection, "scored", f"SELECT a, b, c, y FROM scored LIMIT {ROWS // 10}", target="y", features=["a", "b", "c"],
          options={"network": {"hidden": [128], "epochs": 1}})
    rate = lambda times: [ROWS / time for time in times]
    statement = "SELECT sum(forecast('scored', s)) FROM scored AS s"
    emit(ROW, "ours", "sales_forecast", rate(seconds(lambda: connection.execute(statement).fetchall())), "rows/s")
    network = session([3, 128, 1])

    def forward(x):
        for at in range(0, ROWS, BATCH):
            network.run(None, {"x": x[at : at + BATCH]})

    x = fetch(connection)
    emit(ROW, "limit", "onnxruntime on an array in memory", rate(seconds(lambda: forward(x))), "rows/s")
    emit(ROW, "peer", "psycopg COPY BINARY, onnxruntime", rate(seconds(lambda: forward(fetch(connection)))), "rows/s")
    mlp = MLPRegressor(hidden_layer_sizes=(128,), max_iter=1).fit(x[:10_000], x[:10_000].sum(axis=1))
    emit(ROW, "peer", "psycopg COPY BINARY, scikit-learn", rate(seconds(lambda: mlp.predict(fetch(connection)))), "rows/s")
    connection.execute("DROP TABLE scored")


main()
