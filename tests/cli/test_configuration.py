"""Settings reach a command by flag, environment and file, in this order; secrets stay secret."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from console import environment, ordersetl
from msgspec import structs

from ordersetl.extract.origin import Origin, read_references
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import encode_manifest, read_manifest
from ordersetl.settings import Settings
from ordersetl.source.description.loading import load_builtin
from ordersetl.source.sample import sample_app
from ordersetl.source.server import serve
from ordersetl.star.rules import RULES

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
    ("text", "problem"),
    [
        ("page_size = 0", "page_size"),
        ("no_such_setting = 1", "no_such_setting"),
        ("page_size = ", "not valid TOML"),
        ('lookback = "10"', "lookback"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "ordersetl.toml").write_text(text)
    ended = ordersetl("run", cwd=tmp_path)
    assert ended.code == 2
    assert problem in ended.err
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
    for output in (good.out, good.err, bad.out, bad.err, written.decode(errors="replace")):
        assert "SECRET" not in output


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


def test_users_and_products_are_settings_as_well(tmp_path: Path) -> None:
    for name in ("flag", "variable", "file"):
        (tmp_path / f"{name}.csv").write_text(f"user_id,email,country,created_at\nu-{name},,MX,\n")
    (tmp_path / "ordersetl.toml").write_text('users = "file.csv"\nsource = "sample"\n')
    arguments: dict[str, tuple[list[str], dict[str, str]]] = {
        "file": ([], {}),
        "variable": ([], {"ORDERSETL_USERS": "variable.csv"}),
        "flag": (["--users", "flag.csv"], {"ORDERSETL_USERS": "variable.csv"}),
    }
    for winner, (flags, variables) in arguments.items():
        ended = ordersetl("run", "--quiet", "--output", winner, *flags, cwd=tmp_path, **variables)
        assert (ended.code, ended.err) == (0, "")
        assert f"u-{winner}," in (tmp_path / winner / "curated/dim_user.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["run", "extract"])
def test_a_reference_file_that_is_too_large_is_refused(tmp_path: Path, command: str) -> None:
    (tmp_path / "users.csv").write_bytes(b"user_id,email,country,created_at\n" + b"\n" * (1 << 20))
    ended = ordersetl(command, "--users", "users.csv", cwd=tmp_path, ORDERSETL_MAX_REFERENCE_MB="1")
    assert ended.code == 2
    assert "users.csv has more than 1 MiB" in ended.err
    assert "ORDERSETL_MAX_REFERENCE_MB" in ended.err
    assert not (tmp_path / "output").exists()


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="process substitution is bash's")
def test_a_reference_file_may_come_from_a_process(tmp_path: Path) -> None:
    users = "<(printf 'user_id,email,country,created_at\nu-1,,MX,\n')"
    command = f"{sys.executable} -m ordersetl run -q --source sample --users {users}"
    subprocess.run(["/bin/bash", "-c", command], cwd=tmp_path, env=environment(), check=True)
    assert "u-1,,MX" in (tmp_path / "output/curated/dim_user.csv").read_text(encoding="utf-8")


def test_a_reference_file_that_was_applied_under_older_rules_is_looked_at_again(shop: Path) -> None:
    broken = b'sku,name,category,price\np_0,"Mug,home,3\n'
    (shop / "products.csv").write_bytes(broken)
    lake = Lake(shop / "output")
    manifest = read_manifest(lake)
    assert manifest is not None
    references = {**manifest.references, "products": hashlib.sha256(broken).hexdigest()}
    for rules, code in ((RULES - 1, 2), (RULES, 0)):
        (lake.folder / "curated/_manifest.json").write_bytes(
            encode_manifest(structs.replace(manifest, rules=rules, references=references))
        )
        arguments = ["extract", "--source", "sample", "--products", "products.csv"]
        assert ordersetl(*arguments, cwd=shop).code == code


def test_a_file_that_the_library_is_given_goes_before_the_setting(tmp_path: Path) -> None:
    for name in ("given", "set"):
        (tmp_path / f"{name}.csv").write_text("user_id,email,country,created_at\n")
    settings = Settings(users=tmp_path / "set.csv")
    origin, lake = Origin("generic", "http://shop.test", load_builtin("generic")), Lake(tmp_path / "output")
    names = [read_references(settings, origin, users, None, lake)[0].name for users in (None, tmp_path / "given.csv")]
    assert names == ["set.csv", "given.csv"]
