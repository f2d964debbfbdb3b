"""What the operators have in common that read a list before money is spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_emailverify.limits import read_limit
from airflow_provider_emailverify.steps.arguments import read_texts, read_whole_number, read_word

if TYPE_CHECKING:
    from airflow_provider_emailverify.lists.cleaning import Cleaning
    from airflow_provider_emailverify.lists.reader import ListFormat
    from airflow_provider_emailverify.steps.list_to_buy import BuyOptions


class ReadingOperator(BaseOperator):
    """
    Know which list is read, and how: the same for those that spend money on it and for the one that gives it back.

    :param source: a URI as ``ObjectStoragePath`` takes it, such as ``s3://my_conn@bucket/lists/{{ ds }}.csv``; a
        folder, which ends in a slash; a pattern such as ``s3://my_conn@bucket/lists/*.csv``; or a list of those. All
        files are one list: an address that stands in two of them is bought once. (templated)
    :param email_column: the name of the column of addresses, or of the member of a JSON line; or a list of names. By
        default the column's own name tells. (templated)
    :param source_format: ``csv``, ``jsonl``, ``parquet``, ``lines`` (one address a line) or ``excel``; by default what
        the file's name ends in, ``.gz`` apart. (templated)
    :param encoding: of a text file.
    :param sheet: the name of the sheet in an Excel file; by default the first. (templated)
    :param clean: take addresses out of what exports hold beside them: ``Name <a@x.com>``, ``mailto:``, quotes, a dot or
        comma at the end, characters that nobody sees, full-width signs, several addresses in one cell. Else only white
        space around a value is cut off, and what is no address then is dropped.
    :param distinguish_case: upper and lower case left of the "@" make two addresses. By default they are one, as they
        are to practically every receiver.
    """

    template_fields: Sequence[str] = ("source", "email_column", "source_format", "sheet")

    def __init__(
        self,
        *,
        source: str | Sequence[str],
        email_column: str | Sequence[str] | None = None,
        source_format: Literal["csv", "jsonl", "parquet", "lines", "excel"] | None = None,
        encoding: str = "utf-8",
        sheet: str | None = None,
        clean: bool = True,
        distinguish_case: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.email_column = email_column
        self.source_format = source_format
        self.encoding = encoding
        self.sheet = sheet
        self.clean = clean
        self.distinguish_case = distinguish_case

    def list_format(self) -> ListFormat:
        """Return how the list is read, once templates are rendered."""
        from airflow_provider_emailverify.lists.reader import ListFormat

        return ListFormat(
            email_column=read_texts("email_column", self.email_column),
            source_format=read_word(self.source_format),
            encoding=self.encoding,
            sheet=read_word(self.sheet),
        )

    def cleaning(self) -> Cleaning:
        """Return how addresses are taken out of it."""
        from airflow_provider_emailverify.lists.cleaning import Cleaning

        return Cleaning(clean=self.clean, distinguish_case=self.distinguish_case)


class ListOperator(ReadingOperator):
    """
    Read a list, and take out of it what costs nothing. How it is read: see :class:`ReadingOperator`.

    :param max_emails: refuse a list of which more addresses would be bought, before anything is spent; 0 is allowed.
        (templated)
    :param max_dropped: refuse a list of which more values are no addresses, before anything is spent: a count, or a
        share such as ``"5%"`` or ``0.05``. Empty cells do not count, on neither side. (templated)
    :param known: results of earlier times: files, folders or patterns, as download and merge wrote them. An address
        whose answer there is young enough is not bought. True for the folder of ``answers``. (templated)
    :param max_age: how long such an answer counts: ``"60d"``, or a mapping of verdicts to ages. By default 60 days for
        deliverable and undeliverable, 30 for risky, none for unknown. (templated)
    :param known_vendors: the vendors whose answers count, by connection type; by default everybody's. (templated)
    :param prescreen: ``syntax`` buys no answer about what no mail system takes; ``dns`` neither about domains that do
        not exist or take no mail (it needs the extra ``dns``). (templated)
    :param prescreen_resolver: name servers such as ``192.0.2.1:53``; by default the worker's. (templated)
    :param answers: the URI of a file, ending in ``.csv``, ``.jsonl`` or ``.parquet``, for the answers that cost
        nothing; or a folder. It is written before the first purchase, and a retry reads it. Without ``known`` and
        ``prescreen`` it is a file that is there already, such as the estimate operator's XCom ``answers``. (templated)
    :param price_per_address: what the vendor takes for one, in any currency, for the figures.
    :param beside_list: ``answers`` is where a merge writes the verified list; the file goes into the folder
        ``_results/`` beside that.
    """

    template_fields: Sequence[str] = (
        *ReadingOperator.template_fields,
        "max_emails",
        "max_dropped",
        "known",
        "max_age",
        "known_vendors",
        "prescreen",
        "prescreen_resolver",
        "answers",
    )

    def __init__(
        self,
        *,
        max_emails: int | None = None,
        max_dropped: int | float | str | None = None,
        known: bool | str | Sequence[Any] | None = None,
        max_age: Any = None,
        known_vendors: Sequence[str] | None = None,
        prescreen: Literal["syntax", "dns"] | None = None,
        prescreen_resolver: str | Sequence[str] | None = None,
        answers: str | None = None,
        price_per_address: float | None = None,
        beside_list: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_emails = max_emails
        self.max_dropped = max_dropped
        self.known = known
        self.max_age = max_age
        self.known_vendors = known_vendors
        self.prescreen = prescreen
        self.prescreen_resolver = prescreen_resolver
        self.answers = answers
        self.price_per_address = price_per_address
        self.beside_list = beside_list

    def buy_options(self, name: str) -> BuyOptions:
        """
        Return the arguments, checked, once templates are rendered.

        :param name: what the file of answers is called in a folder, without its ending.
        :raises InvalidRequestError: one makes no sense.
        """
        from airflow_provider_emailverify.lists.history import MaxAge
        from airflow_provider_emailverify.steps.list_to_buy import BuyOptions

        known, vendors = (read_texts(each, getattr(self, each)) for each in ("known", "known_vendors"))
        answers = self._answers(name)
        if known is True and answers is not None:
            known = answers.uri[: answers.uri.rfind("/") + 1]
        return BuyOptions(
            source=self.source,
            how=self.list_format(),
            cleaning=self.cleaning(),
            max_emails=read_whole_number("max_emails", self.max_emails, least=0),
            max_dropped=read_limit("max_dropped", self.max_dropped),
            known=_listed(known),
            max_age=MaxAge.parse(self.max_age),
            known_vendors=frozenset(_listed(vendors)) or None,
            prescreen=read_word(self.prescreen),
            prescreen_resolver=read_texts("prescreen_resolver", read_word(self.prescreen_resolver)),
            answers=answers,
            price_per_address=self.price_per_address,
        )

    def _answers(self, name: str) -> Any:
        from airflow_provider_emailverify.storage.destination import RESULTS_FOLDER, Destination

        if read_word(self.answers) is None:
            return None
        destination = Destination(str(self.answers))
        if self.beside_list:
            destination = destination.beside(RESULTS_FOLDER)
        destination.check()
        return destination.file(f"{name}.answers.csv")


def _listed(given: Any) -> tuple[str, ...]:
    """Return one or several, which may be lists of the output of other tasks, as one list."""
    if read_word(given) is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(each for part in given for each in _listed(part))
