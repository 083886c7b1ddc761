"""One series of 1,000: milliseconds of `forecast` beside a SELECT of the same history and a small web service that reads it."""

import http.client
import http.server
import json
import random
import threading

import numpy as np
import psycopg

from measure import FAST, connect, emit, left_out, milliseconds, quantile, train
from networks import Ensemble

SERIES, DAYS, HORIZON, LOOKBACK = 1000, 365, 28, 56
CALLS = 300 if FAST else 2000
WARM = f"forecast of one series of {SERIES:,}, warm"
FIRST = f"forecast of one series of {SERIES:,}, first call of a connection"
HISTORY = "SELECT day, qty FROM served WHERE sku = %s ORDER BY day"
FORECAST = "SELECT * FROM forecast('served', series => %s)"
TABLE = f"""
    CREATE TABLE served AS
    SELECT sku, date '2023-01-01' + d AS day, round(20 + sku % 50 + 8 * sin(d * 0.8976 + sku) + 4 * random()) AS qty
    FROM generate_series(1, {SERIES}) AS sku, generate_series(0, {DAYS} - 1) AS d"""


class Service(http.server.BaseHTTPRequestHandler):
    """POST {"sku": n}: reads the history, runs the network, answers JSON."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    network = Ensemble(inputs=2 * LOOKBACK + 9, outputs=HORIZON * 11)
    database = None

    def do_POST(self):
        sku = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["sku"]
        values = np.array([qty for _, qty in self.database.execute(HISTORY, (sku,))], np.float32)[-LOOKBACK:]
        mean = float(values.mean()) or 1.0
        window = np.zeros((1, self.network.inputs), np.float32)
        window[0, :LOOKBACK] = values / mean
        quantiles = self.network(window).reshape(HORIZON, 11) * mean
        body = json.dumps(quantiles.tolist()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def tell(row, who, name, times):
    """The median call, and as its spread the quickest and the 99th of 100."""
    emit(row + ", p50", who, name, [quantile(times, 0.5)], "ms")
    emit(row + ", p99", who, name, [quantile(times, 0.99)], "ms")


def one_in_new_connection(statement, argument):
    times = []
    for sku in range(1, 21):
        with connect() as connection:
            connection.execute("SELECT 1")
            times += milliseconds(lambda: connection.execute(statement, (argument(sku),)).fetchall(), 1)
    return sorted(times)


def main():
    connection = connect()
    connection.execute(TABLE)
    connection.execute("CREATE INDEX ON served (sku, day)")
    connection.execute("VACUUM ANALYZE served")
    options = {"network": {"epochs": 1, "members": 2}} if FAST else {}
    train(connection, "served", "served", target="qty", time_column="day", series_columns=["sku"], horizon=HORIZON, options=options)
    key = lambda sku: json.dumps({"sku": sku})
    any_sku = lambda: random.randint(1, SERIES)
    warm = lambda statement, argument: lambda: connection.execute(statement, (argument(any_sku()),)).fetchall()
    calls = {
        ("ours", "sales_forecast"): warm(FORECAST, key),
        ("limit", "SELECT of the same history"): warm(HISTORY, lambda sku: sku),
    }
    Service.database = connect()
    server = http.server.HTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = http.client.HTTPConnection("127.0.0.1", server.server_port)

    def request():
        client.request("POST", "/", json.dumps({"sku": any_sku()}))
        return json.loads(client.getresponse().read())

    calls["peer", "Python web service, onnxruntime"] = request
    for (who, name), call in calls.items():
        milliseconds(call, 20)
        tell(WARM, who, name, milliseconds(call, CALLS))
    emit(FIRST, "ours", "sales_forecast", one_in_new_connection(FORECAST, key), "ms")
    emit(FIRST, "limit", "SELECT of the same history", one_in_new_connection(HISTORY, lambda sku: sku), "ms")


main()
