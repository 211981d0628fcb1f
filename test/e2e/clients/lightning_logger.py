"""The calls that Lightning 2.6's MLFlowLogger makes for a fit, in its order: a batch for every logged step."""

import time

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.tracking.context.registry import resolve_tags


class MLFlowLogger:
    def __init__(self, experiment_name, run_name):
        self._client = MlflowClient()
        experiment = self._client.get_experiment_by_name(experiment_name)
        if experiment is not None and experiment.lifecycle_stage != "deleted":
            self._experiment_id = experiment.experiment_id
        else:
            self._experiment_id = self._client.create_experiment(name=experiment_name, artifact_location=None)
        tags = resolve_tags({"mlflow.runName": run_name})
        self._run_id = self._client.create_run(experiment_id=self._experiment_id, tags=tags).info.run_id

    def log_hyperparams(self, params):
        pairs = [Param(key=key, value=str(value)[:250]) for key, value in params.items()]
        for i in range(0, len(pairs), 100):
            self._client.log_batch(run_id=self._run_id, params=pairs[i : i + 100])

    def log_metrics(self, metrics, step):
        at = int(time.time() * 1000)
        points = [Metric(key=key, value=value, timestamp=at, step=step) for key, value in metrics.items()]
        self._client.log_batch(run_id=self._run_id, metrics=points)

    def finalize(self, status):
        if self._client.get_run(self._run_id):
            self._client.set_terminated(self._run_id, status)


def play(stage):
    for run in ("first fit", "second fit"):
        logger = MLFlowLogger(stage.experiment, run)
        logger.log_hyperparams({f"model/layer{i}": i for i in range(110)})
        for step in range(10):
            logger.log_metrics({"train_loss": 1 / (step + 1), "epoch": step // 5}, step)
            if step == 4:
                logger.log_metrics({"val_loss": 0.5, "epoch": 0}, step)
                if run == "first fit":
                    stage.middle()
        logger.finalize("FINISHED")
