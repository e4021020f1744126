# SPDX-License-Identifier: Apache-2.0
"""The `weft` command without a daemon, and against a daemon that only pretends.

      weft ----- unix socket ----- Fake: a thread that answers from a table and notes requests

Needs no root, no kernel features and none of the other fixtures: only $WEFT_BUILD.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("WEFT_BUILD", ROOT / "build")).resolve()
WEFT = next((p for p in (BUILD / "weft", BUILD / "src/cli/weft") if p.is_file()), None)

COMMANDS = [
    "status", "version", "config show", "reload", "completion", "help", "network create",
    "network ls", "network inspect", "network rm", "attach", "detach", "endpoint ls",
    "endpoint inspect", "apply", "confirm", "get", "delete", "ip ls", "ip why", "node ls",
    "service ls",
    "service inspect", "ports", "conntrack ls", "conntrack flush", "policy ls",
    "policy inspect", "policy check", "policy diff", "policy suggest", "policy history", "why",
    "observe", "doctor", "cleanup", "store show", "store accept", "store migrate", "cni conflist",
]
PAGES = ["weft", "weft-network", "weft-attach", "weft-endpoint", "weft-apply", "weft-ip",
         "weft-node", "weft-service", "weft-ports", "weft-conntrack", "weft-policy", "weft-why",
         "weft-observe", "weft-doctor",
         "weft-cleanup", "weft-store", "weft-cni"]

NETWORK = """apiVersion: weft.dev/v1
kind: Network
metadata:
  name: {name}
spec:
  subnets:
  - cidr: {cidr}
