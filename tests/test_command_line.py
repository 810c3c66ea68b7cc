"""The command line as a user meets it: what every command says, and each fault as one sentence."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_core.customers.csv_columns import NAMES
from tests.golden import HELP, HELP_OF, help_of
from tests.harness import Product, a_product

BAD_ROWS = """\
编号,姓名,电话,颜色
C-1,王小明,13800138000,红
C-2,李娜,不是号码,蓝
C-3,,,
"""


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    with a_product(tmp_path, {}) as found:
        yield found


def fails(product: Product, *arguments: str, **changed: str) -> str:
    """One command that must end with 1 and say why, on one line, without a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "zuoxi", *arguments],
        cwd=product.folder,
        env={**product.settings, **changed},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("zuoxi: ")]
    assert len(said) == 1, done.stderr
    return said[0].removeprefix("zuoxi: ")


@pytest.mark.parametrize("command", HELP_OF, ids=" ".join)
def test_help_says_what_is_written_down(command: tuple[str, ...]) -> None:
    assert help_of(command) == (HELP / f"{'-'.join(command) or 'zuoxi'}.txt").read_text("utf-8")


def test_every_command_has_its_help_written_down() -> None:
    assert {path.stem for path in HELP.iterdir()} == {
        "-".join(command) or "zuoxi" for command in HELP_OF
    }


def test_version_is_one_line(product: Product) -> None:
    assert product.zuoxi("--version") == "zuoxi 0.1.0\n"


def test_no_command_prints_the_help_and_is_a_wrong_call(product: Product) -> None:
    said = product.zuoxi(code=2)
    assert said.split() == help_of(()).split()


# --- zuoxi run ------------------------------------------------------------------------------------


def test_taken_port_is_told_with_the_setting(product: Product) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", product.port))
        taken.listen()
        said = fails(product, "run")
    assert str(product.port) in said
    assert "ZUOXI_HTTP_BIND" in said


def test_second_run_on_the_same_database_is_refused(product: Product) -> None:
    product.start()
    assert product.process is not None
    said = fails(product, "run", ZUOXI_HTTP_BIND="127.0.0.1:0")
    assert said.startswith(f"Another Zuoxi (process {product.process.pid}) works with this")


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("ZUOXI_TIMEZONE", "Asia/Nowhere", "ZUOXI_TIMEZONE: no such time zone"),
        ("ZUOXI_HTTP_BIND", "8000", "ZUOXI_HTTP_BIND: use HOST:PORT"),
        ("ZUOXI_DATABASE_URL", "mysql://x", "ZUOXI_DATABASE_URL: use sqlite:///PATH"),
        ("ZUOXI_PBX_URLS", "ami://somewhere", "ZUOXI_PBX_URLS: an entry looks like"),
        ("ZUOXI_PBX_URLS", "ami://u:s@h/..%2fx", "ZUOXI_PBX_URLS: the name of a PBX is letters"),
        ("ZUOXI_DATABASE_URL_FILE", "/nowhere/key", "ZUOXI_DATABASE_URL_FILE: cannot read"),
        ("ZUOXI_HTTP_BIND", "0.0.0.0:8000", "ZUOXI_INSECURE_HTTP"),
    ],
)
def test_wrong_setting_is_named(product: Product, setting: str, value: str, says: str) -> None:
    assert says in fails(product, "run", **{setting: value})


def test_wrong_setting_does_not_show_the_secret_in_it(product: Product) -> None:
    said = fails(product, "run", ZUOXI_PBX_URLS="ami://zuoxi:the-secret@pbx")
    assert "the-secret" not in said


def test_database_of_a_newer_version_is_left_alone(product: Product) -> None:
    product.zuoxi("migrate")
    database = sqlite3.connect(product.folder / "zuoxi.db")
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.commit()
    database.close()
    for command in ("run", "migrate"):
        said = fails(product, command)
        assert "the database is at revision 9999, this version of Zuoxi knows none after" in said


