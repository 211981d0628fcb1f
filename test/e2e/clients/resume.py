"""A run that ended goes on, by each of its ids; `given` are these."""

import mlflow

from fluent import as_read

AT = 1_700_000_100_000


def play(stage):
    for i, run_id in enumerate(stage.given):
        mlflow.set_experiment(stage.experiment)
        with mlflow.start_run(run_id=run_id) as run:
            mlflow.log_metric("resumed", i, step=i, timestamp=AT + i)
            mlflow.log_param("optimizer", "adam")
            mlflow.set_tag("resumed by", i)
            with mlflow.start_run(run_name=f"child of {i}", nested=True):
                mlflow.log_metric("loss", i, step=0, timestamp=AT)
        stage.note(f"by id {i}", as_read(run.info.run_id))
