"""The names that exports give to a column of e-mail addresses."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import combining, normalize

from airflow_provider_emailverify.formats.column_names import compact

# As they are written; compared without case, accents, spaces and punctuation. Names of further addresses of the same
# person ("Second Email", "E-mail 2 - Value") are not here, so that they do not compete with the first.
_NAMES = """
email | e-mails | mail | email address | email addresses | mail address | email id | email addr | your email
primary email | primary email address | main email | default email | email primary | email 1 | email 1 value
email address 1 | contact email | contact email address | person email | person email work | email work
work email | work email address | business email | business email address | company email | professional email
corporate email | email business | office email | email office | personal email | personal email address
private email | home email | email home | email personal | email other
customer email | customer email address | client email | user email | user email address | member email
subscriber email | subscriber email address | recipient email | recipient email address | lead email
account email | billing email | billing email address | invitee email | attendee email | guest email
buyer email | respondent email | sender email | employee email | student email | applicant email | login email
E-Mail-Adresse | E-Mail-Adressen | Mailadresse | E-Mail Adresse 1 | E-Mail geschäftlich | E-Mail privat
E-Mail dienstlich | E-Mail (Arbeit) | Kunden-E-Mail | Kontakt-E-Mail
Adresse e-mail | Adresse mail | Adresse de courriel | Adresse courriel | Courriel | Adresse électronique | Mél
Adresse de messagerie | E-mail professionnel | E-mail principal
Correo electrónico | Correo | Dirección de correo electrónico | Dirección de correo | Dirección de email
Correo electrónico principal | Correo-e
Endereço de e-mail | Endereço de correio eletrónico | Correio eletrónico | Endereço eletrônico
Indirizzo e-mail | Indirizzo di posta elettronica | Posta elettronica | Indirizzo mail
E-mailadres | E-mailadresse | E-mail-adress | Mejladress | E-post | E-postadress | E-postadresse
Sähköposti | Sähköpostiosoite | Netfang | E-pasts | El. paštas | E-posti aadress
Adres e-mail | Adres mailowy | Poczta elektroniczna | Emailová adresa | E-mailová adresa | E-mail cím
Adresă de e-mail | Adresa e-pošte | E-pošta | Adresa elektronske pošte | E-posta | E-posta adresi
Электронная почта | Адрес электронной почты | Эл. почта | Почта | Имейл | E-mail адрес
Електронна пошта | Електронна адреса | Имейл адрес
Ηλεκτρονικό ταχυδρομείο | Διεύθυνση ηλεκτρονικού ταχυδρομείου | Διεύθυνση email
Alamat email | Surel | Địa chỉ email | Thư điện tử
メールアドレス | メール | Eメール | Eメールアドレス | 電子メール | 電子メールアドレス
电子邮件 | 电子邮箱 | 邮箱 | 邮箱地址 | 电子邮件地址 | 电邮 | 電子郵件 | 電子郵件地址 | 電子信箱 | 電郵
이메일 | 이메일 주소 | 전자우편 | البريد الإلكتروني | דואר אלקטרוני | אימייל | ईमेल
"""


def _key(name: str) -> str:
    plain = "".join(character for character in normalize("NFKD", name) if not combining(character))
    return compact(plain)


_KEYS = frozenset(_key(name) for line in _NAMES.strip().splitlines() for name in line.split("|"))


def find_email_columns(names: Sequence[str]) -> list[int]:
    """
    Return the places of the columns that hold addresses, as far as their names tell.

    A column that is called just ``email`` is the only one. More than one place means that nobody can tell.

    :param names: the names of all columns.
    """
    places = [place for place, name in enumerate(names) if name == "email"]
    return places or [place for place, name in enumerate(names) if _key(name) in _KEYS]