"""


@pytest.fixture
def weft(tmp_path):
    """Runs weft with a socket that is not there; .socket may be listened on."""
    def run(*args, env=None, **options):
        full = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        full.update(WEFT_SOCKET=str(run.socket), LC_ALL="C.UTF-8", **(env or {}))
        return subprocess.run([str(WEFT), *args], env=full, capture_output=True, text=True,
                              timeout=30, **options)
    run.socket = tmp_path / "weft.sock"
    return run


class Fake:
    """Answers (method, path) -> (status, value); keeps what was asked."""

    def __init__(self, path):
        self.answers = {}
        self.requests = []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        self.listener.listen(8)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.answer(connection)

    def answer(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        while length and len(body) < int(length[1]):
            body += connection.recv(65536)
        method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
        self.requests.append((method, path, json.loads(body) if body else None))
        status, value = self.answers.get((method, path), (404, {"error": {
            "code": "ENOENT", "message": f"there is no {path}"}}))
        if isinstance(value, list):     # lines; the connection stays open until the reader goes
            connection.sendall(f"HTTP/1.0 {status} X\r\n\r\n".encode() +
                               b"".join(json.dumps(line).encode() + b"\n" for line in value))
            connection.recv(1)
            return
        text = json.dumps(value).encode()
        connection.sendall(f"HTTP/1.0 {status} X\r\nContent-Length: {len(text)}\r\n\r\n".encode()
                           + text)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)


@pytest.fixture
def fake(weft):
    server = Fake(weft.socket)
    yield server
    server.close()


# ---- usage -----------------------------------------------------------------------------------


@pytest.mark.parametrize("args, words", [
    ([], "Commands:"),
    (["network"], "network create"),
    (["netwrok", "ls"], "did you mean 'weft network'?"),
    (["network", "list"], "did you mean 'weft network ls'?"),
    (["nothinglikeit"], "weft --help"),
    (["network", "create"], "needs NAME"),
    (["network", "create", "a", "b"], "'b' is one argument too many"),
    (["network", "create", "a", "--subnt", "x"], "did you mean --subnet?"),
    (["network", "create", "a", "--mtu", "5"], "576 to 65535"),
    (["network", "create", "a", "--driver", "brige"], "bridge, overlay, routed, host"),
    (["network", "ls", "-o", "xml"], "table, wide, json"),
    (["network", "ls", "--timeout", "soon"], "10s"),
    (["network", "ls", "-o"], "needs a value"),
    (["status", "--nocolor"], "--no-color"),
    (["attach"], "--netns and --network"),
    (["attach", "--netns", "x", "--network", "b", "--default-route", "--no-default-route"],
     "exclude each other"),
    (["attach", "--default-route=false"], "--no-default-route"),
    (["attach", "a", "b", "c"], "too many"),
    (["detach"], "--netns"),
    (["detach", "x", "--netns", "c1", "--ifname", "eth0"], "or --netns"),
    (["detach", "--netns", "c1"], "go together"),
    (["apply"], "-f FILE"),
    (["get"], "needs KIND"),
    (["get", "netwroks"], "did you mean networks?"),
    (["delete"], "KIND NAME or -f FILE"),
    (["delete", "network"], "needs a name"),
    (["get", "networks", "-n", "x"], "networks have no namespace"),
    (["get", "services", "web", "-A"], "exclude each other"),
    (["get", "service", "shop/web", "-n", "other"], "not in namespace other"),
    (["delete", "network", "blue", "-n", "x"], "networks have no namespace"),
    (["delete", "-f", "x", "-n", "x"], "KIND NAME"),
    (["service", "inspect"], "needs NAME"),
    (["conntrack", "flush"], "--yes"),
    (["conntrack", "ls", "--address", "here"], "'here' is not an address"),
    (["conntrack", "ls", "--protocol", "gre"], "tcp, udp"),
    (["ip", "why", "here"], "'here' is not an address"),
    (["observe", "-o", "yaml"], "-o json"),
    (["completion", "tcsh"], "bash, zsh, fish"),
    (["help", "nosuch"], "there is no command"),
    (["cni", "conflist", "--version", "9.9.9"], "1.1.0"),
    (["cni", "conflist", "--name", "../evil"], "cannot name"),
    (["cni", "conflist", "--network", "Bad Name"], "cannot name"),
])
def test_wrong_usage_is_2_and_says_what_is_right(weft, args, words):
    done = weft(*args)
    assert done.returncode == 2, done
    assert words in done.stderr and done.stdout == ""


@pytest.mark.parametrize("args", [
    ["status"], ["network", "ls"], ["endpoint", "inspect", "a", "b"], ["get", "networks"],
    ["network", "create", "blue"], ["network", "rm", "a", "b"], ["ip", "ls"], ["observe"],
    ["reload"], ["config", "show"], ["detach", "x"], ["delete", "network", "x"],
])
def test_no_daemon_is_3(weft, args):
    done = weft(*args)
    assert done.returncode == 3, done
    assert done.stderr.count("\n") == 1 and str(weft.socket) in done.stderr
    assert "start weftd" in done.stderr and done.stdout == ""


def test_socket_option_wins(weft):
    done = weft("--socket", "/nonexistent/a", "status")
    assert done.returncode == 3 and "/nonexistent/a" in done.stderr
    done = weft("status", "--socket=/nonexistent/" + "x" * 200)
    assert done.returncode == 1 and "longer than 107" in done.stderr


def test_a_dead_socket_is_3(weft):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left_behind:
        left_behind.bind(str(weft.socket))
    done = weft("status")
    assert done.returncode == 3 and "not running" in done.stderr


def test_a_silent_daemon_is_1(weft):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(str(weft.socket))
        silent.listen()
        start = time.monotonic()
        done = weft("status", "--timeout", "200ms")
    assert done.returncode == 1 and "200 ms" in done.stderr
    assert 0.2 <= time.monotonic() - start < 3


def test_version_needs_no_daemon(weft):
    done = weft("version")
    assert done.returncode == 0 and "not reachable" in done.stdout
    version = json.loads(weft("version", "-o", "json").stdout)["client"]
    assert weft("--version").stdout == f"weft {version}\n"


def test_output_that_cannot_be_written_is_1(weft):
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(WEFT), "cni", "conflist"], stdout=full, stderr=subprocess.PIPE,
                              text=True)
    assert done.returncode == 1 and "No space left" in done.stderr


# ---- help, man pages, completion -----------------------------------------------------------------


def test_the_list_of_commands_is_complete(weft):
    listed = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", weft("--help").stdout, re.M)
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(weft, command):
    done = weft(*command.split(), "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith(f"Usage: weft {command} [OPTIONS]")
    assert "--socket PATH" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert weft("help", *command.split()).stdout == done.stdout
    # every example names a command that exists, with options that exist
    for line in re.findall(r"^  (?:.*[|] |.* ssh other )?(weft .*)", done.stdout, re.M):
        words = line.split()[1:]
        assert any(words[:len(c.split())] == c.split() for c in COMMANDS), line
    for option in re.findall(r"^  weft .*?(--[a-z-]+)", done.stdout, re.M):
        assert re.search(rf"^ +(-., )?{option}\b", done.stdout, re.M), option


@pytest.mark.parametrize("page", PAGES)
def test_man_pages_render_without_warnings(weft, page, tmp_path):
    if not shutil.which("man"):
        pytest.skip("man is not installed")
    path = tmp_path / f"{page}.1"
    path.write_text(weft("man", page).stdout)
    done = subprocess.run(["man", "--warnings", "-l", str(path)], capture_output=True, text=True,
                          env=dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="90", MANPAGER="cat",
                                   MANROFFOPT="-ww"))
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert f"{page} - " in done.stdout and "EXIT STATUS" in done.stdout


def test_a_warning_of_man_would_be_seen(tmp_path):
    if not shutil.which("man"):
        pytest.skip("man is not installed")
    path = tmp_path / "bad.1"
    path.write_text(".TH BAD 1\n.SH NAME\nbad \\- page\n.nosuchrequest\n.\\\"\n'ab\n")
    done = subprocess.run(["man", "--warnings", "-l", str(path)], capture_output=True, text=True,
                          env=dict(os.environ, LC_ALL="C.UTF-8", MANPAGER="cat",
                                   MANROFFOPT="-ww"))
    assert done.stderr != ""


def test_every_command_is_in_a_man_page(weft):
    pages = "".join(weft("man", page).stdout for page in PAGES)
    for command in COMMANDS:
        assert f".SS weft {command} [OPTIONS]" in pages, command


@pytest.mark.parametrize("shell, args", [("bash", ["-n"]), ("zsh", ["-n"]), ("fish", ["-n"])])
def test_completion_scripts_parse(weft, tmp_path, shell, args):
    path = tmp_path / "script"
    path.write_text(weft("completion", shell).stdout)
    assert "weft" in path.read_text()
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, *args, str(path)], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr


def candidates(weft, *words):
    done = weft("complete", "--", *words)
    assert done.returncode == 0 and done.stderr == ""
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("words, want", [
    (["net"], ["network"]),
    (["network", ""], ["create", "ls", "inspect", "rm"]),
    (["network", "create", "--dri"], ["--driver"]),
    (["network", "create", "--driver", "m"], ["macvlan"]),
    (["network", "create", "--driver=ip"], ["--driver=ipvlan"]),
    (["network", "create", "--driver", "=", "ip"], ["ipvlan"]),
    (["--socket", "x", "-o", "j"], ["json"]),
    (["--socket", "x", "endpoint", "i"], ["inspect"]),
    (["apply", "-f", ""], [":file"]),
    (["cni", "conflist", "--write", ""], [":dir"]),
    (["completion", ""], ["bash", "zsh", "fish"]),
    (["get", "net"], ["networks", "networkpolicies"]),
    (["network", "inspect", ""], []),
    (["nosuch", "x"], []),
])
def test_completion_offers(weft, words, want):
    assert candidates(weft, *words) == want


def test_completion_offers_every_first_word_once(weft):
    assert candidates(weft, "") == list(dict.fromkeys(c.split()[0] for c in COMMANDS))


def test_completion_asks_the_daemon_for_names(weft, fake):
    fake.answers["GET", "/v1/networks"] = 200, {"items": [
        {"metadata": {"name": "blue"}}, {"metadata": {"name": "black"}},
        {"metadata": {"name": "red"}}, {"metadata": {"name": "bl\x1bx\n"}}]}
    assert candidates(weft, "network", "rm", "bl") == ["blue", "black", "bl\\x1bx\\x0a"]
    assert candidates(weft, "attach", "--network", "r") == ["red"]


def test_completion_works_in_bash(weft, tmp_path):
    script = weft("completion", "bash").stdout + f"""
        COMP_WORDS=({WEFT} network create --driver = mac) COMP_CWORD=5
        _weft; echo "${{COMPREPLY[@]}}"
        COMP_WORDS=({WEFT} network '') COMP_CWORD=2
        _weft; echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.stdout == "macvlan\ncreate ls inspect rm\n", done.stderr


