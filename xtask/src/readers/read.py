"""Runs Python that a manual shows, and says what the names in it then hold, as a line of JSON.

Arguments: the lines; and, to run them over and over, a file at whose coming that ends.
"""

import json
import os
import sys

import duckdb
import pandas
import pyarrow

EPOCH = pandas.Timestamp(0, tz="UTC")
MICROSECOND = pandas.Timedelta(microseconds=1)


def table(value):
    """What pandas, pyarrow or DuckDB gave, as a data frame; None for anything else."""
    if isinstance(value, pandas.DataFrame):
        return value
    if isinstance(value, pyarrow.Table):
        return value.to_pandas()
    if isinstance(value, duckdb.DuckDBPyRelation):
        return value.df()
    return None


def told(frame):
    """Its size, its sums and its times, exactly."""
    about = {"rows": len(frame)}
    if "amount_minor" in frame:
        about["sum"] = int(frame["amount_minor"].sum())
    if "occurred_at" in frame:
        moments = frame["occurred_at"].min(), frame["occurred_at"].max()
        about["times"] = [(moment - EPOCH) // MICROSECOND for moment in moments]
    if list(frame.columns) == ["date", "clicks"]:
        pairs = zip(frame["date"], frame["clicks"])
        about["days"] = {str(date)[:10]: int(clicks) for date, clicks in pairs}
    return about


def run(lines):
    names = {}
    exec(lines, names)
    frames = {name: table(value) for name, value in names.items() if not name.startswith("_")}
    return {name: told(frame) for name, frame in frames.items() if frame is not None}


lines = sys.argv[1]
print(json.dumps(run(lines)), flush=True)
while len(sys.argv) == 3 and not os.path.exists(sys.argv[2]):
    print(json.dumps(run(lines)), flush=True)
