"""
A local server that speaks the vendors' published HTTP contracts, for rehearsals and for tests.

Nothing here imports the rest of the package: it reads the vendors' pages on its own, so that hooks tested
against it are tested against a second reading and not against themselves. The extra ``sandbox`` brings what it
needs; run it with ``python -m airflow_provider_emailverify.sandbox``.
"""
