"""The page in headless Chromium."""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from tests.report import made
from tests.report.made import WIDE

NAMES = ("basic", "wide", "deep")
CLASSES = ["cat", "<b>dog</b>", "Donaudampfschifffahrt"]
WATCH = """<script>
window.seen = [];
addEventListener("error", event => seen.push("error: " + event.message), true);
addEventListener("securitypolicyviolation", event => seen.push("blocked: " + event.blockedURI));
for (const kind of ["error", "warn"]) console[kind] = (...words) => seen.push(words.join(" "));
</script>"""
CLICK = """<script>
const measured = {tables: [], requests: performance.getEntriesByType("resource")
  .map(entry => entry.name).filter(name => !name.startsWith("data:"))};
for (const table of document.querySelectorAll("table.sortable")) {
  const orders = {};
  for (const head of table.tHead.rows[0].cells) {
    const button = head.querySelector("button");
    const title = [button.textContent, head.querySelector("small")?.textContent].join("|");
    orders[title] = [];
    for (let i = 0; i < 2; i++) {
      button.focus();
      if (document.activeElement === button) button.click();
      const sorted = [...table.querySelectorAll("[aria-sort]")];
      const names = [...table.tBodies[0].rows].map(row => row.cells[0].textContent).join(" ");
      orders[title].push(sorted.map(one => one === head && one.ariaSort) + ": " + names);
    }
  }
  measured.tables.push(orders);
}
measured.seen = seen;
measured.wide = document.documentElement.scrollWidth - innerWidth;
measured.broken = [...document.images].filter(one => !one.naturalWidth).length;
document.body.innerHTML = "";
document.body.append(JSON.stringify(measured));
</script>"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs the command chromium")
def test_in_a_browser(tmp_path):
    """No error, no request, no page wider than a phone, and every header sorts both ways."""
    ranks = {"wide": WIDE, "basic": {"cv_mean": 0.98, "p_best": 0.2}}
    ranks["deep"] = WIDE | {"cv_mean": 0.97, "outcome": "worse", "difference": -0.01}
    ranks["deep"] |= {"p_better": 0.01, "p_best": 0.1, "p_holm": 0.03, "parameters": 7}
    made.make(tmp_path, NAMES, classes=CLASSES, train=60, tests=30, shape=(8, 9, 3))
    source = made.page(tmp_path, NAMES, **ranks)
    source = source.replace("<head>", f"<head>{WATCH}").replace("</body>", f"{CLICK}</body>")
    path = tmp_path / "watched.html"
    path.write_text(source, encoding="utf-8")
    done = subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--window-size=500,900"),
            *("--enable-logging=stderr", "--virtual-time-budget=3000", "--dump-dom", path.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = json.loads(unescape(re.search(r"<body>(.*)</body>", done.stdout, re.S)[1]))
    assert (found["seen"], found["requests"], found["broken"]) == ([], [], 0)
    assert found["wide"] <= 0
    assert "CONSOLE" not in done.stderr
    first, tests, scores, scaling, sure, recalls, classes = found["tables"]
    assert {
        title.split("|")[0]: orders for title, orders in first.items() if "test" not in title
    } == {
        "variant": ["ascending: basic deep wide", "descending: wide deep basic"],
        "verdict": ["ascending: basic wide deep", "descending: deep wide basic"],
        "CV accuracy, %": ["descending: wide basic deep", "ascending: deep basic wide"],
        "difference, points": ["descending: wide deep basic", "ascending: deep wide basic"],
        "P(better)": ["descending: wide deep basic", "ascending: deep wide basic"],
        "P(best)": ["descending: wide basic deep", "ascending: deep basic wide"],
        "Holm p": ["descending: deep wide basic", "ascending: wide deep basic"],
        "parameters": ["descending: basic wide deep", "ascending: deep wide basic"],
    }
    for table, columns in (
        (tests, 7),
        (scores, 10),
        (scaling, 5),
        (sure, 7),
        (recalls, 5),
        (classes, 5),
    ):
        assert len(table) == columns
        for orders in table.values():
            assert [order.split(":")[0] for order in orders] in (
                ["ascending", "descending"],
                ["descending", "ascending"],
            )
