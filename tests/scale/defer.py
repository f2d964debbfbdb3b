"""
Start a run of the DAG "many" and defer its tasks in Airflow's database, as if as many workers had done so.

Two thousand real workers would take an hour on two cores; what is shown here begins with the triggerer.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.trigger import Trigger
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType

from airflow_provider_emailverify.triggers.batch import EmailVerifyBatchTrigger


def main(interval: float) -> None:
    """Defer them."""
    now = datetime.now(UTC)
    with create_session() as session:
        dag = SerializedDagModel.get("many", session=session).dag
        run = dag.create_dagrun(
            run_id="many",
            logical_date=now,
            data_interval=(now, now),
            run_after=now,
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.RUNNING,
            session=session,
        )
        for task in run.get_task_instances(session=session):
            trigger = Trigger.from_object(EmailVerifyBatchTrigger("cliova_default", f"b-{task.map_index}", interval))
            session.add(trigger)
            session.flush()
            task.state = TaskInstanceState.DEFERRED
            task.trigger_id = trigger.id
            task.next_method = "execute_complete"
            task.next_kwargs = {}


if __name__ == "__main__":
    main(float(sys.argv[1]))