# ---- documents -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text, line, words", [
    (NETWORK.format(name="blue", cidr="10.0.0.0/99"), 7, "network/blue: spec.subnets[0].cidr"),
    (NETWORK.format(name="Bad!", cidr="10.0.0.0/16"), 4, "metadata.name"),
    (NETWORK.format(name="blue", cidr="10.0.0.0/16") + "  subnetz: []\n", 8, "subnetz"),
    (NETWORK.format(name="blue", cidr="10.0.0.0/16") + "---\n" +
     NETWORK.format(name="red", cidr="10.1.0.0/16").replace("Network", "Netwrk"), 10, "Netwrk"),
    ("a: [\n", None, ""),
    ("just text\n", 1, "mapping"),
    ("", None, "no document"),
])
def test_bad_documents_are_found_before_anything_is_sent(weft, fake, tmp_path, text, line, words):
    good, bad = tmp_path / "a-good.yaml", tmp_path / "b-bad.yaml"
    good.write_text(NETWORK.format(name="good", cidr="10.9.0.0/16"))
    bad.write_text(text)
    done = weft("apply", "--dry-run", "-f", str(good), "-f", str(bad))
    assert done.returncode == 1 and done.stdout == ""
    where = f"{bad}:{line}" if line else str(bad)
    assert where in done.stderr and words in done.stderr, done.stderr
    assert "nothing was changed" in done.stderr
    assert fake.requests == []


