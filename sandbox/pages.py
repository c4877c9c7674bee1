"""The pages that people see: consent, static link and messages.

Plain HTML without script; every page says that it is a sandbox.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import render_template_string

_LAYOUT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{ title }} - sandbox</title>
<style>
:root { color-scheme: light dark }
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 0 auto; padding: 1rem }
.note { border: 2px solid; border-radius: .4rem; padding: .6rem .8rem }
fieldset { border: 1px solid; border-radius: .4rem; margin: 1rem 0; padding: .6rem .8rem }
label { display: block; padding: .4rem 0 }
input[type=checkbox] { width: 1.3rem; height: 1.3rem; vertical-align: middle }
input[type=text], input[type=tel], input[type=email] { width: 100%; font: inherit; padding: .4rem;
  box-sizing: border-box }
code, pre { font: .95rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere }
pre { border: 1px solid; border-radius: .4rem; padding: .6rem .8rem; white-space: pre-wrap;
  user-select: all }
h2, h3 { font-size: 1.2rem; margin-top: 2rem }
button { font: inherit; min-height: 3rem; padding: 0 1.5rem; margin: .2rem .4rem .2rem 0 }
</style>
</head>
<body>
<main>
<h1>{{ title }}</h1>
<p class="note"><strong>This is a sandbox.</strong> All people and documents here are invented.
Nobody's real data is asked for or shown; please do not enter any.</p>
CONTENT
</main>
</body>
</html>
"""


def _in_layout(content: str) -> str:
    return _LAYOUT.replace("CONTENT", content)


_CONSENT = _in_layout("""
<form method="post">
<fieldset>
<legend>Requested documents</legend>
{% for document in documents %}
<label><input type="checkbox" name="documents" value="{{ document }}" checked>
{{ labels[document] }}</label>
{% endfor %}
</fieldset>
<p>Untick what you do not want to share.</p>
<button name="decision" value="allow">Allow</button>
<button name="decision" value="deny">Deny</button>
</form>
""")


_FORM = _in_layout("""
<form method="post">
<p>Template: {{ template }}</p>
<label>Name <input type="text" name="name" required autocomplete="off"></label>
<label>Phone <input type="tel" name="phone" autocomplete="off"></label>
<label>E-mail <input type="email" name="email" autocomplete="off"></label>
<button>Finish</button>
</form>
""")


_BUTTONS = _in_layout("""
<p>{{ text }}</p>
<form method="post">
{% for name, button in buttons.items() %}
<button name="decision" value="{{ name }}">{{ button.label }}</button>
{% endfor %}
</form>
""")


_OPERATIONS = _in_layout("""
{% if waiting %}
<h2>Pages that wait for a person</h2>
<ul>
{% for case in waiting %}
<li><a href="{{ case.values.page }}">{{ case.operation.title }},
{{ case.own_id or case.reference_id }}</a></li>
{% endfor %}
</ul>
{% endif %}
<h2>Operations</h2>
<p>Accounts (x-client-id): {{ accounts|join(", ") }}. Use a new id in every call that takes one.
One click selects a request for copying.</p>
<ul>
{% for operation, calls in known %}
<li><a href="#{{ operation.name }}">{{ operation.method }} {{ operation.path }}</a></li>
{% endfor %}
</ul>
{% for operation, calls in known %}
<section id="{{ operation.name }}">
<h3>{{ operation.title }}</h3>
<p><code>{{ operation.method }} {{ prefix }}{{ operation.path }}</code><br>
{{ operation.per_minute }} calls a minute. Its name in faults and quotas:
<code>{{ operation.name }}</code></p>
{% for call in calls %}
<p>{{ call.means }}</p>
<pre tabindex="0">{{ call.body or call.address }}</pre>
{% endfor %}
</section>
{% endfor %}
""")


_MESSAGE = _in_layout("<p>{{ message }}</p>")

_LABELS: Mapping[str, str] = {
    "AADHAAR": "Aadhaar card",
    "PAN": "PAN card",
    "DRIVING_LICENSE": "Driving licence",
}


def consent_page(documents: tuple[str, ...]) -> str:
    """Return the page that asks for consent to ``documents``."""
    return _render(_CONSENT, "Share your documents", documents=documents, labels=_LABELS)


def buttons_page(title: str, text: str, buttons: Mapping[str, Any]) -> str:
    """Return a page on which a person decides by one of ``buttons``."""
    return _render(_BUTTONS, title, text=text, buttons=buttons)


def operations_page(
    known: Iterable[Any], waiting: Iterable[Any], prefix: str, accounts: Iterable[str]
) -> str:
    """Return the page with the operations, calls to copy, and cases that wait for a person."""
    return _render(
        _OPERATIONS,
        "The emulated vendor",
        known=known,
        waiting=waiting,
        prefix=prefix,
        accounts=accounts,
    )


def form_page(template: str) -> str:
    """Return the page of a static link."""
    return _render(_FORM, "Verify your identity", template=template)


def message_page(title: str, message: str) -> str:
    """Return a page with a message only."""
    return _render(_MESSAGE, title, message=message)


def _render(source: str, title: str, **values: Any) -> str:
    return render_template_string(source, title=title, **values)
