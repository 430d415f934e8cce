"""The page at ``/docs``: what the model takes, its endpoints, and a request to try; all in one document, nothing is loaded from elsewhere.

Not here: the description that it shows (``description.py``).
"""

import json
from html import escape
from typing import Any

from mlmodel_contract.bundle import BundleSchema

from ...inference.tensors import DATATYPES_OF, ModelMetadata
from ..routes import INFER, OPENAPI
from .description import example

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'"
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }}
table {{ border-collapse: collapse; width: 100% }} td, th {{ border-bottom: 1px solid #8884; padding: .2em .6em; text-align: left }}
code, textarea, pre {{ font: 13px/1.4 ui-monospace, monospace }} textarea {{ width: 100%; height: 14em }} pre {{ overflow: auto }}
</style>
<h1>{title}</h1>
<p>{summary} {description} <a href="{openapi}">OpenAPI description</a></p>
<h2>Columns</h2>
<table><tr><th>column<th>type<th>datatype<th>range</tr>{columns}</table>
<h2>Outputs</h2>
<table><tr><th>output<th>datatype<th>shape</tr>{outputs}</table>
<h2>Endpoints</h2>
<table>{endpoints}</table>
<h2>Try it</h2>
<textarea id="request" spellcheck="false">{request}</textarea>
<p><button id="send">POST {path}</button></p>
<pre id="answer"></pre>
<script>
document.getElementById("send").onclick = async () => {{
  const body = document.getElementById("request").value;
  const answer = await fetch({script_path}, {{method: "POST", body, headers: {{"content-type": "application/json"}}}});
  document.getElementById("answer").textContent = answer.status + "\\n" + JSON.stringify(await answer.json(), null, 2);
}};
</script>
</html>
"""


def page(description: dict[str, Any], metadata: ModelMetadata, schema: BundleSchema) -> str:
    """Return the page."""
    path = INFER.url(metadata.name)
    return _PAGE.format(
        openapi=OPENAPI.path,
        title=escape(f"{metadata.name}, {metadata.versions[0]}"),
        summary=escape(description["info"]["summary"]),
        description=escape(description["info"]["description"]),
        columns=_rows([column.name, column.type, DATATYPES_OF[column.type], _range(column.min, column.max)] for column in schema.features),
        outputs=_rows([tensor.name, tensor.datatype, list(tensor.shape)] for tensor in metadata.outputs),
        endpoints=_rows(
            [f"{method.upper()} {route}", operation["summary"]]
            for route, methods in description["paths"].items()
            for method, operation in methods.items()
        ),
        request=escape(json.dumps(example(schema), indent=1, ensure_ascii=False)),
        path=escape(path),
        script_path=json.dumps(path).replace("<", "\\u003c"),
    )


def _rows(rows: Any) -> str:
    return "".join("<tr>" + "".join(f"<td>{escape(str(cell))}" for cell in row) + "</tr>" for row in rows)


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    return f"{'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}"
