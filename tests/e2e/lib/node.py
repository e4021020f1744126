# SPDX-License-Identifier: Apache-2.0
"""A node: a network namespace in which a weftd runs on paths of its own.

      node.netns ---- the host side: weft0, the containers' host devices, routes
        |     \\
      c1 ...  c2      namespaces from node.new_netns(), attached with node.attach()

Several nodes run beside each other and beside a real weftd of the machine.
"""
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

from . import tcx
from .netns import Netns, entered, execute, stop_process, wait_until

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("WEFT_BUILD", ROOT / "build")).resolve()

# Bases of what weft makes in a namespace; see include/weft/abi/limits.h and src/net/net.h.
IFINDEX_BASE = 0x1000000
HOST_DEVICE = "weft0"
VLAN_GROUP = str(0x77660000)
ROUTE_PROTOCOL = 119

# Every node has netkit pairs, whose program runs as containers send from their first packet on.
NETKIT = os.environ.get("WEFT_TEST_NETKIT") == "1"

REPORT = re.compile(r"(ERROR: \w+Sanitizer|runtime error:|Sanitizer: |Assertion .* failed)")


def binary(name):
    """The path of a program that was built."""
    folders = {"weftd": "weftd", "weft": "cli", "weft-cni": "cni"}
    for path in (BUILD / "src" / folders.get(name, name) / name, BUILD / name):
        if path.is_file():
            return path
    raise AssertionError(f"{name} is not built in {BUILD}; run make build, or set WEFT_BUILD")


