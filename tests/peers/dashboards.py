"""Draws a dashboard to a picture, from what a Prometheus has: dashboards.py ADDRESS DASHBOARD.json PICTURE.png SECONDS

Not Grafana: it shows the same panels in the same places with the same data, so that a reader of the README sees what there is to see.
"""

import datetime
import json
import math
import sys
import urllib.parse
import urllib.request

import matplotlib

matplotlib.use("Agg")
import matplotlib.dates
import matplotlib.pyplot as pyplot

address, dashboard, picture, seconds = sys.argv[1], json.load(open(sys.argv[2])), sys.argv[3], int(sys.argv[4])


def ask(path, **parameters):
    url = f"http://{address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)["data"]["result"]


def expression(text):
    return text.replace("$__rate_interval", "15s").replace("$job", "grindvakt").replace("$instance", ".*")


def name(target, metric):
    text = target.get("legendFormat", "")
    for label, value in metric.items():
        text = text.replace("{{" + label + "}}", value)
    return text


def number(value, unit):
    if math.isnan(value):
        return "–"
    if unit == "percentunit":
        return f"{value:.1%}"
    if unit == "s":
        for size, word in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs")):
            if abs(value) >= size:
                return f"{value / size:.3g} {word}"
    return f"{value:.4g}"


now = datetime.datetime.now().timestamp()
panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
rows = [panel for panel in dashboard["panels"] if panel["type"] == "row"]
height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
pyplot.rcParams.update({"font.size": 7, "axes.titlesize": 8, "font.family": "DejaVu Sans"})
figure = pyplot.figure(figsize=(14, height * 0.34), facecolor="#f4f5f5")
figure.suptitle(dashboard["title"], fontsize=12, x=0.01, ha="left", y=1 - 0.15 / (height * 0.34))
top = 1 - 1.2 / height

for row in rows:
    figure.text(0.01, top * (1 - row["gridPos"]["y"] / height) - 0.012, row["title"], fontsize=9, weight="bold")

for panel in panels:
    grid, unit = panel["gridPos"], panel["fieldConfig"]["defaults"].get("unit", "short")
    left, width = grid["x"] / 24, grid["w"] / 24
    bottom, tall = top * (1 - (grid["y"] + grid["h"]) / height), top * grid["h"] / height
    axes = figure.add_axes([left + 0.032, bottom + tall * 0.2, width - 0.045, tall * 0.56])
    axes.set_title(panel["title"], loc="left")
    drawn = []
    for target in panel["targets"]:
        query = expression(target["expr"])
        if panel["type"] == "timeseries":
            for series in ask("query_range", query=query, start=now - seconds, end=now, step=1):
                times = [datetime.datetime.fromtimestamp(at) for at, _ in series["values"]]
                drawn.append((name(target, series["metric"]), times, [float(value) for _, value in series["values"]]))
        else:
            for series in ask("query", query=query):
                drawn.append((name(target, series["metric"]), series["metric"], float(series["value"][1])))
    if panel["type"] == "timeseries":
        for label, times, values in drawn:
            axes.plot(times, values, linewidth=1, label=label)
        axes.xaxis.set_major_formatter(matplotlib.dates.DateFormatter("%H:%M:%S"))
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
        axes.yaxis.set_major_formatter(lambda value, _: number(value, unit))
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if drawn:
            axes.legend(loc="upper left", fontsize=5.5, ncols=2 if len(drawn) > 5 else 1, framealpha=0.6)
    elif panel["type"] == "stat":
        axes.axis("off")
        value = drawn[0][2] if drawn else math.nan
        words = panel["fieldConfig"]["defaults"].get("mappings", [])
        text = words[0]["options"].get(f"{value:g}", {}).get("text", number(value, unit)) if words else number(value, unit)
        axes.text(0.5, 0.4, text, fontsize=20, ha="center", va="center", color="#333", transform=axes.transAxes)
    elif panel["type"] == "bargauge":
        labels, values = [label for label, _, _ in drawn], [value for _, _, value in drawn]
        axes.barh(labels, values, color="#1a7f37", height=0.5)
        for at, value in enumerate(values):
            axes.text(value, at, " " + number(value, unit), va="center")
        axes.margins(x=0.25)
        axes.xaxis.set_visible(False)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    else:
        axes.axis("off")
        lines = ["  ".join(f"{key}={value}" for key, value in metric.items()) + f"  {value:g}" for _, metric, value in drawn]
        axes.text(0, 0.9, "\n".join(lines), va="top", family="monospace", fontsize=6, transform=axes.transAxes)

figure.savefig(picture, dpi=100)
