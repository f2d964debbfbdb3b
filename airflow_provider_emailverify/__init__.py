"""Bulk e-mail verification vendors for Apache Airflow."""

__version__ = "1.0.0rc1"