class ApiError(AssertionError):
    """The daemon refused a request. `code` is the errno name, `error` the whole object."""

    def __init__(self, method, path, status, error):
        super().__init__(f"{method} {path}: {status} {error}")
        self.status = status
        self.error = error
        self.code = error.get("code")
        self.message = error.get("message", "")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Observer:
    """A running `weft observe -o json`; gathers its lines."""

    def __init__(self, node, args):
        self.process = node.host.popen(
            [str(binary("weft")), "observe", "-o", "json", *args],
            env=node.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.events = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            with contextlib.suppress(json.JSONDecodeError):
                self.events.append(json.loads(line))

    def wait_for(self, match, timeout=3.0):
        """The first event that matches."""
        return wait_until(lambda: next((e for e in self.events if match(e)), None), timeout,
                          what=f"an event among {self.events[-5:]}")

    def stop(self):
        stop_process(self.process, signal.SIGTERM)
        self.thread.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()


class Node:
    """One host of a test's topology. Made by the fixtures `node` and `new_node`."""

    def __init__(self, name="node1"):
        binary("weftd")  # before anything is made that would be left behind
        self.name = name
        self.host = Netns("n")
        self.netns = self.host.name
        self.dir = Path(tempfile.mkdtemp(prefix="wt-"))
        self.run_dir = self.dir / "run"
        self.state_dir = self.dir / "state"
        self.bpf_dir = Path("/sys/fs/bpf") / self.netns
        self.socket = self.run_dir / "weft.sock"
        self.log = self.dir / "weftd.log"
        self.build_dir = BUILD
        self.daemon = None
        self.containers = []
        self.outsides = []
        self.observers = []
        self.expected_errors = []
        self.extra = ()
        self.wrapper = []  # put in front of weftd: a tool that takes rights away, a tracer
        self.run("ip link set lo up")

    # ---- commands ----------------------------------------------------------------------------

    def environment(self, **more):
        env = dict(os.environ, WEFT_SOCKET=str(self.socket), LC_ALL="C", NO_COLOR="1", **more)
        env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
        return env

    def run(self, command, check=True, **options):
        """Runs a command on the host side."""
        return self.host.run(command, check=check, **options)

    def popen(self, command, **options):
        return self.host.popen(command, **options)

    def weft(self, *args, check=True, **options):
        """Runs the command line tool against this node's daemon."""
        options.setdefault("env", self.environment())
        return self.run([str(binary("weft")), *args], check=check, **options)

    def weft_json(self, *args):
        """The same with -o json, parsed."""
        return json.loads(self.weft(*args, "-o", "json").stdout)

    # ---- the API -----------------------------------------------------------------------------

    def api(self, method, path, body=None, timeout=30):
        """One request. Returns the parsed answer; raises ApiError when the daemon refuses."""
        connection = UnixConnection(self.socket, timeout)
        try:
            text = None if body is None else json.dumps(body)
            headers = {"Content-Type": "application/json"} if text else {}
            connection.request(method, path, text, headers)
            answer = connection.getresponse()
            content = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 300:
            try:
                error = json.loads(content)["error"]
            except (json.JSONDecodeError, KeyError, TypeError):
                error = {"message": content}
            raise ApiError(method, path, answer.status, error)
        try:
            return json.loads(content) if content else None
        except json.JSONDecodeError:
            return content

    def apply(self, *documents, dry_run=False):
        """Applies documents (dictionaries) in one transaction."""
        path = "/v1/apply?dryRun=true" if dry_run else "/v1/apply"
        return self.api("POST", path, {"documents": list(documents)})["results"]

    def network(self, name, /, labels=None, **spec):
        """Creates or changes a network by a document; keywords are members of its spec."""
        metadata = {"name": name, **({"labels": labels} if labels else {})}
        self.apply({"apiVersion": "weft.dev/v1", "kind": "Network", "metadata": metadata,
                    "spec": spec})
        return self.inspect(name)

    def inspect(self, network):
        return self.api("GET", f"/v1/networks/{urllib.parse.quote(network)}")

    def endpoints(self):
        return self.api("GET", "/v1/endpoints")["items"]

    def metrics(self):
        """{name with labels: value}"""
        values = {}
        for line in self.api("GET", "/metrics").splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        return values

    def metric(self, name):
        """One of them, labels included in the name; None when it is not there."""
        return self.metrics().get(name)

    def drops(self, reason):
        """Packets that the datapath dropped for that reason."""
        return self.api("GET", "/v1/status")["drops"].get(reason, 0)

    def attach(self, ns, network, **opts):
        """Attaches a namespace; keywords as in the attach request. Returns the Endpoint."""
        body = {"network": network, "netns": ns.path, "owner": "cli", **opts}
        endpoint = self.api("POST", "/v1/endpoints", body)
        if NETKIT and endpoint["status"].get("hostInterface"):
            self.move(endpoint)
        return endpoint

    def move(self, endpoint):
        """Does what weftd does when the endpoint has sent much: its program goes to a better hook."""
        ifindex = endpoint["status"]["hostInterface"]["index"]
        found = self.run("tc filter show dev weft0p ingress").stdout
        program = int(found.split(" id ")[1].split()[0])
        with entered(self.host.path):
            try:
                tcx.attach(ifindex, program, tcx.NETKIT_PEER)
            except OSError:
                tcx.attach(ifindex, program)

    def detach(self, endpoint):
        """Detaches by name, or by the Endpoint document that attach() returned."""
        name = endpoint if isinstance(endpoint, str) else endpoint["metadata"]["name"]
        return self.api("DELETE", f"/v1/endpoints/{urllib.parse.quote(name)}")

    def container(self, network, prefix="c", **opts):
        """A new namespace attached to a network: (Netns, first IPv4 or only address, Endpoint)."""
        ns = self.new_netns(prefix)
        endpoint = self.attach(ns, network, **opts)
        for entry in endpoint["status"]["addresses"]:
            # the kernel takes an IPv6 address into use in a worker of its own: on a busy machine
            # some milliseconds after the attach, and what arrives before that is lost
            address = entry["address"].split("/")[0]
            if ":" in address:
                wait_until(lambda to=address: f"local {to} " in
                           ns.run("ip -6 route show table local").stdout, 2, 0.005,
                           f"{address} is in use")
        return ns, self.address_of(endpoint), endpoint

    @staticmethod
    def address_of(endpoint, family=None):
        """An address of an Endpoint document, without length; the first one or of a family."""
        for entry in endpoint["status"]["addresses"]:
            address = entry["address"].split("/")[0]
            if family is None or (":" in address) == (family == 6):
                return address
        return None

    @staticmethod
    def gateway_of(endpoint, family=4):
        for entry in endpoint["status"]["addresses"]:
            if (":" in entry["address"]) == (family == 6):
                return entry.get("gateway")
        return None

    def observe(self, *args):
        """Starts `weft observe -o json ARGS`; returns when it is attached."""
        observer = Observer(self, args)
        self.observers.append(observer)
        time.sleep(0.3)
        assert observer.process.poll() is None, observer.process.stderr.read()
        return observer

    def cni(self, command, config=None, container_id="", netns="", ifname="eth0", args="",
            check=False, **more):
        """Runs weft-cni as a runtime does: configuration on stdin, the rest in the environment.

        config is a dictionary (or raw text); type, socket and cniVersion are filled in.
        Returns the CompletedProcess, with .json holding the parsed answer or error (or None).
        """
        if isinstance(config, str):
            text = config
        else:
            full = {"cniVersion": "1.1.0", "name": "net", "type": "weft",
                    "socket": str(self.socket), **(config or {})}
            text = json.dumps({key: value for key, value in full.items() if value is not None})
        env = {"PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_CONTAINERID": container_id,
               "CNI_NETNS": str(getattr(netns, "path", netns)), "CNI_IFNAME": ifname,
               "CNI_PATH": str(binary("weft-cni").parent), "CNI_ARGS": args, **more}
        env = {key: value for key, value in env.items() if value not in ("", None)}
        done = self.run([str(binary("weft-cni"))], check=check, input=text, env=env)
        try:
            done.json = json.loads(done.stdout) if done.stdout.strip() else None
        except json.JSONDecodeError:
            done.json = None
        return done

    # ---- namespaces --------------------------------------------------------------------------

    def new_netns(self, prefix="c"):
        """A fresh namespace, as a runtime would make it for a container."""
        ns = Netns(prefix)
        self.containers.append(ns)
        return ns

    def outside(self, device="up0", address="192.0.2.1/24", far="192.0.2.2/24",
                address6="2001:db8:ffff::1/64", far6="2001:db8:ffff::2/64", default=True):
        """A machine beyond the node: a namespace behind an uplink, the node's default route.

        Its routes lead everything back through the node.
        """
        other = Netns("o")
        self.outsides.append(other)
        self.run(f"ip link add {device} type veth peer name up0 netns {other.name}")
        for ns, dev, v4, v6 in ((self.host, device, address, address6),
                                (other, "up0", far, far6)):
            ns.run("ip link set lo up")
            ns.run(f"ip addr add {v4} dev {dev}")
            ns.run(f"ip -6 addr add {v6} dev {dev} nodad")
            ns.run(f"ip link set {dev} up")
        for family, near, there in ((4, address, far), (6, address6, far6)):
            other.run(f"ip -{family} route add default via {near.split('/')[0]}")
            if default:
                self.run(f"ip -{family} route add default via {there.split('/')[0]}")
        # IPv6 is ready only some time after the link is
        for there in (far, far6):
            wait_until(lambda to=there: self.host.ping(to.split("/")[0]), 5, what="the uplink")
        return other

    # ---- the daemon --------------------------------------------------------------------------

    def paths(self):
        """The options that put everything of this node in its own places."""
        return ["--run-dir", str(self.run_dir), "--state-dir", str(self.state_dir),
                "--bpf-dir", str(self.bpf_dir)]

    def daemon_command(self, *extra):
        return [*self.wrapper, str(binary("weftd")), "--node-name", self.name, *self.paths(),
                "--config", "none", *(("--datapath-mode", "netkit") if NETKIT else ()), *extra]

    def spawn_daemon(self, *extra, **env):
        """Starts weftd without waiting for it."""
        assert self.daemon is None or self.daemon.poll() is not None, "weftd runs already"
        self.extra = extra
        with open(self.log, "ab") as log:
            self.daemon = subprocess.Popen(
                self.host.command(self.daemon_command(*extra)), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=self.environment(**env))
        return self.daemon

    def start_daemon(self, *extra, **env):
        """Starts weftd and returns when it answers."""
        self.spawn_daemon(*extra, **env)
        self.wait_ready()

    def wait_ready(self, timeout=60):
        def ready():
            assert self.daemon.poll() is None, (
                f"weftd ended with {self.daemon.returncode}:\n{self.log_text()[-3000:]}")
            try:
                return self.api("GET", "/v1/status")
            except (OSError, http.client.HTTPException, ApiError):
                return None

        return wait_until(ready, timeout, 0.01, "weftd answers")

    def stop_daemon(self, timeout=20):
        """Ends weftd politely; it must exit with status 0."""
        status = stop_process(self.daemon, signal.SIGTERM, timeout)
        self.daemon = None
        assert status == 0, f"weftd exited with {status}:\n{self.log_text()[-3000:]}"

    def kill_daemon(self, sig=signal.SIGKILL):
        """Kills weftd and reaps it."""
        self.daemon.send_signal(sig)
        self.daemon.wait(10)
        self.daemon = None

    def restart_daemon(self):
        self.stop_daemon()
        self.start_daemon(*self.extra)

    def crash(self, point, action, *options):
        """Restarts weftd so that it kills itself at a point, and does something that leads there."""
        self.stop_daemon()
        self.start_daemon(*options, WEFT_CRASH_AT=point)
        with contextlib.suppress(OSError, http.client.HTTPException, ApiError):
            action()
        wait_until(lambda: self.daemon.poll() is not None, 5, what=f"weftd died at {point}")
        assert self.daemon.returncode == -signal.SIGKILL
        self.daemon = None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def expect_errors(self, pattern=".*"):
        """Error lines of the log that match are no reason to fail this test."""
        self.expected_errors.append(re.compile(pattern))

    def cleanup_command(self):
        return ["cleanup", "--yes", "--config", "none", *self.paths()]

    # ---- looking -----------------------------------------------------------------------------

    def own_links(self):
        """Links of weft on the host side."""
        return sorted(name for name, link in self.host.links().items()
                      if link["ifindex"] >= IFINDEX_BASE or name.startswith(HOST_DEVICE) or
                      link.get("group") == VLAN_GROUP)

    def own_routes(self):
        return [route for family in (4, 6)
                for route in self.host.ip(f"-{family}", "route", "show", "table", "all",
                                          "proto", str(ROUTE_PROTOCOL))]

    def left_behind(self):
        """What cleanup should have removed and did not."""
        left = [f"link {name}" for name in self.own_links()]
        left += [f"route {route.get('dst')}" for route in self.own_routes()]
        if self.bpf_dir.exists():
            left += [str(path) for path in self.bpf_dir.rglob("*")] or [str(self.bpf_dir)]
        return left

    def log_problems(self):
        """Lines that no healthy run has: errors that were not expected, sanitizer reports."""
        lines = []
        for line in self.log_text().splitlines():
            if REPORT.search(line):
                lines.append(line)
            elif line.startswith("ERROR") and not any(e.search(line) for e in self.expected_errors):
                lines.append(line)
        return lines

    # ---- the end -----------------------------------------------------------------------------

    def reset(self):
        """Takes away all that a test has made, for the next one. Returns a list of complaints.

        Not what it did to the host side itself, nor what weftd has counted.
        """
        for observer in self.observers:
            observer.stop()
        for ns in self.containers:
            ns.remove()
        self.observers.clear()
        self.containers.clear()
        wait_until(lambda: not self.endpoints(), 10, what="no endpoint is left")
        for kind in ("Reservation", "Service", "NetworkPolicy", "Network"):
            for document in self.api("GET", f"/v1/documents/{kind}")["items"]:
                self.api("DELETE", f"/v1/documents/{kind}/{document['metadata']['name']}")
        complaints = [f"log: {line}" for line in self.log_problems()]
        self.log.write_text("")
        self.expected_errors.clear()
        return complaints

    def close(self):
        """Ends everything. Returns a list of complaints, empty after a healthy test."""
        complaints = []
        for observer in self.observers:
            stop_process(observer.process)
        for ns in self.containers:
            ns.remove()
        if self.daemon and self.daemon.poll() is None:
            try:
                self.stop_daemon()
            except AssertionError as error:
                complaints.append(str(error))
        elif self.daemon and self.daemon.returncode != 0:
            complaints.append(f"weftd ended by itself with {self.daemon.returncode}")
        try:
            done = self.weft(*self.cleanup_command(), check=False)
            if done.returncode != 0:
                complaints.append(f"weft cleanup: {done.returncode} {done.stdout}{done.stderr}")
            complaints += [f"left behind: {what}" for what in self.left_behind()]
        except (AssertionError, subprocess.TimeoutExpired) as error:
            complaints.append(str(error))
        complaints += [f"log: {line}" for line in self.log_problems()]
        self.host.remove()
        for ns in self.outsides:
            ns.remove()
        if self.bpf_dir.exists():
            execute(["rm", "-rf", str(self.bpf_dir)], check=False)
        keep = os.environ.get("WEFT_KEEP_LOGS")
        if keep:
            Path(keep).mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(OSError):
                shutil.copy(self.log, Path(keep) / f"{self.netns}.log")
        try:
            shutil.rmtree(self.dir)
        except OSError as error:
            complaints.append(f"left behind: {error}")
        return complaints
