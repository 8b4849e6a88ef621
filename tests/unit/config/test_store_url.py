"""The address of the store: refused by name, and its password never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from innkeeper.config import Config, effective_toml, load_config
from innkeeper.config.store_url import without_secrets
from innkeeper.errors import BadConfig

URL = "postgresql://me:s3c:r@t/!@db.example:5432/innkeeper?sslpassword=s3cret&sslmode=require"


def load(tmp_path: Path, text: str, **environ: str) -> Config:
    path = tmp_path / "innkeeper.toml"
    path.write_text(text)
    return load_config(path, environ)


def test_it_is_kept_and_never_shown(tmp_path: Path) -> None:
    config = load(tmp_path, f'[store]\nurl = "{URL}"\n')
    assert config.store.url is not None
    assert config.store.url.get_secret_value() == URL
    for text in (repr(config), config.model_dump_json(), effective_toml(config)):
        assert "s3c" not in text
    assert (
        '# url = "postgresql://me:***@db.example:5432/innkeeper?sslpassword=***&sslmode=require"'
        in effective_toml(config)
    )


def test_a_variable_gives_it_as_text(tmp_path: Path) -> None:
    config = load(tmp_path, "", INNKEEPER_STORE__URL="mariadb://me:s3cret@db/innkeeper")
    assert config.store.url is not None
    assert config.store.url.get_secret_value() == "mariadb://me:s3cret@db/innkeeper"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('"oracle://me:s3cret@db/innkeeper"', "of no database that a store can be in"),
        ('"me:s3cret@db"', "of no database that a store can be in"),
        ('"postgresql://me:s3cret@db:port/x"', "is no URL"),
        ('"postgresql:///x?password=s3cret"', "names no host"),
        ('"mariadb://me:s3cret@db/"', "names no database"),
        ('["postgresql://me:s3cret@db/innkeeper"]', "not shown"),
        ("17", "not shown"),
    ],
)
def test_what_is_none_is_refused_without_repeating_it(
    tmp_path: Path, value: str, reason: str
) -> None:
    with pytest.raises(BadConfig, match=reason) as refused:
        load(tmp_path, f"[store]\nurl = {value}\n")
    assert "store.url" in refused.value.message
    assert "s3cret" not in f"{refused.value.message} {refused.value.details}"


def test_a_text_without_addresses_stays_as_it_is() -> None:
    text = '[access]\nadmins = ["me@here"] # see https://docs.example:80/a and b@c\n'
    assert without_secrets(text) == text
