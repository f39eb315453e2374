"""What is done with each program. What depends on the time, on chance or on the order of threads is not noted."""
import concurrent.futures
import contextlib
import fcntl
import hashlib
import http.client
import os
import pathlib
import pty
import pwd
import socket
import struct
import subprocess
import termios
import time

HERE = pathlib.Path(__file__).parent


def executable(run, program):
    """A program of ours."""
    run.command(program)


# ---- interpreters ----------------------------------------------------------------------------------------------------

def python3(run):
    run.command("python3", HERE / "work.py", variables={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"})


def node(run):
    run.command("node", HERE / "work.js")


def perl(run):
    run.command("perl", HERE / "work.pl", variables={"PERL_HASH_SEED": "0"})


def ruby(run):
    run.command("ruby", HERE / "work.rb")


# ---- databases -------------------------------------------------------------------------------------------------------

def sqlite3(run):
    run.command("sqlite3", "-batch", ":memory:", ".read " + str(HERE / "work.sql"))
    run.note(digest(run.directory / "copy.db"))


def redis(run):
    def ask(*command):
        return run.command("redis-cli", "-s", "socket", *command, recorded=False).strip()

    def save():
        """Saves in a child process, while others go on writing."""
        before = ask("LASTSAVE")
        while ask("LASTSAVE") == before:  # in seconds
            time.sleep(0.3)
            ask("BGSAVE", "SCHEDULE")

    with run.server("redis-server", "--port", "0", "--unixsocket", "socket", "--save", "", "--appendonly", "no",
                    "--enable-debug-command", "yes", "--activedefrag", "no", listens="socket"):
        load = run.start("redis-benchmark", "-s", "socket", "-q", "-c", "20", "-n", "20000", "-r", "20000", "-d", "200",
                         "-t", "set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100,mset", stdout=subprocess.DEVNULL)
        save()
        if load.wait():
            raise RuntimeError("redis-benchmark failed")
        random_keys = ask("DEBUG", "DIGEST")
        ask("DEBUG", "RELOAD")
        if ask("DEBUG", "DIGEST") != random_keys:
            raise RuntimeError("what was saved is not what is loaded")
        ask("FLUSHALL")
        run.command("redis-cli", "-s", "socket", "--pipe", recorded=False, stdin="".join(
            f"SET key:{i} {'x' * (1 + i % 300)}\nHSET hash:{i % 500} field:{i} {i}\nZADD set:{i % 50} {i} {i}\n"
            f"RPUSH list:{i % 20} {'y' * (1 + i % 100)}\nEXPIRE key:{i - 9} {100000 if i % 2 else 0}\n" for i in range(30000)))
        save()
        run.note(ask("DBSIZE"), ask("DEBUG", "DIGEST"), "save: " + ask("INFO", "persistence").partition(
            "rdb_last_bgsave_status:")[2].split()[0])


# ---- compilers -------------------------------------------------------------------------------------------------------

def compile_and_link(run, compiler):
    """The machine code must be the same, not only what it does."""
    run.command(compiler, "-std=c++17", "-O2", "-g", "-Wall", "-c", HERE / "unit.cpp", "-o", "unit.o")
    run.command(compiler, "unit.o", "-o", "unit")
    run.note(digest(run.directory / "unit.o"), digest(run.directory / "unit"))
    run.command(str(run.directory / "unit"))


def gcc(run):
    compile_and_link(run, "g++")


def clang(run):
    compile_and_link(run, "clang++-14")


# ---- servers and tools -----------------------------------------------------------------------------------------------

class LocalConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system: no port that another test may have."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def nginx(run):
    pages = run.directory / "pages"
    pages.mkdir()
    for number in range(20):
        (pages / f"{number}.txt").write_text(f"line of page {number}\n" * 40 ** (number % 4), encoding="ascii")
    user = f"user {pwd.getpwuid(os.geteuid()).pw_name} ;" if os.geteuid() == 0 else ""
    temporary = "".join(f"{kind}_temp_path {kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (run.directory / "nginx.conf").write_text(f"""
        {user} daemon off; worker_processes 2; pid pid; error_log stderr crit;
        events {{ worker_connections 256; }}
        http {{
            {temporary} access_log access.log; gzip on; gzip_min_length 100; gzip_types *;
            upstream files {{ server unix:files; keepalive 4; }}
            server {{ listen unix:files; root pages; }}
            server {{
                listen unix:front;
                location / {{ proxy_pass http://files; proxy_http_version 1.1; proxy_set_header Connection ""; }}
            }}
        }}""", encoding="ascii")

    def ask(connection, number):
        accepted = "gzip" if number % 3 == 0 else "identity"
        connection.request("GET", f"/{number % 25}.txt", headers={"Accept-Encoding": accepted})
        response = connection.getresponse()
        return f"{number} {response.status} {response.getheader('Content-Type')} {digest_of(response.read())}"

    def get(connection, number):
        try:
            return ask(connection, number)
        except ConnectionError:  # a worker that is to go closes connections that are between two requests
            connection.close()
            return ask(connection, number)

    def client(numbers):
        connection = LocalConnection(run.directory / "front")
        answers = [get(connection, number) for number in numbers]
        connection.close()
        return answers

    with run.server("nginx", "-p", str(run.directory), "-c", "nginx.conf", "-e", "stderr", listens="front",
                    stop=3) as server, concurrent.futures.ThreadPoolExecutor(8) as pool:
        halves = [[range(first, 4000, 8) for first in range(half, 8, 2)] for half in (0, 1)]
        for half in halves:
            server.send_signal(1)  # new workers take over, the old ones finish what they serve
            for answers in pool.map(client, half):
                run.note(*answers)
    run.note((run.directory / "server.log").read_text(encoding="utf-8"))


def git(run):
    fixed = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
             "GIT_COMMITTER_EMAIL": "a@b", "GIT_AUTHOR_DATE": "1700000000 +0000",
             "GIT_COMMITTER_DATE": "1700000000 +0000"}

    def call(*command):
        run.command("git", *command, variables=fixed)

    source = run.directory / "source"
    call("init", "--quiet", "--initial-branch=main", "source")
    for commit in range(30):
        for file in range(60):
            if commit == 0 or file % 10 == commit % 10:
                path = source / f"directory{file % 7}" / f"file{file}"
                path.parent.mkdir(exist_ok=True)
                path.write_text("".join(f"{file} {line * (commit + 1 if line % 50 == commit else 1)}\n"
                                        for line in range(2000)), encoding="ascii")
        call("-C", "source", "add", ".")
        call("-C", "source", "commit", "--quiet", "-m", f"commit {commit}")
    call("-C", "source", "log", "--stat", "-p", "-M", "--format=%H %s", "-5")
    call("-C", "source", "-c", "pack.threads=2", "gc", "--quiet", "--aggressive")
    call("-C", "source", "fsck", "--strict")
    call("clone", "--quiet", "--no-local", "source", "copy")
    call("-C", "copy", "fsck")
    call("-C", "copy", "rev-parse", "HEAD")
    call("-C", "copy", "blame", "directory0/file0")


def vim(run):
    """In a terminal, typed into."""
    typed = (":syntax on\r:set filetype=c undolevels=1000\r"
             "iint main(void)\r{\rreturn 0;\r}\x1b"
             "ggyG" "200p" ":%s/return \\(\\d\\+\\)/return \\1 + 1/g\r"
             "gg/return\rqa0ccchanged\x1bnq" "150@a" "100u" "50\x12"
             "GVgg=" ":split\r:vsplit\r\x17o" ":g/changed/normal Aagain\r" "ggVG:sort\r" ":%!rev\r"
             ":w result.txt\r:qa!\r")
    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
    process = run.start("vim", "-u", "NONE", "-i", "NONE", "-N", "-n", "new.c", variables={"TERM": "xterm-256color"},
                        stdin=inside, stdout=inside, stderr=inside)
    os.close(inside)
    with os.fdopen(terminal, "r+b", buffering=0) as screen:
        drawn = b""
        while b'"new.c"' not in drawn:  # until then the terminal would edit the line that is typed
            drawn += screen.read(65536)
        screen.write(typed.encode("latin-1"))
        with contextlib.suppress(OSError):  # the terminal is closed when vim has ended
            while chunk := screen.read(65536):
                drawn += chunk
    if process.wait():
        raise RuntimeError(f"vim: exit status {process.returncode}")
    run.note((run.directory / "result.txt").read_text(encoding="ascii"))


def digest_of(contents):
    return hashlib.sha256(contents).hexdigest()


def digest(path):
    return digest_of(path.read_bytes())
