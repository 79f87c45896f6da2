"""Settings: which source wins, what is refused, and that no value is shown where it may be a secret."""

import os
import pickle
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from ordersetl.errors import ConfigError
from ordersetl.settings import CONFIG_FILE, Settings, load_settings
from ordersetl.settings.model import list_secrets

SECRET = "s3cret"  # noqa: S105 - of a test
URL = "https://hooks.test/s3cret"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and no variable of ours."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith("ORDERSETL_")]:
        monkeypatch.delenv(name)
    return tmp_path


def load_toml(text: str, **flags: Any) -> Settings:
    Path("given.toml").write_text(text, encoding="utf-8")
    return load_settings(Path("given.toml"), **flags)


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_toml(text)
    assert caught.value.exit_code == 2
    return f"{caught.value.message} {caught.value.hint}"


# Which source wins


def test_with_nothing_set_the_defaults_hold() -> None:
    settings = load_settings()
    assert settings == Settings()
    assert settings.model_fields_set == set()
    assert (settings.api_url, settings.output, settings.lookback) == (None, Path("output"), timedelta(minutes=10))


def test_flag_over_environment_over_file_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'page_size = 1\nmax_retries = 1\nworkers = 1\noutput = "from-file"'
    monkeypatch.setenv("ORDERSETL_PAGE_SIZE", "2")
    monkeypatch.setenv("ORDERSETL_MAX_RETRIES", "2")
    settings = load_toml(text, page_size=3, output=None)
    assert (settings.page_size, settings.max_retries, settings.workers, settings.chunk_mb) == (3, 2, 1, 12)
    assert settings.output == Path("from-file")
    assert settings.model_fields_set == {"page_size", "max_retries", "workers", "output"}


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERSETL_API_URL", "")
    assert load_toml('api_url = "http://shop.test"').api_url == "http://shop.test"


def test_every_setting_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "api_url": "https://shop.test/api/",
        "api_token": SECRET,
        "api_user": SECRET,
        "api_password": SECRET,
        "client_id": SECRET,
        "client_secret": SECRET,
        "refresh_token": SECRET,
        "source": "generic",
        "output": "there",
        "users": "~/users.csv",
        "products": "products.csv",
        "lookback": "2h",
        "page_size": "10",
        "max_pages": "20",
        "timeout_s": "1.5",
        "max_retries": "0",
        "retry_total_s": "60",
        "max_requests_per_second": "2.5",
        "max_response_mb": "1",
        "max_reference_mb": "2",
        "resume_within": "PT90S",
        "max_reject_ratio": "1",
        "min_rejects": "7",
        "timezone": "Europe/Berlin",
        "cancelled_statuses": "Void, Gone,,void",
        "emails": "hash",
        "emails_key": SECRET,
        "report_html": "report.html",
        "drift": "warn",
        "bulk": "false",
        "chunk_mb": "2",
        "cluster": "tcp://scheduler:8786",
        "cluster_wait_s": "7",
        "keep_manifests": "5",
        "checks": "mine",
        "check_timeout_s": "2.5",
        "notify_url": URL,
        "workers": "3",
        "warehouse": " postgresql://ana@db/shop ",
        "warehouse_schema": "sales",
        "warehouse_prefix": "etl_",
        "warehouse_password": SECRET,
        "warehouse_timeout_s": "5",
    }
    assert given.keys() == Settings.model_fields.keys() - {"variables"}
    for name, value in given.items():
        monkeypatch.setenv(f"ORDERSETL_{name.upper()}", value)
    settings = load_settings()
    secrets = {name for name, value in given.items() if value in {SECRET, URL}}
    assert secrets == set(list_secrets())
    assert {getattr(settings, name).get_secret_value() for name in secrets} == {SECRET, URL}
    assert settings.model_dump(exclude=secrets) == {
        "api_url": "https://shop.test/api",
        "source": "generic",
        "output": Path("there"),
        "users": Path.home() / "users.csv",
        "products": Path("products.csv"),
        "lookback": timedelta(hours=2),
        "page_size": 10,
        "max_pages": 20,
        "timeout_s": 1.5,
        "max_retries": 0,
        "retry_total_s": 60.0,
        "max_requests_per_second": 2.5,
        "max_response_mb": 1,
        "max_reference_mb": 2,
        "resume_within": timedelta(seconds=90),
        "max_reject_ratio": 1.0,
        "min_rejects": 7,
        "timezone": "Europe/Berlin",
        "cancelled_statuses": ("gone", "void"),
        "emails": "hash",
        "report_html": Path("report.html"),
        "drift": "warn",
        "variables": {},
        "bulk": False,
        "chunk_mb": 2,
        "cluster": "tcp://scheduler:8786",
        "cluster_wait_s": 7.0,
        "keep_manifests": 5,
        "checks": Path("mine"),
        "check_timeout_s": 2.5,
        "workers": 3,
        "warehouse": "postgresql://ana@db/shop",
        "warehouse_schema": "sales",
        "warehouse_prefix": "etl_",
        "warehouse_timeout_s": 5.0,
    }


