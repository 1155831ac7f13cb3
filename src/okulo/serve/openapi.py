"""The OpenAPI schema of what the server itself answers; routers bring their own."""

from typing import Any

from okulo import __version__
from okulo.serve.openinference import DTYPES

Schema = dict[str, Any]


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _body(name: str) -> Schema:
    return {"content": {"application/json": {"schema": _ref(name)}}}


def _answers(good: Schema, *errors: int) -> Schema:
    said = {"200": {"description": "done", **good}}
    for code in errors:
        said[str(code)] = {"description": ERRORS[code], **_body("Error")}
    return said


ERRORS = {
    400: "the request cannot be used; `error` says what was wanted and got",
    401: "no API key, or a wrong one",
    404: "no such model or version",
    413: "the body is longer than allowed",
    429: "as much waits as may; `Retry-After` says when to come again (seconds)",
    500: "failed here; the log says more",
    503: "not ready, stopping, or the deadline cannot be met",
    504: "the deadline passed",
}
WORKING = (400, 401, 404, 413, 429, 500, 503, 504)

NAME: Schema = {"type": "string"}
TENSOR: Schema = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"type": "string", "enum": [*DTYPES, "BYTES"]},
        "data": {"type": "array", "items": {}},
        "parameters": {"type": "object"},
    },
}
SCHEMAS: Schema = {
    "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
    "InferenceRequest": {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "inputs": {"type": "array", "items": TENSOR, "minItems": 1, "maxItems": 1},
            "outputs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": NAME, "parameters": {"type": "object"}},
                },
            },
            "parameters": {
                "type": "object",
                "properties": {
                    "timeout": {"type": "integer", "minimum": 1, "description": "microseconds"},
                    "priority": {"type": "integer", "description": "1: before others"},
                    "binary_data_output": {"type": "boolean"},
                },
            },
        },
    },
    "InferenceResponse": {
        "type": "object",
        "required": ["model_name", "model_version", "outputs"],
        "properties": {
            "id": {"type": "string"},
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "outputs": {"type": "array", "items": TENSOR},
        },
    },
    "Pictures": {
        "type": "object",
        "required": ["images"],
        "properties": {
            "images": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "string",
                    "description": "base64 of a JPEG, PNG or WebP file, or a data: URL",
                },
            }
        },
    },
    "Answers": {
        "type": "object",
        "required": ["model", "version", "threshold", "answers"],
        "properties": {
            "model": {"type": "string"},
            "version": {"type": "string"},
            "threshold": {"type": ["number", "null"]},
            "answers": {"type": "array", "items": _ref("Answer")},
        },
    },
    "Answer": {
        "type": "object",
        "description": "for one picture, in the order they were sent; `error` alone where it failed",
        "properties": {
            "label": {"type": ["string", "null"], "description": "null: don't know"},
            "best": {"type": "string"},
            "probability": {"type": "number"},
            "dont_know": {"type": "boolean"},
            "top": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"label": {"type": "string"}, "probability": {"type": "number"}},
                },
            },
            "width": {"type": "integer"},
            "height": {"type": "integer"},
            "error": {"type": "string"},
        },
    },
}
PLAIN: Schema = {"content": {"application/json": {"schema": {"type": "object"}}}}


def _in_path(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _in_query(name: str, about: str, **schema: object) -> Schema:
    return {"name": name, "in": "query", "description": about, "schema": schema}


def _infer() -> Schema:
    return {
        "operationId": "infer",
        "summary": "Run a model on `image` (UINT8 [h, w, 3] or [n, h, w, 3]) or `pixels` (FP32 [n, 3, H, W])",
        "requestBody": {"required": True, **_body("InferenceRequest")},
        "responses": _answers(_body("InferenceResponse"), *WORKING),
    }


def _predict() -> Schema:
    picture = {"schema": {"type": "string", "format": "binary"}}
    form = {"schema": {"type": "object", "properties": {"image": {"type": "string", "format": "binary"}}}}
    kinds = {f"image/{kind}": picture for kind in ("jpeg", "png", "webp")}
    return {
        "operationId": "predict",
        "summary": "Label pictures: the file as it is, several in a form, or base64 in JSON",
        "parameters": [
            _in_query("top", "how many classes to list", type="integer", minimum=0, maximum=1000, default=5),
            _in_query("timeout_ms", "an answer later than this is of no use", type="integer", minimum=1),
            _in_query("priority", "`high`: before others", type="string", enum=["high", "normal"]),
            _in_query("outputs", "further outputs to send, by name, comma-separated", type="string"),
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _ref("Pictures")},
                "multipart/form-data": form,
                **kinds,
            },
        },
        "responses": _answers(_body("Answers"), *WORKING),
    }


def _get(operation: str, summary: str, *errors: int, good: Schema = PLAIN) -> Schema:
    return {"operationId": operation, "summary": summary, "responses": _answers(good, *errors)}


def schema() -> Schema:
    """The document, OpenAPI 3.1."""
    text: Schema = {"content": {"text/plain": {"schema": {"type": "string"}}}}
    rows: Schema = {"content": {"application/json": {"schema": {"type": "array", "items": {}}}}}
    red = {"503": {"description": "not ready", **PLAIN}}
    ready = _get("ready", "whether all models can answer now")
    ready["responses"] |= red
    model_ready = _get("modelReady", "whether this model can answer now", 401, 404)
    model_ready["responses"] |= red
    model = {"parameters": [_in_path("model")]}
    version = {"parameters": [_in_path("model"), _in_path("version")]}
    paths: Schema = {
        "/v2/health/live": {"get": _get("live", "whether the process runs")},
        "/v2/health/ready": {"get": ready},
        "/v2": {"get": _get("server", "name and version of the server", 401)},
        "/v2/repository/index": {"post": _get("index", "all models", 401, good=rows)},
        "/metrics": {"get": _get("metrics", "figures for Prometheus", 401, good=text)},
    }
    for where, parameters, tail in (("", model, ""), ("/versions/{version}", version, "OfVersion")):
        for path, method, operation in (
            (f"/v2/models/{{model}}{where}", "get", _get("metadata", "what it takes and gives", 401, 404)),
            (f"/v2/models/{{model}}{where}/ready", "get", model_ready),
            (f"/v2/models/{{model}}{where}/infer", "post", _infer()),
            (f"/v1/models/{{model}}{where}", "get", _get("about", "what the model file says", 401, 404)),
            (f"/v1/models/{{model}}{where}/predict", "post", _predict()),
        ):
            paths[path] = {
                **parameters,
                method: {**operation, "operationId": operation["operationId"] + tail},
            }
    return {
        "openapi": "3.1.0",
        "info": {"title": "okulo", "version": __version__, "description": "Models served by `okulo serve`."},
        "paths": paths,
        "components": {"schemas": dict(SCHEMAS)},
    }
