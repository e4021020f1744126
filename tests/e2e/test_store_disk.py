# SPDX-License-Identifier: Apache-2.0
"""The store's disk takes nothing any more while weftd runs:

    [ node: weftd, blue ] -- c1, c2, ...
          |
       state/ ---- ext4 on a loop device: its files made immutable, or an error that makes it read-only
"""
import contextlib
import json
import os
import pathlib
import re
import subprocess

import pytest
from lib.answer import Answerer, Session, try_tcp
from lib.cni import add, links_become, refused
from lib.netns import execute, wait_until
from lib.node import ApiError

CONFIG = {"name": "blue"}


class Disk:
    """A small ext4 of its own where the node has its state."""

    def __init__(self, node):
        self.node = node
        self.image = node.dir / "disk"
        self.place = node.state_dir
        self.frozen = []
        self.place.mkdir(parents=True)
        with open(self.image, "wb") as image:
            image.truncate(16 << 20)
        execute(["mkfs.ext4", "-q", "-F", str(self.image)])
        self.mount()

    def mount(self):
        execute(["mount", "-o", "loop,errors=remount-ro", str(self.image), str(self.place)])
        os.chmod(self.place, 0o700)
        source = execute(["findmnt", "-n", "-o", "SOURCE", str(self.place)]).stdout.strip()
        self.device = os.path.basename(source)

    def unmount(self):
        execute(["umount", str(self.place)])

    def freeze(self):
        """The files of the store take no change, until thaw()."""
        self.frozen = sorted(self.place.glob("weft.db*"))
        execute(["chattr", "+i", *map(str, self.frozen)])

    def thaw(self):
        execute(["chattr", "-i", *map(str, self.frozen)])
        self.frozen = []

    def fail(self):
        """What the kernel does when it finds the file system damaged: only a new mount ends it.

        What it had not written by then is lost with it, as by a power cut: endpoints are not synced.
        """
        with open(f"/sys/fs/ext4/{self.device}/trigger_fs_error", "w", encoding="ascii") as trigger:
            trigger.write("1")

    def close(self):
        if self.frozen:
            self.thaw()
        if self.node.daemon:
            self.node.stop_daemon()
        self.node.weft(*self.node.cleanup_command(), check=False)
        self.unmount()


@pytest.fixture
def disk(stopped_node):
    try:
        made = Disk(stopped_node)
    except (AssertionError, FileNotFoundError) as error:
        pytest.skip(f"no ext4 on a loop device here: {error}")
    yield made
    made.close()


def is_writable(node):
    return node.metric("weft_store_writable") == 1


def doctor(node):
    """What the doctor says of the store's files: (status, everything it says)."""
    done = node.weft("doctor", "-o", "json", *node.paths(), check=False)
    check, = [c for c in json.loads(done.stdout)["checks"] if c["id"] == "files.writable"]
    return check["status"], json.dumps(check)


def assert_refuses(node, word):
    """Whatever would have to be stored is refused, says which file and why, and leaves nothing."""
    path = str(node.state_dir / "weft.db")
    for change in (lambda: node.network("green"),
                   lambda: node.attach(node.new_netns(), "blue"),
                   lambda: node.api("DELETE", "/v1/endpoints/second")):
        with pytest.raises(ApiError) as error:
            change()
        assert (error.value.code, error.value.status) == ("EROFS", 507), error.value
        assert path in error.value.message and re.search(word, error.value.message)
    done = node.cni("ADD", CONFIG, container_id="late", netns=node.new_netns())
    refused(done, 107, path, "EROFS")
    assert re.search(word, done.json["msg"])
    refused(node.cni("STATUS", CONFIG), 50, path)
    for ns in node.containers[-2:]:
        links_become(ns, "lo")
    assert node.inspect("blue")["status"]["subnets"][0]["inUse"] == len(node.endpoints()) == 4
    assert [n["metadata"]["name"] for n in node.api("GET", "/v1/networks")["items"]] == ["blue"]
    assert len(node.own_routes()) == 1


def assert_told(node, word):
    """weft status and store show, the metrics and the doctor say so."""
    assert not is_writable(node)
    path = str(node.state_dir / "weft.db")
    for command in ("status", "store show"):
        text = node.weft(*command.split()).stdout
        assert re.search("cannot be written since", text) and path in text, text
        assert re.search(word, text), text
    state = node.weft_json("status")["storeState"]
    assert state["writable"] is False and path in state["writeError"] and state["writeErrorSince"]
    status, text = doctor(node)
    assert status == "error" and str(node.state_dir) in text, text