def test_the_file_in_the_working_folder_is_found() -> None:
    Path(CONFIG_FILE).write_text("page_size = 7")
    assert load_settings().page_size == 7


def test_the_library_reads_no_file() -> None:
    Path(CONFIG_FILE).write_text("page_size = 7")
    assert Settings().page_size == 1000


def test_settings_are_frozen_and_travel_to_other_processes() -> None:
    settings = load_toml(f'api_token = "{SECRET}"')
    assert type(settings) is Settings
    with pytest.raises(ValidationError):
        settings.page_size = 5  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - our own bytes


# Files


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    for path, problem in ((tmp_path / "absent.toml", "there is no file"), (tmp_path, "is a folder")):
        with pytest.raises(ConfigError, match=problem) as caught:
            load_settings(path)
        assert "--config" in caught.value.hint


def test_what_has_the_name_of_the_file_and_is_none_is_not_passed_over() -> None:
    Path("ordersetl.toml").mkdir()  # as Docker makes of a file to be mounted that is missing
    with pytest.raises(ConfigError, match=r"ordersetl\.toml is a folder"):
        load_settings()
    Path("ordersetl.toml").rmdir()
    Path("ordersetl.toml").symlink_to("nowhere.toml")
    with pytest.raises(ConfigError, match=r"there is no file ordersetl\.toml"):
        load_settings()


@pytest.mark.parametrize("data", [b"page_size = ", b"\xff\xfe", b"[a\n", b"page_size = 1\npage_size = 2"])
def test_a_file_must_be_toml(data: bytes) -> None:
    Path("given.toml").write_bytes(data)
    with pytest.raises(ConfigError, match=r"given\.toml is not valid TOML"):
        load_settings(Path("given.toml"))


def test_a_file_may_begin_with_a_byte_order_mark() -> None:
    Path("given.toml").write_bytes(b"\xef\xbb\xbfpage_size = 7\r\nmax_retries = 2\r\n")
    assert load_settings(Path("given.toml")).page_size == 7
    Path("given.toml").write_bytes(b"\xef\xbb\xbfpage_siz = 7\n")
    with pytest.raises(ConfigError, match=r"given\.toml, line 1.*page_size"):
        load_settings(Path("given.toml"))


def test_an_unreadable_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("given.toml")
    path.touch()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError, match=r"cannot read given\.toml: Permission denied"):
        load_settings(path)


# Where a wrong setting is, and what was meant


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("ORDERSETL_API_ULR", "did you mean ORDERSETL_API_URL?"),
        ("ORDERSETL_API_TOKN", "did you mean ORDERSETL_API_TOKEN?"),
        ("ORDERSETL_TOKEN", "did you mean ORDERSETL_API_TOKEN?"),
        ("ordersetl_api_ulr", "did you mean ORDERSETL_API_URL?"),
        ("ORDERSETL_QQQQ", "there is no such setting"),
        ("ORDERSETL_", "there is no such setting"),
        ("ORDERSETL_VAR", "there is no such setting"),
    ],
)
@pytest.mark.parametrize("value", [SECRET, ""])
def test_a_misspelt_variable_is_refused_with_the_nearest_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, meant: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert f"{variable}: there is no such setting (the variable {variable})" in caught.value.message
    assert meant in caught.value.message
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert SECRET not in str(refused.value)


def test_variables_of_others_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Settings()
    for name in ("ORDERSETL_VAR_", "ORDERSETLX", "MY_ORDERSETL_X", "_ORDERSETL_COMPLETE"):
        monkeypatch.setenv(name, "x")
    assert load_settings() == Settings() == nothing


# Variables of a source


