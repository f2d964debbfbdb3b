"""Which columns hold addresses, by the names that exports really use."""

from __future__ import annotations

import pytest

from airflow_provider_emailverify.formats.email_names import find_email_columns


@pytest.mark.parametrize(
    "name",
    [
        *(
            "email",
            "Email",
            "EMAIL",
            "E-mail",
            "e_mail",
            " Email ",
            "Email:",
            "Email*",
            "* Email",
            "mail",
            "Email Address",
        ),
        *("EmailAddress", "email_address", "Primary Email", "Contact Email", "E-mail 1 - Value", "E-mail Address"),
        *("Customer Email", "customer_email", "billing_email", "Work Email", "Email (Work)", "Person - Email - Work"),
        *("E-Mail-Adresse", "E-MAIL-ADRESSE", "Mailadresse", "E-Mail (geschäftlich)", "Adresse e-mail", "Courriel"),
        *("Adresse électronique", "Adresse Electronique", "Correo electrónico", "CORREO ELECTRONICO", "Correo"),
        *("Dirección de correo electrónico", "Endereço de e-mail", "Indirizzo email", "E-mailadres", "E-postadress"),
        *("Sähköposti", "Adres e-mail", "E-mailová adresa", "E-posta", "Электронная почта", "メールアドレス", "邮箱"),
        *("电子邮件", "이메일", "البريد الإلكتروني"),
    ],
)
def test_names_that_exports_use_are_known(name: str) -> None:
    assert find_email_columns(["id", name, "note"]) == [1]


@pytest.mark.parametrize(
    "name",
    [
        *("Email consent", "Email status", "Email opt in", "Email Opt-In", "email_verified", "Emails sent", "Email 2"),
        *("Second Email", "E-mail 2 - Value", "E-mail 1 - Type", "Email type", "Email domain", "Mailing Street"),
        *("Mailing City", "Email bounced", "Accepts Email Marketing", "Last email", "Email template", "Name", "", "id"),
        *("Email subject", "verdict", "Email Format", "Opted out of email", "female", "Email source", "Email hash"),
    ],
)
def test_names_of_other_things_are_none(name: str) -> None:
    assert find_email_columns(["id", name, "note"]) == []


def test_more_than_one_means_that_nobody_can_tell() -> None:
    assert find_email_columns(["Work Email", "x", "Personal Email"]) == [0, 2]
    assert find_email_columns(["Email", "E-Mail"]) == [0, 1]


def test_a_column_that_is_called_just_email_is_the_one() -> None:
    assert find_email_columns(["Contact Email", "email"]) == [1]
