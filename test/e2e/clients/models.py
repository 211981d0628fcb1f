"""Logged models: two in one run, one of a grid search, their points, tags and ends, loaded and searched again."""

import os
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import LoggedModelInput
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeRegressor

# Which packages a model needs is not looked into: that takes longer than the training.
os.environ["MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT"] = "1"
X = np.arange(20.0).reshape(-1, 1)
LINEAR = {"name": "linear", "pip_requirements": []}


def play(stage):
    client = MlflowClient()
    experiment = mlflow.set_experiment(stage.experiment).experiment_id
    mlflow.sklearn.autolog(disable=True)
    with mlflow.start_run(run_name="two models") as run:
        mlflow.log_params({"slope": 3, "intercept": 1})
        mlflow.log_metric("loss", 0.5, step=0, timestamp=1_700_000_000_000)
        first = mlflow.sklearn.log_model(LinearRegression().fit(X, 3 * X[:, 0] + 1), params={"alpha": "1"}, **LINEAR)
        stage.middle()
        mlflow.log_metric("loss", 0.25, step=1, timestamp=1_700_000_000_100)
        second = mlflow.sklearn.log_model(LinearRegression().fit(X, -X[:, 0]), step=1, **LINEAR)
        data = mlflow.data.from_numpy(X, name="line")
        mlflow.log_input(data, context="training")
        mlflow.log_metric("error", 0.9, step=1, timestamp=1_700_000_000_200, model_id=second.model_id)
        mlflow.log_metric("error", 0.1, step=2, timestamp=1_700_000_000_300, model_id=first.model_id, dataset=data)
        mlflow.log_metrics({"a": 1, "b": 2}, step=3, timestamp=1_700_000_000_400, model_id=first.model_id)
        client.set_logged_model_tags(first.model_id, {"stage": "tried", "note": "none"})
        client.delete_logged_model_tag(first.model_id, "note")
        client.log_model_params(second.model_id, {"late": "yes"})
        mlflow.log_text("half a line\n", "notes/run.txt")
    with mlflow.start_run(run_name="judges the first"):
        client.log_inputs(mlflow.active_run().info.run_id, models=[LoggedModelInput(first.model_id)])
    failed = client.create_logged_model(experiment, name="failed", source_run_id=run.info.run_id)
    client.finalize_logged_model(failed.model_id, "FAILED")
    thrown = client.create_logged_model(experiment, name="thrown away")
    client.delete_logged_model(thrown.model_id)

    mlflow.sklearn.autolog(log_models=True, silent=True)
    with mlflow.start_run(run_name="grid"):
        GridSearchCV(DecisionTreeRegressor(random_state=0), {"max_depth": [1, 2]}, cv=2).fit(X, X[:, 0])
    mlflow.sklearn.autolog(disable=True)

    for what, uri in {
        "first": f"models:/{first.model_id}",
        "second": second.model_uri,
        "by run": f"runs:/{run.info.run_id}/linear",
    }.items():
        stage.note(what, round(mlflow.sklearn.load_model(uri).predict([[2.0]])[0], 6))

    here = Path(mlflow.artifacts.download_artifacts(first.model_uri))
    stage.note("downloaded", sorted(str(path.relative_to(here)) for path in here.rglob("*")))
    stage.note("a run's file", mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/notes/run.txt"))

    def found(**how):
        models = mlflow.search_logged_models([experiment], output_format="list", **how)
        return [[model.name, str(model.status), sorted(model.tags)] for model in models]

    stage.note("all", found())
    stage.note("by name", found(filter_string="name = 'linear'"))
    stage.note("by metric", found(filter_string="metrics.error > 0.5"))
    stage.note("by parameter and run", found(filter_string=f"params.alpha = '1' AND source_run_id = '{run.info.run_id}'"))
    stage.note("on a dataset", found(datasets=[{"dataset_name": "line", "dataset_digest": data.digest}]))
    stage.note("by its points", found(order_by=[{"field_name": "metrics.error", "ascending": False}]))
    page = client.search_logged_models([experiment], max_results=2)
    rest = client.search_logged_models([experiment], max_results=2, page_token=page.token)
    stage.note("pages", [[model.name for model in part] for part in (page, rest)])
    stage.note("outputs", sorted(output.step for output in client.get_run(run.info.run_id).outputs.model_outputs))
    stage.note("points", sorted(map(point_of, client.get_logged_model(first.model_id).metrics)))
    stage.refused("a model that is gone", lambda: client.get_logged_model(thrown.model_id))
    stage.refused("a name with a slash", lambda: client.create_logged_model(experiment, name="a/b"))


def point_of(metric):
    return [metric.key, metric.value, metric.step, metric.dataset_name or "", metric.dataset_digest or ""]