def test_variables_of_a_source_come_from_a_table_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERSETL_VAR_STORE", "from the environment")
    monkeypatch.setenv("ordersetl_var_other", "lower")
    monkeypatch.setenv("ORDERSETL_VAR_EMPTY", "")
    text = '[variables]\nstore = "from the file"\nlocation_ids = ["L1", " L2 "]\nAPI_VERSION = 2026'
    expected = {"location_ids": "L1,L2", "api_version": "2026", "store": "from the environment", "other": "lower"}
    assert load_toml(text).variables == expected
    assert Settings().variables == {"store": "from the environment", "other": "lower"}
    assert Settings(variables={"store": "given"}).variables == {"store": "given", "other": "lower"}


@pytest.mark.parametrize("value", ["true", "{ a = 1 }", '"a\\nb"', "[[1]]", "2026-01-01"])
def test_a_variable_must_be_text_a_number_or_a_list(value: str) -> None:
    assert "variables: store must be" in refusal(f"[variables]\nstore = {value}")


def test_variables_must_be_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERSETL_VARIABLES", "store=x")
    with pytest.raises(ConfigError, match="in the environment each value is ORDERSETL_VAR_NAME"):
        load_settings()


# Secrets in files


@pytest.mark.parametrize("name", list_secrets())
def test_a_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    secret, other = (URL, f"{URL}/0ther") if name == "notify_url" else (SECRET, "0ther")
    (tmp_path / "secret").write_bytes(f"\ufeff {secret}\r\n".encode())
    assert getattr(load_toml(f'{name}_file = "secret"'), name).get_secret_value() == secret
    (tmp_path / "other").write_text(other)
    monkeypatch.setenv(f"ORDERSETL_{name.upper()}_FILE", str(tmp_path / "other"))
    assert getattr(load_toml(f'{name}_file = "secret"'), name).get_secret_value() == other
    assert getattr(Settings(), name).get_secret_value() == other


def test_a_secret_that_is_given_twice_or_cannot_be_read_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "api_token and api_token_file are both set (given.toml)" in refusal(
        f'api_token = "{SECRET}"\napi_token_file = "x"'
    )
    assert "api_token_file: cannot read x: No such file" in refusal('api_token_file = "x"')
    assert "api_token_file must be a path" in refusal("api_token_file = 5")
    for content, problem in ((b"\n", "is empty"), (b"\xff", "is not UTF-8"), (b"a" * 70_000, "has more than 64 KiB")):
        (tmp_path / "x").write_bytes(content)
        assert f"api_token_file: x {problem}" in refusal('api_token_file = "x"')
    (tmp_path / "x").write_text(f"{SECRET}\t{SECRET}")
    monkeypatch.setenv("ORDERSETL_API_TOKEN_FILE", "x")
    with pytest.raises(ConfigError, match="the variable ORDERSETL_API_TOKEN_FILE") as caught:
        load_settings()
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"


def test_a_variable_in_upper_case_goes_before_one_in_other_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ordersetl_page_size", "1")
    assert load_settings().page_size == 1
    monkeypatch.setenv("ORDERSETL_PAGE_SIZE", "2")
    assert load_settings().page_size == Settings().page_size == 2


def test_each_wrong_setting_is_named_with_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERSETL_TIMEOUT_S", "0")
    monkeypatch.setenv("ORDERSETL_WORKERS", "0")
    with pytest.raises(ConfigError) as caught:
        load_toml('timeout_s = 1\ndrift = "no"\n\nmax_retries = -1', api_url="shop", workers=-1)
    message = caught.value.message.split("; ")
    assert [(name, where.removesuffix(")")) for name, where in (re.split(r": .*\(", line) for line in message)] == [
        ("api_url", "the flag --api-url"),
        ("timeout_s", "the variable ORDERSETL_TIMEOUT_S"),
        ("max_retries", "given.toml, line 4"),
        ("drift", "given.toml, line 2"),
        ("workers", "the argument"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("api_ulr = 1", 1),
        ('output = """\napi_ulr = 1\n"""\napi_ulr = 1', 4),
        ("# api_ulr = 1\n\n  'api_ulr'=1", 3),
        ('bulk = true\n"api_ulr" = 1', 2),
        ("\n[api_ulr]\nx = 1", 2),
        ("[[ api_ulr ]]", 1),
        ("api_ulr.x = 1", 1),
        ("[api_ulr.y]", 1),
        ("bulk = true\r\napi_ulr = 1\r\n", 2),
    ],
)
def test_an_unknown_key_of_the_file_is_named_with_its_line(text: str, line: int) -> None:
    assert f"api_ulr: there is no such setting (given.toml, line {line}); did you mean api_url?" in refusal(text)


