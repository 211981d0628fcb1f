"""Searches: of what was logged a moment ago."""

import mlflow
from mlflow import MlflowClient
from mlflow.entities import ViewType

AT = 1_700_000_000_000


def play(stage):
    client = MlflowClient()
    mlflow.set_experiment(stage.experiment)
    experiment = client.get_experiment_by_name(stage.experiment).experiment_id
    for i in range(6):
        run = client.create_run(experiment, start_time=AT + i, run_name=f"run {i}").info.run_id
        client.log_param(run, "model", "cnn" if i % 2 else "mlp")
        client.log_metric(run, "loss", 1 / (i + 1), AT, 1)
        client.set_tag(run, "parity", i % 2)
        if i != 5:
            client.set_terminated(run, "FAILED" if i == 4 else "FINISHED", AT + 10 * i)
        if i == 2:
            client.delete_run(run)
        if i == 3:
            stage.middle()

    def names(filter_string="", order_by=None, view=ViewType.ACTIVE_ONLY, most=100):
        found = client.search_runs([experiment], filter_string, view, most, order_by)
        return [run.info.run_name for run in found]

    stage.note("all", names())
    stage.note("by metric", names("metrics.loss < 0.6", ["metrics.loss ASC"]))
    stage.note("by parameter and tag", names("params.model = 'cnn' and tags.parity != '0'"))
    stage.note("by status", names("attributes.status = 'RUNNING'"))
    stage.note("by name", names("run_name ILIKE 'RUN %'", ["attributes.start_time DESC"]))
    stage.note("deleted", names(view=ViewType.DELETED_ONLY))
    page = client.search_runs([experiment], max_results=2, order_by=["start_time"])
    next_page = client.search_runs([experiment], max_results=2, order_by=["start_time"], page_token=page.token)
    stage.note("pages", [[run.info.run_name for run in part] for part in (page, next_page)])
    frame = mlflow.search_runs(experiment_names=[stage.experiment], order_by=["params.model", "start_time"])
    stage.note("frame", frame[["tags.mlflow.runName", "params.model", "metrics.loss"]].values.tolist())
    stage.refused("OR", lambda: names("metrics.loss < 1 OR metrics.loss > 2"))
    found = client.search_experiments(filter_string=f"name = '{stage.experiment}'")
    stage.note("experiments", [[one.name, one.lifecycle_stage] for one in found])
