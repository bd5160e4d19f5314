"""Every setting of the server, declared once: its name, type, bounds, default and one line of help.

From this one declaration come the flags of `bailiwick serve`, the environment variables, the keys of the TOML
file, the validation, and the table in docs/settings.md (a test compares the two). Flags win over the
environment, the environment over the file, the file over the defaults. An unknown name is refused.
"""

from __future__ import annotations

import ipaddress
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bailiwick.app import setting_checks
from bailiwick.app.proxies import Proxies
from bailiwick.core.loopback import is_here

ENVIRONMENT_PREFIX = "BAILIWICK_"
CONFIG_VARIABLE = "BAILIWICK_CONFIG"
ROOT_KEY_VARIABLE = "BAILIWICK_ROOT_KEY"
UNSEAL_VARIABLE = "BAILIWICK_UNSEAL_FD"

_OUTSIDE = {CONFIG_VARIABLE, ROOT_KEY_VARIABLE, UNSEAL_VARIABLE}  # read elsewhere: none is a setting of the table
# Kubernetes and Docker put these into the environment beside a service that is called `bailiwick`.
_OF_THE_ORCHESTRATOR = ("BAILIWICK_SERVICE_", "BAILIWICK_PORT_")

Port = Annotated[int, Meta(ge=0, le=65535)]
Address = Annotated[
    str,
    Meta(
        pattern=r"^https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?$",
        title="a URL such as https://iam.example.org, without a slash at its end",
    ),
]
AccountId = Annotated[str, Meta(pattern=r"\A[0-9]{12}\Z", title="12 digits")]
Region = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z]{2,8}(-[a-z]{2,12}){1,3}-[0-9]{1,2}\Z",
        title="a region such as eu-central-1",
    ),
]
DatabaseUrl = Annotated[
    str,
    Meta(
        pattern=r"\Apostgres(ql)?://",
        title="a URL such as postgresql://user@host/bailiwick",
    ),
]
HttpUrl = Annotated[
    str,
    Meta(
        pattern=r"\Ahttps?://[^\s/@]+(/\S*)?\Z",
        title="a URL that begins with https:// or http://, without a user",
    ),
]
SyslogUrl = Annotated[
    str,
    Meta(
        pattern=r"\A((udp|tcp)://[^\s/@]+|unix:///\S+)\Z",
        title="udp://HOST:PORT, tcp://HOST:PORT or unix:///PATH",
    ),
]
Partition = Literal["aws", "aws-cn", "aws-us-gov"]


