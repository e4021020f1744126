# SPDX-License-Identifier: Apache-2.0
"""weftd as a service: starting, refusing to start, reloading, stopping, and its socket.

    [ node: weftd on run/, state/, bpffs ]
"""
import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import time

import pytest
from lib.netns import execute, wait_until
from lib.node import ROOT, ApiError, binary


def start_fails(node, *extra, timeout=10, **env):
    """Starts weftd, which must end by itself with status 1. Returns what it said."""
    size = len(node.log_text())
    process = node.spawn_daemon(*extra, **env)
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"weftd did not give up:\n{node.log_text()[size:]}") from None
    node.daemon = None
    text = node.log_text()[size:]
    assert process.returncode in (1, 2), (process.returncode, text)
    return text


# ---- starting ----------------------------------------------------------------------------------------


def test_status_tells_who_runs(node):
    status = node.weft_json("status")
    assert status["nodeName"] == "node1" and status["version"]
    assert str(node.state_dir) in status["store"]
    pid = int(status["pid"])
    assert os.readlink(f"/proc/{pid}/exe") == str(binary("weftd"))
    assert "node1" in node.weft("status").stdout


def test_second_daemon_on_the_same_paths_is_refused(node):
    second = node.host.run(node.daemon_command(), check=False, timeout=15,
                           env=node.environment())
    assert second.returncode == 1
    assert "another weftd" in second.stderr and str(node.run_dir) in second.stderr
    assert node.api("GET", "/v1/status")["pid"] == node.weft_json("status")["pid"]


def test_start_is_reported_to_systemd(stopped_node):
    node = stopped_node
    path = str(node.dir / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(10)
        node.spawn_daemon(NOTIFY_SOCKET=path)
        texts = [notify.recv(4096).decode()]
        while "READY=1" not in texts[-1].split("\n"):
            texts.append(notify.recv(4096).decode())
        # ready means ready: no waiting from here on
        assert node.api("GET", "/v1/status")
        node.daemon.send_signal(signal.SIGTERM)
        while "STOPPING=1" not in texts[-1].split("\n"):
            texts.append(notify.recv(4096).decode())
        assert node.daemon.wait(10) == 0
        node.daemon = None


@pytest.mark.skipif(not os.path.isdir("/run/systemd"), reason="needs a place for journald's socket")
def test_log_is_structured_in_journald_and_plain_elsewhere(stopped_node):
    """A socket of the test is where journald's would be; the daemon has mounts of its own."""
    node = stopped_node
    place = node.dir / "systemd"
    (place / "journal").mkdir(parents=True)
    node.log.touch()
    stream = node.log.stat()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(place / "journal" / "socket"))
        journal.settimeout(30)
        node.wrapper = ["unshare", "--mount", "sh", "-c",
                        'mount --bind "$0" /run/systemd && exec "$@"', str(place)]
        node.start_daemon(JOURNAL_STREAM=f"{stream.st_dev}:{stream.st_ino}")
        record = ""
        while not record.startswith("MESSAGE=ready "):
            record = journal.recv(65536).decode()
        fields = dict(line.split("=", 1) for line in record.splitlines())
        assert fields["PRIORITY"] == "6" and fields["SYSLOG_IDENTIFIER"] == "weftd"
        assert fields["WEFT_MODULE"] == "weftd" and fields["WEFT_NODE"] == node.name
        assert fields["WEFT_SOCKET"] == str(node.socket)
        assert node.log_text() == ""
        node.stop_daemon()
    node.wrapper = []
    node.start_daemon()
    assert "INFO  weftd: ready " in node.log_text()


def test_stop_is_clean_and_fast(node):
    node.network("blue")
    node.container("blue")
    start = time.monotonic()
    node.stop_daemon()
    assert time.monotonic() - start < 3
    assert not node.socket.exists()
    done = node.weft("status", check=False)
    assert done.returncode == 3 and str(node.socket) in done.stderr


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_signals_that_end_it(node, sig):
    node.daemon.send_signal(sig)
    assert node.daemon.wait(10) == 0
    node.daemon = None


def test_a_stale_socket_is_no_obstacle(node):
    node.kill_daemon()
    assert node.socket.exists()
    node.start_daemon()


# ---- the store ---------------------------------------------------------------------------------------


def database(node):
    path, = node.state_dir.glob("*.db")
    return path


