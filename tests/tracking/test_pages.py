"""MLflow's pages in headless Chromium: its saved views have a format that is not documented."""

import re
import shutil
import subprocess

import pytest

from stages.tracking import view
from tests.tracking.logged import compare
from tests.tracking.made_results import make_repository
from tests.tracking.served import Server


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs the command chromium")
def test_the_table_has_a_row_per_variant_best_first_and_its_columns_in_order(repository):
    make_repository(repository, "basic", "other")
    compare("better by 5.00 points (95 % 1.00 to 9.00)")
    server = Server(repository)
    pages = {}
    with server.stack:
        server.start()
        command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"]
        command += [f"--user-data-dir={repository}/browser", "--virtual-time-budget=30000"]
        for width in (1300, 1900):
            given = [f"--window-size={width},900", view.address(server.uri, "1")]
            done = subprocess.run([*command, *given], capture_output=True, text=True, timeout=120)
            pages[width] = done.stdout
    for width, page in pages.items():
        heads = re.findall(
            r'role="columnheader"[^>]*aria-colindex="(\d+)"[^>]*col-id="tags\.`(.*?)`"', page
        )
        shown = [name for _, name in sorted((int(number), name) for number, name in heads)]
        unknown = ("latency", "compared score")  # not measured; the same as CV accuracy
        tagged = [name for name in view.COLUMNS if name not in unknown]
        assert shown == tagged[: len(shown)]  # MLflow leaves out what is out of sight
        assert len(shown) >= (5 if width == 1300 else 9)
        cells = re.findall(
            r'col-id="tags\.`(verdict|CV accuracy)`"[^>]*>.*?ag-cell-value">(.*?)<', page
        )
        assert cells == [
            ("verdict", "better"),
            ("CV accuracy", "91.05 ± 1.00 %"),
            ("verdict", "baseline"),
            ("CV accuracy", "90.05 ± 1.00 %"),
        ]
        assert "Model registry" in page
        assert "Judges" not in page  # of the menu for GenAI
