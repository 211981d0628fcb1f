"""A study of Optuna's, with its own callback for MLflow."""

import mlflow
import optuna
from optuna_integration import MLflowCallback


def play(stage):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    callback = MLflowCallback(mlflow.get_tracking_uri(), metric_name="loss", tag_study_user_attrs=True)
    sampler = optuna.samplers.RandomSampler(seed=1)
    study = optuna.create_study(study_name=stage.experiment, sampler=sampler)
    study.set_user_attr("purpose", "a test")

    @callback.track_in_mlflow()
    def objective(trial):
        x = trial.suggest_float("x", -1, 1)
        depth = trial.suggest_int("depth", 1, 9)
        for step in range(3):
            mlflow.log_metric("inner", x * step, step=step)
        return x * x + depth

    study.optimize(objective, n_trials=2, callbacks=[callback])
    stage.middle()
    study.optimize(objective, n_trials=2, callbacks=[callback])
