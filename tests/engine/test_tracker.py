import time
from contextlib import suppress

import pytest
from filelock import FileLock, Timeout

from stages.engine import fold_store, tracker
from stages.files import read_json
from stages.settings.sections import Tracking
from tests.prepared import recipe

NEVER = Tracking(live_after=None)
pytestmark = pytest.mark.usefixtures("folder")


def test_a_resumed_training_began_when_it_first_did(monkeypatch):
    first = tracker.write_start_marker("fingerprint", recipe(), "Old.", {"sha256": "x"})
    assert abs(first - time.time() * 1000) < 5000
    monkeypatch.setattr(tracker.time, "time", lambda: 0)
    assert tracker.write_start_marker("fingerprint", recipe(), "New.", {"sha256": "x"}) == first
    content = read_json(tracker.start_marker("fingerprint"))
    assert (content["began"], content["description"]) == (first, "New.")
    assert content["settings"]["architecture"]["name"] == "basic"


def free(fingerprint):
    with suppress(Timeout), FileLock(fold_store.lock_path(fingerprint), timeout=0):
        return True
    return False


def test_a_training_is_locked_while_it_runs_and_free_after_a_failure():
    seen = []
    with suppress(ZeroDivisionError), tracker.tracked(["one", "two"], NEVER):
        seen += [free("one"), free("two")]
        raise ZeroDivisionError
    assert seen == [False, False]
    assert (free("one"), free("two")) == (True, True)


def test_a_training_that_another_process_runs_is_left_to_it(monkeypatch):
    started = []
    monkeypatch.setattr(tracker, "_start", lambda *given: started.append(given))
    with tracker.tracked(["one"], Tracking(live_after=3)):
        with tracker.tracked(["one", "two"], Tracking(live_after=5, experiment="mine")):
            pass
        with tracker.tracked(["one"], Tracking()):
            pass
    assert started == [("3.0", "foldlab", "one"), ("5.0", "mine", "two")]


def test_training_goes_on_without_memory_for_the_tracker(monkeypatch):
    def refuse(*given, **named):
        raise OSError("Cannot allocate memory")

    monkeypatch.setattr(tracker.subprocess, "Popen", refuse)
    with tracker.tracked(["one"], Tracking()):
        assert not free("one")


@pytest.mark.parametrize(("ends", "received"), [(None, b"done"), (ZeroDivisionError, b"")])
def test_the_tracker_learns_how_training_ended(monkeypatch, tmp_path, ends, received):
    heard = tmp_path / "heard"
    monkeypatch.setattr(tracker.sys, "executable", str(tmp_path / "listen"))
    (tmp_path / "listen").write_text(f"#!/bin/sh\ncat > {heard}.part; mv {heard}.part {heard}\n")
    (tmp_path / "listen").chmod(0o755)
    with suppress(ZeroDivisionError), tracker.tracked(["one"], Tracking()):
        time.sleep(0.05)
        assert not heard.exists()
        if ends:
            raise ends
    end = time.monotonic() + 5
    while not heard.exists() and time.monotonic() < end:
        time.sleep(0.01)
    assert heard.read_bytes() == received
