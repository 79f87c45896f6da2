"""Settings reach a command by flag, environment and file, in this order; secrets stay secret."""

from pathlib import Path

import pytest
from console import ordersetl

from ordersetl.source.sample import sample_app, serve

TOKEN = "tok-SECRET-4711"  # noqa: S105 - it opens nothing


def test_a_flag_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "ordersetl.toml").write_text('output = "from-file"\npage_size = 50\n')
    assert ordersetl("extract", cwd=tmp_path).code == 0
    assert ordersetl("extract", cwd=tmp_path, ORDERSETL_OUTPUT="from-environment").code == 0
    assert ordersetl("extract", "--output", "from-flag", cwd=tmp_path, ORDERSETL_OUTPUT="from-environment").code == 0
    for folder, batches in {"from-file": 1, "from-environment": 1, "from-flag": 1}.items():
        assert len(list((tmp_path / folder / "raw").glob("2*"))) == batches
        assert len(list((tmp_path / folder / "raw").glob("2*/page-*.json"))) == 8


def test_a_settings_file_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "there.toml").write_text('output = "there"\n')
    (tmp_path / "ordersetl.toml").write_text('output = "here"\n')
    assert ordersetl("extract", "--config", "there.toml", cwd=tmp_path).code == 0
    assert (tmp_path / "there").is_dir()
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("page_size = 0", "page_size"),
        ("no_such_setting = 1", "no_such_setting"),
        ("page_size = ", "not valid TOML"),
        ('lookback = "10"', "lookback"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "ordersetl.toml").write_text(text)
    ended = ordersetl("run", cwd=tmp_path)
    assert ended.code == 2
    assert said in ended.err
    assert "ordersetl.toml" in ended.err
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("by_file", [False, True])
def test_the_token_reaches_the_api_and_nothing_else(tmp_path: Path, *, by_file: bool) -> None:
    if by_file:
        (tmp_path / "ordersetl.toml").write_text(f'api_token = "{TOKEN}"\n')
    variables = {} if by_file else {"ORDERSETL_API_TOKEN": TOKEN}
    with serve(sample_app(token=TOKEN)) as url:
        good = ordersetl("run", "--api-url", url, "--verbose", cwd=tmp_path, **variables)
        bad = ordersetl("run", "--api-url", url, "--verbose", "--json", cwd=tmp_path, ORDERSETL_API_TOKEN=f"{TOKEN}x")
    assert good.code == 0, good.err
    assert bad.code == 4
    assert "the token was refused" in bad.json["error"]["message"]
    written = b"".join(path.read_bytes() for path in (tmp_path / "output").rglob("*") if path.is_file())
    for said in (good.out, good.err, bad.out, bad.err, written.decode(errors="replace")):
        assert "SECRET" not in said


def test_no_flag_takes_a_secret(tmp_path: Path) -> None:
    ended = ordersetl("run", "--api-token", TOKEN, cwd=tmp_path)
    assert ended.code == 2
    assert "No such option: --api-token" in ended.err


@pytest.mark.parametrize("token", ["tök-SECRET", "tok\nSECRET"])
def test_a_token_that_cannot_be_sent_is_refused_unseen(tmp_path: Path, token: str) -> None:
    ended = ordersetl("run", "--json", cwd=tmp_path, ORDERSETL_API_TOKEN=token)
    assert ended.code == 2
    assert "api_token" in ended.err
    assert "SECRET" not in ended.err + ended.out


def test_credentials_in_a_url_are_refused_unseen(tmp_path: Path) -> None:
    ended = ordersetl("run", "--api-url", "https://me:SECRET@shop.example", "--json", cwd=tmp_path)
    assert ended.code == 2
    assert "ORDERSETL_API_TOKEN" in ended.err
    assert "SECRET" not in ended.err + ended.out