def test_newer_store_is_refused(node):
    node.network("blue")
    node.stop_daemon()
    before = database(node).read_bytes()
    with sqlite3.connect(database(node)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute(f"PRAGMA user_version = {version + 1000}")
    connection.close()
    node.expect_errors("newer|version")
    text = start_fails(node)
    assert "newer" in text and str(database(node)) in text
    with sqlite3.connect(database(node)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    node.start_daemon()
    assert node.inspect("blue")
    assert len(before) > 0


def test_damaged_store_is_refused_not_overwritten(node):
    node.network("blue")
    node.stop_daemon()
    path = database(node)
    for extra in path.parent.glob(path.name + "-*"):
        extra.unlink()
    good = path.read_bytes()
    path.write_bytes(b"this is no database at all, but it is long enough to be one" * 100)
    node.expect_errors("database|store")
    text = start_fails(node)
    assert str(path) in text
    assert path.read_bytes().startswith(b"this is no database")
    path.write_bytes(good)
    node.start_daemon()
    assert node.inspect("blue")


@pytest.fixture
def small_disk(stopped_node):
    """The state directory is a tmpfs of 1 MiB, mounted for the daemon to find."""
    node = stopped_node
    node.state_dir.mkdir(parents=True)
    execute(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "wt-state", str(node.state_dir)])
    yield node
    if node.daemon:
        node.stop_daemon()
    node.weft(*node.cleanup_command(), check=False)
    execute(["umount", str(node.state_dir)])


def refused_attach(node):
    """ADDs until the disk is full for them as well: (the namespace of the last, its error)."""
    for number in range(200):
        ns = node.new_netns()
        done = node.cni("ADD", {"name": "blue"}, container_id=f"c{number}", netns=ns)
        if done.returncode != 0:
            return ns, done.json
    raise AssertionError("200 ADDs found room on a full disk")


def test_full_disk_refuses_and_recovers(small_disk):
    node = small_disk
    node.expect_errors()
    node.start_daemon()
    node.network("blue")
    first, address, endpoint = node.container("blue")
    filler = node.state_dir / "filler"
    with open(filler, "wb", buffering=0) as stream, pytest.raises(OSError):
        while stream.write(b"x" * 4096):
            pass
    with pytest.raises(ApiError) as refused:
        for number in range(200):
            node.network(f"n{number}", labels={"filler": "x" * 60})
    assert refused.value.code == "ENOSPC" and refused.value.status == 507
    late, refusal = refused_attach(node)
    assert refusal["code"] == 103 and str(node.state_dir) in refusal["msg"], refusal
    assert "no space left" in refusal["msg"]
    # what runs goes on, what was refused left nothing
    wait_until(lambda: list(late.links()) == ["lo"], 5, what="the interface is taken back")
    assert node.inspect("blue")["status"]["subnets"][0]["inUse"] == len(node.endpoints())
    assert first.ping(node.gateway_of(endpoint))
    stored = [n["metadata"]["name"] for n in node.api("GET", "/v1/networks")["items"]]
    assert len(node.own_routes()) == len(stored)
    filler.unlink()
    node.network("after")
    assert first.ping(node.gateway_of(endpoint))
    node.restart_daemon()
    assert node.inspect("after") and node.host.ping(address)


def test_del_on_a_full_disk_is_made_good(small_disk):
    """A DEL never fails for want of a disk: it waits beside the socket, and is done when there is room."""
    node = small_disk
    node.expect_errors()
    node.start_daemon()
    node.network("blue")
    attached = [f"first{number}" for number in range(4)]
    for name in attached:
        assert node.cni("ADD", {"name": "blue"}, container_id=name,
                        netns=node.new_netns()).returncode == 0
    with open(node.state_dir / "filler", "wb", buffering=0) as stream, pytest.raises(OSError):
        while stream.write(b"x" * 4096):
            pass
    refused_attach(node)
    attached = [e["spec"]["containerID"] for e in node.endpoints()]
    assert len(attached) >= 4
    for name in attached:
        done = node.cni("DEL", {"name": "blue"}, container_id=name)
        assert done.returncode == 0, done
    waiting = [e["spec"]["containerID"] for e in node.endpoints()]
    spool = node.run_dir / "spool"
    # not one that found room after all: they are endpoints still, and nobody gets their addresses
    assert waiting and len(list(spool.iterdir())) == len(waiting)
    (node.state_dir / "filler").unlink()
    wait_until(lambda: not node.endpoints(), 20, what="the endpoints are released")
    wait_until(lambda: not list(spool.iterdir()), 5, what="nothing waits")
    assert node.inspect("blue")["status"]["subnets"][0]["inUse"] == 0


def test_read_only_store_refuses_writes(small_disk):
    node = small_disk
    node.expect_errors()
    node.start_daemon()
    node.network("blue")
    ns, address, endpoint = node.container("blue")
    node.stop_daemon()
    execute(["mount", "-o", "remount,ro", str(node.state_dir)])
    try:
        text = start_fails(node)
        assert "read-only" in text.lower() or "readonly" in text.lower(), text
        assert str(node.state_dir) in text
        # nothing was taken down meanwhile
        assert ns.ping(node.gateway_of(endpoint)) and node.host.ping(address)
    finally:
        execute(["mount", "-o", "remount,rw", str(node.state_dir)])
    node.start_daemon()
    assert node.endpoints()[0]["metadata"]["name"] == endpoint["metadata"]["name"]


# ---- configuration -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, words", [
    ("nodeNam: a\n", ["nodeNam", "nodeName", "weft.yaml"]),
    ("nodeName: a\nnodeName: b\n", ["nodeName", ":2"]),
    ("logLevel: loud\n", ["logLevel", "loud"]),
    ("[1, 2]\n", ["weft.yaml"]),
    ("nodeName: [\n", ["weft.yaml"]),
])
def test_configuration_errors(stopped_node, text, words):
    node = stopped_node
    path = node.dir / "weft.yaml"
    path.write_text(text)
    node.expect_errors()
    said = start_fails(node, "--config", str(path))
    for word in words:
        assert word in said, said


