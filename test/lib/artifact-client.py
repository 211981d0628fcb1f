"""What a trainer does with MLflow's unmodified client beside logging: files, figures, datasets, downloads.

Arguments: where files may be written. The tracking server is in the environment. Says on stdout, as one JSON object, what
was seen: files by path with their SHA-256, and what failed.
"""

import json
import os
import sys

import matplotlib
import mlflow
import mlflow.sklearn
import numpy as np
from digests import files_in, sha256
from matplotlib import pyplot
from mlflow import MlflowClient
from sklearn.linear_model import LinearRegression

matplotlib.use("Agg")
directory = sys.argv[1]
answers = sys.stdout
sys.stdout = sys.stderr


def attempt(step, *args, **kwargs):
    try:
        return step(*args, **kwargs)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def listed(client, run_id, path=None):
    found = []
    for item in client.list_artifacts(run_id, path):
        found += listed(client, run_id, item.path) if item.is_dir else [item.path]
    return found


def log_model():
    model = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    logged = mlflow.sklearn.log_model(model, name="linear", pip_requirements=[])
    predicted = mlflow.sklearn.load_model(logged.model_uri).predict([[2.0]])[0]
    assert round(predicted, 6) == 5, predicted
    found = mlflow.search_logged_models(output_format="list")
    assert [(one.model_id, one.source_run_id) for one in found] == [(logged.model_id, mlflow.active_run().info.run_id)]


weights = os.urandom(int(os.environ.get("LARGE_BYTES", "3000000")))
local = os.path.join(directory, "weights (ü) 100%.bin")
with open(local, "wb") as file:
    file.write(weights)

mlflow.set_experiment(os.environ.get("EXPERIMENT", "artifacts"))
with mlflow.start_run() as run:
    run_id = run.info.run_id
    failures = {
        # The run was made a moment ago, and MLflow has not heard of it.
        "log_artifact": attempt(mlflow.log_artifact, local, "model"),
        "log_text": attempt(mlflow.log_text, "über alles\n", "notes/a b.txt"),
        "log_dict": attempt(mlflow.log_dict, {"run_id": run_id, "lr": 0.1}, "config.json"),
        "empty": attempt(mlflow.log_text, "", "empty.txt"),
        "log_input": attempt(mlflow.log_input, mlflow.data.from_numpy(np.arange(6), name="six"), context="training"),
        "log_table": attempt(mlflow.log_table, {"a": [1, 2], "b": ["x", "y"]}, "table.json"),
    }
    figure = pyplot.figure()
    pyplot.plot([1, 3, 2])
    failures["log_figure"] = attempt(mlflow.log_figure, figure, "plots/loss.png")
    mlflow.log_metric("loss", 0.5)
    failures["log_model"] = attempt(log_model)
    uri = mlflow.get_artifact_uri()

client = MlflowClient()
seen = {
    "run_id": run_id,
    "experiment_id": run.info.experiment_id,
    "uri": uri,
    "weights": sha256(weights),
    "failures": {name: failure for name, failure in failures.items() if isinstance(failure, str)},
    "listed": attempt(listed, client, run_id),
    "status": client.get_run(run_id).info.status,
}
target = os.path.join(directory, "down")
os.makedirs(target, exist_ok=True)
got = attempt(mlflow.artifacts.download_artifacts, run_id=run_id, dst_path=target)
seen["downloaded"] = got if not os.path.isdir(got) else files_in(got)
seen["by_uri"] = attempt(mlflow.artifacts.load_text, f"runs:/{run_id}/notes/a b.txt")
seen["missing"] = attempt(mlflow.artifacts.load_text, f"runs:/{run_id}/nothing.txt")
print(json.dumps(seen), file=answers, flush=True)
