"""The same journeys by ChannelAttribution and marketing-attribution-models: one line of JSON for each that works.

usage: peer.py PACKAGES JOURNEYS CHANNELS EXACT, where EXACT holds the exact credit of each channel as a list in JSON.
"""

import contextlib
import io
import json
import sys
import time

sys.path.insert(0, sys.argv[1])

import numpy
import pandas

M = numpy.uint64
SEED = 20240601
LONGEST, GOES_ON, REPEATS, ORGANIC = 20, 0.62, 0.25, 0.01


def mixed(x):
    with numpy.errstate(over="ignore"):
        z = x + M(0x9E3779B97F4A7C15)
        z = (z ^ (z >> M(30))) * M(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> M(27))) * M(0x94D049BB133111EB)
        return z ^ (z >> M(31))


def bits(stream, i, t):
    with numpy.errstate(over="ignore"):
        a = mixed(numpy.asarray(M(SEED) * M(0x100000001B3) + M(stream)))
        return mixed(mixed(a ^ numpy.asarray(i, dtype=M)) + numpy.asarray(t, dtype=M))


def unit(stream, i, t):
    return (bits(stream, i, t) >> M(11)).astype(numpy.float64) / 9007199254740992.0


def journeys(count, channels):
    """The journeys of domain/tests/attribution/synthetic.rs: touches, padded with -1, and whether they converted."""
    i = numpy.arange(count, dtype=M)
    weights = 1.0 / numpy.arange(1, channels + 1)
    zipf = numpy.cumsum(weights) / weights.sum()
    v = unit(9, numpy.arange(channels, dtype=M), 0)
    effect = 0.002 + 0.06 * v * v
    touches = numpy.full((count, LONGEST), -1, dtype=numpy.int16)
    alive, survives, before = numpy.ones(count, bool), numpy.full(count, 1.0 - ORGANIC), numpy.zeros(count, numpy.int64)
    for t in range(LONGEST):
        if t > 0:
            alive &= unit(1, i, t) < GOES_ON
        rank = numpy.minimum(numpy.searchsorted(zipf, unit(2, i, t), side="right"), channels - 1)
        channel = rank if t == 0 else numpy.where(unit(3, i, t) < REPEATS, before, (before * 7 + 3 + rank) % channels)
        channel = channel.astype(numpy.int64)
        new = alive.copy()
        for earlier in range(t):
            new &= touches[:, earlier] != channel
        survives = numpy.where(new, survives * (1.0 - effect[channel]), survives)
        touches[:, t] = numpy.where(alive, channel, -1)
        before = numpy.where(alive, channel, before)
    return touches, unit(5, i, 0) < 1.0 - survives


def worst(credit, exact):
    """The largest error of a channel, in parts of what it should be, of those with a tenth of the most credit or more."""
    enough = [c for c, it in enumerate(exact) if it * 10 >= max(exact)]
    return max(abs(credit.get("c%03d" % c, 0.0) / exact[c] - 1.0) for c in enough)


def measured(name, version, work, exact):
    begun, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        credit = work()
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(json.dumps({"peer": name, "version": version, "wall_s": took, "cpu_s": cpu, "worst": worst(credit, exact)}), flush=True)


def main():
    count, channels, exact = int(sys.argv[2]), int(sys.argv[3]), json.loads(open(sys.argv[4]).read())
    touches, converted = journeys(count, channels)
    names = numpy.array(["c%03d" % c for c in range(channels)], dtype=object)
    paths = pandas.Series([" > ".join(names[row[row >= 0]]) for row in touches])
    table = pandas.DataFrame({"path": paths, "conversions": converted.astype(int), "nulls": (~converted).astype(int)})
    table = table.groupby("path", as_index=False).sum()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            import ChannelAttribution

        def channel_attribution():
            told = ChannelAttribution.markov_model(
                table, "path", "conversions", var_null="nulls", order=1, sep=">", ncore=1, verbose=False, flg_pro=False
            )
            told = told if isinstance(told, pandas.DataFrame) else told["result"]
            return {str(row.iloc[0]).strip(): float(row.iloc[1]) for _, row in told.iterrows()}

        measured("ChannelAttribution", getattr(ChannelAttribution, "__version__", "?"), channel_attribution, exact)
    except Exception as error:
        print(json.dumps({"peer": "ChannelAttribution", "error": repr(error)}), flush=True)
    try:
        from mam import MAM

        def attribution_models():
            grouped = table.melt("path", ["conversions", "nulls"], "end", "times").query("times > 0")
            grouped["converted"] = grouped["end"] == "conversions"
            model = MAM(
                grouped[["path", "times", "converted"]], format_type="grouped_journey", channels_colname="path",
                journey_with_conv_colname="converted", occurrences_colname="times", path_separator=" > ",
            )
            told = model.run_markov(transition_to_same_state=False)
            told = next(it for it in vars(told).values() if hasattr(it, "columns") and "attribution" in it.columns)
            return {str(name): float(credit) for name, credit in zip(told["channels"], told["attribution"])}

        measured("marketing-attribution-models", "2", attribution_models, exact)
    except Exception as error:
        print(json.dumps({"peer": "marketing-attribution-models", "error": repr(error)}), flush=True)


main()