def test_missing_configuration_file_is_an_error_when_named(stopped_node):
    stopped_node.expect_errors()
    said = start_fails(stopped_node, "--config", str(stopped_node.dir / "nope.yaml"))
    assert "nope.yaml" in said


@pytest.mark.parametrize("option, words", [
    ("--run-dri", ["--run-dri", "run-dir"]),
    ("--store=oracle", ["oracle", "sqlite"]),
    ("--node-name=", ["node-name"]),
])
def test_wrong_usage_is_told(stopped_node, option, words):
    stopped_node.expect_errors()
    said = start_fails(stopped_node, option)
    for word in words:
        assert word in said, said


def test_file_and_command_line_together(stopped_node):
    """The command line wins over the file."""
    node = stopped_node
    path = node.dir / "weft.yaml"
    path.write_text("nodeName: fromfile\nlogLevel: debug\n")
    node.start_daemon("--config", str(path))
    shown = node.api("GET", "/v1/config")
    assert (shown["nodeName"], shown["logLevel"]) == ("node1", "debug")


def test_reload_applies_what_can_be_applied(stopped_node):
    node = stopped_node
    path = node.dir / "weft.yaml"
    path.write_text("logLevel: info\n")
    node.start_daemon("--config", str(path))
    assert "DEBUG" not in node.log_text()
    path.write_text("logLevel: debug\n")
    node.daemon.send_signal(signal.SIGHUP)
    wait_until(lambda: node.api("GET", "/v1/config")["logLevel"] == "debug", 3)
    # a file that is wrong changes nothing and is told
    path.write_text("logLevel: loud\n")
    node.expect_errors()
    with pytest.raises(ApiError) as refused:
        node.api("POST", "/v1/reload")
    assert "loud" in refused.value.message
    assert node.api("GET", "/v1/config")["logLevel"] == "debug"
    path.write_text("logLevel: info\nstateDir: /elsewhere\n")
    answer = node.api("POST", "/v1/reload")
    assert answer["changed"] == ["logLevel"]
    assert answer["needRestart"] in ([], ["stateDir"])


def test_hup_puts_everything_right(node):
    node.network("blue")
    ns, _, endpoint = node.container("blue")
    node.daemon.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert node.daemon.poll() is None and ns.ping(node.gateway_of(endpoint))


def test_check_only(stopped_node):
    node = stopped_node
    path = node.dir / "weft.yaml"
    path.write_text("logLevel: debug\n")
    good = node.run([str(binary("weftd")), "--check", "--config", str(path)], check=False)
    assert good.returncode == 0
    path.write_text("logLevel: loud\n")
    bad = node.run([str(binary("weftd")), "--check", "--config", str(path)], check=False)
    assert bad.returncode in (1, 2) and "loud" in bad.stderr
    assert not node.run_dir.exists()


# ---- the socket ----------------------------------------------------------------------------------------


def test_socket_is_not_for_everybody(node):
    mode = os.stat(node.socket).st_mode
    assert stat.S_ISSOCK(mode) and mode & 0o007 == 0
    done = node.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                     str(binary("weft")), "status", "--socket", str(node.socket)], check=False)
    assert done.returncode != 0


