"""MLflow's own parser as a judge: a line of JSON in, {of, filter, order_by}; a line out, what it makes of it."""
import json
import sys

from sqlalchemy.orm import Session

from mlflow.exceptions import MlflowException
from mlflow.store.tracking import sqlalchemy_store as store
from mlflow.utils.search_utils import SearchExperimentsUtils, SearchUtils


def judge_runs(filter_string, order_by):
    clauses = SearchUtils.parse_search_filter(filter_string)
    store._get_orderby_clauses(order_by, Session())
    store._get_sqlalchemy_filter_clauses(clauses, Session(), "sqlite")
    return clauses, [SearchUtils.parse_order_by_for_search_runs(term) for term in order_by]


def judge_experiments(filter_string, order_by):
    clauses = SearchExperimentsUtils.parse_search_filter(filter_string)
    store._get_search_experiments_filter_clauses(clauses, "sqlite")
    store._get_search_experiments_order_by_clauses(order_by)
    for clause in clauses:
        if clause["key"] == "experiment_id" and clause["type"] == "attribute":
            clause["value"] = plain_ids(clause["value"])
    return clauses, [SearchExperimentsUtils.parse_order_by_for_search_experiments(term) for term in order_by]


def plain_ids(value):
    return tuple(str(int(v)) for v in value) if isinstance(value, tuple) else str(int(value))


def judge(question):
    judge_one = judge_runs if question["of"] == "runs" else judge_experiments
    try:
        clauses, terms = judge_one(question["filter"], question["order_by"])
    except MlflowException as refusal:
        return {"refusal": refusal.message, "code": refusal.error_code}
    except Exception as failure:  # MLflow answers 500
        return {"refusal": repr(failure), "code": "INTERNAL_ERROR"}
    # A list where one text is compared is taken by the parser and refused by the database.
    if any(isinstance(c["value"], tuple) and not c["comparator"].upper().endswith("IN") for c in clauses):
        return {"refusal": "a list", "code": "INTERNAL_ERROR"}
    clauses = [[c["type"], c["key"], c["comparator"].upper(), plain(c["value"])] for c in clauses]
    return {"clauses": clauses, "order": terms}


def plain(value):
    """JSON has no infinities."""
    return str(value).replace("inf", "Infinity") if value in (float("inf"), float("-inf")) else value


for line in sys.stdin:
    print(json.dumps([judge(question) for question in json.loads(line)]), flush=True)
