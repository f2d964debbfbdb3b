"""What stands before or after ``verify_emails`` in a Dag stands before or after all of its tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    BaseOperator,
    Label,
    TaskGroup,
    chain,
    cross_downstream,
    task,
    task_group,
)

from airflow_provider_emailverify.task_groups import verify_emails

ARGUMENTS: dict[str, Any] = {"conn_id": "proofy_default", "destination": "s3://bucket/"}


def walk(group_id: str = "walk", **arguments: Any) -> Any:
    return verify_emails(group_id, **{"source": "s3://bucket/list.csv", **ARGUMENTS, **arguments})


def operators(*names: str) -> list[BaseOperator]:
    return [BaseOperator(task_id=name) for name in names]


def upstream(dag: Any, task_id: str) -> set[str]:
    """Return all tasks that come before a task."""
    return {task.task_id for task in dag.get_task(task_id).get_flat_relatives(upstream=True)}


FIRST = {
    "x >> walk": lambda x, result: x >> result,
    "walk << x": lambda x, result: result << x,
    "[x] >> walk": lambda x, result: [x] >> result,
    "walk << [x]": lambda x, result: result << [x],
    "chain": lambda x, result: chain(x, result),
    "chain of lists": lambda x, result: chain([x], [result]),
    "set_downstream": lambda x, result: x.set_downstream(result),
    "set_upstream": lambda x, result: result.set_upstream(x),
    "set_upstream of a list": lambda x, result: result.set_upstream([x]),
    "cross_downstream": lambda x, result: cross_downstream([x], [result]),
    "Label": lambda x, result: x >> Label("why") >> result,
    "Label to the left": lambda x, result: result << Label("why") << x,
    "a key of it": lambda x, result: x >> result["some_key"],
    "map": lambda x, result: x >> result.map(str),
    "map of map": lambda x, result: x >> result.map(str).map(str),
    "zip": lambda x, result: x >> result.zip(result),
    "map of zip": lambda x, result: x >> result.zip(result).map(str),
    "concat": lambda x, result: x >> result.concat(result),
    "concat of concat": lambda x, result: x >> result.concat(result).concat(result),
    "zip to the left": lambda x, result: result.zip(result) << x,
    "the output of x": lambda x, result: x.output >> result,
}
LAST: dict[str, Callable[[Any, Any], object]] = {
    "walk >> x": lambda x, result: result >> x,
    "x << walk": lambda x, result: x << result,
    "walk >> [x]": lambda x, result: result >> [x],
    "[x] << walk": lambda x, result: [x] << result,
    "chain": lambda x, result: chain(result, x),
    "cross_downstream": lambda x, result: cross_downstream([result], [x]),
    "set_downstream": lambda x, result: result.set_downstream(x),
    "set_upstream": lambda x, result: x.set_upstream(result),
    "Label": lambda x, result: result >> Label("why") >> x,
    "map": lambda x, result: result.map(str) >> x,
    "a key of it": lambda x, result: result["some_key"] >> x,
}


@pytest.mark.parametrize("form", FIRST)
def test_what_stands_before_it_stands_before_the_submission(form: str) -> None:
    with DAG("d", schedule=None) as dag:
        (x,) = operators("x")
        FIRST[form](x, walk())

    assert dag.get_task("walk.submit").upstream_task_ids == {"x"}
    assert dag.get_task("walk.merge").upstream_task_ids == {"walk.download", "walk.submit"}


@pytest.mark.parametrize("form", LAST)
def test_what_stands_after_it_stands_after_its_last_task(form: str) -> None:
    with DAG("d", schedule=None) as dag:
        (x,) = operators("x")
        LAST[form](x, walk())

    assert dag.get_task("x").upstream_task_ids == {"walk.merge"}
    assert upstream(dag, "x") == {"walk.submit", "walk.wait", "walk.download", "walk.merge"}


def test_a_task_that_takes_the_result_stands_after_all_of_it() -> None:
    with DAG("d", schedule=None) as dag:
        (x,) = operators("x")
        result = walk()
        x >> result

        @task
        def use(paths: Any) -> None: ...

        use(result)
        use.override(task_id="each").expand(paths=result)
        use.override(task_id="zipped").expand(paths=result.zip(result))

    for name in ("use", "each", "zipped"):
        assert dag.get_task(name).upstream_task_ids == {"walk.merge"}
        assert "x" in upstream(dag, name)


def test_one_walk_can_stand_before_another() -> None:
    with DAG("d", schedule=None) as dag:
        walk("first") >> walk("second")

    assert dag.get_task("second.submit").upstream_task_ids == {"first.merge"}


def test_a_walk_that_is_fed_by_another_stands_after_it() -> None:
    with DAG("d", schedule=None) as dag:
        walk("second", source=walk("first"))

    assert dag.get_task("second.submit").upstream_task_ids == {"first.merge"}


@pytest.mark.parametrize("to_the_right", [True, False])
def test_a_group_can_stand_before_it_and_after_it(to_the_right: bool) -> None:
    with DAG("d", schedule=None) as dag:
        with TaskGroup("before") as before:
            operators("a", "b")
        with TaskGroup("after") as after:
            operators("c")
        result = walk()
        if to_the_right:
            before >> result >> after
        else:
            after << result << before

    assert dag.get_task("walk.submit").upstream_task_ids == {"before.a", "before.b"}
    assert dag.get_task("after.c").upstream_task_ids == {"walk.merge"}


def test_a_result_that_is_zipped_with_another_tasks_stands_for_both() -> None:
    with DAG("d", schedule=None) as dag:
        x, other = operators("x", "other")
        x >> walk().zip(other.output)

    assert dag.get_task("walk.submit").upstream_task_ids == {"x"}
    assert dag.get_task("other").upstream_task_ids == {"x"}


def test_it_can_stand_in_a_group_of_the_users() -> None:
    with DAG("d", schedule=None) as dag:
        (x,) = operators("x")

        @task_group
        def outer() -> Any:
            return walk()

        x >> outer()

    assert dag.get_task("outer.walk.submit").upstream_task_ids == {"x"}


def test_the_labels_of_its_edges_are_those_of_a_group() -> None:
    with DAG("d", schedule=None) as dag:
        x, y = operators("x", "y")
        x >> Label("in") >> walk() >> Label("out") >> y

    assert dag.get_edge_info("x", "walk.upstream_join_id") == {"label": "in"}
    assert dag.get_edge_info("walk.downstream_join_id", "y") == {"label": "out"}


def test_a_key_of_it_stays_a_key() -> None:
    with DAG("d", schedule=None):
        result = walk()

        assert (result.key, result["other"].key) == ("return_value", "other")
        assert "key='other'" in str(result["other"])


@pytest.mark.parametrize("method", ["map", "zip", "concat"])
def test_what_airflow_refuses_of_a_key_is_still_refused(method: str) -> None:
    with DAG("d", schedule=None), pytest.raises(ValueError, match="non-return XCom"):
        getattr(walk()["other"], method)(str)