def test_peer_credentials_count_even_when_the_mode_does_not(node):
    """A socket that somebody opened up by chmod still asks who is there."""
    for path in (node.dir, node.run_dir):
        path.chmod(0o755)
    node.socket.chmod(0o666)
    done = node.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                     str(binary("weft")), "status"], check=False, env=node.environment())
    assert done.returncode != 0
    assert node.weft("status").returncode == 0


def raw(node, data, timeout=3):
    """Sends bytes to the socket and returns the answer's first line."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(str(node.socket))
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(65536).split(b"\r\n")[0].decode()
        except OSError as error:
            return str(error)


@pytest.mark.parametrize("data", [
    b"", b"\0" * 1000, b"GET\r\n\r\n", b"GET /v1/status HTTP/9.9\r\n\r\n",
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
    b"POST /v1/apply HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
    b"POST /v1/apply HTTP/1.1\r\nContent-Length: 5\r\n\r\n{\"a\"",
    b"POST /v1/apply HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]",
    b"GET /v1/../../etc/passwd HTTP/1.1\r\n\r\n", b"DELETE /v1/status HTTP/1.1\r\n\r\n",
    b"GET /v1/endpoints/%00%ff HTTP/1.1\r\n\r\n",
], ids=range(11))
def test_nonsense_on_the_socket_is_survived(kept_node, data):
    line = raw(kept_node, data)
    assert " 200 " not in line
    assert kept_node.api("GET", "/v1/status")


def test_idle_and_half_requests_do_not_hold_others_up(node):
    idle = []
    for _ in range(50):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(node.socket))
        connection.sendall(b"POST /v1/apply HTTP/1.1\r\nContent-Len")
        idle.append(connection)
    start = time.monotonic()
    assert node.api("GET", "/v1/status")
    assert time.monotonic() - start < 1
    for connection in idle:
        connection.close()


def unit_capabilities():
    """What deploy/weftd.service gives, as setpriv wants it."""
    text = (ROOT / "deploy" / "weftd.service.in").read_text()
    line, = re.findall(r"^CapabilityBoundingSet=(.*)$", text, re.MULTILINE)
    return [word[len("CAP_"):].lower() for word in line.split()]


def test_the_rights_of_the_service_are_enough(stopped_node):
    """weftd with the unit's capabilities and no others does all of its work."""
    node = stopped_node
    keep = ",".join("+" + name for name in unit_capabilities())
    node.wrapper = ["setpriv", "--bounding-set", f"-all,{keep}", "--inh-caps", "-all",
                    "--no-new-privs"]
    node.outside()
    node.start_daemon()
    status = open(f"/proc/{node.api('GET', '/v1/status')['pid']}/status").read()
    effective = int(re.search(r"CapEff:\s*(\w+)", status).group(1), 16)
    assert bin(effective).count("1") == len(unit_capabilities())
    node.network("blue", ipFamilies=["IPv4", "IPv6"])
    node.network("lan", driver="macvlan", parent="up0", subnets=[{"cidr": "192.0.2.0/24"}])
    first, address, endpoint = node.container("blue")
    node.container("lan", addresses=["192.0.2.60"])
    # a namespace that is known by a process only, and that drops rights as containers do
    sleeper = subprocess.Popen(["unshare", "--net", "sleep", "60"])
    try:
        path = f"/proc/{sleeper.pid}/ns/net"
        wait_until(lambda: os.readlink(path) != os.readlink("/proc/self/ns/net"), 3)
        made = node.api("POST", "/v1/endpoints", {"network": "blue", "netns": path, "owner": "cli",
                                                  "name": "by-process"})
        assert first.ping(node.address_of(made))
        node.detach("by-process")
    finally:
        sleeper.kill()
        sleeper.wait()
    assert node.host.ping(address) and first.ping(node.gateway_of(endpoint, 6))
    node.run("ip link set weft0 down")
    wait_until(lambda: node.host.ping(address), 3, what="repaired")
    node.kill_daemon()
    node.start_daemon()
    assert node.api("GET", "/v1/status")["datapathAdopted"] is True


def test_exit_status_of_the_command_line(node):
    assert node.weft("status").returncode == 0
    assert node.weft("network", "inspect", "nope", check=False).returncode == 1
    assert node.weft("network", "crate", check=False).returncode == 2
    assert node.weft("status", "--no-such-option", check=False).returncode == 2
    assert node.weft("status", "--socket", "/nonexistent", check=False).returncode == 3


def test_doctor_is_content(node):
    node.run("sysctl -qw net.ipv4.ip_forward=1")
    done = node.weft("doctor", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(node.weft("doctor", "-o", "json").stdout)
