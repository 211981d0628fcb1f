"""scikit-learn's autologging: a fit, and a grid search, which makes a run for each point of the grid."""

import mlflow
import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeRegressor


def play(stage):
    mlflow.set_experiment(stage.experiment)
    mlflow.sklearn.autolog(log_models=False, silent=True)
    x = np.arange(40.0).reshape(-1, 2)
    y = np.sin(x[:, 0])
    with mlflow.start_run(run_name="tree"):
        DecisionTreeRegressor(random_state=0, max_depth=3).fit(x, y)
        stage.middle()
        mlflow.log_metric("after", 1, step=1)
    with mlflow.start_run(run_name="grid"):
        GridSearchCV(DecisionTreeRegressor(random_state=0), {"max_depth": [1, 2]}, cv=2).fit(x, y)
    mlflow.sklearn.autolog(disable=True)
