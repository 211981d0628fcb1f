"""The fluent API: nested runs, metrics and parameters of all kinds, asynchronous logging, a failure, a resumption."""

import math

import mlflow
from mlflow import MlflowClient

AT = 1_700_000_000_000
STEPS = 6


def play(stage):
    mlflow.set_experiment(stage.experiment)
    mlflow.set_experiment_tags({"team": "vision", "year": 2023})
    with mlflow.start_run(run_name="parent", tags={"kind": "search"}, description="a search") as parent:
        mlflow.log_param("optimizer", "adam")
        mlflow.log_params({f"layer.{i}": [i, None, True] for i in range(120)})
        mlflow.set_tag("shown", "for a while")
        mlflow.set_tags({"host": "a", "number": 7})
        mlflow.delete_tag("shown")
        for child in range(2):
            with mlflow.start_run(run_name=f"child {child}", nested=True):
                mlflow.log_params({"lr": 0.1 / (child + 1), "text": "ä, 'quoted' \"text\"\n"})
                for step in range(STEPS):
                    at = AT + 1000 * step
                    mlflow.log_metric("loss", 1 / (step + child + 1), step=step, timestamp=at)
                    mlflow.log_metrics({"accuracy": step / 10, "val/f1": -step}, step=step, timestamp=at)
                    if child == 0 and step == STEPS // 2:
                        stage.middle()
        mlflow.log_metric("odd", math.nan, step=1, timestamp=AT)
        mlflow.log_metric("odd", math.inf, step=2, timestamp=AT)
        mlflow.log_metric("odd", -math.inf, step=3, timestamp=AT)
        mlflow.log_metric("again", 1, step=5, timestamp=AT)
        mlflow.log_metric("again", 1, step=5, timestamp=AT)
        mlflow.log_metric("again", 2, step=-3, timestamp=AT)
        for step in range(30):
            later = {"step": step, "timestamp": AT + step, "synchronous": False}
            mlflow.log_metrics({"async/a": step, "async/b": step * step}, **later)
        mlflow.log_params({"async.param": "x"}, synchronous=False)
        mlflow.set_tags({"async.tag": "y"}, synchronous=False)
        mlflow.flush_async_logging()
        stage.note("while it runs", as_read(parent.info.run_id))
    stage.note("ended", as_read(parent.info.run_id))
    try:
        with mlflow.start_run(run_name="fails"):
            mlflow.log_metric("loss", 3, step=0, timestamp=AT)
            raise ValueError("on purpose")
    except ValueError:
        pass
    with mlflow.start_run(run_id=parent.info.run_id):
        mlflow.log_metric("again", 3, step=6, timestamp=AT)
        mlflow.set_tag("host", "b")
        stage.note("resumed", as_read(parent.info.run_id))
    stage.note("ended again", as_read(parent.info.run_id))


def as_read(run_id):
    """What the client reads of a run, without the times that it takes from the clock."""
    run = mlflow.get_run(run_id)
    history = MlflowClient().get_metric_history
    return {
        "status": run.info.status,
        "name": run.info.run_name,
        "ended": run.info.end_time is not None,
        "params": run.data.params,
        "tags": {key: tag for key, tag in run.data.tags.items() if not key.startswith("mlflow.source")},
        "metrics": {key: bounded(value) for key, value in run.data.metrics.items()},
        "histories": {
            key: [[point.step, point.timestamp, bounded(point.value)] for point in history(run_id, key)]
            for key in run.data.metrics
        },
    }


def bounded(value):
    """MLflow's stores keep infinities as the largest doubles, and the relay as they are."""
    largest = 1.7976931348623157e308
    return value if math.isnan(value) else max(-largest, min(largest, value))