# --- zuoxi import queue-log ------------------------------------------------------------------------


def test_old_queue_log_becomes_calls_and_again_changes_nothing(product: Product) -> None:
    files = [product.folder / name for name in ("queue_log", "queue_log.1", "members.csv")]
    files[1].write_text(
        "1764000000|NONE|NONE|NONE|QUEUESTART|\n"
        "1764000010|u.1|support|NONE|ENTERQUEUE||13800138000|1\n"
        "1764000017|u.1|support|张三|CONNECT|7|u.2|5\n"
    )
    files[0].write_text("nonsense\n1764000060|u.1|support|张三|COMPLETEAGENT|7|43|1\n")
    files[2].write_text("张三,1001\n")
    names = ["queue_log", "queue_log.1", "--members", "members.csv"]

    first = product.zuoxi("import", "queue-log", *names, code=1)
    again = product.zuoxi("import", "queue-log", *names, code=1)

    bad = "queue_log line 1: not a row: 'nonsense'\n"
    read = "main: 4 rows of 2 files read, 1 calls"
    assert first == f"{bad}{read}; 3 new rows, 1 new calls; 1 bad pieces\n"
    assert again == f"{bad}{read}; 0 new rows, 0 new calls; 1 bad pieces\n"


def test_old_queue_log_asks_whose_it_is_where_there_are_two(product: Product) -> None:
    urls = "ami://u:s@127.0.0.1:1/north,ami://u:s@127.0.0.1:1/south"
    said = fails(product, "import", "queue-log", "x", ZUOXI_PBX_URLS=urls)
    assert said == "--pbx NAME is needed: ZUOXI_PBX_URLS has north, south"
    said = fails(product, "import", "queue-log", "nowhere", "--pbx", "north", ZUOXI_PBX_URLS=urls)
    assert said == "cannot read nowhere: No such file or directory"
    said = fails(product, "import", "queue-log", "x", "--pbx", "a/b")
    assert said.startswith("the name of a PBX is letters")


# --- zuoxi demo -----------------------------------------------------------------------------------


