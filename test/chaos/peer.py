"""Trainers that log to MLflow with its own client, one thread a trial; what they saw is printed as JSON.

The plan comes on stdin as one line of JSON once "ready" was printed. A call that raises is noted and the training
goes on, as careful code does; a run that cannot be made after three tries leaves its trial without one.
"""

import json
import logging
import os
import platform
import sys
import threading
import time

import mlflow
from mlflow import MlflowClient

logging.disable(logging.CRITICAL)
answers, sys.stdout = sys.stdout, open(os.devnull, "w")  # the client prints, too
CREATE_TRIES = 3

uri, mode, experiment = sys.argv[1:4]
mlflow.set_tracking_uri(uri)
client = MlflowClient(uri)
experiment_id = client.create_experiment(experiment)
print("ready", file=answers, flush=True)
plan = json.loads(sys.stdin.readline())

lock = threading.Lock()
acknowledged, waits, errors = [], [], []


def timed(call):
    """Calls; returns the result and whether it went well."""
    start = time.monotonic()
    try:
        return call(), True
    except Exception as error:
        with lock:
            errors.append(f"{type(error).__name__}: {str(error)[:100]}")
        return None, False
    finally:
        with lock:
            waits.append(time.monotonic() - start)


def create_run(trial):
    for _ in range(CREATE_TRIES):
        run, ok = timed(
            lambda: client.create_run(
                experiment_id, run_name=trial, tags={"thunderline_trial_id": trial}
            )
        )
        if ok:
            return run.info.run_id
    return None


def log(run_id, report):
    synchronous = mode == "sync"
    if report["params"]:
        mlflow.log_params(report["params"], run_id=run_id, synchronous=synchronous)
    if report["metrics"]:
        mlflow.log_metrics(
            report["metrics"],
            step=report["step"],
            timestamp=report["timestamp"],
            run_id=run_id,
            synchronous=synchronous,
        )
    if report["ends"]:
        client.set_terminated(run_id, report["ends"], report["timestamp"])


def train(trial, reports):
    run_id = create_run(trial)
    for report in reports:
        time.sleep(plan["paceMs"] / 1000)
        if run_id is None:
            continue
        _, ok = timed(lambda: log(run_id, report))
        if ok:
            with lock:
                acknowledged.append(report["index"])


threads = [threading.Thread(target=train, args=item) for item in plan["trials"].items()]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
start = time.monotonic()
mlflow.flush_async_logging()
print(
    json.dumps(
        {
            "versions": f"MLflow {mlflow.__version__}, Python {platform.python_version()}",
            "acknowledged": acknowledged,
            "blockedMs": sum(waits) * 1000,
            "longestMs": max(waits) * 1000,
            "exitMs": (time.monotonic() - start) * 1000,
            "errors": errors,
        }
    ),
    file=answers,
    flush=True,
)