def test_bad_documents_need_no_daemon(weft, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text(NETWORK.format(name="blue", cidr="x"))
    assert weft("apply", "-f", str(bad)).returncode == 1
    assert weft("apply", "-f", "-", input=NETWORK.format(name="b", cidr="10.0.0.0/16")) \
        .returncode == 3


def test_every_fault_is_told(weft, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text(NETWORK.format(name="one", cidr="x") + "---\n" +
                   NETWORK.format(name="two", cidr="y"))
    done = weft("apply", "-f", str(bad))
    assert f"{bad}:7: network/one" in done.stderr and f"{bad}:15: network/two" in done.stderr
    assert "2 faults" in done.stderr
    # whom and which field it is about stands there once
    assert done.stderr.splitlines()[0].lower().count("network/one") == 1
    assert done.stderr.splitlines()[0].count("spec.subnets[0].cidr") == 1


@pytest.mark.parametrize("path, words", [("/nonexistent.yaml", "No such file"), ("{tmp}", "no .yaml")])
def test_files_that_cannot_be_read(weft, tmp_path, path, words):
    done = weft("apply", "-f", path.format(tmp=tmp_path))
    assert done.returncode == 1 and words in done.stderr


def test_apply_sends_each_file_by_itself(weft, fake, tmp_path):
    for name in ("b.yaml", "a.yml", "ignored.txt"):
        (tmp_path / name).write_text(NETWORK.format(name=name[0], cidr="10.0.0.0/16"))
    fake.answers["POST", "/v1/apply"] = 200, {"results": [
        {"kind": "Network", "name": "x", "action": "created"}]}
    done = weft("apply", "-f", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "network/x created\n" * 2
    sent = [[d["metadata"]["name"] for d in body["documents"]] for _, _, body in fake.requests]
    assert sent == [["a"], ["b"]]


def test_refusal_of_the_daemon_is_mapped_to_the_line(weft, fake, tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(NETWORK.format(name="one", cidr="10.0.0.0/16") + "---\n" +
                    NETWORK.format(name="two", cidr="10.0.1.0/24"))
    fake.answers["POST", "/v1/apply?dryRun=true"] = 409, {"error": {
        "code": "EADDRINUSE", "message": "overlaps \x1b]0;evil\x07 network one", "document": 1,
        "object": "network/two", "field": "spec.subnets[0].cidr"}}
    done = weft("apply", "--dry-run", "-f", str(path))
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == (f"weft: {path}:15: network/two: spec.subnets[0].cidr: overlaps "
                           "\\x1b]0;evil\\x07 network one\n")


def test_delete_goes_backwards(weft, fake, tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(NETWORK.format(name="one", cidr="10.0.0.0/16") + "---\n" +
                    NETWORK.format(name="two", cidr="10.1.0.0/16"))
    fake.answers["DELETE", "/v1/documents/Network/two"] = 200, {"deleted": "network/two"}
    done = weft("delete", "-f", str(path))
    assert done.returncode == 1 and "network/one" in done.stderr
    assert done.stdout == "network/two deleted\n"
    assert [path.rsplit("/")[-1] for _, path, _ in fake.requests] == ["two", "one"]
    assert weft("delete", "-f", str(path), "--ignore-not-found").returncode == 0


# ---- output --------------------------------------------------------------------------------------


BLUE = {"apiVersion": "weft.dev/v1", "kind": "Network",
        "metadata": {"name": "blue", "labels": {"team": "a"}},
        "spec": {"driver": "bridge", "isolated": True,
                 "subnets": [{"cidr": "10.64.0.0/16", "gateway": "10.64.0.1"},
                             {"cidr": "fd00::/64"}]},
        "status": {"endpointCount": 3, "mtu": 1500,
                   "subnets": [{"cidr": "10.64.0.0/16", "total": 65533, "inUse": 3},
                               {"cidr": "fd00::/64", "total": 1, "inUse": 3}]}}
RED = {**BLUE, "metadata": {"name": "red-longer"}, "spec": {"internal": True}, "status": {}}


@pytest.fixture
def networks(fake):
    fake.answers["GET", "/v1/networks"] = 200, {"items": [BLUE, RED]}
    fake.answers["GET", "/v1/networks/blue"] = 200, BLUE
    fake.answers["GET", "/v1/documents/Network"] = 200, {"items": [BLUE, RED], "revision": 5}
    return fake


def test_table(weft, networks):
    assert weft("network", "ls").stdout == (
        "NAME         DRIVER   SUBNETS                  SCOPE      ENDPOINTS   AGE\n"
        "blue         bridge   10.64.0.0/16,fd00::/64   isolated   3           -\n"
        "red-longer   -        -                        internal   -           -\n")
    wide = weft("network", "ls", "-o", "wide").stdout
    assert "IN USE" in wide and "3/65533,3" in wide and "team=a" in wide


def test_json_yaml_and_names(weft, networks):
    assert json.loads(weft("network", "ls", "-o", "json").stdout)["items"] == [BLUE, RED]
    assert weft("network", "ls", "-o", "name").stdout == "blue\nred-longer\n"
    yaml = weft("get", "networks", "-o", "yaml").stdout
    assert yaml.count("---\n") == 1 and yaml.count("kind: Network") == 2
    assert json.loads(weft("network", "inspect", "blue").stdout) == BLUE
    assert json.loads(weft("network", "inspect", "blue", "blue").stdout)["items"] == [BLUE, BLUE]
    assert weft("get", "networks", "-l", "team=a", "-o", "name").stdout == "blue\n"
    assert weft("get", "networks", "-l", "a in (b)").returncode == 2


def test_what_is_missing_does_not_hide_what_is_there(weft, networks):
    done = weft("network", "inspect", "nope", "blue")
    assert done.returncode == 1 and "nope" in done.stderr
    assert json.loads(done.stdout)["items"] == [BLUE]


def test_tables_are_safe_for_terminals(weft, fake):
    fake.answers["GET", "/v1/networks"] = 200, {"items": [
        {"metadata": {"name": "\x1b[2Jx\u202e"}, "spec": {"driver": "a\nb"}}]}
    out = weft("network", "ls").stdout
    assert "\x1b" not in out and "\u202e" not in out and out.count("\n") == 2


def test_names_in_paths_are_encoded(weft, fake):
    weft("network", "inspect", "a/../b?c#d")
    assert fake.requests[0][1] == "/v1/networks/a%2F..%2Fb%3Fc%23d"


def test_network_create(weft, fake):
    fake.answers["POST", "/v1/apply"] = 200, {"results": [
        {"kind": "Network", "name": "web", "action": "created"}]}
    done = weft("network", "create", "web", "--subnet", "10.64.0.0/16", "--subnet=fd00::/64",
                "--ip-range", "10.64.1.0/24", "--no-isolation", "--label", "a=b")
    assert done.returncode == 0 and done.stdout == "web created\n", done.stderr
    document, = fake.requests[-1][2]["documents"]
    assert document["metadata"] == {"name": "web", "labels": {"a": "b"}}
    assert document["spec"] == {
        "driver": "bridge", "isolated": False, "subnets": [
            {"cidr": "10.64.0.0/16", "ranges": [{"start": "10.64.1.0", "end": "10.64.1.255"}]},
            {"cidr": "fd00::/64"}]}


def test_network_create_refuses_what_exists(weft, fake):
    fake.answers["GET", "/v1/documents/Network/blue"] = 200, BLUE
    done = weft("network", "create", "blue")
    assert done.returncode == 1 and "network/blue: exists already" in done.stderr
    done = weft("network", "create", "blue", "--if-not-exists")
    assert done.returncode == 0 and done.stdout == "blue unchanged\n"
    assert all(method == "GET" for method, _, _ in fake.requests)


ENDPOINT = {"metadata": {"name": "web"}, "spec": {"network": "blue", "interface": "eth0"},
            "status": {"phase": "Ready", "addresses": [{"address": "10.64.0.5/16"}]}}


@pytest.mark.parametrize("netns, path", [
    ("/proc/self/ns/net", "/proc/self/ns/net"), (str(os.getpid()), f"/proc/{os.getpid()}/ns/net")],
    ids=["path", "pid"])
def test_attach(weft, fake, netns, path):
    fake.answers["POST", "/v1/endpoints"] = 201, ENDPOINT
    done = weft("attach", "--netns", netns, "--network", "blue", "--ip", "10.64.0.5", "--sticky",
                "--no-default-route", "--label", "a=b")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "NAME   INTERFACE   ADDRESSES\nweb    eth0        10.64.0.5/16\n"
    assert fake.requests[0][2] == {"network": "blue", "netns": path, "owner": "cli",
                                   "addresses": ["10.64.0.5"], "labels": {"a": "b"},
                                   "sticky": True, "defaultRoute": False}
    assert weft("attach", netns, "blue", "-o", "name").stdout == "web\n"


def test_attach_publishes(weft, fake):
    fake.answers["POST", "/v1/endpoints"] = 201, ENDPOINT
    done = weft("attach", "/proc/self/ns/net", "blue", "-p", "127.0.0.1:8080:80",
                "--publish", "53:53/tcp+udp", "--port", "http=80", "--port", "dns=53/udp")
    assert done.returncode == 0, done.stderr
    body = fake.requests[0][2]
    assert body["publish"] == [
        {"hostIP": "127.0.0.1", "hostPort": 8080, "containerPort": 80, "protocol": "TCP"},
        {"hostPort": 53, "containerPort": 53, "protocol": "TCP"},
        {"hostPort": 53, "containerPort": 53, "protocol": "UDP"}]
    assert body["ports"] == [{"name": "http", "port": 80, "protocol": "TCP"},
                             {"name": "dns", "port": 53, "protocol": "UDP"}]


@pytest.mark.parametrize("option, text, words", [
    ("--publish", "80", "container's port is missing"),
    ("-p", "80:80/icmp", "not tcp, udp or sctp"),
    ("--publish", "::1:80:80", "brackets"), ("--port", "http", "not a named port")])
def test_ports_that_are_wrong_are_not_sent(weft, fake, option, text, words):
    done = weft("attach", "/proc/self/ns/net", "blue", option, text)
    assert done.returncode == 1 and words in done.stderr and fake.requests == []
    assert done.stderr.startswith("weft: --p")


@pytest.mark.parametrize("netns, words", [
    ("nosuchname", "ip netns add nosuchname"), ("999999999", "no process"), ("/nosuch", "No such")])
def test_attach_to_nowhere(weft, fake, netns, words):
    done = weft("attach", "--netns", netns, "--network", "blue")
    assert done.returncode == 1 and words in done.stderr and fake.requests == []


def test_detach_by_namespace(weft, fake):
    here = os.stat("/proc/self/ns/net")
    item = {**ENDPOINT, "status": {"namespace": {"device": here.st_dev, "inode": here.st_ino}}}
    fake.answers["GET", "/v1/endpoints"] = 200, {"items": [item]}
    fake.answers["DELETE", "/v1/endpoints/web"] = 200, {"deleted": "endpoint/web"}
    done = weft("detach", "--netns", str(os.getpid()), "--ifname", "eth0")
    assert done.returncode == 0 and done.stdout == "web detached\n", done.stderr
    done = weft("detach", "--netns", str(os.getpid()), "--ifname", "eth7")
    assert done.returncode == 1 and "eth7" in done.stderr


def test_ip_why(weft, fake):
    fake.answers["GET", "/v1/addresses/10.64.0.5"] = 200, {
        "address": "10.64.0.5", "items": [{"network": "blue", "state": "cooling",
                                           "freeInSeconds": 12, "text": "it was released"}],
        "host": [{"prefix": "10.64.0.0/16", "device": "weft0"}]}
    assert weft("ip", "why", "10.64.0.5").stdout == (
        "10.64.0.5:\n  network blue: cooling (12s), it was released\n"
        "  host: 10.64.0.0/16 on device weft0\n")


# ---- observe -------------------------------------------------------------------------------------


DROP = {"time": "2026-11-21T07:38:45Z", "type": "drop", "network": "blue",
        "source": {"name": "web", "address": "10.64.0.5", "port": 4000},
        "destination": {"address": "fd00::9", "port": 80}, "protocol": "TCP", "bytes": 74,
        "tcpFlags": 2, "reason": {"label": "no_such_address", "text": "nobody has it\x1b[2J",
                                  "hint": "ask"}}
OBSERVE = "/v1/observe?drops=true&first=true&audit=true"


def test_observe_shows_lines_until_the_count(weft, fake):
    fake.answers["GET", OBSERVE] = 200, [DROP, {"type": "lost", "count": 3}, DROP, DROP]
    done = weft("observe", "--count", "2")
    line = ("07:38:45 DROP  [blue] web(10.64.0.5:4000) -> [fd00::9]:80 TCP SYN 74 bytes: "
            "nobody has it\\x1b[2J (ask)\n")
    assert done.returncode == 0
    assert done.stdout == line + "-- 3 events lost: this reader is too slow\n" + line
    lines = weft("observe", "--count", "2", "-o", "json").stdout.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["drop", "lost", "drop"]


def test_observe_passes_its_filters_on(weft, fake):
    path = "/v1/observe?drops=true&first=false&audit=false&endpoint=a%26b&network=blue"
    fake.answers["GET", path] = 200, [DROP]
    done = weft("observe", "--drops", "--endpoint", "a&b", "--network", "blue", "--count", "1")
    assert done.returncode == 0, done.stderr


def test_observe_ends_with_a_summary(weft, fake):
    fake.answers["GET", OBSERVE] = 200, [DROP, DROP]
    process = subprocess.Popen([str(WEFT), "observe"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True,
                               env=dict(os.environ, WEFT_SOCKET=str(weft.socket)))
    assert "DROP" in process.stdout.readline() and "DROP" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "2 dropped, 0 first packets" in err and "2  no_such_address" in err


def test_observe_says_when_the_daemon_goes(weft, fake):
    fake.answers["GET", OBSERVE] = 200, {"type": "first"}
    done = weft("observe")
    assert done.returncode == 1 and "ended the stream" in done.stderr


# ---- services, ports, connections ----------------------------------------------------------------


def service(namespace, name, **weft_status):
    document = {"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"type": "ClusterIP", "clusterIPs": ["10.96.0.10"],
                         "ports": [{"port": 80, "protocol": "TCP"}]}}
    return {**document, "status": {"weft": weft_status}} if weft_status else document


WEB = service("shop", "web", conditions=[], ports=[
    {"name": "", "key": "shop/web:80/tcp/IPv4", "algorithm": "maglev", "connections": 7,
     "refused": 0, "frontends": [{"type": "ClusterIP", "address": "10.96.0.10", "port": 80,
                                  "scope": "any"}],
     "backends": [{"address": "10.64.0.5", "port": 8080, "state": "ready", "node": "n1", "zone": "",
                   "target": "web-1", "weight": 1, "inside": True, "outside": True, "active": 2}]}])


def test_services_are_shown_by_namespace(weft, fake):
    fake.answers["GET", "/v1/services"] = 200, {"items": [service("default", "db"), WEB]}
    assert weft("service", "ls").stdout == (
        "NAMESPACE   NAME   TYPE        CLUSTER-IP   EXTERNAL-IP   PORTS    BACKENDS   HITS\n"
        "default     db     ClusterIP   10.96.0.10   -             80/TCP   -          -\n")
    assert "shop        web    ClusterIP   10.96.0.10   -             80/TCP   1/1        7\n" in (
        weft("service", "ls", "-n", "shop").stdout)
    assert weft("service", "ls", "-A", "-o", "name").stdout == "default/db\nshop/web\n"


@pytest.mark.parametrize("args", [("shop/web",), ("web", "-n", "shop"), ("shop/web", "-n", "shop")])
def test_service_inspect(weft, fake, args):
    fake.answers["GET", "/v1/services/shop/web"] = 200, WEB
    text = weft("service", "inspect", *args).stdout
    assert text.startswith("Service:         shop/web\n") and not text.endswith("\n\n")
    assert "shop/web:80/tcp/IPv4: maglev, 7 hits, 0 refused" in text
    assert "10.64.0.5:8080   ready   all      2        1        n1     -      web-1" in text
    assert json.loads(weft("service", "inspect", *args, "-o", "json").stdout) == WEB


def test_documents_in_namespaces_have_both_in_their_path(weft, fake):
    fake.answers["GET", "/v1/documents/Service/shop%2Fweb"] = 200, WEB
    fake.answers["GET", "/v1/documents/Service/default%2Fweb"] = 200, service("default", "web")
    fake.answers["GET", "/v1/documents/Service"] = 200, {"items": [service("default", "db"), WEB]}
    for args in (("svc", "shop/web"), ("service/shop/web",), ("services", "web", "-n", "shop"),
                 ("svc", "svc/shop/web")):
        assert weft("get", *args, "-o", "name").stdout == "shop/web\n", args
    assert weft("get", "svc/web", "-o", "name").stdout == "default/web\n"
    assert weft("get", "svc", "-o", "name").stdout == "default/db\n"
    assert weft("get", "svc", "-A", "-o", "name").stdout == "default/db\nshop/web\n"
    fake.answers["DELETE", "/v1/documents/Service/shop%2Fweb"] = 200, {}
    assert weft("delete", "svc", "shop/web").stdout == "service/shop/web deleted\n"


def test_apply_and_delete_of_services_by_file(weft, fake, tmp_path):
    path = tmp_path / "web.yaml"
    path.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n"
                    "spec: {ports: [{port: 80}]}\n")
    fake.answers["DELETE", "/v1/documents/Service/shop%2Fweb"] = 200, {}
    assert weft("delete", "-f", str(path)).stdout == "service/shop/web deleted\n"
    path.write_text(path.read_text().replace("port: 80", "port: 0"))
    done = weft("apply", "-f", str(path))
    assert done.returncode == 1 and "service/shop/web: spec.ports[0].port: 0" in done.stderr


def test_ports(weft, fake):
    fake.answers["GET", "/v1/ports"] = 200, {"items": [
        {"hostIP": "*", "firstPort": 8000, "lastPort": 8099, "protocol": "TCP",
         "kind": "published", "target": "10.64.0.5:9000-9099", "name": "web",
         "from": ["outside", "host", "containers"]},
        {"hostIP": "127.0.0.1", "firstPort": 53, "lastPort": 53, "protocol": "UDP",
         "kind": "published", "target": "10.64.0.6:53", "name": "dns", "from": ["host"]}]}
    assert weft("ports").stdout == (
        "HOST-IP     PORT        PROTO   KIND        TARGET                FROM"
        "                      NAME\n"
        "*           8000-8099   TCP     published   10.64.0.5:9000-9099   outside,host,containers"
        "   web\n"
        "127.0.0.1   53          UDP     published   10.64.0.6:53          host"
        "                      dns\n")


def test_conntrack(weft, fake):
    path = "/v1/conntrack?endpoint=web&service=default%2Fdb&protocol=tcp&address=10.1.0.5&limit=1"
    fake.answers["GET", path] = 200, {"total": 3, "items": [
        {"protocol": "tcp", "site": "container", "phase": "established", "source": "10.1.0.5:41000",
         "destination": "10.96.0.10:80", "translatedSource": "10.1.0.5:41000",
         "translatedDestination": "10.1.0.7:8080", "endpoint": "web",
         "service": "default/db:80/tcp/IPv4", "flags": ["service"], "ageMs": 5000, "idleMs": 0,
         "expiresMs": 7200000}]}
    filters = ("--endpoint", "web", "--service", "db", "--protocol", "tcp", "--address", "10.1.0.5")
    done = weft("conntrack", "ls", *filters, "--limit", "1")
    assert done.returncode == 0, done.stderr
    assert "10.1.0.5:41000 -> 10.96.0.10:80 => 10.1.0.7:8080   established   5s    0s     2h" in (
        done.stdout)
    assert done.stderr == "1 of 3 connections; --limit shows more\n"
    fake.answers["DELETE", path.replace("&limit=1", "")] = 200, {"flushed": 3}
    assert weft("conntrack", "flush", *filters, "--yes").stdout == "3 connections flushed\n"
    fake.answers["DELETE", "/v1/conntrack"] = 200, {"flushed": 1}
    assert weft("conntrack", "flush", "--yes").stdout == "1 connection flushed\n"


# ---- CNI, doctor, cleanup ----------------------------------------------------------------------


def test_conflist(weft):
    plain = {"ips": True, "mac": True, "ipRanges": True, "dns": True, "aliases": True,
             "cgroupPath": True, "portMappings": True,
             "io.kubernetes.cri.pod-annotations": True}
    done = weft("cni", "conflist", "--network", "blue", "--socket", "/run/weft/weft.sock")
    assert json.loads(done.stdout) == {
        "cniVersion": "1.0.0", "name": "blue",
        "plugins": [{"type": "weft", "capabilities": plain}]}
    done = weft("cni", "conflist", "--network", "blue", "--name", "pods", "--version", "1.1.0")
    assert json.loads(done.stdout) == {
        "cniVersion": "1.1.0", "name": "pods",
        "plugins": [{"type": "weft", "capabilities": plain, "network": "blue",
                     "socket": str(weft.socket)}]}


def test_conflist_is_written_at_once(weft, tmp_path):
    done = weft("cni", "conflist", "--network", "blue", "--write", str(tmp_path))
    path = tmp_path / "10-weft-blue.conflist"
    assert done.returncode == 0 and done.stdout == f"{path} written\n"
    assert json.loads(path.read_text())["name"] == "blue"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    done = weft("cni", "conflist", "--write", str(tmp_path / "made"))
    assert done.returncode == 0 and (tmp_path / "made" / "10-weft-weft.conflist").is_file()
    done = weft("cni", "conflist", "--write", str(path / "under-a-file"))
    assert done.returncode == 1 and "under-a-file" in done.stderr


@pytest.mark.parametrize("place", ["bin", "sbin", "libexec/weft", "PATH"])
def test_doctor_and_cleanup_become_weftd(tmp_path, place):
    """weft is copied away from the build tree, so that it finds a weftd that only echoes."""
    (tmp_path / "bin").mkdir()
    shutil.copy(WEFT, tmp_path / "bin/weft")
    folder = tmp_path / ("elsewhere" if place == "PATH" else place)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weftd").write_text("#!/bin/sh\necho \"$@\"\nexit 7\n")
    (folder / "weftd").chmod(0o755)
    env = {"PATH": f"{folder}:/bin" if place == "PATH" else "/bin"}

    def run(*args):
        return subprocess.run([str(tmp_path / "bin/weft"), *args], env=env, capture_output=True,
                              text=True)

    done = run("doctor", "-o", "json", "--run-dir", "/a b", "--bpf-dir=/c")
    assert (done.returncode, done.stdout) == (
        7, "--doctor --output json --run-dir /a b --bpf-dir /c\n"), done.stderr
    done = run("cleanup", "--yes", "--state-dir", "/s", "--socket", "/x")
    assert done.stdout == "--cleanup --yes --socket /x --state-dir /s\n"


def test_doctor_without_weftd(tmp_path):
    (tmp_path / "bin").mkdir()
    shutil.copy(WEFT, tmp_path / "bin/weft")
    done = subprocess.run([str(tmp_path / "bin/weft"), "doctor"], env={"PATH": "/nonexistent"},
                          capture_output=True, text=True)
    assert done.returncode == 1 and "cannot run weftd" in done.stderr


def test_weft_starts_quickly(weft):
    """Best of many: a tool in shell loops and prompts; the sanitizers' build takes longer."""
    if b"__asan_init" in WEFT.read_bytes():
        pytest.skip("build with sanitizers")
    times = []
    for _ in range(30):
        start = time.monotonic()
        subprocess.run([str(WEFT), "--version"], stdout=subprocess.DEVNULL)
        times.append(time.monotonic() - start)
    assert min(times) < 0.02, min(times)