def test_demo_that_cannot_start_says_what_to_do_without_naming_a_setting(product: Product) -> None:
    """There are no settings that who only tries it has set."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "zuoxi", "demo", "--port", str(product.port)],
        cwd=product.folder,
        env=product.settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert demo.stdout is not None
        assert any("take seat" in line for line in demo.stdout)
        said = fails(product, "demo", "--port", "1")
        assert f"A demonstration runs in this folder already (process {demo.pid})" in said
        assert "ZUOXI_" not in said

        (product.folder / "elsewhere").mkdir()
        elsewhere = Product(product.folder / "elsewhere", product.environ)
        said = fails(elsewhere, "demo", "--port", str(product.port))
        assert f"Port {product.port} of this machine is taken" in said
        assert f"--port {product.port + 1}" in said
        assert "ZUOXI_" not in said
    finally:
        demo.terminate()
        demo.communicate(timeout=20)


# --- files ----------------------------------------------------------------------------------------


def test_help_of_the_customers_import_names_every_column(product: Product) -> None:
    said = product.zuoxi("import", "customers", "--help").split()
    names = {word for words in NAMES.values() for word in words.split()}
    assert names - set(said) == set()


@pytest.mark.parametrize("what", ["customers", "setup"])
def test_file_that_is_not_there_is_told(product: Product, what: str) -> None:
    assert fails(product, "import", what, "nowhere") == (
        "cannot read nowhere: No such file or directory"
    )


def test_customers_that_cannot_be_taken_are_listed_with_line_and_reason(product: Product) -> None:
    (product.folder / "customers.csv").write_text(BAD_ROWS, encoding="utf-8")
    said = product.zuoxi("import", "customers", "customers.csv", code=1).splitlines()
    refused = [line for line in said if line.startswith("line ")]
    assert [line.partition(":")[0] for line in refused] == ["line 3", "line 4"]
    assert all(len(line.partition(": ")[2]) > 5 for line in refused)
    assert said[-2:] == [
        "added 1, changed 0, unchanged 0, refused 2",
        "columns that nobody reads: 编号, 颜色",
    ]


def test_customers_in_no_known_encoding_are_refused(product: Product) -> None:
    (product.folder / "customers.csv").write_bytes(b"\xff\xff\xff\x00\x81")
    assert len(fails(product, "import", "customers", "customers.csv").split()) > 4


def test_setup_with_mistakes_lists_them_and_changes_nothing(product: Product) -> None:
    (product.folder / "centre.yaml").write_text("queues:\n  - {name: 'a b', project: none}\n")
    done = subprocess.run(
        [sys.executable, "-m", "zuoxi", "import", "setup", "centre.yaml"],
        cwd=product.folder,
        env=product.settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "queues" in done.stderr
    assert "Traceback" not in done.stderr


def test_exported_setup_imports_elsewhere_and_only_its_owner_may_read_it(
    product: Product, tmp_path: Path
) -> None:
    setup = "projects: [{name: P}]\nseats: [{extension: 8001, secret: a-long-Secret-1}]\n"
    (product.folder / "centre.yaml").write_text(setup)
    product.zuoxi("import", "setup", "centre.yaml")
    assert "a-long-Secret-1" not in product.zuoxi("export", "setup")
    product.zuoxi("export", "setup", "out.yaml", "--with-secrets")
    out = product.folder / "out.yaml"
    assert out.stat().st_mode & 0o777 == 0o600
    assert out.read_text(encoding="utf-8") == product.zuoxi("export", "setup", "--with-secrets")
    said = fails(product, "export", "setup", "out.yaml")
    assert said == "out.yaml is there already; choose another name"
    with a_product(tmp_path / "elsewhere", {}) as other:
        other.folder.mkdir()
        other.zuoxi("import", "setup", str(out))
        assert other.zuoxi("export", "setup", "--with-secrets") == out.read_text("utf-8")


# --- recordings and the comparer ------------------------------------------------------------------


def test_replay_of_what_is_no_recording_is_told(product: Product) -> None:
    (product.folder / "notes.txt").write_text("nothing that zuoxi record has written\n")
    assert "notes.txt" in fails(product, "replay", "notes.txt")
    assert fails(product, "replay", "nowhere") == "cannot read nowhere: No such file or directory"


def test_record_without_a_pbx_is_told(product: Product) -> None:
    assert fails(product, "record", "x.jsonl") == "ZUOXI_PBX_URLS is empty"


def test_record_of_a_pbx_that_is_away_is_told(product: Product) -> None:
    url = "ami://u:s@127.0.0.1:1/lab"
    said = fails(product, "record", "x.jsonl", "--seconds", "1", ZUOXI_PBX_URLS=url)
    assert said.startswith("lab: cannot connect")


PERIOD = ("--from", "2026-11-24T00:00:00", "--to", "2026-11-25T00:00:00")


def test_reconcile_without_a_queue_log_says_how_to_give_one(product: Product) -> None:
    product.zuoxi("migrate")
    url = "ami://u:s@127.0.0.1:1/lab"
    said = fails(product, "reconcile", *PERIOD, ZUOXI_PBX_URLS=url)
    assert said == "lab has no queue_log in ZUOXI_PBX_URLS; give --queue-log PATH"
    said = fails(product, "reconcile", *PERIOD, "--queue-log", "nowhere", ZUOXI_PBX_URLS=url)
    assert said == "cannot read nowhere: No such file or directory"


def test_reconcile_of_a_pbx_that_is_not_set_is_told(product: Product) -> None:
    assert fails(product, "reconcile", *PERIOD, "--pbx", "x") == "ZUOXI_PBX_URLS has no PBX 'x'"
