"""Bulk e-mail verification vendors for Apache Airflow."""

__version__ = "0.1.0"