class SettingsError(Exception):
    """A setting that cannot be used; the text names it, says where it came from and what is expected."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one server runs. The description of each field is its help text."""

    host: Annotated[str, Meta(min_length=1, description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port to listen on; 0 takes a free one")] = 4577
    data: Annotated[
        Path | None, Meta(description="data folder, else $XDG_DATA_HOME/bailiwick or ~/.local/share/bailiwick")
    ] = None
    database: Annotated[
        DatabaseUrl | None,
        Meta(
            description="URL of a PostgreSQL database (postgresql://...) for several machines; else SQLite in data"
        ),
    ] = None
    workers: Annotated[int, Meta(ge=1, le=256, description="number of server processes on the port")] = 1
    tls_cert: Annotated[Path | None, Meta(description="certificate chain (PEM) to serve TLS with")] = None
    tls_key: Annotated[Path | None, Meta(description="private key (PEM) of the certificate")] = None
    plaintext_on_network: Annotated[bool, Meta(description="allow an address other than loopback without TLS")] = (
        False
    )
    account_id: Annotated[
        AccountId | None, Meta(description="first start: id of the first account, random if not given")
    ] = None
    region: Annotated[
        Region | None,
        Meta(description="first start: region of the deployment, us-east-1 if not given"),
    ] = None
    partition: Annotated[
        Partition | None,
        Meta(description="first start: partition of every ARN (aws, aws-cn, aws-us-gov), aws if not given"),
    ] = None
    root_credentials: Annotated[
        Path | None,
        Meta(description="first start: file in AWS credentials format with the root access key to adopt"),
    ] = None
    ephemeral: Annotated[bool, Meta(description="keep everything in memory; for tests of other programs")] = False
    credentials_out: Annotated[
        Path | None, Meta(description="with ephemeral: write endpoint and root credentials as JSON once ready")
    ] = None
    trusted_proxies: Annotated[
        str | None,
        Meta(description="addresses or ranges, with commas between, of proxies whose X-Forwarded-For is believed"),
    ] = None
    max_body: Annotated[int, Meta(ge=1024, le=1 << 30, description="largest request body in bytes")] = 1 << 20
    max_url: Annotated[int, Meta(ge=256, le=1 << 20, description="longest request target in bytes")] = 32768
    max_headers: Annotated[int, Meta(ge=16, le=10000, description="most header lines of a request")] = 100
    max_header_bytes: Annotated[
        int, Meta(ge=4096, le=1 << 20, description="largest head of a request in bytes, request line included")
    ] = 65536
    header_timeout: Annotated[
        float, Meta(gt=0, description="seconds in which the head of a request must arrive")
    ] = 10.0
    body_timeout: Annotated[float, Meta(gt=0, description="seconds in which the body of a request must arrive")] = (
        30.0
    )
    idle_timeout: Annotated[float, Meta(gt=0, description="seconds for which an idle connection is kept open")] = (
        75.0
    )
    drain_timeout: Annotated[
        float, Meta(gt=0, description="seconds that requests in flight get to finish at shutdown")
    ] = 15.0
    audit: Annotated[
        Path | None,
        Meta(description="folder of the audit trail; without it `audit` in the data folder (none if ephemeral)"),
    ] = None
    audit_store: Annotated[
        Literal["files", "database"],
        Meta(description="where the audit trail is kept: `files` in its folder, or the `database`"),
    ] = "files"
    audit_rotate_bytes: Annotated[
        int,
        Meta(ge=4096, le=4 << 30, description="size at which a new audit file is begun; each day begins one too"),
    ] = 64 << 20
    audit_keep_days: Annotated[
        int, Meta(ge=0, description="days after which an audit file is removed; 0 keeps all of them")
    ] = 0
    audit_keep_bytes: Annotated[
        int, Meta(ge=0, description="bytes of audit files beyond which the oldest are removed; 0 keeps all of them")
    ] = 0
    audit_first: Annotated[
        bool,
        Meta(description="no answer leaves before its audit record is on disk, which takes longer"),
    ] = False
    audit_export_files: Annotated[
        Path | None, Meta(description="folder to which the audit trail is copied as JSON lines")
    ] = None
    audit_export_syslog: Annotated[
        SyslogUrl | None,
        Meta(description="syslog to send the audit trail to: udp://HOST:PORT, tcp://HOST:PORT or unix:///PATH"),
    ] = None
    audit_export_otlp: Annotated[
        HttpUrl | None,
        Meta(description="URL of an OpenTelemetry collector (OTLP, HTTP, JSON) to send the audit trail to as logs"),
    ] = None
    audit_export_webhook: Annotated[HttpUrl | None, Meta(description="URL to POST the audit trail to, signed")] = (
        None
    )
    audit_export_webhook_secret: Annotated[
        Path | None, Meta(description="private file with the secret that signs for the webhook, 16 bytes or more")
    ] = None
    name_policies: Annotated[
        bool, Meta(description="refusals name the managed policy that denied, as AWS began to do in 2026")
    ] = False
    metrics_port: Annotated[
        Port | None,
        Meta(description="port on which /metrics is served to Prometheus; none if not given"),
    ] = None
    metrics_host: Annotated[str, Meta(min_length=1, description="address on which /metrics is served")] = (
        "127.0.0.1"
    )
    access_log: Annotated[bool, Meta(description="log every request, not only those that are refused or fail")] = (
        False
    )
    slow_request: Annotated[
        float, Meta(ge=0, description="seconds from which on a request is logged as slow; 0 logs none")
    ] = 1.0
    traces: Annotated[
        bool,
        Meta(description="a span for each request, sent as OpenTelemetry's variables say; with bailiwick[traces]"),
    ] = False
    drain_delay: Annotated[
        float,
        Meta(ge=0, description="seconds at shutdown in which /readyz says no and requests are still answered"),
    ] = 0.0
    public_url: Annotated[
        Address | None,
        Meta(
            description="address under which others reach the server (https://iam.example.org), as an issuer of "
            "tokens; host and port if not given",
        ),
    ] = None
    oidc_networks: Annotated[
        str,
        Meta(description="ranges, with commas between, in which OIDC issuers are asked beside public addresses"),
    ] = "127.0.0.0/8,::1/128"
    oidc_keys: Annotated[
        Path | None, Meta(description="JSON file of keys (JWKS) by the URL of an OIDC issuer, which is not asked")
    ] = None
    ldap: Annotated[
        Path | None, Meta(description="mapping file (TOML) of the company's directory that people sign in with")
    ] = None
    signin: Annotated[
        Path | None,
        Meta(description="file (TOML) of the identity providers that the sign-in page offers; docs/signin.md"),
    ] = None
    hsm: Annotated[
        Path | None, Meta(description="file (TOML) of PKCS#11 tokens for keys that stay there; docs/kms/hsm.md")
    ] = None
    xks: Annotated[
        Path | None, Meta(description="file (TOML) of external keys: who uses those here, where other proxies are")
    ] = None
    peers: Annotated[
        Path | None,
        Meta(description="file (TOML) of other deployments that share multi-Region keys; docs/kms/peers.md"),
    ] = None
    saml_weak_signatures: Annotated[
        bool, Meta(description="accept signatures with SHA-1 from SAML providers, which can be forged")
    ] = False
    throttling: Annotated[
        str | None,
        Meta(description="how often what may be called: `aws` (off if ephemeral), `off`, or docs/throttling.md"),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="least level of what is logged to standard error (debug, info, warning, error)"),
    ] = "info"

    @property
    def secure(self) -> bool:
        """Whether the server speaks TLS."""
        return self.tls_cert is not None

    @property
    def address(self) -> str:
        """The address under which others reach the server, without a slash at its end."""
        if self.public_url is not None:
            return self.public_url
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"

    @property
    def proxies(self) -> Proxies | None:
        """The proxies that are believed, if there are any. Raises ValueError for what is no address or range."""
        return Proxies(self.trusted_proxies.split(",")) if self.trusted_proxies else None

    @property
    def issuers_networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """Where issuers are asked beside public addresses. Raises ValueError for what is no range."""
        return [ipaddress.ip_network(text.strip()) for text in self.oidc_networks.split(",") if text.strip()]

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        return is_here(self.host)


class Setting(msgspec.Struct, frozen=True):
    """One line of the table: what documentation, flags and environment need to know of a field."""

    name: str
    annotation: Any
    default: Any
    help: str

    @property
    def variable(self) -> str:
        """The environment variable."""
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """The flag of `bailiwick serve`."""
        return "--" + self.name.replace("_", "-")

    @property
    def shown_default(self) -> str:
        """The default as a person would write it; empty where there is none."""
        if self.default is None:
            return ""
        return str(self.default).lower() if isinstance(self.default, bool) else f"{self.default}"


def _setting(field: msgspec.structs.FieldInfo) -> Setting:
    plain, *extras = typing.get_args(field.type)
    (meta,) = (extra for extra in extras if isinstance(extra, Meta))
    return Setting(field.name, plain, field.default, meta.description or "")


TABLE: tuple[Setting, ...] = tuple(_setting(field) for field in msgspec.structs.fields(Settings))


def load(flags: Mapping[str, Any], environment: Mapping[str, str], config: Path | None = None) -> Settings:
    """The settings of this start.

    `flags` are those that were given (None means not given), `environment` the process's, `config` the file
    named by a flag; without it BAILIWICK_CONFIG names one. Raises SettingsError.
    """
    named = environment.get(CONFIG_VARIABLE)
    file = config or (Path(named) if named else None)
    sources: list[tuple[dict[str, Any], str]] = [
        (_from_file(file) if file else {}, f"in {file}"),
        (_from_environment(environment), "in the environment"),
        ({name: value for name, value in flags.items() if value is not None}, "on the command line"),
    ]
    chosen: dict[str, Any] = {}
    for values, where in sources:
        for setting in TABLE:
            if setting.name in values:
                chosen[setting.name] = _checked(setting, values[setting.name], where)
    settings = Settings(**chosen)
    _check_together(settings)
    return settings


def _from_file(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {file} is not TOML: {error}") from None
    known = {setting.name for setting in TABLE}
    for name in values:
        if name not in known:
            raise SettingsError(f"`{name}` in {file} is not a setting; docs/settings.md lists them all")
    return values


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    known = {setting.variable: setting.name for setting in TABLE}
    values = {}
    for variable, value in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in _OUTSIDE:
            continue
        if variable.startswith(_OF_THE_ORCHESTRATOR):
            continue
        if variable not in known:
            raise SettingsError(f"`{variable}` in the environment is not a setting; unset it or correct its name")
        values[known[variable]] = value
    return values


def _checked(setting: Setting, value: Any, where: str) -> Any:
    """The value in the setting's type and within its bounds."""
    field = next(field for field in msgspec.structs.fields(Settings) if field.name == setting.name)
    try:
        # Text from flags and environment may stand for a number or a truth value; in TOML these have types.
        return msgspec.convert(value, field.type, strict=False, dec_hook=_to_path)
    except msgspec.ValidationError as error:
        said = str(error).partition(" - at")[0]
        form = setting_checks.form(field.type) if said.endswith("'") else ""  # of a regular expression, or a choice
        raise SettingsError(f"`{setting.name}` {where}: {f'expected is {form}' if form else said}") from None


def _to_path(kind: type, value: Any) -> Any:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError(f"Expected a path, got {value!r}")
    return kind(value)


def _check_together(settings: Settings) -> None:
    """What no single setting can know. Raises SettingsError."""
    trouble = setting_checks.trouble(settings)
    if trouble is not None:
        raise SettingsError(trouble)


def data_folder(settings: Settings, environment: Mapping[str, str]) -> Path:
    """Where this deployment keeps its data.

    Source: XDG Base Directory Specification; a relative XDG_DATA_HOME is to be ignored.
    """
    if settings.data:
        return settings.data.expanduser().absolute()
    base = environment.get("XDG_DATA_HOME", "")
    if base.startswith("/"):
        return Path(base) / "bailiwick"
    return Path("~/.local/share/bailiwick").expanduser()
