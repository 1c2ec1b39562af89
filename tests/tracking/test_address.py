"""The address of the MLflow store."""

import pytest

from stages.tracking import address


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("", "sqlite:///{root}/mlflow.db"),
        ("sqlite:///runs/my.db", "sqlite:///{root}/runs/my.db"),
        ("sqlite:////abs/my.db", "sqlite:////abs/my.db"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("postgresql://me@host/runs", "postgresql://me@host/runs"),
    ],
)
def test_where_runs_go(tmp_path, monkeypatch, uri, expected):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert address.uri() == expected.format(root=tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://me:secret@host:5000/x", "http://host:5000/x"),
        ("to 'https://me:p%40ss@host' in vain", "to 'https://host' in vain"),
        ("postgresql://me:a/b@c@host/runs", "postgresql://host/runs"),
        ("http://host/mlflow", "http://host/mlflow"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("the word hunter2 and hunter/2", "the word *** and ***"),
        ("token abc123", "token ***"),
    ],
)
def test_no_password_is_shown(monkeypatch, text, expected):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter%2F2@host")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc123")
    assert address.redacted(text) == expected
