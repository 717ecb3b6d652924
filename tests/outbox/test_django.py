"""`record_statement` in Django: `connection.cursor()` inside `transaction.atomic()`, on SQLite and on MariaDB."""

import sys
from collections.abc import Iterator
from typing import Any

import django
import pymysql
import pytest
from django.conf import settings
from django.db import connections, models, transaction

import outbox
from outbox.database import Database
from tests.builders import an_edit
from tests.outbox.promises import promised, saved

EDIT = an_edit(revision=7, title="Zürich 100% 日本語")


@pytest.fixture(scope="module")
def page_model() -> type[models.Model]:
    """A model of Django's over the wiki's table of pages."""
    settings.configure(DATABASES={}, USE_TZ=True)
    django.setup()

    class Page(models.Model):  # type: ignore[misc]  # Django has no types
        page_id = models.IntegerField(primary_key=True)
        page_namespace = models.IntegerField()
        page_title = models.CharField(max_length=255)
        page_touched = models.CharField(max_length=14)
        page_latest = models.IntegerField()
        page_len = models.IntegerField()

        class Meta:
            managed = False
            db_table = "page"
            app_label = "wiki"

    return Page


@pytest.fixture
def alias(database: Database, page_model: type[models.Model], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name by which Django knows the database."""
    url = database.url
    if url.get_backend_name() == "sqlite":
        options: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": url.database}
    else:
        # As `pymysql.install_as_MySQLdb()` does, but only until the test is over.
        monkeypatch.setitem(sys.modules, "MySQLdb", pymysql)
        options = {
            "ENGINE": "django.db.backends.mysql",
            "NAME": url.database,
            "HOST": url.host,
            "PORT": url.port,
            "USER": url.username,
            "PASSWORD": url.password,
        }
    monkeypatch.setattr(connections, "_settings", {"default": {}, "wiki": options})
    monkeypatch.setattr(connections, "settings", connections.configure_settings({"default": {}, "wiki": options}))
    yield "wiki"
    connections["wiki"].close()
    del connections["wiki"]


def save(page_model: type[models.Model], alias: str) -> None:
    page_model._default_manager.using(alias).create(
        page_id=EDIT.page,
        page_namespace=0,
        page_title=EDIT.title,
        page_touched="20260101000000",
        page_latest=EDIT.revision,
        page_len=0,
    )


def test_a_saved_edit_and_its_promise_are_committed_together(
    page_model: type[models.Model], alias: str, database: Database
) -> None:
    with transaction.atomic(using=alias):
        save(page_model, alias)
        with connections[alias].cursor() as cursor:
            cursor.execute(*outbox.record_statement(EDIT))
        assert promised(database) == []

    assert (saved(database), promised(database)) == ([EDIT.page], [EDIT])


def test_an_edit_that_is_rolled_back_has_no_promise(
    page_model: type[models.Model], alias: str, database: Database
) -> None:
    def save_and_fail() -> None:
        with transaction.atomic(using=alias):
            save(page_model, alias)
            with connections[alias].cursor() as cursor:
                cursor.execute(*outbox.record_statement(EDIT))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        save_and_fail()

    assert (saved(database), promised(database)) == ([], [])


def test_a_savepoint_that_is_rolled_back_takes_its_promise_along(alias: str, database: Database) -> None:
    later = an_edit(revision=8)
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        savepoint = transaction.savepoint(using=alias)
        cursor.execute(*outbox.record_statement(EDIT))
        transaction.savepoint_rollback(savepoint, using=alias)
        cursor.execute(*outbox.record_statement(later))

    assert promised(database) == [later]


@pytest.mark.parametrize("function", [outbox.record, outbox.record_async])
def test_its_connections_and_cursors_are_refused_by_the_name_of_the_right_function(alias: str, function: Any) -> None:
    with connections[alias].cursor() as cursor:
        for handed in (connections[alias], cursor):
            with pytest.raises(TypeError, match=r"not django\.db\.backends\..*outbox\.record_statement\(edit\)"):
                function(handed, EDIT)
