"""The unmodified MLflow Python client, driven line by line.

Reads requests from stdin, one JSON object a line: {"call": method of MlflowClient, "args": [...], "kwargs": {...}}.
An argument {"entity": "Metric", ...} becomes mlflow.entities.Metric(...). Answers on stdout, one line each:
{"value": ...} or {"error": ...}.
"""

import json
import sys

import mlflow.entities
from mlflow import MlflowClient


def entity(fields):
    name = fields.pop("entity", None)
    return fields if name is None else getattr(mlflow.entities, name)(**fields)


def plain(value):
    if isinstance(value, float) and value != value:
        return "NaN"
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "to_dictionary"):
        return plain(value.to_dictionary())
    return {key: plain(item) for key, item in value}


# The client prints links for people; answers go where nothing else does.
answers = sys.stdout
sys.stdout = sys.stderr
client = MlflowClient(sys.argv[1])
for line in sys.stdin:
    try:
        request = json.loads(line, object_hook=entity)
        method = getattr(client, request["call"])
        answer = {"value": plain(method(*request["args"], **request["kwargs"]))}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), file=answers, flush=True)
