"""The numbers of src/engine/reconcile_tests.rs: the dense formulas in numpy, which hierarchicalforecast must agree with."""
import numpy as np
from hierarchicalforecast.methods import MinTrace

# The total, two regions with two and three stores, then the stores.
S = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 1, 1], *np.eye(5)])
BASE = np.array([[110, 95], [38, 41], [65, 60], [10, 12], [30, 28], [20, 21], [15, 18], [33, 24]], dtype=float)
# Every row sums to zero, so that second moments around zero and around the mean are the same.
ERRORS = np.array([
    [6, -9, 4, 12, -7, -3, 5, -8],
    [2, -4, 3, 5, -3, -4, 2, -1],
    [5, -4, -1, 6, -5, 2, 3, -6],
    [1, -1, 2, 3, -2, -3, 1, -1],
    [2, -2, 1, 1, -2, -1, 2, -1],
    [1, -3, 1, 2, -1, 0, 2, -2],
    [3, 0, -2, 1, -2, 2, 0, -2],
    [0, -2, 1, 3, -3, 1, 1, -1],
], dtype=float)


def shrunk(errors, steps=1):
    """Schäfer & Strimmer (2005) on correlations of second moments around zero, averaged over the steps of an origin."""
    scale = np.sqrt((errors**2).mean(axis=1))
    standard = errors / scale[:, None]
    products = (standard[:, None, :] * standard[None, :, :]).reshape(len(scale), len(scale), -1, steps).mean(axis=3)
    n = products.shape[2]
    correlation = products.mean(axis=2)
    variance = ((products - correlation[:, :, None]) ** 2).sum(axis=2) / (n * (n - 1))
    off = ~np.eye(len(scale), dtype=bool)
    share = np.clip(variance[off].sum() / (correlation[off] ** 2).sum(), 0, 1)
    return np.outer(scale, scale) * np.where(off, (1 - share) * correlation, 1)


def reconciled(covariance):
    inverse = np.linalg.inv(covariance)
    return S @ np.linalg.inv(S.T @ inverse @ S) @ S.T @ inverse @ BASE


def by_package(method):
    # An error that is no rounding in one row: the package refuses errors that all sum to zero.
    forecast = np.zeros_like(ERRORS)
    forecast[0, 0] = 1e-3
    fitted = MinTrace(method=method).fit(S=S, y_hat=BASE, y_insample=ERRORS, y_hat_insample=forecast)
    return S @ fitted.P @ BASE


np.set_printoptions(precision=8, suppress=True)
for method, covariance in [
    ("mint_shrink", shrunk(ERRORS)),
    ("wls_var", np.diag((ERRORS**2).mean(axis=1))),
    ("wls_struct", np.diag(S.sum(axis=1))),
]:
    own = reconciled(covariance)
    np.testing.assert_allclose(by_package(method), own, rtol=2e-5)
    print(f"{method}: hierarchicalforecast as numpy\n{own}")
print(f"mint over origins of two steps:\n{reconciled(shrunk(ERRORS, 2))}")
print(f"structural by root mean squared errors:\n{reconciled(np.diag(S @ np.sqrt((ERRORS[3:] ** 2).mean(axis=1))))}")