def test_a_key_whose_line_is_not_known_is_named_with_its_file() -> None:
    assert "api_ulr: there is no such setting (given.toml); did you mean api_url?" in refusal('"api\\u005fulr" = 1')


def test_a_variable_s_name_in_the_file_is_no_setting() -> None:
    assert "(given.toml, line 1); did you mean output?" in refusal('ORDERSETL_OUTPUT = "x"')


def test_no_error_of_the_library_shows_a_value() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(api_token=f"{SECRET}\x07", page_size=SECRET)
    assert SECRET not in str(caught.value)


def test_a_file_without_end_of_nesting_is_refused() -> None:
    assert "given.toml is not valid TOML" in refusal("a = " + "[" * 100_000)


# Values


def test_every_wrong_setting_is_named_at_once() -> None:
    message = refusal('page_sise = 5\nworkers = 0\ndrift = "shopify"\n[api]\nurl = 1')
    assert "page_sise: there is no such setting" in message
    assert "api: there is no such setting" in message
    assert "workers: " in message
    assert "'fail', 'warn' or 'ignore'" in message
    assert "given.toml" in message
    assert "ORDERSETL_" in message


def test_a_value_of_the_wrong_kind_is_refused() -> None:
    for name in ("page_size", "timeout_s", "max_reject_ratio", "workers", "chunk_mb"):
        assert f"{name}: must be a number" in refusal(f"{name} = true")
    for line in ("max_reject_ratio = nan", "timeout_s = inf", "page_size = 1_000_001", "bulk = 5", "api_token = 5"):
        assert refusal(line).startswith(f"{line.partition(' ')[0]}: ")
    for value in ("5", '"a\\u0000b"', '"~nobody-of-that-name/x"'):
        assert refusal(f"output = {value}").startswith("output: ")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("10min", 600),
        (" 2 h ", 7200),
        ("1.5h", 5400),
        ("1d", 86400),
        ("PT10M", 600),
        ("0s", 0),
    ],
)
def test_a_span_names_its_unit(text: str, seconds: int) -> None:
    assert load_toml(f'lookback = "{text}"').lookback == timedelta(seconds=seconds)


def test_a_span_without_a_unit_or_out_of_bounds_is_refused() -> None:
    for value in ("600", '"600"', '"10M"', '"10 minutes"', '"m"', "00:10:00", "true", '""'):
        assert "lookback: must name its unit, as in 90s, 10m, 2h or 1d" in refusal(f"lookback = {value}")
    assert "lookback: must be between 0s and" in refusal('lookback = "-10m"')
    for text in ("999999999d", "99999999999999999999d", "P-1D", "P99999999D", "Px", "٣m"):
        assert refusal(f'resume_within = "{text}"').startswith("resume_within: ")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("http://shop.test", "http://shop.test"),
        (" https://shop.test:8443/api/v1// ", "https://shop.test:8443/api/v1"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("http://bücher.test/ä", "http://bücher.test/ä"),
    ],
)
def test_a_url_is_kept_without_its_last_slash(text: str, kept: str) -> None:
    assert load_toml(f'api_url = "{text}"').api_url == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop.test",
        "ftp://shop.test",
        "http://",
        "http:///orders",
        "http://shop.test:port",
        "http://shop.test:65536",
        "http://shop.test:0",
        "http://[::1",
        "http://sh op.test",
        "http://xn--/",
        "http://shop.test/\\u0001",
        "http://shop.test?a=1",
        "http://shop.test/?",
        "http://shop.test#a",
        f"http://me:{SECRET}@shop.test",
        f"http://{SECRET}@shop.test",
        f"http://me:{SECRET}",
        f"http://me:{SECRET}@[",
    ],
)
def test_a_url_that_is_none_is_refused_and_not_shown(text: str) -> None:
    message = refusal(f'api_url = "{text}"')
    assert message.startswith("api_url: must ")
    assert SECRET not in message


