"""Settings: which source wins, what is refused, and that docs, flags and code say the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bailiwick.app.settings import TABLE, Settings, SettingsError, data_folder, load

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bailiwick.toml"
    path.write_text('host = "127.0.0.3"\nport = 3\nworkers = 3\nmax_body = 3333\ntls_cert = "c"\ntls_key = "k"\n')
    return path


def test_flags_then_environment_then_file_then_defaults(file: Path) -> None:
    environment = {"BAILIWICK_CONFIG": str(file), "BAILIWICK_PORT": "2", "BAILIWICK_WORKERS": "2"}
    found = load({"port": "1", "workers": None, "host": None}, environment)
    assert (found.port, found.workers, found.host, found.max_url) == (1, 2, "127.0.0.3", Settings().max_url)
    assert found.tls_cert == Path("c")


def test_the_flag_for_the_file_wins_over_its_variable(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("port = 9\n")
    assert load({}, {"BAILIWICK_CONFIG": str(file)}, other).port == 9


def test_nothing_said_is_the_defaults() -> None:
    assert load({}, {}) == Settings()
    assert (Settings().host, Settings().port, Settings().max_body) == ("127.0.0.1", 4577, 1 << 20)


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"BAILIWICK_PORT": "http"}, "`port` in the environment: Expected `int`, got `str`"),
        ({"BAILIWICK_PORT": "65536"}, "`port` in the environment: Expected `int` <= 65535"),
        ({"BAILIWICK_WORKERS": "0"}, "`workers` in the environment: Expected `int` >= 1"),
        ({"BAILIWICK_EPHEMERAL": "perhaps"}, "`ephemeral` in the environment: Expected `bool`"),
        ({"BAILIWICK_DATA": ""}, "`data` in the environment: Expected a path, got ''"),
        (
            {"BAILIWICK_ACCOUNT_ID": "12345678901"},
            "`account_id` in the environment: expected is 12 digits",
        ),
        (
            {"BAILIWICK_ACCOUNT_ID": "123456789012\n"},
            "`account_id` in the environment: expected is 12 digits",
        ),
        ({"BAILIWICK_REGION": "us east"}, "`region` in the environment: expected is a region such as eu-central-1"),
        (
            {"BAILIWICK_PARTITION": "gcp"},
            "`partition` in the environment: expected is one of aws, aws-cn, aws-us-gov",
        ),
        ({"BAILIWICK_LOG_LEVEL": "loud"}, "`log_level` in the environment: expected is one of debug, info, "),
        (
            {"BAILIWICK_DATABASE": "mysql://x"},
            "`database` in the environment: expected is a URL such as postgre",
        ),
        ({"BAILIWICK_HEADER_TIMEOUT": "0"}, "`header_timeout` in the environment: Expected `float` > 0"),
        ({"BAILIWICK_TLS_CRT": "x"}, "`BAILIWICK_TLS_CRT` in the environment is not a setting"),
        ({"BAILIWICK_TLS_CERT": "x"}, "`tls_cert` and `tls_key` belong together"),
        ({"BAILIWICK_EPHEMERAL": "true", "BAILIWICK_WORKERS": "2"}, "`ephemeral` keeps everything in one process"),
        ({"BAILIWICK_EPHEMERAL": "1", "BAILIWICK_DATA": "/x"}, "`ephemeral` keeps everything in memory"),
        ({"BAILIWICK_CREDENTIALS_OUT": "/x"}, "`credentials_out` is for ephemeral servers"),
        ({"BAILIWICK_CONFIG": "/nowhere.toml"}, "cannot read the settings file /nowhere.toml"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(variables: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({}, variables)
    assert str(caught.value).startswith(told)


def test_what_is_refused_is_not_shown_for_it_may_hold_a_password() -> None:
    with pytest.raises(SettingsError) as caught:
        load({}, {"BAILIWICK_DATABASE": "postgres:/user:opensesame@host/db"})
    assert "opensesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prot = 1\n", "`prot` in"),
        ("port = \n", "is not TOML"),
        ("[serve]\nport = 1\n", "`serve` in"),
        ('port = "x"\n', "Expected `int`"),
        ("tls_key = 4\n", "Expected a path"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "b.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=re.escape(told)):
        load({}, {}, path)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "bailiwick.example", "127.0.0.1.example"])
def test_the_network_wants_tls_or_an_explicit_word(host: str) -> None:
    with pytest.raises(SettingsError, match="--plaintext-on-network"):
        load({"host": host}, {})
    assert load({"host": host, "plaintext_on_network": True}, {}).host == host
    assert load({"host": host, "tls_cert": "c", "tls_key": "k"}, {}).secure


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_does_not(host: str) -> None:
    assert load({"host": host}, {}).loopback


def test_what_an_orchestrator_puts_beside_a_service_is_not_ours() -> None:
    variables = {"BAILIWICK_SERVICE_HOST": "10.0.0.1", "BAILIWICK_PORT_4577_TCP": "tcp://10.0.0.1:4577"}
    assert load({}, variables) == Settings()


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"XDG_DATA_HOME": "/x"}, Path("/x/bailiwick")),
        ({"XDG_DATA_HOME": "relative"}, Path.home() / ".local/share/bailiwick"),
        ({}, Path.home() / ".local/share/bailiwick"),
    ],
)
def test_the_data_folder_is_where_the_desktop_wants_it(variables: dict[str, str], folder: Path) -> None:
    assert data_folder(Settings(), variables) == folder
    assert data_folder(Settings(data=Path("/d")), variables) == Path("/d")


def test_the_documentation_says_what_the_code_does() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    documented = re.findall(r"^\| `(\w+)` \| `(--[\w-]+)` \| `(\w+)` \| (.*?) \| (.+?) \|$", text, re.MULTILINE)
    declared = [
        (s.name, s.flag, s.variable, f"`{s.shown_default}`" if s.shown_default else "", s.help) for s in TABLE
    ]
    assert [(n, f, v, d.strip(), h) for n, f, v, d, h in documented] == declared


def test_every_setting_is_a_flag_of_serve_and_the_other_way_round() -> None:
    wide = {**os.environ, "COLUMNS": "400", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "bailiwick", "serve", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, env=wide)
    assert told.returncode == 0, told.stderr
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", told.stdout))
    boolean = {
        "--no-access-log",
        "--no-audit-first",
        "--no-ephemeral",
        "--no-name-policies",
        "--no-plaintext-on-network",
        "--no-saml-weak-signatures",
        "--no-traces",
    }
    assert flags - {"--help", "--config"} == {setting.flag for setting in TABLE} | boolean
    for setting in TABLE:
        assert f"[env: {setting.variable}]" in " ".join(told.stdout.split())
