# SPDX-License-Identifier: Apache-2.0
"""The `weft` command by itself: usage, help and man pages, completion, documents, what stays offline.

      weft ----- unix socket ----- Fake: a thread that answers from a table and notes requests
"""
import json
import os
import re
import shutil
import socket
import subprocess
import time

import pytest
from lib.cli import NETWORK, WEFT

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
