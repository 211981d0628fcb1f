"""Trainings that log with MLflow's unmodified client, played part by part.

A part is a module beside this one with a function `play(stage)`. Reads requests from stdin, one JSON object a line:
{"part": name, "experiment": name, "given": ...}. In the middle of a part {"middle": true} is printed and a line is
waited for; at its end {"noted": {...}}, what the part read back, or {"error": traceback}. The server and the
credentials are in the environment, as with any training.
"""

import importlib
import json
import re
import sys
import traceback

import mlflow
from mlflow.exceptions import MlflowException

ID = re.compile(r"\b[0-9a-f]{32}\b|(?<=experiment )\d+\b")
# What the client and its libraries print is for people.
ANSWERS, sys.stdout = sys.stdout, sys.stderr


class Stage:
    def __init__(self, experiment, given):
        self.experiment = experiment
        self.given = given
        self.noted = {}

    def middle(self):
        """Half of the training is done."""
        say({"middle": True})
        sys.stdin.readline()

    def note(self, what, value):
        """Keeps what was read, in which ids and the experiment's name may differ from server to server."""
        self.noted[what] = plain(value, self.experiment)

    def refused(self, what, call):
        """Notes how a call is refused; that it is taken is a failure."""
        try:
            call()
        except MlflowException as error:
            # Below the first line MLflow explains, and its database has its say.
            words = str(error).splitlines()[0].split(" Error: (")[0]
            self.note(what, [error.error_code, words])
        else:
            raise AssertionError(f"{what} was taken")


def plain(value, experiment):
    if isinstance(value, float) and value != value:
        return "NaN"
    if isinstance(value, str):
        return ID.sub("<id>", value.replace(experiment, "<experiment>"))
    if isinstance(value, dict):
        return {plain(key, experiment): plain(item, experiment) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, experiment) for item in value]
    return value


def say(answer):
    print(json.dumps(answer), file=ANSWERS, flush=True)


def main():
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        stage = Stage(request["experiment"], request.get("given"))
        try:
            importlib.import_module(request["part"]).play(stage)
            say({"noted": stage.noted})
        except Exception:
            while mlflow.active_run():
                mlflow.end_run("FAILED")
            say({"error": traceback.format_exc()})


if __name__ == "__main__":
    main()
