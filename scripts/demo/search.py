"""The demo's search with scikit-learn, logged with MLflow's client as any training would, to MLFLOW_TRACKING_URI.

Reads {"experiment": name, "trials": [{"id": ..., "parameters": {...}}]} from stdin. Prints a line of JSON for each
trial: its run's id, its best accuracy, each point that was logged, and how many ms each call took.
"""

import json
import os
import sys
import time

import mlflow
import numpy as np
from sklearn.datasets import make_moons
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

answers, sys.stdout = sys.stdout, open(os.devnull, "w")  # the client prints, too
plan = json.loads(sys.stdin.readline())
training = make_moons(400, noise=0.18, random_state=7)
validation = make_moons(200, noise=0.18, random_state=8)
calls_ms = []


def timed(call, *args, **kwargs):
    start = time.perf_counter()
    try:
        return call(*args, **kwargs)
    finally:
        calls_ms.append((time.perf_counter() - start) * 1000)


def train(parameters, points):
    """Trains one network; returns its best accuracy, or raises as soon as it diverges."""
    model = MLPClassifier(
        [parameters["hidden_units"]],
        solver="sgd",
        alpha=parameters["weight_decay"],
        batch_size=parameters["batch_size"],
        learning_rate_init=parameters["learning_rate"],
        random_state=parameters["seed"],
    )
    best = 0
    for epoch in range(1, parameters["epochs"] + 1):
        model.partial_fit(*training, classes=[0, 1])
        if parameters["spectral_norm"]:
            model.coefs_[:] = [weights / max(1, np.linalg.norm(weights, 2)) for weights in model.coefs_]
        metrics = {
            "loss": log_loss(training[1], model.predict_proba(training[0])),
            "accuracy": model.score(*training),
            "val_loss": log_loss(validation[1], model.predict_proba(validation[0])),
            "val_accuracy": model.score(*validation),
        }
        at = int(time.time() * 1000)
        timed(mlflow.log_metrics, metrics, step=epoch, timestamp=at)
        points += [{"key": key, "step": epoch, "timestamp": at, "value": value} for key, value in metrics.items()]
        best = max(best, metrics["val_accuracy"])
    return best


mlflow.set_experiment(plan["experiment"])
for trial in plan["trials"]:
    points, accuracy = [], None
    run = timed(mlflow.start_run, run_name=trial["id"])
    timed(mlflow.log_params, trial["parameters"])
    try:
        accuracy = train(trial["parameters"], points)
        timed(mlflow.end_run)
    except ValueError as error:  # not a finite weight is left
        timed(mlflow.set_tag, "error", str(error))
        timed(mlflow.end_run, "FAILED")
    said = {"trial": trial["id"], "run_id": run.info.run_id, "accuracy": accuracy, "points": points}
    print(json.dumps({**said, "calls_ms": calls_ms}), file=answers, flush=True)
    calls_ms.clear()