@pytest.mark.parametrize(
    ("output", "right"),
    [
        ("file:///srv/shop", "must be a path without file:"),
        ("file:x", "must be a path without file:"),
        ("S3://bucket/orders", "must begin with s3:// in lower case"),
        ("s3:bucket", "must be s3://BUCKET/PREFIX"),
        ("gs://bucket/orders", "must be a path, or s3://BUCKET/PREFIX"),
        ("abfss:/container", "must be a path, or s3://BUCKET/PREFIX"),
    ],
)
def test_a_url_that_is_no_place_for_an_output_is_refused(output: str, right: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(output=output)
    assert right in caught.value.message
    assert load_settings(output=f"./{output}").output == Path(output)


def test_output_is_a_path_given_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("ORDERSETL_OUTPUT", "~/orders")
    assert load_settings().output == Path("/home/me/orders")
    assert load_settings(output=Path("a b")).output == Path("a b")
    assert load_settings(output="c/d").output == Path("c/d")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("Europe/Berlim", "did you mean Europe/Berlin?"), ("europe/berlin", "Europe/Berlin"), ("+02:00", ""), ("", "")],
)
def test_an_unknown_time_zone_is_refused_with_the_nearest_name(name: str, meant: str) -> None:
    message = refusal(f'timezone = "{name}"')
    assert "timezone: must be the IANA name of a time zone, such as Europe/Berlin" in message
    assert meant in message


def test_statuses_are_a_list_or_comma_separated() -> None:
    assert load_toml('cancelled_statuses = ["Annulé ", "void", "VOID"]').cancelled_statuses == ("annulé", "void")
    assert load_toml('cancelled_statuses = ""').cancelled_statuses == ()
    for value in ("5", "[5]", "true"):
        assert "cancelled_statuses: must be a list of statuses" in refusal(f"cancelled_statuses = {value}")


# Secrets


def test_hashed_emails_need_a_key_that_is_not_shown() -> None:
    for text in ('emails = "hash"', 'emails = "hash"\nemails_key = " "'):
        assert "emails_key: must be set where emails is hash: put it in ORDERSETL_EMAILS_KEY" in refusal(text)
    settings = load_toml(f'emails = "hash"\nemails_key = "{SECRET}\\n"')
    assert settings.emails_key is not None
    assert settings.emails_key.get_secret_value() == SECRET
    assert SECRET not in f"{settings} {settings!r} {settings.model_dump_json()}"
    assert load_toml('emails_key = ""').emails_key is None
    assert SECRET not in refusal(f'emails = "{SECRET}"')


@pytest.mark.parametrize("text", [SECRET, f"  {SECRET}\\n"])
def test_the_token_is_kept_without_white_space_and_not_shown(text: str) -> None:
    settings = load_toml(f'api_token = "{text}"')
    assert settings.api_token is not None
    assert settings.api_token.get_secret_value() == SECRET
    assert SECRET not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_token_is_none(text: str) -> None:
    assert load_toml(f'api_token = "{text}"').api_token is None


@pytest.mark.parametrize(
    "line",
    [
        f'api_token = "{SECRET}\\t{SECRET}"',
        f'api_token = "{SECRET}\\u00e9"',
        f'api_token = "{SECRET}\\nHost: evil"',
        f'api_token = ["{SECRET}"]',
        f'api_token = {{ value = "{SECRET}" }}',
        f'api_tokn = "{SECRET}"',
        f'page_size = "{SECRET}"',
        f'bulk = "{SECRET}"',
        f'lookback = "{SECRET}"',
        f'lookback = "P{SECRET}"',
        f'api_token = "{SECRET}',
        f"api_token = {SECRET}",
    ],
)
def test_no_error_shows_a_value(line: str) -> None:
    assert SECRET not in refusal(line)


def test_a_wrong_token_in_the_environment_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERSETL_API_TOKEN", f"{SECRET}\x07")
    with pytest.raises(ConfigError, match="api_token") as caught:
        load_settings()
    assert SECRET not in caught.value.message + caught.value.hint
    assert caught.value.__cause__ is None


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text()), st.timedeltas(), st.dates()
)


@given(st.sampled_from(sorted(Settings.model_fields)), _VALUES)
def test_any_value_is_taken_or_refused_by_name(name: str, value: Any) -> None:
    try:
        settings = load_settings(**{name: value})
    except ConfigError as error:
        assert error.message.startswith(name)  # noqa: PT017 - either way is right
    else:
        assert settings.page_size >= 1
