"""System metrics, which the client logs from a thread of its own."""

import time

import mlflow

INTERVAL_SECONDS = 0.2


def play(stage):
    mlflow.set_system_metrics_sampling_interval(INTERVAL_SECONDS)
    mlflow.set_system_metrics_samples_before_logging(1)
    mlflow.set_experiment(stage.experiment)
    with mlflow.start_run(run_name="host", log_system_metrics=True):
        time.sleep(2 * INTERVAL_SECONDS)
        stage.middle()
        time.sleep(3 * INTERVAL_SECONDS)
