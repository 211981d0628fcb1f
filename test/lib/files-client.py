"""What a training with MLflow's unmodified client writes as files, and what it is given back.

Arguments: a directory that may be written to. The tracking server is in the environment. Says on stdout, as one JSON
object: the run's id, what failed, and the SHA-256 of each file by its path, as it was made and as it was downloaded.
"""

import json
import os
import sys

import matplotlib
import mlflow
import numpy as np
from digests import files_in
from matplotlib import pyplot

matplotlib.use("Agg")
directory = sys.argv[1]
answers = sys.stdout
sys.stdout = sys.stderr

made = os.path.join(directory, "made")
for path, size in {"a.bin": 3_000_000, "large.bin": 11_000_000, "deep/er/b.bin": 10, "deep/empty": 0, "ü ü/100%.txt": 5}.items():
    os.makedirs(os.path.dirname(os.path.join(made, path)), exist_ok=True)
    with open(os.path.join(made, path), "wb") as file:
        file.write(os.urandom(size))

figure = pyplot.figure()
pyplot.plot([1, 3, 2])
pixels = (np.arange(48).reshape(4, 4, 3) * 5).astype(np.uint8)
steps = {
    "log_artifacts": lambda: mlflow.log_artifacts(made, "made"),
    "log_artifact": lambda: mlflow.log_artifact(os.path.join(made, "a.bin")),
    "log_image": lambda: mlflow.log_image(pixels, "images/one.png"),
    "log_image_of_step": lambda: mlflow.log_image(pixels, key="sample", step=2),
    "log_figure": lambda: mlflow.log_figure(figure, "plots/loss.png"),
    "log_table": lambda: mlflow.log_table({"a": [1, 2], "b": ["x", "y"]}, "table.json"),
    "log_table_more": lambda: mlflow.log_table({"a": [3], "b": ["z"]}, "table.json"),
    "log_text": lambda: mlflow.log_text("über alles\n", "notes.txt"),
    "log_dict": lambda: mlflow.log_dict({"lr": 0.1}, "config.yaml"),
}
failures = {}
mlflow.set_experiment(os.environ["EXPERIMENT"])
with mlflow.start_run() as run:
    for name, step in steps.items():
        try:
            step()
        except Exception as error:
            failures[name] = f"{type(error).__name__}: {error}"
mlflow.flush_artifact_async_logging()
target = os.path.join(directory, "down")
os.makedirs(target)
down = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, dst_path=target)
said = {
    "run_id": run.info.run_id,
    "failures": failures,
    "made": {f"made/{path}": digest for path, digest in files_in(made).items()},
    "downloaded": files_in(down),
}
print(json.dumps(said), file=answers, flush=True)
