"""MlflowClient: experiments, large batches, times of one's own, lifecycle, names, and what is refused."""

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

AT = 1_700_000_000_000


def play(stage):
    client = MlflowClient()
    name = stage.experiment
    experiment = client.create_experiment(name, tags={"made": "by hand"})
    client.set_experiment_tag(experiment, "owner", "lab")
    run = client.create_run(experiment, start_time=AT, run_name="large", tags={"a": "1"}).info.run_id
    client.log_batch(
        run,
        metrics=[Metric(f"m{i % 20}", i / 7, AT + i, i // 20) for i in range(1000)],
        params=[Param(f"p{i}", f"value {i}") for i in range(100)],
        tags=[RunTag(f"t{i}", f"value {i}") for i in range(100)],
    )
    stage.middle()
    client.log_batch(run, metrics=[Metric("m0", i, AT + i, 50 + i) for i in range(300)])
    client.log_param(run, "p0", "value 0")
    client.set_tag(run, "mlflow.note.content", "a note")
    client.set_tag(run, "a", "2")
    client.set_tag(run, "a", "1")
    client.delete_tag(run, "t99")
    client.update_run(run, name="renamed")
    client.set_terminated(run, "KILLED", AT + 5_000)
    stage.refused("another value", lambda: client.log_param(run, "p1", "another"))
    stage.refused("another value in a batch", lambda: refused_batch(client, run))
    stage.refused("a bad name", lambda: client.log_metric(run, "acc@5", 1, AT, 0))
    stage.refused("a tag that is not there", lambda: client.delete_tag(run, "t99"))
    stage.refused("a name that is taken", lambda: client.create_experiment(name))
    stage.note("large", described(client.get_run(run)))

    deleted = client.create_run(experiment, start_time=AT, run_name="deleted").info.run_id
    client.delete_run(deleted)
    stage.refused("a write to a deleted run", lambda: client.log_metric(deleted, "loss", 1, AT, 0))
    back = client.create_run(experiment, start_time=AT, run_name="back").info.run_id
    client.delete_run(back)
    client.restore_run(back)
    client.log_metric(back, "loss", 1, AT, 0)
    client.set_tag(back, "mlflow.runName", "back again")
    client.set_terminated(back, end_time=AT + 1)
    stage.note("back", described(client.get_run(back)))

    client.rename_experiment(experiment, f"{name}, renamed")
    found = client.get_experiment_by_name(f"{name}, renamed")
    stage.note("experiment", [found.name, found.lifecycle_stage, found.tags])
    stage.note("the old name", client.get_experiment_by_name(name))
    other = client.create_experiment(f"{name}, other")
    client.delete_experiment(other)
    stage.note("deleted experiment", client.get_experiment(other).lifecycle_stage)
    stage.refused("a run in a deleted experiment", lambda: client.create_run(other))
    third = client.create_experiment(f"{name}, third")
    client.delete_experiment(third)
    client.restore_experiment(third)
    stage.note("restored experiment", client.get_experiment(third).lifecycle_stage)


def refused_batch(client, run):
    """Of which nothing may be kept."""
    client.log_batch(run, [Metric("not kept", 1, AT, 0)], [Param("p1", "other")], [RunTag("not", "kept")])


def described(run):
    metrics = dict(sorted(run.data.metrics.items()))
    times = [run.info.start_time, run.info.end_time]
    data = {"metrics": metrics, "params": run.data.params, "tags": run.data.tags}
    return {"status": run.info.status, "name": run.info.run_name, "times": times, **data}
