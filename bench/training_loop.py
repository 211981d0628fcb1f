"""A training loop that logs ten metrics a step with MLflow's client.

Prints "ready" once the run is there, waits for a line, and prints as JSON how many ms each step stood in logging.
"""

import json
import os
import sys
import time

import mlflow

STEPS, METRICS, STEP_SECONDS = 200, 10, 0.02

answers, sys.stdout = sys.stdout, open(os.devnull, "w")  # the client prints, too
mlflow.set_experiment(sys.argv[1])
mlflow.start_run()
print("ready", file=answers, flush=True)
sys.stdin.readline()
waits = []
for step in range(STEPS):
    time.sleep(STEP_SECONDS)
    metrics = {f"metric_{i}": 1 / (step + i + 1) for i in range(METRICS)}
    start = time.perf_counter()
    mlflow.log_metrics(metrics, step=step)
    waits.append((time.perf_counter() - start) * 1000)
mlflow.end_run()
print(json.dumps(waits), file=answers, flush=True)