@contextlib.contextmanager
def running(node):
    """Four containers, and a connection between two of them that must not end."""
    node.start_daemon()
    node.network("blue")
    first, _, endpoint = node.container("blue", name="first")
    second, address, _ = node.container("blue", name="second")
    add(node, node.new_netns(), "gone", CONFIG)
    dying, _, _ = node.container("blue", name="dying")
    assert is_writable(node) and doctor(node)[0] == "ok"
    with contextlib.closing(Answerer(second, "second")), Session(first, address) as session:
        def goes_on():
            assert session.works() and try_tcp(first, address) == "second"
            assert node.host.ping(address) and second.ping(node.gateway_of(endpoint))
        goes_on()
        yield goes_on, dying


def delete_two(node, dying):
    """A DEL and the end of a namespace while nothing can be stored: both wait."""
    assert node.cni("DEL", CONFIG, container_id="gone").returncode == 0
    node.containers.remove(dying)
    dying.remove()
    assert len(list((node.run_dir / "spool").iterdir())) == 1
    assert len(node.endpoints()) == 4


def assert_made_good(node):
    wait_until(lambda: sorted(e["metadata"]["name"] for e in node.endpoints()) ==
               ["first", "second"], 30, what="what waited is done")
    wait_until(lambda: not list((node.run_dir / "spool").iterdir()), 10, what="nothing waits")
    wait_until(lambda: is_writable(node), 10, what="it is told")
    assert doctor(node)[0] == "ok" and "cannot be written" not in node.weft("status").stdout
    assert node.cni("STATUS", CONFIG).returncode == 0
    node.network("green")
    ns = node.new_netns()
    add(node, ns, "late", CONFIG)
    assert node.inspect("blue")["status"]["subnets"][0]["inUse"] == len(node.endpoints()) == 3


def test_files_that_take_no_change(disk):
    """Immutable for a while: all goes on by itself when they are not any more."""
    node = disk.node
    node.expect_errors()
    with running(node) as (goes_on, dying):
        disk.freeze()
        assert_refuses(node, "chattr -i")
        assert_told(node, "chattr -i")
        delete_two(node, dying)
        goes_on()
        disk.thaw()
        assert_made_good(node)
        goes_on()
        said = node.log_text()
        assert said.count("the store cannot be written") == 1, said
        assert said.count("the store can be written again") == 1, said
        node.restart_daemon()
        assert node.inspect("green") and len(node.endpoints()) == 3
        goes_on()


def test_a_file_system_that_turns_read_only(disk):
    """An error that the kernel found, which only a new mount ends: weftd goes on until then."""
    node = disk.node
    node.expect_errors()
    with running(node) as (goes_on, dying):
        disk.fail()
        assert_refuses(node, "read-only")
        assert_told(node, "read-only")
        delete_two(node, dying)
        goes_on()
        node.stop_daemon()
        kept = json.loads((node.run_dir / "endpoints.kept").read_text())
        assert len(kept["endpoints"]) == 4
        goes_on()
        process = node.spawn_daemon()
        assert process.wait(20) == 1
        node.daemon = None
        assert re.search(rf"{node.state_dir}/weft.db.*read-only", node.log_text()[-1500:], re.I)
        goes_on()
        disk.unmount()
        # it has noted that it was damaged
        subprocess.run(["e2fsck", "-fy", str(disk.image)], stdout=subprocess.DEVNULL, check=False)
        disk.mount()
        node.start_daemon()
        assert not (node.run_dir / "endpoints.kept").exists()
        assert_made_good(node)
        goes_on()


def test_what_was_written_down_is_for_an_older_store(disk):
    """Endpoints come back though nobody wrote after the error; a store that is newer keeps its own."""
    node = disk.node
    kept = node.run_dir / "endpoints.kept"

    def names():
        return sorted(endpoint["metadata"]["name"] for endpoint in node.endpoints())

    node.start_daemon()
    node.network("blue")
    for name in ("first", "second"):
        node.container("blue", name=name)
    disk.fail()
    node.stop_daemon()
    assert kept.exists()
    disk.unmount()
    subprocess.run(["e2fsck", "-fy", str(disk.image)], stdout=subprocess.DEVNULL, check=False)
    disk.mount()
    node.start_daemon()
    assert names() == ["first", "second"] and not kept.exists()
    revision = node.weft_json("status")["storeState"]["revision"]
    for behind, left in ((0, ["first", "second"]), (1, [])):
        node.stop_daemon()
        # as of another time: without any of them
        kept.write_text(json.dumps({
            "bootID": pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            "revision": revision + behind, "endpoints": []}))
        node.start_daemon()
        assert names() == left and not kept.exists()
