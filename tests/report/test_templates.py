"""The templates' environment."""

import pytest
from jinja2 import UndefinedError

from stages.report.templates import TEMPLATES, plain


def test_only_templates_of_html_escape_and_a_missing_value_is_an_error():
    assert TEMPLATES.autoescape("report.html.j2")
    assert not TEMPLATES.autoescape("notes.md.j2")
    with pytest.raises(UndefinedError):
        TEMPLATES.get_template("notes.md.j2").render()


def test_plain_is_one_line_without_markup():
    assert plain(" a\n\n## b  c|<i> ") == r"a \#\# b c\|\<i\>"
